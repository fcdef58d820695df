"""What one release is asked for, opened and checked before any work is done."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from fourfold.answers import code_digest
from fourfold.comparison import Progress, Role
from fourfold.errors import InputError
from fourfold.generate import Model, open_model
from fourfold.generate.provenance import digest_of, versions
from fourfold.generate.weights import MODEL
from fourfold.images import ImageSet
from fourfold.images.sets import Preparation
from fourfold.opening import open_sets
from fourfold.releasing.choice import Wish
from fourfold.releasing.ledger import Ledger, open_ledger
from fourfold.releasing.package import Contents, Form, check_labels
from fourfold.releasing.policy import ReleasePolicy
from fourfold.releasing.roles import Roles, roles_of
from fourfold.releasing.work import Work, open_work

__all__ = ["LEDGER", "Task", "Terms", "Trial", "begin", "package_of", "refuse_telling_labels"]

LEDGER = "fourfold-ledger"
"""Name of the ledger where none is named: a folder beside the package."""


@dataclass(frozen=True)
class Terms:
    """What the package says about itself, and how its images are stored; None fits the training images."""

    title: str
    description: str
    licence: str
    creators: tuple[str, ...]
    form: Form | None = None
    bits: int | None = None


@dataclass(frozen=True)
class Trial:
    """How the audit is made, and with what the work is done."""

    features: tuple[Any, ...]
    split: Any
    split_by: str
    seed: int
    memory: int
    device: str


@dataclass(frozen=True)
class Task:
    """One release.

    Parameters
    ----------
    output : Path
        Where the package goes.
    model : Model or None
    candidates : ImageSet or None
        Prepared, where somebody else made them.
    roles : Roles
    wish : Wish
    policy : ReleasePolicy
    terms : Terms
    trial : Trial
    ledger : Ledger
    name : str
        Of the release in the ledger.
    work : Work
    drawn : Path
        Where candidates are drawn, shared by releases that want the same ones.
    progress : callable
    """

    output: Path
    model: Model | None
    candidates: ImageSet | None
    roles: Roles
    wish: Wish
    policy: ReleasePolicy
    terms: Terms
    trial: Trial
    ledger: Ledger
    name: str
    work: Work
    drawn: Path
    progress: Progress

    @property
    def preparation(self) -> Preparation:
        """Of all sets."""
        return self.roles.preparation

    @property
    def generator(self) -> dict[str, Any]:
        """What a package says about where candidates come from."""
        if self.model is None:
            return {"folder": True}
        return {"recipe": self.model.record["recipe"], "digest": self.model.digest}

    @property
    def secret(self) -> bytes:
        """What order, names and identifiers of the released images derive from."""
        return self.ledger.secret(self.name)

    @cached_property
    def codes(self) -> frozenset[str]:
        """The training patients as the ledger knows them."""
        return self.ledger.codes(self.roles.training)

    @cached_property
    def earlier(self) -> int:
        """Releases from some of the same patients before this one."""
        return self.ledger.earlier(self.codes, besides=self.name)


def begin(
    source: Any,
    train: Any,
    holdout: Any,
    reference: Any | None,
    *,
    output: Path,
    policy: ReleasePolicy,
    wish: Wish,
    ledger: str | os.PathLike[str] | None,
    terms: Terms,
    trial: Trial,
    day: date,
    progress: Progress,
    splits: Mapping[Role, str] | None,
    **reading: Any,
) -> Task:
    """Open everything, and the ledger where the release is to be made or goes on.

    Parameters
    ----------
    source, train, holdout, reference, output, policy, ledger, day, progress, splits
        As for `fourfold.release`.
    wish, terms, trial
    **reading
        As for `fourfold.opening.open_sets`.

    Raises
    ------
    InputError
        Where an input is wrong, or the place is taken.
    """
    if holdout is None:
        raise InputError(
            "a release needs a holdout: images of patients that the generator never saw; "
            "`fourfold split` sets some aside before training"
        )
    model = _model(source)
    splits = dict(splits or {})
    if model is not None:
        # Real sets are opened and compared before anything is drawn; the training set stands where candidates will.
        source, reading = train, {**reading, **_as_trained(model.preparation)}
        splits.pop("synthetic", None)
        if "training" in splits:
            splits["synthetic"] = splits["training"]
    opened = open_sets(
        source,
        train,
        holdout,
        reference,
        splits=splits,
        seed=trial.seed,
        memory=trial.memory,
        progress=progress,
        **reading,
    )
    roles = roles_of(opened.sets, trial.seed)
    candidates = None if model is not None else opened.sets.synthetic
    refuse_telling_labels(roles.training if candidates is None else candidates, roles.training)
    terms = _fitting(terms, roles.training)
    # What cannot be packaged is refused before the work and not after it.
    package_of(terms, roles.training.take([0]), day, bytes(32))
    made_of = {"model": model.digest} if model is not None else {"set": opened.digests["synthetic"]}
    sets = {role: digest for role, digest in opened.digests.items() if role != "synthetic"}
    request = {
        "source": made_of,
        "sets": sets,
        "preparation": None if roles.training.preparation is None else roles.training.preparation.describe(),
        "wish": asdict(wish),
        "terms": asdict(terms),
        "policy": {**policy.describe(), "text": policy.text},
        "output": output.name,
        "features": [str(one) for one in trial.features],
        "split_by": trial.split_by,
        "seed": trial.seed,
        "versions": {**versions(), "code": code_digest()},
    }
    book = open_ledger(output.parent / LEDGER if ledger is None else ledger)
    name = digest_of(request)[:16]
    work = open_work(book.work(name), request, day)
    pool = digest_of([made_of, sets, asdict(wish.plan), wish.count, trial.seed])[:16]
    _check_place(output, work)
    return Task(
        output, model, candidates, roles, wish, policy, terms, trial, book, name, work,
        book.folder / "candidates" / pool, progress,
    )  # fmt: skip


def package_of(
    terms: Terms,
    images: ImageSet,
    day: date,
    secret: bytes,
    record: Mapping[str, Any] | None = None,
    documents: Mapping[str, bytes] | None = None,
) -> Contents:
    """The contents of a package; raises InputError where terms and images do not fit."""
    return Contents(
        images=images,
        title=terms.title,
        description=terms.description,
        licence=terms.licence,
        creators=terms.creators,
        day=day,
        secret=secret,
        documents=documents or {},
        record=record or {},
        form=terms.form,
        bits=terms.bits or 8,
    )


def refuse_telling_labels(images: ImageSet, training: ImageSet, least: int = 1) -> None:
    """Refuse labels that are, or hold, a name of a training patient or file.

    Raises
    ------
    InputError
    """
    problems = check_labels(images, training, least=least)
    if problems:
        raise InputError(f"the labels of the {images.name} set cannot be released: {'; '.join(problems)}")


def _model(source: Any) -> Model | None:
    if isinstance(source, Model):
        return source
    if isinstance(source, str | os.PathLike) and (Path(source) / MODEL).is_file():
        folder = Path(source)
        # A drawn set holds the record of its model beside its images.
        if not (folder / "generation.json").exists():
            return open_model(folder)
    return None


def _as_trained(preparation: Preparation) -> dict[str, Any]:
    low, high = float(preparation.low), float(preparation.high)
    return {
        "size": preparation.shape,
        "channels": preparation.channels,
        "scaling": "per-image" if preparation.rule == "per-image" else f"{low!r}:{high!r}",
    }


def _fitting(terms: Terms, training: ImageSet) -> Terms:
    """Form and depth where none were asked for."""
    preparation = training.preparation
    if preparation is None:
        raise ValueError("the sets of a release are prepared")
    form = terms.form or ("nifti" if len(preparation.shape) == 3 else "png")
    shallow = preparation.rule == "range" and preparation.low == 0 and preparation.high in (1, 255)
    return replace(terms, form=form, bits=terms.bits or (8 if shallow or preparation.channels == 3 else 16))


def _check_place(output: Path, work: Work) -> None:
    taken = output.exists() and (not output.is_dir() or any(output.iterdir()))
    if work.kept("package") is not None:
        if taken:
            raise InputError(f"{output}: holds a finished release; choose a new folder")
        raise InputError(
            f"{output}: this release was finished on {work.day.isoformat()} and its package is not there any more; "
            "restore it, or make another release under another name"
        )
    if taken and work.kept("audit") is None:
        raise InputError(f"{output}: is not empty; choose a new folder for the release")
