"""Turns a generator and a private set into a set that can leave the building, or refuses and says why.

Candidates, screen, selection, audit, package: each step is kept in the private ledger, so that a release that was
interrupted goes on from there and ends with the same bytes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from fourfold.comparison import Progress, Role, no_progress
from fourfold.devices import check_device
from fourfold.evaluation import DEFAULT_FEATURES
from fourfold.releasing.candidates import CandidatePlan
from fourfold.releasing.choice import Mode, Wish
from fourfold.releasing.package import Form
from fourfold.releasing.policy import ReleasePolicy, read_release_policy
from fourfold.releasing.refusal import write_refusal
from fourfold.releasing.selection import Balance
from fourfold.releasing.steps import audit_documents, chosen_images, judgement_of, packaged
from fourfold.releasing.task import LEDGER, Task, Terms, Trial, begin
from fourfold.releasing.wording import outcome, what_was_counted

__all__ = ["LEDGER", "Release", "release"]


@dataclass(frozen=True)
class Release:
    """How a release ended.

    Parameters
    ----------
    released : bool
    folder : Path
        The package; where it was refused, the evidence.
    reasons : tuple of str
        Why it was refused; empty where it was not.
    sentences : tuple of str
        The outcome in words.
    counts : mapping of str to int
        Candidates by what became of them.
    fingerprint : str
        SHA-256 of the package's ``SHA256SUMS``; empty where it was refused.
    figures : mapping
        Aggregates of every step, as ``release.json`` holds them.
    work : Path
        In the ledger: provenance and the internal report; not to be passed on.
    """

    released: bool
    folder: Path
    reasons: tuple[str, ...]
    sentences: tuple[str, ...]
    counts: Mapping[str, int]
    fingerprint: str
    figures: Mapping[str, Any]
    work: Path


def release(
    source: Any,
    train: Any,
    holdout: Any,
    reference: Any | None = None,
    *,
    output: str | os.PathLike[str],
    policy: ReleasePolicy | str | os.PathLike[str],
    n: int | None = None,
    mode: Mode = "calibrated",
    balance: Balance = "training",
    choose: str | None = None,
    plan: CandidatePlan | None = None,
    ledger: str | os.PathLike[str] | None = None,
    form: Form | None = None,
    bits: int | None = None,
    title: str = "Synthetic medical images",
    description: str = "",
    licence: str = "CC-BY-4.0",
    creators: Sequence[str] = (),
    split: Any | None = None,
    split_by: str = "",
    features: Sequence[Any] = DEFAULT_FEATURES,
    splits: Mapping[Role, str] | None = None,
    columns: Mapping[str, str | None] | None = None,
    root: str | os.PathLike[str] | None = None,
    size: Any = None,
    channels: int | None = None,
    scaling: str = "auto",
    volumes: bool = False,
    slices: bool = False,
    skip_broken: bool = False,
    seed: int = 0,
    memory: int = 1 << 30,
    device: str = "cpu",
    day: date | None = None,
    progress: Progress = no_progress,
) -> Release:
    """Make a release, or go on with one that was interrupted.

    Parameters
    ----------
    source : path, Model or set
        A model that `fourfold.train` made, or candidates from elsewhere: whatever `fourfold.open_set` opens.
    train, holdout, reference
        The images that the generator saw; images of other patients, who judge the result; and of further ones, who
        calibrate the choice. Without a reference half of the holdout's patients calibrate and the other half judge.
    output : path
        A new folder for the package. Refused, there is none, and the evidence lies in ``NAME.refused`` beside it.
    policy : ReleasePolicy or path
        The limits, signed.
    n : int or None
        Images, at most; None for as many as `train` has. Fewer where fewer can be given.
    mode, balance, choose, plan
        See `Wish` and `CandidatePlan`.
    ledger : path or None
        The private folder that counts releases and keeps provenance; None for ``fourfold-ledger`` beside `output`.
    form : {"png", "nifti", "dicom"} or None
    bits : {8, 16} or None
        None for 8 where the training images have 8, else 16.
    title, description, licence, creators
        For the package; without creators, who signed the policy.
    split, split_by
        As for `fourfold.audit`.
    features : sequence of str or FeatureExtractor
        Of the audit.
    splits, columns, root, size, channels, scaling, volumes, slices, skip_broken
        As for `fourfold.evaluate`. A model fixes size, channels and scaling.
    seed, memory, device, progress
        As everywhere.
    day : date or None
        What the release is dated; None for today. One that goes on keeps its first day.

    Returns
    -------
    Release

    Raises
    ------
    InputError
        Where an input is wrong; the message says what and what to do.
    """
    check_device(device)
    policy = policy if isinstance(policy, ReleasePolicy) else read_release_policy(policy)
    task = begin(
        source,
        train,
        holdout,
        reference,
        output=Path(output).absolute(),
        policy=policy,
        wish=Wish(n, mode, balance, choose, CandidatePlan() if plan is None else plan),
        ledger=ledger,
        terms=Terms(title, description, licence, tuple(creators) or (policy.audit.signed_by,), form, bits),
        trial=Trial(tuple(features), split, split_by, seed, memory, device),
        day=date.today() if day is None else day,
        progress=progress,
        splits=splits,
        columns=columns,
        root=root,
        size=size,
        channels=channels,
        scaling=scaling,
        volumes=volumes,
        slices=slices,
        skip_broken=skip_broken,
    )
    images, figures = chosen_images(task)
    record = _record(task, figures)
    if not len(images):
        return _refused(task, ("no candidate was left after screen and selection",), record, {})
    judged = judgement_of(task, images, figures)
    record |= {"audit": judged["audit"], "utility": judged["tests"]["utility"], "tests": judged["tests"]}
    documents = audit_documents(task)
    if judged["reasons"]:
        return _refused(task, tuple(judged["reasons"]), record, documents)
    fingerprint = packaged(task, images, record, documents)
    sentences = outcome(True, (), len(images), judged["audit"]["sentence"])
    return Release(True, task.output, (), sentences, what_was_counted(record), fingerprint, record, task.work.folder)


def _record(task: Task, figures: Mapping[str, Any]) -> dict[str, Any]:
    """What ``release.json`` says beside what the images tell, as far as it is known before the audit."""
    people = task.roles.describe()
    return {
        "mode": task.wish.mode,
        "preparation": task.preparation.describe(),
        "generator": task.generator,
        **figures,
        "patients": {
            "training": people["training"]["patients"],
            "holdout": people["judging"]["patients"],
            "calibration": people["calibration"]["patients"],
        },
        "earlier_releases": task.earlier,
        "policy": task.policy.describe(),
    }


def _refused(
    task: Task, reasons: tuple[str, ...], record: Mapping[str, Any], documents: Mapping[str, bytes]
) -> Release:
    folder = write_refusal(task.output, reasons, record, documents)
    return Release(
        False, folder, reasons, outcome(False, reasons, 0, ""), what_was_counted(record), "", record, task.work.folder
    )
