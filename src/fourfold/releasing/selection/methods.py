"""Ways to choose n of the candidates of a class, which differ in what they look at.

    random         nothing: the candidates as the generator and the screen left them
    ratio          how calibration patients and candidates differ as a whole
    herding        the mean of the calibration patients under a kernel
    facility       every calibration patient: the chosen cover each as closely as they can
    k-center       the candidates: as far from each other as they can be
    determinantal  the candidates: volume that they span

None sees a training patient: to take what lies near them, or far, would undo the screen. Calibration patients are
patients too, and no attack of the audit asks about them: what a method reads off them, single patients or many at once,
is what a release may tell about them. Measured in ``benchmarks/selection.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from fourfold.errors import InputError
from fourfold.releasing.selection.kernels import facility, herding
from fourfold.releasing.selection.ratio import density_ratio
from fourfold.releasing.selection.spread import determinantal, k_center

__all__ = ["METHODS", "Method", "choose"]

Choose = Callable[[np.ndarray, np.ndarray, int, np.random.Generator, int], np.ndarray]


@dataclass(frozen=True)
class Method:
    """A way to choose.

    Parameters
    ----------
    name, summary, cost, source : str
    calibrated : bool
        Whether it looks at calibration patients.
    choose : callable
        Features of candidates (M, d), of calibration patients (C, d), n, a generator of random numbers, bytes of
        memory; returns n different rows.
    """

    name: str
    summary: str
    cost: str
    source: str
    calibrated: bool
    choose: Choose


def _random(
    candidates: np.ndarray, calibration: np.ndarray, n: int, rng: np.random.Generator, memory: int
) -> np.ndarray:
    return rng.permutation(len(candidates))[:n]


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        method.name: method
        for method in (
            Method("random", "a simple random sample", "O(M)", "simple random sampling", False, _random),
            Method(
                "ratio",
                "a sample weighted by the density of real patients over that of the candidates",
                "O(M d) for each of at most 300 steps of a logistic regression",
                "Bickel et al. 2009; Azadi et al. 2019",
                True,
                density_ratio,
            ),
            Method(
                "herding", "greedy steps towards the kernel mean", "O(M (n + C) d)", "Chen et al. 2010", True, herding
            ),
            Method(
                "facility",
                "greedy coverage of every calibration patient",
                "O(M C d), and as much again for a few sweeps",
                "Minoux 1978; Krause & Golovin 2014",
                True,
                facility,
            ),
            Method("k-center", "farthest first", "O(M n d)", "Gonzalez 1985", False, k_center),
            Method(
                "determinantal",
                "greedy maximum of a determinantal point process",
                "O(M n (n + d)), in groups where memory is short",
                "Chen, Zhang & Zhou 2018",
                False,
                determinantal,
            ),
        )
    }
)
"""By name."""


def choose(
    method: str,
    candidates: np.ndarray,
    calibration: np.ndarray,
    n: int,
    *,
    seed: int = 0,
    memory: int = 1 << 30,
) -> np.ndarray:
    """Choose n of the candidates.

    Parameters
    ----------
    method : str
        One of `METHODS`.
    candidates : array, shape (M, d)
        Features, finite.
    calibration : array, shape (C, d)
        Features of real patients who are not in the training set, all of the class; C = 0 is allowed where the method
        does not look at them.
    n : int
        At most M.
    seed : int
    memory : int
        Bytes to use at most above inputs and result.

    Returns
    -------
    array of int64, shape (n,)
        Different rows, in the order in which they were chosen.

    Raises
    ------
    InputError
        Where the method is unknown, n is out of range, or the method needs calibration patients and there is none.

    Examples
    --------
    >>> points = np.array([[0.0], [0.1], [1.0]])
    >>> sorted(choose("k-center", points, points[:0], 2).tolist()) in ([0, 2], [1, 2])
    True
    """
    if method not in METHODS:
        raise InputError(f"there is no method of selection {method!r}; choose from {', '.join(METHODS)}")
    if not 0 <= n <= len(candidates):
        raise InputError(f"{n} of {len(candidates)} candidates cannot be chosen; draw more or ask for fewer")
    found = METHODS[method]
    if found.calibrated and not len(calibration):
        raise InputError(f"the method {method!r} needs calibration patients of the class; give some or use 'random'")
    if n == 0:
        return np.empty(0, dtype=np.int64)
    values = np.ascontiguousarray(candidates, dtype=np.float32)
    return found.choose(
        values, np.ascontiguousarray(calibration, dtype=np.float32), n, np.random.default_rng([seed, 41]), memory
    ).astype(np.int64)
