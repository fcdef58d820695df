"""Runs the whole privacy audit and keeps what it found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal

from fourfold.comparison import Sets
from fourfold.errors import InputError
from fourfold.evaluation import Evaluation, evaluate
from fourfold.images import SplitRecord, randomised_by_us, read_split_record
from fourfold.privacy import STAGES, Endpoint, Judgement, Policy, judge
from fourfold.report import write_report
from fourfold.score import Score
from fourfold.verdicts import Verdict

__all__ = ["Audit", "Stage", "StageStatus", "audit"]

StageStatus = Literal["pass", "fail", "inconclusive", "not tested", "does not apply"]


@dataclass(frozen=True)
class Stage:
    """One stage of an audit and how it ended."""

    number: int
    name: str
    status: StageStatus


@dataclass(frozen=True)
class Audit:
    """What an audit tried, found and would have found.

    Parameters
    ----------
    evaluation : Evaluation
        Every score of the privacy axis.
    judgement : Judgement
        The verdict with its endpoints.
    day : date
        When it was made.
    split_by : str
        Who divided the patients into training and holdout; empty where it is not known.
    split : SplitRecord or None
        The record of `fourfold split`, where it was given.
    randomised : bool
        Whether the record fits the sets: chance, and nobody else, decided who was trained on.
    """

    evaluation: Evaluation
    judgement: Judgement
    day: date
    split_by: str = ""
    split: SplitRecord | None = None
    randomised: bool = False

    @property
    def policy(self) -> Policy:
        """The limits it was judged by."""
        return self.evaluation.policy

    @property
    def status(self) -> str:
        """``"pass"``, ``"fail"`` or ``"inconclusive"``."""
        return self.judgement.status

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        return self.judgement.sentence

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """What decides, by stage."""
        return self.judgement.endpoints

    @property
    def expires(self) -> date:
        """The last day on which it holds."""
        return self.policy.last_day(self.day)

    @property
    def dataset(self) -> str:
        """SHA-256 over the contents of the synthetic set."""
        return self.evaluation.summaries["synthetic"].digest

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Validity, copies, membership, worst case, the three of WP216, and the model."""
        return tuple(Stage(number, name, self._stage(number)) for number, name in STAGES.items())

    def _stage(self, number: int) -> StageStatus:
        if number == 0:
            checked = any("blocker" in score.details for score in self.evaluation.axis("privacy"))
            return "fail" if self.judgement.blockers else "pass" if checked else "not tested"
        found = {endpoint.status for endpoint in self.endpoints if endpoint.stage == number}
        if not found:
            return "does not apply" if number == 5 and self.policy.scope == "images" else "not tested"
        return next(status for status in ("fail", "inconclusive", "pass") if status in found)

    def write(self, folder: str | Path, made: Sequence[str] = ()) -> Path:
        """Write the statement, the same for programs, and the report that stays inside.

        Parameters
        ----------
        folder : path
            Gets ``statement.html`` and ``audit.json``, which may be passed on; ``index.html`` with the copies beside
            their sources and ``images.parquet``, which may not; ``shareable.html`` and ``scores.json``. All of them
            appear, or none.
        made : sequence of str
            How the set was made and chosen, for the statement of a release, a sentence or two each.

        Returns
        -------
        Path
            Of ``statement.html``.

        Raises
        ------
        InputError
            Where the folder cannot be written to.
        """
        from fourfold.auditing.machine import audit_json
        from fourfold.auditing.statement import statement_of
        from fourfold.report import render_statement

        folder = Path(folder)
        page = render_statement(statement_of(self, made)).encode("utf-8")
        write_report(self.evaluation, folder, {"audit.json": audit_json(self), "statement.html": page})
        return folder / "statement.html"


def audit(
    synthetic: Any,
    train: Any,
    holdout: Any,
    reference: Any | None = None,
    *,
    policy: Policy | None = None,
    model: Any | None = None,
    model_range: tuple[float, float] = (-1.0, 1.0),
    split: SplitRecord | str | Path | None = None,
    further: Iterable[Score] = (),
    beside: Iterable[str] = (),
    day: date | None = None,
    split_by: str = "",
    **options: Any,
) -> Audit:
    """Audit the privacy of a synthetic set: every stage, judged by a policy.

    Parameters
    ----------
    synthetic, train, holdout, reference
        As for `fourfold.evaluate`. The holdout cannot be left out: without patients who were never used nothing can be
        told about those who were.
    policy : Policy or None
        The limits, set before the audit; None for the default ones.
    model : path, Denoiser or None
        The generator, where it is to be shared as well; the scope of the policy is then ``"model"``. A folder that
        ``fourfold train`` wrote (a diffusion model on pixels), or see `fourfold.privacy.model.open_denoiser`.
    model_range : (float, float)
        Values of the model's images where ours are 0 and 1, for a model in a file.
    split : SplitRecord, path or None
        The record that `fourfold split` wrote. Where it fits the sets, the statement says that chance divided the
        patients, and attacks on the model give a lower bound of the privacy loss.
    further : iterable of Score
        Scores of attacks that need more than the sets. Their ``details["endpoints"]`` enter the verdict like any other.
    beside : iterable of str
        Further axes or metrics to ask for, which stand in the report and do not enter the verdict.
    day : date or None
        What the statement is dated; None for today.
    split_by : str
        Who divided the patients into training and holdout, for the statement.
    **options
        As for `fourfold.evaluate`: features, splits, columns, size, seed, store and others.

    Returns
    -------
    Audit

    Raises
    ------
    InputError
        Where a set, an option or a combination of sets is wrong; the message says what and what to do.
    """
    if holdout is None:
        raise InputError(
            "an audit needs a holdout: images of patients that the generator never saw; "
            "`fourfold split` sets some aside before training"
        )
    policy = Policy() if policy is None else policy
    if model is not None:
        policy = replace(policy, scope="model")
        model = _opened(model, model_range)
    record = split if split is None or isinstance(split, SplitRecord) else read_split_record(split)
    evaluation = evaluate(
        synthetic, train, holdout, reference, only=("privacy", *beside), thorough=True, policy=policy, **options
    )
    sets = evaluation.sets
    attacks = () if model is None else (_attacked(sets, model, record),)
    evaluation = _judged(evaluation, (*attacks, *further))
    return Audit(
        evaluation=evaluation,
        judgement=judge(evaluation.scores, policy),
        day=date.today() if day is None else day,
        split_by=split_by,
        split=record,
        randomised=record is not None
        and sets.holdout is not None
        and randomised_by_us(record, sets.training, sets.holdout),
    )


def _opened(model: Any, value_range: tuple[float, float]) -> Any:
    """A denoiser, before the work and not after it: from a model folder of ours, a file, or an object that is one."""
    if not isinstance(model, str | Path):
        return model
    if Path(model).is_dir():
        from fourfold.generate import open_model

        return open_model(model).denoiser()
    from fourfold.privacy.model import open_denoiser

    return open_denoiser(model, value_range)


def _attacked(sets: Sets, model: Any, record: SplitRecord | None) -> Score:
    from fourfold.privacy.model import attack_model

    return attack_model(sets, model, record)


def _judged(evaluation: Evaluation, further: Sequence[Score]) -> Evaluation:
    """An evaluation to which further scores of the privacy axis have been added."""
    scores = (*evaluation.scores, *further)
    judgement = judge(scores, evaluation.policy)
    verdict = Verdict("privacy", judgement.status, judgement.sentence, judgement.keys)
    return replace(evaluation, scores=scores, verdicts={**evaluation.verdicts, "privacy": verdict})
