"""The three sets that every question is asked about.

`Sets` are the prepared images of training, holdout and synthetic set. A `Comparison` is the same three in one
feature space, with the neighbours between them, computed once however many metrics ask. A fourth, the reference set,
serves attacks that need to know what patients look like in general: other patients again, in no other set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from fourfold.images.sets import ImageSet
from fourfold.neighbors import BallCounts, ClosePairs, Meeting, Neighbors, meetings
from fourfold.neighbors.balls import depth_in_balls, with_centres
from fourfold.neighbors.searches import EXACT, Searching

__all__ = ["NEIGHBORS", "Comparison", "Features", "Progress", "Role", "Sets", "Spaces", "no_progress"]

Role = Literal["training", "holdout", "synthetic", "reference"]
Progress = Callable[[str, int, int], None]

# Neighbours that one pass over a pair of sets finds, for whoever will ask: the fifth one for the manifold of real
# images; the nearest images of two other patients, where no patient has more images than allow for that many.
NEIGHBORS, _MOST_TOGETHER = 5, 32


def no_progress(task: str, done: int, total: int) -> None:
    """A progress callback that shows nothing."""


@dataclass(frozen=True)
class Features:
    """One set in one feature space.

    Parameters
    ----------
    values : array, shape (N, d)
        float32, finite.
    patients : array of int, shape (N,), or None
        Equal numbers mean the same patient (or the same near-duplicate group); numbering is shared between
        the training and the holdout set.
    labels : array of str, shape (N,), or None
        Classes, where each image has exactly one.
    findings : mapping of str to array, shape (N,), or None
        Named targets (`Entry.labels`), 1 present, 0 absent, NaN unknown; where images may have several.
    """

    values: np.ndarray
    patients: np.ndarray | None = None
    labels: np.ndarray | None = None
    findings: Mapping[str, np.ndarray] | None = None

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: np.ndarray) -> Features:
        """The chosen rows."""
        return Features(
            self.values[rows],
            None if self.patients is None else self.patients[rows],
            None if self.labels is None else self.labels[rows],
            None if self.findings is None else {name: column[rows] for name, column in self.findings.items()},
        )


@dataclass(frozen=True)
class Sets:
    """The prepared images of the three sets, and how to work on them.

    `reference` is a third real set, where one was given; `thorough` asks for a full audit rather than a quick one.
    """

    training: ImageSet
    synthetic: ImageSet
    holdout: ImageSet | None = None
    seed: int = 0
    memory: int = 1 << 30
    progress: Progress = no_progress
    reference: ImageSet | None = None
    thorough: bool = False

    def take(self, rows: Mapping[Role, np.ndarray]) -> Sets:
        """The chosen rows of the sets that are named, the other sets whole."""
        return replace(self, **{role: getattr(self, role).take(own) for role, own in rows.items()})


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

    def set(self, role: Role) -> Features:
        """The set of that role; raises ValueError where there is none."""
        chosen = getattr(self, role)
        if chosen is None:
            raise ValueError(f"there is no {role} set")
        return chosen

    def take(self, rows: Mapping[Role, np.ndarray]) -> Comparison:
        """The chosen rows of the sets that are named, the other sets whole; neighbours are searched anew."""
        chosen = {role: self.set(role).take(own) for role, own in rows.items()}
        return replace(self, **chosen, _found={}, _counted={}, _met={})

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
            same = queries == points
            # Of the holdout, some ask for one neighbour and others for many: it is searched once.
            wanted = max(k, self.depth) if (queries, points) == ("synthetic", "holdout") else k
            found = self.searching.nearest(
                asked.values,
                among.values,
                wanted,
                metric=self.distance,
                query_groups=asked.patients if same else None,
                point_groups=among.patients if same else None,
                exclude_self=same,
                memory=self.memory,
            )
            self._found[queries, points] = found
        return Neighbors(found.distances[:, :k], found.indices[:, :k])

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
        distances = np.concatenate([mine.distances, theirs.distances], axis=1)
        indices = np.concatenate([mine.indices, theirs.indices + len(self.training)], axis=1)
        # Stable: of images at one distance those of the training set come first, as their row numbers do.
        order = np.argsort(distances, axis=1, kind="stable")[:, :k]
        return Neighbors(*(np.take_along_axis(values, order, axis=1) for values in (distances, indices)))

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

    @property
    def _together(self) -> int:
        """Neighbours that one pass finds."""
        patients = self.training.patients
        most = 1 if patients is None else int(np.unique(patients, return_counts=True)[1].max(initial=1))
        return max(NEIGHBORS, self.depth, 2 * most + 1 if 2 * most < _MOST_TOGETHER else 0)

    def _meet(self, queries: Role, points: Role) -> None:
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
        self._met.update(
            meetings(
                {role: self.set(role).values for role in roles},
                self.training.values,
                min(self._together, len(self.training)),
                back=NEIGHBORS,
                metric=self.distance,
                point_radii=radii,
                set_radii={role: self.radii(role, NEIGHBORS) for role in roles},
                typical_radii=np.where(radii <= np.median(radii), radii, 0.0),
                memory=self.memory,
            )
        )
        for role, met in self._met.items():
            self._found[role, "training"], self._found["training", role] = met.nearest_points, met.nearest_queries
            self._counted[role, "training", NEIGHBORS] = met.around_points
            self._counted["training", role, NEIGHBORS] = met.around_queries


@dataclass(frozen=True)
class Spaces:
    """The sets as images and in every feature space, for questions that choose among spaces.

    Parameters
    ----------
    sets : Sets
    comparisons : mapping of str to Comparison
        By name of the feature space, the leading one first; rows are those of `sets`.
    """

    sets: Sets
    comparisons: Mapping[str, Comparison]
