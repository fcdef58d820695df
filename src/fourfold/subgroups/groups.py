"""What is known about the groups of a column, and which of their scores depart from their nulls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from scipy.stats import norm

from fourfold.comparison import Role
from fourfold.score import AXES, Axis, Score
from fourfold.statistics import holm

__all__ = ["Departure", "Group", "Grouping", "with_departures"]

_LEVEL = 0.05


@dataclass(frozen=True)
class Departure:
    """How one score of a group stands to its null, the other groups considered.

    Parameters
    ----------
    standing : {"better", "worse", "different", "no"}
        ``"no"`` unless Holm's procedure rejects the null at 5 %.
    p : float
        Holm's adjusted p-value, over the groups of the column and the scores of the axis.
    """

    standing: str
    p: float


@dataclass(frozen=True)
class Group:
    """One group of a column, scored like a set of its own.

    Parameters
    ----------
    column, name : str
        For example ``"sex"`` and ``"F"``.
    images : mapping of role to int
        Images of the group in each set; those of the synthetic set are all of its images where it lacks the column.
    patients : mapping of role to int
        Patients (or near-duplicate groups standing in for them) in each real set.
    scores : tuple of Score
        Without per-image columns; empty where the group is too small.
    departures : mapping of str to Departure
        By key (``"axis/name@features"``) of the scores that have value, null and interval.
    reason : str or None
        Why the group was not scored.
    """

    column: str
    name: str
    images: Mapping[Role, int]
    patients: Mapping[Role, int]
    scores: tuple[Score, ...] = ()
    departures: Mapping[str, Departure] = field(default_factory=dict)
    reason: str | None = None

    def __getitem__(self, key: str) -> Score:
        """A score by ``"axis/name"`` (its first feature space) or ``"axis/name@features"``."""
        for score in self.scores:
            if key in (score.key, f"{score.key}@{score.features}"):
                return score
        why = f": {self.reason}" if self.reason else ""
        raise KeyError(f"no score {key!r} for {self.column} {self.name}{why}")

    def departure(self, score: Score) -> Departure | None:
        """How a score of the group stands to its null, None where that cannot be told."""
        return self.departures.get(_key(score))


@dataclass(frozen=True)
class Grouping:
    """Every group of a column.

    Parameters
    ----------
    column : str
    groups : tuple of Group
    notes : tuple of str
        What limits the comparison, a sentence each.
    """

    column: str
    groups: tuple[Group, ...]
    notes: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Group:
        """A group by its name."""
        for group in self.groups:
            if group.name == name:
                return group
        known = ", ".join(group.name for group in self.groups)
        raise KeyError(f"the column {self.column!r} has no group {name!r}; there are: {known}")


def with_departures(groups: Sequence[Group], level: float = _LEVEL) -> tuple[Group, ...]:
    """The groups of one column with the departures of their scores.

    A p-value of "the value is at its null" is read from a score's interval. The family of Holm's
    procedure are the scores of an axis in all groups, so that an axis of a column raises a false alarm in at most 5 %.

    Parameters
    ----------
    groups : sequence of Group
    level : float

    References
    ----------
    S. Holm, Scand. J. Stat. 6 (1979) 65.
    """
    found: list[dict[str, Departure]] = [{} for _ in groups]
    for axis in AXES:
        tested = [(place, score) for place, group in enumerate(groups) for score in _testable(group, axis)]
        if not tested:
            continue
        rejected, adjusted = holm([_p_value(score) for _, score in tested], level)
        for (place, score), reject, p in zip(tested, rejected, adjusted, strict=True):
            found[place][_key(score)] = Departure(_side(score) if reject else "no", float(p))
    return tuple(replace(group, departures=own) for group, own in zip(groups, found, strict=True))


def _testable(group: Group, axis: Axis) -> list[Score]:
    return [score for score in group.scores if score.axis == axis and score.departs() is not None]


def _p_value(score: Score) -> float:
    """Two-sided, from the half-width that faces the null, so that it is below 5 % where the null lies outside."""
    low, high = score.interval
    width = high - score.value if score.null > score.value else score.value - low
    gap = abs(score.value - score.null)
    if width <= 0:
        return 1.0 if gap == 0 else 0.0
    return float(2 * norm.sf(gap / width * norm.ppf(0.975)))


def _side(score: Score) -> str:
    if score.better == "null":
        return "different"
    return "better" if (score.value > score.null) == (score.better == "higher") else "worse"


def _key(score: Score) -> str:
    return f"{score.key}@{score.features}" if score.features else score.key
