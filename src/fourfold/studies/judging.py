"""From cells to one number a seed, and from those to an interval and a verdict.

Cells of a seed share patients and whatever was trained on them, so they are compared within the seed; the interval is
Student's over seeds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from fourfold.report import wording
from fourfold.studies.study import Finding, Setting, Table, Verdict

__all__ = [
    "Judge",
    "Over",
    "Question",
    "above",
    "at_most",
    "below",
    "differences",
    "judged",
    "of_seeds",
    "over_seeds",
    "within",
]

Settings = Mapping[str, Setting]
Judge = Callable[[tuple[float, float]], Verdict]


def of_seeds(table: Table, figure: str, settings: Settings) -> dict[int, float]:
    """A figure of the cells with these settings, by seed; what is missing or not finite is left out."""
    chosen = table.where(**settings)
    values = chosen.column(figure)
    return {
        int(row["seed"]): float(value) for row, value in zip(chosen, values, strict=True) if math.isfinite(float(value))
    }


def differences(left: Mapping[int, float], right: Mapping[int, float]) -> np.ndarray:
    """Left minus right in the seeds that have both, shape (seeds,)."""
    return np.array([left[seed] - right[seed] for seed in left if seed in right], dtype=np.float64)


@dataclass(frozen=True)
class Over:
    """A mean over seeds with its interval, 95 %."""

    mean: float
    low: float
    high: float

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end."""
        return self.low, self.high


def over_seeds(values: Sequence[float] | np.ndarray, together: int = 1, *, least: float = 0.0) -> Over | None:
    """Mean of one value a seed, with Student's interval.

    Parameters
    ----------
    values : sequence of float
        Those that are not finite are left out.
    together : int
        How many such intervals hold at once with 95 % (Bonferroni).
    least : float
        Half-width that the interval has at least: shares of a hundred images that agree in three seeds by chance are
        not known to the last digit.

    Returns
    -------
    Over or None
        None for fewer than two values.

    Examples
    --------
    >>> found = over_seeds([1.0, 2.0, 3.0])
    >>> round(found.mean, 2), round(found.low, 2)
    (2.0, -0.48)
    """
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    if len(known) < 2:
        return None
    mean, error = float(known.mean()), float(known.std(ddof=1) / np.sqrt(len(known)))
    half = max(float(stats.t.ppf(1 - 0.025 / together, len(known) - 1)) * error, least)
    return Over(mean, mean - half, mean + half)


def at_most(limit: float) -> Judge:
    """The claim that a quantity is no larger than a limit."""
    return lambda ends: "holds" if ends[1] <= limit else "contradicted" if ends[0] > limit else "not told apart"


def below(limit: float) -> Judge:
    """The claim that a quantity is smaller than a limit, which is where there is nothing to find."""
    return lambda ends: "holds" if ends[1] < limit else "contradicted" if ends[0] > limit else "not told apart"


def above(limit: float) -> Judge:
    """The claim that a quantity is larger than a limit, which is where there is nothing to find."""
    return lambda ends: "holds" if ends[0] > limit else "contradicted" if ends[1] < limit else "not told apart"


def within(low: float, high: float) -> Judge:
    """The claim that a quantity lies between two limits."""

    def judge(ends: tuple[float, float]) -> Verdict:
        if low <= ends[0] and ends[1] <= high:
            return "holds"
        return "contradicted" if ends[1] < low or ends[0] > high else "not told apart"

    return judge


@dataclass(frozen=True)
class Question:
    """One question of a claim.

    Parameters
    ----------
    claim, quantity : str
    judge : callable
        From the interval to the verdict.
    says : mapping of verdict to str
        Half a sentence for ``"holds"``, ``"contradicted"`` and ``"not told apart"``.
    null : float or None
    ratio : bool
        Whether the values are logarithms of ratios.
    least : float
        As in `over_seeds`.
    """

    claim: str
    quantity: str
    judge: Judge
    says: Mapping[Verdict, str]
    null: float | None = None
    ratio: bool = False
    least: float = 0.0


def judged(question: Question, values: Sequence[float] | np.ndarray) -> Finding:
    """The answer, from one value a seed.

    Values of `ratio` questions are logarithms; value and interval are given as ratios, and judged as such.
    """
    values = np.asarray(values, dtype=np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        missing = "Not asked: the cells that it takes are missing."
        return Finding(question.claim, question.quantity, None, None, "not asked", missing)
    over = over_seeds(values, least=question.least)
    value, ends = float(values.mean()), None if over is None else over.interval
    if question.ratio:
        value, ends = math.exp(value), None if ends is None else (math.exp(ends[0]), math.exp(ends[1]))
    if ends is None:
        sentence = "One seed gives no interval, so nothing is claimed."
        return Finding(question.claim, question.quantity, value, None, "not told apart", sentence, question.null)
    verdict = question.judge(ends)
    number = wording.number
    opening = "Contradicted: " if verdict == "contradicted" else ""
    said = f"{question.says[verdict]}: {number(value)} ({number(ends[0])} to {number(ends[1])})."
    said = opening + (said if opening else said[:1].upper() + said[1:])
    return Finding(question.claim, question.quantity, value, ends, verdict, said, question.null)
