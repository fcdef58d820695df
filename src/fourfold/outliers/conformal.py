"""What a score means: split conformal calibration on real patients that were not fitted.

If a fresh image is exchangeable with n calibration images, its score is equally likely to take any place among theirs.
The share of the calibration images that lie at least as far out is therefore a p-value, and the threshold at the
``ceil((n + 1)(1 - alpha))``-th smallest of their scores accuses it with a probability of at most alpha, whatever the
score and however badly it was fitted.

Two images of one patient are not exchangeable with images of two patients, so each calibration patient gives one
image, drawn at random. The largest score of each patient would calibrate the claim "no image of this patient lies
outside", another one and a duller gate; an average over a patient's images has no guarantee at all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from fourfold.errors import InputError
from fourfold.statistics import clopper_pearson, control_threshold

__all__ = [
    "Drift",
    "OutsideShare",
    "drift",
    "fewest_patients",
    "one_image_a_patient",
    "outside_share",
    "threshold",
]


def fewest_patients(alpha: float) -> int:
    """Calibration patients below which nothing can be called outside.

    Raises
    ------
    InputError
        If alpha is not in (0, 1).

    Examples
    --------
    >>> fewest_patients(0.05)
    19
    """
    if not 0 < alpha < 1:
        raise InputError(f"alpha is a share of false alarms between 0 and 1, got {alpha}")
    return math.ceil(1 / alpha - 1 - 1e-9)


def threshold(calibration: np.ndarray, alpha: float) -> float:
    """The score above which an image lies outside.

    Parameters
    ----------
    calibration : array, shape (n,)
        Scores of held-out real images, one a patient.
    alpha : float
        Accepted share of false alarms, in (0, 1).

    Returns
    -------
    float
        The ``ceil((n + 1)(1 - alpha))``-th smallest score; infinity where there are too few.

    References
    ----------
    V. Vovk, A. Gammerman, G. Shafer, Algorithmic Learning in a Random World (2005); H. Papadopoulos et al., Inductive
    Confidence Machines for Regression (2002).

    Examples
    --------
    >>> threshold(np.arange(1.0, 20.0), 0.05), threshold(np.arange(1.0, 19.0), 0.05)
    (19.0, inf)
    """
    fewest_patients(alpha)
    found = control_threshold(calibration, alpha)
    return math.inf if found is None else found


def one_image_a_patient(patients: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The row of a random image of each patient, in ascending order.

    Examples
    --------
    >>> len(one_image_a_patient(np.array(["a", "a", "b"]), np.random.default_rng(0)))
    2
    """
    order = rng.permutation(len(patients))
    _, first = np.unique(np.asarray(patients)[order], return_index=True)
    return np.sort(order[first])


@dataclass(frozen=True)
class Drift:
    """Whether more of a set lies outside than fresh real images would.

    Parameters
    ----------
    outside, trials : int
        Images outside and images in all; where patients are known, one random image of each.
    alpha : float
        The largest share that fresh real images have on average.
    interval : (float, float)
        Clopper and Pearson's 95 % interval of the share.
    p : float
        Chance that a set of fresh real patients has as many outside. The threshold was read from few patients and its
        true share varies about alpha, so this is a tail of the beta-binomial law, not of the binomial one.
    """

    outside: int
    trials: int
    alpha: float
    interval: tuple[float, float]
    p: float

    @property
    def share(self) -> float:
        """Share outside."""
        return self.outside / self.trials

    @property
    def drifted(self) -> bool:
        """Whether more lies outside than alpha explains.

        The interval lies above alpha, and a threshold that happened to be low does not explain that either (p at most
        0.025, the level of the interval's lower end).
        """
        return self.interval[0] > self.alpha and self.p <= 0.025


def drift(outside: np.ndarray, calibration_patients: int, alpha: float) -> Drift:
    """The share of a set that lies outside, against what fresh real images give.

    Parameters
    ----------
    outside : array of bool, shape (m,)
        One independent image each.
    calibration_patients : int
        n, from whose scores the threshold at alpha was read.
    alpha : float

    Returns
    -------
    Drift
        With ``r = floor(alpha (n + 1))`` the number outside among m fresh images is beta-binomial(m, r, n + 1 - r).

    References
    ----------
    S. S. Wilks, Ann. Math. Stat. 12 (1941) 91.

    Examples
    --------
    >>> found = drift(np.arange(100) < 9, calibration_patients=60, alpha=0.05)
    >>> round(found.interval[0], 3), round(found.p, 3), found.drifted
    (0.042, 0.147, False)
    """
    trials, count = len(outside), int(np.sum(outside))
    if not trials:
        raise InputError("there is no image to look for outliers in; give at least one")
    rank = math.floor(alpha * (calibration_patients + 1) + 1e-9)
    law = stats.betabinom(trials, max(rank, 1), calibration_patients + 1 - max(rank, 1))
    return Drift(count, trials, alpha, clopper_pearson(count, trials), min(1.0, float(law.sf(count - 1))))


@dataclass(frozen=True)
class OutsideShare:
    """The share of a set that lies outside, beside what fresh real images give.

    Parameters
    ----------
    value : float
        Share outside, in [0, 1].
    null : float
        Mean share of fresh real images, at most alpha.
    interval : (float, float)
        95 % interval of `value` that counts the threshold's own uncertainty as well, so that `null` outside of it is
        evidence.
    null_interval : (float, float)
        Where 95 % of sets of as many fresh real images lie, for thresholds read from as many patients.
    """

    value: float
    null: float
    interval: tuple[float, float]
    null_interval: tuple[float, float]


def outside_share(outside: np.ndarray, calibration_patients: int, alpha: float) -> OutsideShare:
    """The share of a set that lies outside a threshold that was read from real patients.

    Parameters
    ----------
    outside : array of bool, shape (m,)
        One independent image each.
    calibration_patients : int
        n, from whose scores the threshold at alpha was read; at least `fewest_patients`.
    alpha : float

    Returns
    -------
    OutsideShare
        The share of fresh images above the threshold is a beta variable with parameters ``r = floor(alpha (n + 1))``
        and ``n + 1 - r``. Its interval and that of the share outside are joined by their squares on either side (the
        MOVER of Zou and Donner): of simulated fresh sets with n from 19 to 400 and m from 60 to 1000, 93 to 99 % of
        the intervals hold the null.

    Raises
    ------
    InputError
        Where there is no image, or too few calibration patients.

    References
    ----------
    G. Y. Zou, A. Donner, Stat. Med. 27 (2008) 1693.

    Examples
    --------
    >>> found = outside_share(np.arange(200) < 30, calibration_patients=99, alpha=0.05)
    >>> found.value, found.null, tuple(round(edge, 3) for edge in found.interval)
    (0.15, 0.05, (0.08, 0.213))
    """
    trials, count = len(outside), int(np.sum(outside))
    if not trials:
        raise InputError("there is no image to look for outliers in; give at least one")
    if calibration_patients < fewest_patients(alpha):
        raise InputError(
            f"a threshold at alpha {alpha:g} is read from at least {fewest_patients(alpha)} patients, got "
            f"{calibration_patients}; give more patients or a larger alpha"
        )
    rank = math.floor(alpha * (calibration_patients + 1) + 1e-9)
    rest = calibration_patients + 1 - rank
    value, null = count / trials, rank / (calibration_patients + 1)
    low, high = clopper_pearson(count, trials)
    null_low, null_high = stats.beta.ppf((0.025, 0.975), rank, rest)
    band = stats.betabinom(trials, rank, rest).ppf((0.025, 0.975)) / trials
    below, above = math.hypot(value - low, null_high - null), math.hypot(high - value, null - null_low)
    return OutsideShare(
        value, null, (max(value - below, 0.0), min(value + above, 1.0)), (float(band[0]), float(band[1]))
    )
