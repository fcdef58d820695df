"""Which pairs of whole sets an evaluation multiplies, counted before it does.

Neighbours between training, synthetic and holdout set come from one pass a pair of sets in each feature space, however
many metrics ask (`fourfold.comparison`); a set against itself takes half the products. A few metrics have passes of
their own, and the kernel distance takes means over all pairs: from the products of the neighbours where it can see
them. Over an engine each question is a pass of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from fourfold.comparison import NEIGHBORS, Role
from fourfold.planning.draws import equal_parts
from fourfold.planning.sizes import Sizes

__all__ = ["MEETING", "Pass", "kernel_passes", "kernel_sees", "neighbour_passes"]

Purpose = Literal["neighbours", "kernel", "both"]

# Fewer images have no meeting: sets are searched one by one, and it does not matter how.
_LEAST = NEIGHBORS + 1
# Entries of a training set below which the kernel distance has passes of its own, see `fourfold.fidelity.kernel_seen`;
# and parts of a set, each as large as another set, whose images have balls of their own.
_WORTH_SEEING, _PARTS = 1 << 22, 8


@dataclass(frozen=True)
class Pass:
    """One multiplication of every image of a set with every image of another, or of parts of a set within themselves.

    Parameters
    ----------
    purpose : {"neighbours", "kernel", "both"}
    queries, points : str
        Roles of the two sets.
    times : int
        How often it is done.
    pairs : float
        Of images, all times together; half of them for a set against itself.
    """

    purpose: Purpose
    queries: Role
    points: Role
    times: int
    pairs: float


MEETING = frozenset(
    {
        "fidelity/density",
        "fidelity/precision",
        "fidelity/realism",
        "privacy/authenticity",
        "privacy/copy_count",
        "privacy/data_copying",
        "privacy/distance_share",
        "privacy/exposure",
        "privacy/inference",
        "privacy/legacy_privacy",
        "privacy/nearest_neighbour_ratio",
        "privacy/singling_out",
        "variety/coverage",
        "variety/image_retrieval_score",
        "variety/recall",
    }
)
"""Metrics that ask for neighbours between the training set and the others."""

# Asked of synthetic set and holdout, where there is one.
_ASIDE: dict[str, tuple[Role, Role]] = {
    "privacy/distance_share": ("synthetic", "holdout"),
    "privacy/singling_out": ("synthetic", "holdout"),
    "privacy/inference": ("holdout", "synthetic"),
}
# Passes of metrics that keep what they find to themselves: queries, points, how often, and on which share of the pairs.
_MEMBERSHIP: tuple[tuple[Role, Role, int, float], ...] = (
    ("training", "training", 1, 1.0),
    ("training", "holdout", 1, 1.0),
    ("holdout", "holdout", 1, 1.0),
    ("training", "synthetic", 1, 1.0),
    ("holdout", "synthetic", 1, 1.0),
)
_OWN: dict[tuple[str, ...], tuple[tuple[Role, Role, int, float], ...]] = {
    # Five folds of the training set, each searched among the four others.
    ("fidelity/outside_share",): (
        ("training", "training", 5, 0.32),
        ("synthetic", "training", 1, 1.0),
        ("holdout", "training", 1, 1.0),
    ),
    ("fidelity/clipped_density",): (
        ("training", "training", 4, 1.0),
        ("synthetic", "training", 1, 1.0),
        ("holdout", "training", 1, 1.0),
    ),
    ("variety/clipped_coverage",): (
        ("training", "training", 2, 1.0),
        ("synthetic", "training", 1, 1.0),
        ("holdout", "training", 1, 1.0),
    ),
    ("variety/beta_recall",): (
        ("training", "training", 3, 1.0),
        ("training", "synthetic", 2, 1.0),
        ("training", "holdout", 1, 1.0),
    ),
    ("privacy/holdout_independence",): (("training", "training", 1, 1.0), ("holdout", "training", 1, 1.0)),
    # The two share what they find.
    ("privacy/membership", "privacy/worst_case_membership"): _MEMBERSHIP,
}
# Of no use without a holdout.
_NEED_HOLDOUT = frozenset(
    {"privacy/data_copying", "privacy/distance_share", "privacy/inference", "privacy/singling_out"}
)
# Passes over an engine: neighbours in both directions, deeper ones for those who ask, and the counts in balls.
_SHARDED: dict[Role, int] = {"synthetic": 8, "holdout": 6}


def neighbour_passes(
    asked: Iterable[str], sizes: Sizes, *, sharded: bool = False, seen: bool = False
) -> tuple[Pass, ...]:
    """The passes that neighbours take in one feature space.

    Parameters
    ----------
    asked : iterable of str
        Metrics by ``"axis/name"``; those that need no neighbours ask for nothing.
    sizes : Sizes
    sharded : bool
        Over an engine, where a pair of sets is passed over for each question.
    seen : bool
        Whether the kernel distance sees them, see `kernel_sees`: it then begins them, whoever else asks.

    Returns
    -------
    tuple of Pass
    """
    wanted = {name for name in asked if sizes.holdout or name not in _NEED_HOLDOUT}
    met = (bool(wanted & MEETING) or seen) and sizes.training >= _LEAST
    also = {(one.queries, one.points) for one in kernel_passes(sizes)} if seen else set()
    found = [
        _pass("both" if pair in also else "neighbours", *pair, times, sizes)
        for pair, times in _shared(wanted, sizes, met, sharded).items()
    ]
    if met and not sharded:
        found += _in_parts(sizes)
    for names, own in _OWN.items():
        if wanted.isdisjoint(names) or ("privacy/holdout_independence" in names and not sizes.holdout):
            continue
        found += [
            _pass("neighbours", queries, points, times, sizes, share)
            for queries, points, times, share in own
            if sizes.of(queries) and sizes.of(points)
        ]
    return tuple(found)


def kernel_passes(sizes: Sizes) -> tuple[Pass, ...]:
    """The passes of one kernel distance between training and synthetic set."""
    pairs: tuple[tuple[Role, Role], ...] = (
        ("training", "training"),
        ("synthetic", "synthetic"),
        ("synthetic", "training"),
    )
    return tuple(_pass("kernel", *pair, 1, sizes) for pair in pairs)


def kernel_sees(sizes: Sizes, width: int, depth: int, *, alone: bool = True, distance: str = "euclidean") -> bool:
    """Whether the kernel distance takes its sums from the products of the neighbours.

    Parameters
    ----------
    sizes : Sizes
    width : int
        Features.
    depth : int
        Neighbours that other metrics ask for.
    alone : bool
        Whether each image of training and synthetic set is one patient, or patients are unknown.
    distance : str
        Of the feature space.
    """
    large = sizes.training * width >= _WORTH_SEEING and min(sizes.training, sizes.synthetic) >= _LEAST
    return large and alone and depth > NEIGHBORS and distance == "euclidean"


def _shared(wanted: set[str], sizes: Sizes, met: bool, sharded: bool) -> dict[tuple[Role, Role], int]:
    """The passes whose results every metric may use, and how often each is done."""
    others: list[Role] = [role for role in ("synthetic", "holdout") if sizes.of(role) >= _LEAST]
    found: dict[tuple[Role, Role], int] = {}
    if met and others:
        found |= {(role, role): 1 for role in ("training", *others)}
        found |= {(role, "training"): _SHARDED[role] if sharded else 1 for role in others}
    if sizes.holdout:
        found |= {pair: 1 for name, pair in _ASIDE.items() if name in wanted}
    return found


def _in_parts(sizes: Sizes) -> list[Pass]:
    """Each part of the larger of synthetic set and holdout against itself, where the other is a fraction of it."""
    pair: tuple[Role, Role] = ("synthetic", "holdout")
    if min(map(sizes.of, pair)) < _LEAST:
        return []
    parts = {role: equal_parts(sizes.of(role), min(map(sizes.of, pair))) for role in pair}
    return [
        _pass("neighbours", role, role, 1, sizes, min(count, _PARTS) / count**2)
        for role, count in parts.items()
        if count > 1
    ]


def _pass(purpose: Purpose, queries: Role, points: Role, times: int, sizes: Sizes, share: float = 1.0) -> Pass:
    whole = share * sizes.of(queries) * sizes.of(points)
    return Pass(purpose, queries, points, times, times * whole * (0.5 if queries == points else 1.0))
