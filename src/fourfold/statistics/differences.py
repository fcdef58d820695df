"""The difference of two shares: how often an attack succeeds on members, less how often on people never seen.

Score intervals after Miettinen and Nurminen: the variance is that of the hypothesis under test, so the interval keeps
its coverage where shares are 0 or 1 and where the two groups differ in size.
"""

from __future__ import annotations

import math
from typing import Literal

from scipy import optimize, stats

__all__ = ["difference_bound", "miettinen_nurminen", "miettinen_nurminen_p", "residual_risk"]

Counts = tuple[int, int]
Alternative = Literal["greater", "less", "two-sided"]

_CLOSE = 1e-12


def miettinen_nurminen(main: Counts, control: Counts, level: float = 0.95) -> tuple[float, float]:
    """Two-sided score interval for the difference of two independent shares.

    Parameters
    ----------
    main, control : (int, int)
        Successes and trials, ``0 <= successes <= trials``, ``trials >= 1``.
    level : float
        Coverage in (0, 1).

    Returns
    -------
    (float, float)
        The differences ``main - control``, within [-1, 1], that the score test does not reject.

    Raises
    ------
    ValueError
        If the counts or the level are out of range.

    References
    ----------
    O. Miettinen, M. Nurminen, Stat. Med. 4 (1985) 213, equations 8 and 9.

    Examples
    --------
    >>> low, high = miettinen_nurminen((56, 70), (48, 80))
    >>> round(low, 4), round(high, 4)
    (0.0528, 0.3382)
    """
    _check(main, control, level)
    half = float(stats.norm.ppf(0.5 + level / 2))
    return _edge(main, control, half), _edge(main, control, -half)


def difference_bound(
    main: Counts, control: Counts, level: float = 0.95, side: Literal["upper", "lower"] = "upper"
) -> float:
    """One-sided bound of the difference of two independent shares.

    Parameters and errors as in `miettinen_nurminen`; `level` is the coverage of the one bound.

    Examples
    --------
    >>> round(difference_bound((0, 300), (0, 300)), 4)
    0.009
    """
    _check(main, control, level)
    reach = float(stats.norm.ppf(level))
    return _edge(main, control, -reach if side == "upper" else reach)


def miettinen_nurminen_p(
    main: Counts, control: Counts, difference: float = 0.0, alternative: Alternative = "greater"
) -> float:
    """p-value of the score test of a stated difference; the interval holds the differences that it keeps.

    Parameters
    ----------
    main, control : (int, int)
        As in `miettinen_nurminen`.
    difference : float
        The hypothesis, ``main - control``, in (-1, 1).
    alternative : {"greater", "less", "two-sided"}
        ``"greater"``: the true difference is larger than the hypothesis.

    Returns
    -------
    float
        Within [0, 1].

    Raises
    ------
    ValueError
        If the counts or the difference are out of range.

    Examples
    --------
    >>> round(miettinen_nurminen_p((56, 70), (48, 80)), 4)
    0.0041
    """
    _check(main, control, 0.5)
    if not -1 < difference < 1:
        raise ValueError(f"difference must be in (-1, 1), got {difference}")
    z = _score(main, control, difference)
    if alternative == "greater":
        return float(stats.norm.sf(z))
    if alternative == "less":
        return float(stats.norm.cdf(z))
    return float(min(1.0, 2 * stats.norm.sf(abs(z))))


def residual_risk(main: tuple[float, float], control: tuple[float, float]) -> tuple[float, float]:
    """What an attack gains beyond its control, as a share of what the control leaves.

    Parameters
    ----------
    main, control : (float, float)
        Rates with their errors; the rate of the control is below 1.

    Returns
    -------
    risk : float
        ``(main - control) / (1 - control)``, at most 1; negative where the control does better.
    error : float
        First-order propagation of both errors, taken as independent.

    Raises
    ------
    ValueError
        If the rate of the control is not in [0, 1).

    References
    ----------
    M. Giomi, F. Boenisch, C. Wehmeyer, B. Tasnadi, Proc. Priv. Enh. Technol. 2023 (2) 312.

    Examples
    --------
    >>> risk, error = residual_risk((0.9, 0.02), (0.85, 0.02))
    >>> round(risk, 3), round(error, 2)
    (0.333, 0.16)
    """
    (rate, own), (base, other) = main, control
    if not 0 <= base < 1:
        raise ValueError(f"the rate of the control must be in [0, 1), got {base}")
    left = 1 - base
    return (rate - base) / left, math.hypot(own / left, (1 - rate) * other / left**2)


def _edge(main: Counts, control: Counts, z: float) -> float:
    """The difference at which the score is `z`; it falls as the difference grows."""
    low, high = -1 + _CLOSE, 1 - _CLOSE
    if _score(main, control, low) <= z:
        return -1.0
    if _score(main, control, high) >= z:
        return 1.0
    return float(optimize.brentq(lambda difference: _score(main, control, difference) - z, low, high, xtol=1e-13))


def _score(main: Counts, control: Counts, difference: float) -> float:
    (k1, n1), (k2, n2) = main, control
    gap = k1 / n1 - k2 / n2 - difference
    p2 = _restricted(main, control, difference)
    p1 = min(max(p2 + difference, 0.0), 1.0)
    total = n1 + n2
    variance = (p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2) * total / (total - 1)
    if variance <= 0:
        return 0.0 if abs(gap) < _CLOSE else math.copysign(math.inf, gap)
    return gap / math.sqrt(variance)


def _restricted(main: Counts, control: Counts, difference: float) -> float:
    """The control's share of largest likelihood while the shares differ by `difference`: a root of a cubic."""
    (k1, n1), (k2, n2) = main, control
    total, successes, d = n1 + n2, k1 + k2, difference
    if d == 0:
        return successes / total
    l3 = total
    l2 = (n1 + 2 * n2) * d - total - successes
    l1 = (n2 * d - total - 2 * k2) * d + successes
    l0 = k2 * d * (1 - d)
    q = (l2 / (3 * l3)) ** 3 - l1 * l2 / (6 * l3**2) + l0 / (2 * l3)
    square = max((l2 / (3 * l3)) ** 2 - l1 / (3 * l3), 0.0)
    p = math.copysign(math.sqrt(square), q)
    angle = 0.0 if p == 0 else math.acos(min(max(q / p**3, -1.0), 1.0))
    root = 2 * p * math.cos((math.pi + angle) / 3) - l2 / (3 * l3)
    return min(max(root, 0.0, -d), 1.0, 1.0 - d)


def _check(main: Counts, control: Counts, level: float) -> None:
    for successes, trials in (main, control):
        if trials < 1 or not 0 <= successes <= trials:
            raise ValueError(f"need 0 <= successes <= trials and trials >= 1, got {successes} of {trials}")
    if not 0 < level < 1:
        raise ValueError(f"level must be in (0, 1), got {level}")
