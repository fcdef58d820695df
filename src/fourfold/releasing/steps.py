"""The steps of a release after it is opened; each is kept in the ledger and not made again."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fourfold.auditing import Audit
from fourfold.errors import InputError
from fourfold.images import ImageSet
from fourfold.releasing.choice import choose
from fourfold.releasing.decision import reasons_against, tests_of
from fourfold.releasing.evidence import audited
from fourfold.releasing.package import DOCUMENTS, Contents, write_package, write_pictures
from fourfold.releasing.package.sums import SUMS, fingerprint_of
from fourfold.releasing.policy import policy_text
from fourfold.releasing.provenance import chosen_before, keep_choice, write_provenance
from fourfold.releasing.task import Task, package_of, refuse_telling_labels
from fourfold.releasing.wording import how_it_was_made

__all__ = ["audit_documents", "chosen_images", "judgement_of", "packaged"]

_AUDIT, _DRAFT = "audit", "draft"
_POLICY = "policy.toml"


def chosen_images(task: Task) -> tuple[ImageSet, dict[str, Any]]:
    """The images that would be released, prepared and in order, and the figures of their choice."""
    found = chosen_before(task.work, task.candidates, task.drawn)
    if found is None:
        trial = task.trial
        source = task.model if task.model is not None else task.candidates
        if source is None:
            raise ValueError("a release is made from a model or from candidates")
        choice = choose(
            source,
            task.roles,
            task.wish,
            task.policy,
            task.drawn,
            seed=trial.seed,
            memory=trial.memory,
            device=trial.device,
            progress=task.progress,
        )
        # Nobody without the ledger's key can undo this order.
        order = np.random.default_rng(list(task.secret)).permutation(len(choice.rows))
        keep_choice(task.work, replace(choice, rows=choice.rows[order]))
        found = chosen_before(task.work, task.candidates, task.drawn)
        if found is None:
            raise ValueError("what was chosen was not kept")
    images, figures = found
    images = replace(images, name="synthetic", preparation=task.preparation)
    if len(images):
        refuse_telling_labels(images, task.roles.training, task.policy.fewest_label_patients)
    return images, figures


def judgement_of(task: Task, images: ImageSet, figures: Mapping[str, Any]) -> dict[str, Any]:
    """The audit of the files that would be released, held against the policy: ``audit``, ``tests``, ``reasons``."""
    kept = task.work.kept(_AUDIT)
    if kept is not None:
        return kept[0]
    trial, terms = task.trial, task.terms
    audit = audited(
        _draft(task, images),
        terms.form or "png",
        terms.bits or 8,
        task.roles,
        policy=task.policy.audit,
        features=trial.features,
        split=trial.split,
        split_by=trial.split_by,
        day=task.work.day,
        seed=trial.seed,
        memory=trial.memory,
        device=trial.device,
        store=task.work.folder / "store",
        progress=task.progress,
    )
    tests = tests_of(audit)
    missed = figures["screen"]["veto"]["miss_rate"]
    candidates = figures["candidates"]
    reasons = reasons_against(
        audit,
        tests,
        task.policy,
        missed=None if missed is None else missed["value"],
        given_up=candidates["given_up"] / candidates["conditions"] if candidates.get("conditions") else 0.0,
        earlier=task.earlier,
        images=len(images),
    )
    audit.write(task.work.folder / _AUDIT, how_it_was_made(figures, tests, task.roles.describe(), task.earlier))
    task.work.keep(_AUDIT, {"audit": _summary(audit), "tests": tests.describe(), "reasons": reasons})
    kept = task.work.kept(_AUDIT)
    if kept is None:
        raise ValueError("what was judged was not kept")
    return kept[0]


def audit_documents(task: Task) -> dict[str, bytes]:
    """The files of a package that the audit left, and the policy."""
    folder = task.work.folder / _AUDIT
    found = {name: (folder / name).read_bytes() for name in DOCUMENTS if name != _POLICY}
    return {**found, _POLICY: policy_text(task.policy).encode("utf-8")}


def packaged(task: Task, images: ImageSet, record: Mapping[str, Any], documents: Mapping[str, bytes]) -> str:
    """Write the package and enter it in the ledger; gives its fingerprint.

    The ledger counts it before it is there: a release that is counted and not made does less harm than the reverse.
    """
    facts = {"day": task.work.day.isoformat(), "title": task.terms.title, "images": len(images)}
    write_provenance(task.work, images, task.roles.training)
    task.ledger.enter(task.name, task.codes, facts)
    task.progress("writing the package", 0, 1)
    contents = package_of(task.terms, images, task.work.day, task.secret, record, documents)
    if task.output.exists() and any(task.output.iterdir()):
        fingerprint = _already(task, contents)
    else:
        fingerprint = write_package(task.output, contents)
    task.ledger.enter(task.name, task.codes, {**facts, "fingerprint": fingerprint})
    task.work.keep("package", {"fingerprint": fingerprint})
    for folder in (task.work.folder / _DRAFT, task.work.folder / "store", task.drawn):
        shutil.rmtree(folder, ignore_errors=True)
    task.progress("writing the package", 1, 1)
    return fingerprint


def _draft(task: Task, images: ImageSet) -> Path:
    """The images as the package will hold them, for the audit."""
    folder = task.work.folder / _DRAFT
    if not folder.exists():
        partial = folder.with_name(f".{_DRAFT}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        write_pictures(partial, package_of(task.terms, images, task.work.day, task.secret))
        partial.rename(folder)
    return folder


def _already(task: Task, contents: Contents) -> str:
    """The fingerprint of a package that was complete when the release was interrupted.

    Raises
    ------
    InputError
        Where something else lies there.
    """
    again = task.work.folder / "again"
    shutil.rmtree(again, ignore_errors=True)
    try:
        fingerprint = write_package(again, contents)
    finally:
        shutil.rmtree(again, ignore_errors=True)
    sums = task.output / SUMS
    if not sums.is_file() or fingerprint_of(sums.read_bytes()) != fingerprint:
        raise InputError(f"{task.output}: is not empty; choose a new folder for the release")
    return fingerprint


def _summary(audit: Audit) -> dict[str, Any]:
    return {
        "status": audit.status,
        "sentence": audit.sentence,
        "expires": audit.expires.isoformat(),
        "endpoints": [
            {
                "name": one.name,
                "of": one.of,
                "estimate": one.estimate,
                "upper": one.upper,
                "limit": one.limit,
                "status": one.status,
            }
            for one in audit.endpoints
        ],
    }
