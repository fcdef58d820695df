"""The networks of a screen, trained on either half of the training patients and used more than once.

The veto searches with them, and acceptance weighs candidates by their vectors. A pool that is drawn in several rounds
is screened with the same networks each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np

from fourfold.errors import InputError
from fourfold.features.contrastive import ContrastiveNetwork
from fourfold.features.reidentification import ReidentificationNetwork
from fourfold.privacy.learned import FoldNetwork, Train, cross_fitted_networks, nearest_by_folds
from fourfold.privacy.ratio import TwoNearest

__all__ = ["CONTRASTIVE", "NETWORKS", "REIDENTIFICATION", "Networks", "train_networks"]

CONTRASTIVE, REIDENTIFICATION = "contrastive", "re-identification"

_TRAIN: Mapping[str, Train] = {CONTRASTIVE: ContrastiveNetwork.train, REIDENTIFICATION: ReidentificationNetwork.train}

NETWORKS = tuple(_TRAIN)
"""Networks that can be trained on the spot: a copy detector, and one that recognises patients."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Networks:
    """Trained networks by name, two folds each.

    Parameters
    ----------
    folds : mapping of str to list of FoldNetwork
    missing : tuple of str
        Those that were asked for and could not be trained: too few images, or patients with several of them.
    memory : int
        Bytes for one block of a search.
    """

    folds: Mapping[str, list[FoldNetwork]] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    memory: int = 1 << 30

    def search(
        self, training: np.ndarray, groups: np.ndarray, queries: np.ndarray, own: np.ndarray
    ) -> Iterator[tuple[str, TwoNearest, np.ndarray]]:
        """The searches of all folds, as `fourfold.privacy.find_copies` takes more of them."""
        for name, folds in self.folds.items():
            searches = nearest_by_folds(folds, training, groups, queries, own, memory=self.memory)
            for fold, found in enumerate(searches, start=1):
                yield f"{name}, fold {fold}", found.nearest, found.eligible

    def only(self, names: Iterable[str]) -> Networks:
        """The same with some of the networks."""
        return Networks({name: self.folds[name] for name in names if name in self.folds}, self.missing, self.memory)


def train_networks(
    training: np.ndarray,
    groups: np.ndarray,
    names: Sequence[str] = NETWORKS,
    *,
    seed: int = 0,
    steps: int | None = None,
    device: str = "cpu",
    memory: int = 1 << 30,
    progress: Progress | None = None,
) -> Networks:
    """Train what can be trained.

    Parameters
    ----------
    training : array, shape (N, planes, side, side)
        Working images.
    groups : array of int, shape (N,)
        Patients.
    names : sequence of str
        From `NETWORKS`.
    seed, steps, device
        As for `fourfold.privacy.learned.cross_fitted_networks`.
    memory : int
        Bytes for one block of a later search.
    progress : callable or None
        Called with a task, steps done and steps in all.

    Raises
    ------
    InputError
        Where a name is unknown.
    """
    unknown = [name for name in names if name not in _TRAIN]
    if unknown:
        raise InputError(f"there is no network {unknown[0]!r} for the screen; there are: {', '.join(NETWORKS)}")
    folds: dict[str, list[FoldNetwork]] = {}
    for name in names:
        tell = None if progress is None else _told(progress, f"screen: training, {name}")
        # Too few images, or patients with several of them: what is missing is recorded, and said in the figures.
        with suppress(InputError):
            folds[name] = cross_fitted_networks(
                training, groups, train=_TRAIN[name], seed=seed, steps=steps, device=device, progress=tell
            )
    return Networks(folds, tuple(name for name in names if name not in folds), memory)


def _told(progress: Progress, task: str) -> Callable[[int, int], None]:
    return lambda done, total: progress(task, done, total)
