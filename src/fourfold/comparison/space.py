"""The three sets in one feature space, with the neighbours between them, computed once however many metrics ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from fourfold.comparison.parts import equal_parts, part_radii
from fourfold.comparison.sets import Features, Role
from fourfold.neighbors import BallCounts, ClosePairs, Meeting, Neighbors, Onlooker, meetings
from fourfold.neighbors.balls import depth_in_balls, with_centres
from fourfold.neighbors.exact import merged
from fourfold.neighbors.searches import EXACT, Searching

__all__ = ["NEIGHBORS", "Comparison"]

T = TypeVar("T")

# Neighbours that one pass over a pair of sets finds, for whoever will ask: the fifth one for the manifold of real
# images; the nearest images of two other patients, where no patient has more images than allow for that many.
NEIGHBORS, _MOST_TOGETHER = 5, 32


@dataclass
class Comparison:
    """The three sets in one feature space.

    Parameters
    ----------
    space : str
        Name of the feature extractor.
    training, synthetic, holdout : Features
        Already scaled as the extractor asks (see `FeatureExtractor.standardise`).
    distance : {"euclidean", "cosine", "correlation", "hamming"}
    seed : int
        Every draw comes from ``numpy.random.default_rng([seed, ...])``.
    memory : int
        Bytes that a search may use above its inputs.
    names : tuple of str or None
        Names of the columns.
    reference : Features or None
        Real patients that are neither in training nor in the holdout.
    depth : int
        Nearest training images that the one pass over a pair of sets finds, where questions ask for that many.
    searching : Searching
        How neighbours between whole sets are searched: exact and here, over an engine, or approximate.
    """

    space: str
    training: Features
    synthetic: Features
    holdout: Features | None = None
    distance: str = "euclidean"
    seed: int = 0
    memory: int = 1 << 30
    names: tuple[str, ...] | None = None
    reference: Features | None = None
    depth: int = NEIGHBORS
    searching: Searching = EXACT
    _found: dict[tuple[str, str], Neighbors] = field(default_factory=dict, repr=False)
    _counted: dict[tuple[str, str, int], BallCounts] = field(default_factory=dict, repr=False)
    _met: dict[str, Meeting] = field(default_factory=dict, repr=False)
    _kept: dict[object, Any] = field(default_factory=dict, repr=False)

    def set(self, role: Role) -> Features:
        """The set of that role; raises ValueError where there is none."""
        chosen = getattr(self, role)
        if chosen is None:
            raise ValueError(f"there is no {role} set")
        return chosen

    def take(self, rows: Mapping[Role, np.ndarray]) -> Comparison:
        """The chosen rows of the sets that are named, the other sets whole; neighbours are searched anew."""
        chosen = {role: self.set(role).take(own) for role, own in rows.items()}
        return replace(self, **chosen, _found={}, _counted={}, _met={}, _kept={})

    def once(self, name: object, make: Callable[[], T]) -> T:
        """What `make` gives, kept under a name for whoever asks again; it depends on this comparison only."""
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]

    def neighbors(self, queries: Role, points: Role, k: int) -> Neighbors:
        """The `k` nearest `points` of each of the `queries`, nearest first.

        A set against itself leaves out the image itself and, where patients are known, the other images of
        the same patient. Training against holdout needs no exclusion: their patients must not overlap.
        Fewer than `k` points give distances of infinity and indices of -1.
        """
        if k <= (self._together if points == "training" else NEIGHBORS):
            self._meet(queries, points)
        found = self._found.get((queries, points))
        if found is None or found.distances.shape[1] < k:
            asked, among = self.set(queries), self.set(points)
            if queries == points:
                found = self.among_themselves(asked, k)
            else:
                # Of the holdout, some ask for one neighbour and others for many: it is searched once.
                wanted = max(k, self.depth) if (queries, points) == ("synthetic", "holdout") else k
                found = self.searching.nearest(
                    asked.values, among.values, wanted, metric=self.distance, memory=self.memory
                )
            self._found[queries, points] = found
        return Neighbors(found.distances[:, :k], found.indices[:, :k])

    def among_themselves(self, one: Features, k: int, **more: Any) -> Neighbors:
        """The nearest other images (of other patients) of each image of a set."""
        return self.searching.nearest(
            one.values,
            one.values,
            k,
            metric=self.distance,
            query_groups=one.patients,
            point_groups=one.patients,
            exclude_self=True,
            memory=self.memory,
            **more,
        )

    def nearest_real(self, role: Role) -> Neighbors:
        """The nearest images of training and holdout set together, numbered in this order, the holdout last.

        Parameters
        ----------
        role : {"synthetic"}

        Returns
        -------
        Neighbors
            As many as one pass finds, or as there are in the smaller of the two sets.
        """
        k = min(self._together, len(self.training), len(self.set("holdout")))
        mine, theirs = (self.neighbors(role, points, k) for points in ("training", "holdout"))
        return merged(mine, theirs, len(self.training))

    def radii(self, role: Role, k: int) -> np.ndarray:
        """Distance of each image of a set to its `k`-th nearest other one (of another patient), shape (N,).

        Infinity where there are fewer than `k`; never 0, see `fourfold.neighbors.balls.with_centres`.
        """
        return with_centres(self.neighbors(role, role, k).distances[:, -1])

    def balls(self, queries: Role, points: Role, k: int) -> BallCounts:
        """How the `queries` fall into the balls around `points`, which reach to their `k`-th nearest neighbours."""
        if k == NEIGHBORS:
            self._meet(queries, points)
        if (queries, points, k) not in self._counted:
            asked, among = self.set(queries), self.set(points)
            if min(len(asked), len(among)) > k:
                # One pass over the pairs serves both directions, and both are asked for.
                around_queries, around_points = self.searching.mutual_ball_counts(
                    asked.values,
                    among.values,
                    self.radii(queries, k),
                    self.radii(points, k),
                    metric=self.distance,
                    memory=self.memory,
                )
                self._counted[points, queries, k] = around_queries
            else:
                around_points = self.searching.ball_counts(
                    asked.values, among.values, self.radii(points, k), metric=self.distance, memory=self.memory
                )
            self._counted[queries, points, k] = around_points
        return self._counted[queries, points, k]

    def close_pairs(self, role: Role, radii: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Pairs of an image of a set and a training image that are nearer than the training image's radius.

        Parameters
        ----------
        role : {"synthetic", "holdout"}
        radii : array, shape (N,)

        Returns
        -------
        (array of int, array of int) or None
            Row numbers in the set and in the training set; None where such pairs were not kept: the radii are larger
            than the distances to the fifth neighbours, or there are too many pairs.
        """
        self._meet(role, "training")
        close: ClosePairs | None = self._met[role].close if role in self._met else None
        return close.within(radii) if close is not None and close.reach(radii) else None

    def near_pairs(self, role: Role) -> ClosePairs | None:
        """Pairs of a training image and an image of a set, as far as equal parts of that set need them.

        None where the one pass over the pairs kept none: there is one part only, see `fourfold.comparison.parts`, or
        there are too many pairs.
        """
        self._meet(role, "training")
        return self._met[role].near if role in self._met else None

    def within(self, role: Role, radii: np.ndarray) -> BallCounts:
        """How a set falls into the balls of given radii, shape (N,), around the training images."""
        pairs = self.close_pairs(role, radii)
        asked, training = self.set(role), self.training
        if pairs is None:
            return self.searching.ball_counts(
                asked.values, training.values, radii, metric=self.distance, memory=self.memory
            )
        sizes = len(asked), len(training)
        return BallCounts(*(np.bincount(rows, minlength=size) for rows, size in zip(pairs, sizes, strict=True)))

    def depths(self, role: Role) -> np.ndarray:
        """How deep each image of a set lies in the balls around typical training images.

        Returns
        -------
        array, shape (n,)
            The largest ratio of radius to distance; typical balls are those with at most the median radius, each to
            the fifth neighbour.
        """
        self._meet(role, "training")
        met = self._met.get(role)
        if met is not None and met.depths is not None:
            return met.depths
        radii = self.radii("training", NEIGHBORS)
        typical = radii <= np.median(radii)
        points = self.training.values[typical]
        return depth_in_balls(self.set(role).values, points, radii[typical], metric=self.distance, memory=self.memory)

    def show(self, training: Onlooker, synthetic: Onlooker, between: Onlooker) -> bool:
        """Let onlookers see the products of the searches that most metrics ask for, and keep what those find.

        Parameters
        ----------
        training, synthetic : Onlooker
            Of all pairs within either set, each once.
        between : Onlooker
            Of all pairs of a synthetic (row) and a training image (column).

        Returns
        -------
        bool
            False, and nothing was shown, where these searches are done already, or not by products of features, or
            where `depth` does not tell that somebody will ask for their neighbours.
        """
        sets: tuple[Role, Role] = ("training", "synthetic")
        done = self._met or any((role, role) in self._found for role in sets)
        plain = all(self.set(role).values.dtype == np.float32 and len(self.set(role)) > NEIGHBORS for role in sets)
        asked = self.depth > NEIGHBORS
        if done or not asked or not plain or self.searching is not EXACT or self.distance != "euclidean":
            return False
        for role, onlooker in zip(sets, (training, synthetic), strict=True):
            self._found[role, role] = self.among_themselves(self.set(role), NEIGHBORS, onlooker=onlooker)
        self._meet("synthetic", "training", onlookers={"synthetic": between})
        return True

    @property
    def _together(self) -> int:
        """Neighbours that one pass finds."""
        patients = self.training.patients
        most = 1 if patients is None else int(np.unique(patients, return_counts=True)[1].max(initial=1))
        return max(NEIGHBORS, self.depth, 2 * most + 1 if 2 * most < _MOST_TOGETHER else 0)

    def _meet(self, queries: Role, points: Role, onlookers: Mapping[str, Onlooker] | None = None) -> None:
        """Ask everything about training set and the others in one pass each, the holdout riding along."""
        others = {queries, points} - {"training"}
        if "training" not in (queries, points) or len(others) != 1 or others <= {"reference"} or self._met:
            return
        if self.searching is not EXACT:
            return
        roles: list[Role] = ["synthetic"] if self.holdout is None else ["synthetic", "holdout"]
        least = NEIGHBORS + 1
        roles = [role for role in roles if len(self.set(role)) >= least]
        if len(self.training) < least or not roles:
            return
        radii = self.radii("training", NEIGHBORS)
        own = {role: self.radii(role, NEIGHBORS) for role in roles}
        in_parts = {role: part_radii(self, role, NEIGHBORS) for role in roles if len(equal_parts(self, role)) > 1}
        in_parts = {role: reach for role, reach in in_parts.items() if np.isfinite(reach).all()}
        self._met.update(
            meetings(
                {role: self.set(role).values for role in roles},
                self.training.values,
                min(self._together, len(self.training)),
                back=NEIGHBORS,
                metric=self.distance,
                point_radii=radii,
                set_radii=own,
                set_reach={role: np.maximum(own[role], further) for role, further in in_parts.items()},
                typical_radii=np.where(radii <= np.median(radii), radii, 0.0),
                memory=self.memory,
                onlookers=onlookers,
            )
        )
        for role, met in self._met.items():
            self._found[role, "training"], self._found["training", role] = met.nearest_points, met.nearest_queries
            self._counted[role, "training", NEIGHBORS] = met.around_points
            self._counted["training", role, NEIGHBORS] = met.around_queries
