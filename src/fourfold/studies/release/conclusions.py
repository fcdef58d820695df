"""What the cells of the study of releases say about each claim.

A claim that something is not there, or that not much is lost, cannot be shown by a difference that is not told apart
from 0: it holds only where the whole interval is within a margin.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from fourfold.studies.judging import Over, over_seeds
from fourfold.studies.release.arms import FRESH, LEFT_OUT, ORDINARY, REAL, RELEASED, UNSCREENED
from fourfold.studies.release.judging import SPACES
from fourfold.studies.study import Claim, Finding, Table, Verdict

__all__ = ["LOSS", "MARGIN", "conclusions"]

LOSS = 0.01
"""Loss of area under the curve that counts as none: one percentage point, as published."""

MARGIN = 0.03
"""Excess of isolated persons that counts as none: a third of what predicates of this weight isolate by luck."""

Judge = Callable[[Over], Verdict]


def conclusions(table: Table, claims: Sequence[Claim]) -> list[Finding]:
    """One finding or several for each claim; "not asked" where cells are missing."""
    found = [
        *_with_refusals(table, [*_utility(table), *_singled("nobody", table, RELEASED, _nobody)]),
        *_singled("ordinary", table, ORDINARY, _somebody),
        *_diversity(table),
        *_singled("distance", table, LEFT_OUT, _no_trace),
        *_singled("control", table, FRESH, _no_trace),
        *_singled("control", table, REAL, _somebody),
    ]
    answered = {one.claim for one in found}
    missing = [claim.key for claim in claims if claim.key not in answered]
    return [*found, *(Finding(key, "", None, None, "not asked", _missing(table)) for key in missing)]


def _refused(table: Table) -> int:
    """Seeds in which the screen left no set, or one too small to judge."""
    return sum(row.get("area") is None for row in table.where(arm=RELEASED))


def _with_refusals(table: Table, findings: list[Finding]) -> list[Finding]:
    """Sentences about the seeds that have a released set, with how many have none."""
    refused, seeds = _refused(table), len(table.where(arm=RELEASED))
    if not refused:
        return findings
    said = f" In {refused} of {seeds} seeds the screen left no set to judge."
    return [replace(one, sentence=one.sentence + said) for one in findings]


def _missing(table: Table) -> str:
    refused = _refused(table)
    if refused:
        return f"The screen left no set to judge in {refused} seeds, and two sets are needed for an interval."
    return "Fewer than two seeds have the cells that it takes."


def _by_seed(table: Table, arm: str, figure: str) -> dict[object, float]:
    return {row["seed"]: float(row[figure]) for row in table.where(arm=arm) if row.get(figure) is not None}


def _less(table: Table, arm: str, other: str, figure: str, together: int = 1) -> Over | None:
    """The figure of one arm less that of another, paired by seed."""
    mine, theirs = _by_seed(table, arm, figure), _by_seed(table, other, figure)
    return over_seeds([mine[seed] - theirs[seed] for seed in mine if seed in theirs], together)


def _utility(table: Table) -> list[Finding]:
    found = []
    loss = _less(table, RELEASED, REAL, "area")
    if loss is not None:
        verdict = _above(loss, -LOSS)
        words = {
            "holds": "Released images are within one point of the training images",
            "contradicted": "Released images lose more than one point to the training images, against the claim",
            "not told apart": "Whether released images are within one point of the training images is not told apart",
        }[verdict]
        found.append(_points("utility", "area, released less training images", loss, verdict, words))
    fresh = _less(table, FRESH, REAL, "area")
    if fresh is not None and loss is not None:
        words = "For comparison: as many fresh patients, less the training images"
        found.append(
            _points("utility", "area, fresh patients less training images", fresh, _above(fresh, -LOSS), words)
        )
    gain = _less(table, RELEASED, ORDINARY, "area")
    if gain is not None:
        verdict = _above(gain, 0.0)
        words = {
            "holds": "Released images are more useful than those of the unconditional model",
            "contradicted": "Released images are less useful than those of the unconditional model, against the claim",
            "not told apart": "Released images and those of the unconditional model are not told apart",
        }[verdict]
        found.append(_points("better", "area, released less unconditional", gain, verdict, words))
    return found


def _points(claim: str, quantity: str, over: Over, verdict: Verdict, words: str) -> Finding:
    change = f"{100 * over.mean:+.1f} points of area (95 % {100 * over.low:+.1f} to {100 * over.high:+.1f})"
    return Finding(claim, quantity, over.mean, over.interval, verdict, f"{words}: {change}.", 0.0)


def _singled(claim: str, table: Table, arm: str, judge: Judge, together: int = len(SPACES)) -> list[Finding]:
    """Singling out by one arm, in each space."""
    found = []
    for space in SPACES:
        over = over_seeds(list(_by_seed(table, arm, f"excess_{space}").values()), together)
        if over is None:
            continue
        # A difference of two shares lies between -1 and 1.
        over = Over(over.mean, max(over.low, -1.0), min(over.high, 1.0))
        verdict = judge(over)
        against = ", against the claim" if verdict == "contradicted" else ""
        quantity = f"isolated in excess, {arm}, {space}"
        sentence = f"{arm[0].upper()}{arm[1:]}, in {space}: {_seen(over)}{against}: {_shares(over)}."
        found.append(Finding(claim, quantity, over.mean, over.interval, verdict, sentence, 0.0))
    return found


def _diversity(table: Table) -> list[Finding]:
    """The set with the condition of each image, and the score of the training images themselves."""
    found = _singled("diversity", table, UNSCREENED, _nobody, len(SPACES) + 1)
    over = _less(table, REAL, FRESH, f"retrieval_{SPACES[0]}", len(SPACES) + 1)
    if over is None:
        return found
    verdict: Verdict = "contradicted" if over.low > 0 else "holds" if over.high < 0 else "not told apart"
    said = {
        "contradicted": "The training images themselves, all singled out, score higher than fresh patients",
        "holds": "The training images themselves score lower than fresh patients",
        "not told apart": "The score does not tell the training images themselves from fresh patients",
    }[verdict]
    against = ", against the claim" if verdict == "contradicted" else ""
    sentence = f"{said}{against}: {over.mean:+.2f} (95 % {over.low:+.2f} to {over.high:+.2f})."
    quantity = f"retrieval score, training images less fresh patients, {SPACES[0]}"
    return [*found, Finding("diversity", quantity, over.mean, over.interval, verdict, sentence, 0.0)]


def _seen(over: Over) -> str:
    if over.low > 0:
        return "training patients are singled out more often than others"
    if over.high < 0:
        return "images keep away from training patients, and the holes are seen"
    if over.high < MARGIN:
        return "nobody is found to be singled out"
    return "whether anybody is singled out is not told apart from chance"


def _shares(over: Over) -> str:
    return f"{100 * over.mean:+.1f} % of the images (95 % {100 * over.low:+.1f} to {100 * over.high:+.1f})"


def _above(over: Over, limit: float) -> Verdict:
    if over.low > limit:
        return "holds"
    return "contradicted" if over.high < limit else "not told apart"


def _nobody(over: Over) -> Verdict:
    if over.low > 0:
        return "contradicted"
    return "holds" if over.high < MARGIN else "not told apart"


def _somebody(over: Over) -> Verdict:
    if over.low > 0:
        return "holds"
    return "contradicted" if over.high < 0 else "not told apart"


def _no_trace(over: Over) -> Verdict:
    if over.low > 0 or over.high < 0:
        return "contradicted"
    return "holds" if over.low > -MARGIN and over.high < MARGIN else "not told apart"
