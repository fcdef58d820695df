"""What a private training costs: epsilon of a number of steps, and the noise that a given epsilon asks for.

Every step adds Gaussian noise of standard deviation ``noise multiplier x clip`` to a sum over patients, each of whom is
in it with probability q (the sample rate) and contributes a vector no longer than `clip`. Two training sets are
neighbours where one has one patient more, with all of their images. The privacy loss of all steps is composed
numerically by the accountant of Gopi et al.; where its numbers fail, the older Renyi accountant stands in, which says
a larger epsilon for the same training.

References
----------
M. Abadi et al., CCS 2016 (DP-SGD and its first accountant). S. Gopi, Y. T. Lee, L. Wutschitz, NeurIPS 2021 (PRV).
I. Mironov, K. Talwar, L. Zhang, 2019 (RDP of the sampled Gaussian mechanism). Both as in Opacus.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import numpy as np

from fourfold.errors import InputError, MissingExtra

__all__ = ["LARGEST_DELTA", "delta_for", "epsilon_of", "noise_for", "require_opacus"]

LARGEST_DELTA = 1e-5
"""Delta where the number of patients asks for no smaller one."""

PATIENTS_A_DELTA = 10
"""The default delta is at most one in ten times the patients: below it, publishing a patient outright is no way to
keep the promise."""

ACCOUNTANTS = ("prv", "rdp")
EPSILON_ERROR = 0.005
"""Of the numerical composition, relative to epsilon; it is added to what is said."""

SLACK = 0.01
"""What of an epsilon may be left unused, for a search that takes seconds."""

_MOST_TRIES = 20

_NUMBERS_FAILED = (ArithmeticError, MemoryError, RuntimeError, ValueError)


def require_opacus() -> None:
    """Raise MissingExtra where Opacus is not installed."""
    try:
        import opacus  # noqa: F401
    except ImportError as error:
        raise MissingExtra("opacus", "private", "private training") from error


def delta_for(patients: int, asked: float | None = None) -> float:
    """Delta of a training set.

    Parameters
    ----------
    patients : int
    asked : float or None
        None for the smaller of 1e-5 and a tenth of 1 / patients.

    Raises
    ------
    InputError
        Where it is not above 0, or not below 1 / patients.
    """
    if asked is None:
        return min(LARGEST_DELTA, 1 / (PATIENTS_A_DELTA * patients))
    if not 0 < asked < 1 / patients:
        raise InputError(
            f"delta is a number above 0 and below 1 / patients = {1 / patients:.3g}, got {asked:g}: "
            "at that size the promise would allow giving one patient away entirely; leave it out for a sound default"
        )
    return asked


@lru_cache(maxsize=64)
def epsilon_of(noise_multiplier: float, sample_rate: float, steps: int, delta: float) -> tuple[float, str]:
    """Epsilon of a training, an upper bound.

    Parameters
    ----------
    noise_multiplier : float
        Standard deviation of the noise over the largest contribution of a patient.
    sample_rate : float
        Probability in (0, 1] with which a patient is in a step.
    steps : int
    delta : float

    Returns
    -------
    (float, str)
        Epsilon (infinite without noise), and the accountant that says so, ``"prv"`` or ``"rdp"``.
    """
    if steps == 0:
        return 0.0, ACCOUNTANTS[0]
    if noise_multiplier == 0:
        return math.inf, ACCOUNTANTS[0]
    from opacus.accountants import create_accountant

    history = [(noise_multiplier, sample_rate, steps)]
    bound = create_accountant("rdp")
    bound.history = history
    with _quiet():
        loose = float(bound.get_epsilon(delta))
    exact = create_accountant("prv")
    exact.history = history
    try:
        with _quiet():
            found = float(exact.get_epsilon(delta, eps_error=_error(loose)))
    except _NUMBERS_FAILED:
        found = math.nan
    return (found, "prv") if math.isfinite(found) else (loose, "rdp")


def noise_for(epsilon: float, sample_rate: float, steps: int, delta: float) -> float:
    """The noise multiplier with which a training costs at most `epsilon`, and hardly less.

    Raises
    ------
    InputError
        Where epsilon is not a number above 0, or no noise is enough.
    """
    if not 0 < epsilon < math.inf:
        raise InputError(f"epsilon is a number above 0, got {epsilon:g}")
    from opacus.accountants.utils import get_noise_multiplier

    asked = {"target_epsilon": epsilon, "target_delta": delta, "sample_rate": sample_rate, "steps": steps}
    try:
        with _quiet():
            noise = get_noise_multiplier(**asked, accountant="rdp", epsilon_tolerance=epsilon / 100)
    except ValueError as error:
        raise InputError(
            f"no noise is enough for epsilon {epsilon:g} over {steps} steps; raise epsilon or lower steps"
        ) from error
    # The Renyi accountant asks for a little too much, at no cost in time. From there on, epsilon is nearly a power of
    # the noise, so that secants of the logarithms need few calls of the other one, which takes seconds.
    aim = math.log(epsilon * (1 - SLACK / 2))
    enough, too_little = math.inf, 0.0
    power, last = -1.5, None
    for _ in range(_MOST_TRIES):
        found = epsilon_of(noise, sample_rate, steps, delta)[0]
        if found <= epsilon:
            enough = min(enough, noise)
            if found >= epsilon * (1 - SLACK):
                break
        else:
            too_little = max(too_little, noise)
        here = math.log(noise), math.log(found)
        if last is not None and here[0] != last[0] and here[1] != last[1]:
            power = (here[1] - last[1]) / (here[0] - last[0])
        last, noise = here, noise * math.exp((aim - here[1]) / power)
        if too_little > 0 and enough < math.inf and not too_little < noise < enough:
            noise = math.sqrt(too_little * enough)
    return enough


def _error(epsilon: float) -> float:
    return max(epsilon, 1e-3) * EPSILON_ERROR


@contextmanager
def _quiet() -> Iterator[None]:
    """Numbers that overflow on the way are judged by the result; advice on orders of RDP is for Opacus' users."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield
