"""Published numbers, the defining equation and the coverage of score intervals for a difference of shares."""

from __future__ import annotations

import doctest
import importlib
from itertools import pairwise

import numpy as np
import pytest
from scipy import optimize, stats

from fourfold.statistics import difference_bound, miettinen_nurminen, miettinen_nurminen_p, residual_risk, wilson


def test_the_examples_in_the_docstrings_run() -> None:
    found = doctest.testmod(importlib.import_module("fourfold.statistics.differences"))
    assert found.attempted > 0
    assert found.failed == 0


@pytest.mark.parametrize(
    ("main", "control", "interval"),
    [
        ((56, 70), (48, 80), (0.0528, 0.3382)),
        ((9, 10), (3, 10), (0.1700, 0.8406)),
        ((6, 7), (2, 7), (0.0342, 0.8534)),
        ((5, 56), (0, 29), (-0.0326, 0.1933)),
        ((0, 10), (0, 20), (-0.1658, 0.2844)),
        ((0, 10), (0, 10), (-0.2879, 0.2879)),
        ((10, 10), (0, 20), (0.7156, 1.0)),
        ((10, 10), (0, 10), (0.6636, 1.0)),
    ],
)
def test_intervals_agree_with_the_comparison_of_eleven_methods(
    main: tuple[int, int], control: tuple[int, int], interval: tuple[float, float]
) -> None:
    # Newcombe, Stat. Med. 17 (1998) 873, table II, method 6.
    assert miettinen_nurminen(main, control) == pytest.approx(interval, abs=6e-5)


@pytest.mark.parametrize(("main", "control"), [((7, 31), (2, 45)), ((1, 400), (9, 60)), ((50, 50), (3, 9))])
def test_the_edges_solve_the_score_equation_with_shares_of_largest_likelihood(
    main: tuple[int, int], control: tuple[int, int]
) -> None:
    (k1, n1), (k2, n2) = main, control

    def score(difference: float) -> float:
        def loss(share: float) -> float:
            return -stats.binom.logpmf(k1, n1, share + difference) - stats.binom.logpmf(k2, n2, share)

        span = (max(0.0, -difference), min(1.0, 1.0 - difference))
        p2 = optimize.minimize_scalar(loss, bounds=span, method="bounded", options={"xatol": 1e-11}).x
        p1 = p2 + difference
        variance = (p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2) * (n1 + n2) / (n1 + n2 - 1)
        return float((k1 / n1 - k2 / n2 - difference) / np.sqrt(variance))

    low, high = miettinen_nurminen(main, control)
    z = stats.norm.ppf(0.975)
    for edge, expected in ((low, z), (high, -z)):
        if abs(edge) < 1 - 1e-9:
            assert score(edge) == pytest.approx(expected, abs=2e-3)
    assert low < k1 / n1 - k2 / n2 <= high


def test_the_score_test_of_no_difference_is_the_pooled_test_and_matches_the_edges() -> None:
    pooled = 104 / 150
    z = (56 / 70 - 48 / 80) / np.sqrt(pooled * (1 - pooled) * (1 / 70 + 1 / 80) * 150 / 149)
    assert miettinen_nurminen_p((56, 70), (48, 80)) == pytest.approx(stats.norm.sf(z))
    low, high = miettinen_nurminen((56, 70), (48, 80))
    assert miettinen_nurminen_p((56, 70), (48, 80), low) == pytest.approx(0.025)
    assert miettinen_nurminen_p((56, 70), (48, 80), high, "less") == pytest.approx(0.025)
    assert miettinen_nurminen_p((56, 70), (48, 80), high, "two-sided") == pytest.approx(0.05)


def test_exchanging_the_groups_turns_the_interval_round() -> None:
    low, high = miettinen_nurminen((3, 40), (0, 200))
    assert miettinen_nurminen((0, 200), (3, 40)) == pytest.approx((-high, -low))


@pytest.mark.parametrize("side", ["upper", "lower"])
def test_one_sided_bounds_are_edges_of_a_wider_interval(side: str) -> None:
    low, high = miettinen_nurminen((4, 90), (9, 70), 0.9)
    assert difference_bound((4, 90), (9, 70), 0.95, side) == pytest.approx(high if side == "upper" else low)


def test_bounds_fall_with_the_number_of_trials_also_where_nothing_succeeded() -> None:
    bounds = [difference_bound((0, n), (0, n)) for n in (10, 30, 100, 300, 1000)]
    assert all(more > less for more, less in pairwise(bounds))
    assert all(0 < bound < 1 for bound in bounds)
    full = [difference_bound((n, n), (n, n)) for n in (10, 100)]
    assert full == pytest.approx([difference_bound((0, n), (0, n)) for n in (10, 100)])


@pytest.mark.parametrize(
    ("shares", "sizes"), [((0.1, 0.1), (100, 100)), ((0.02, 0.01), (60, 300)), ((0.9, 0.3), (250, 50))]
)
def test_intervals_cover_the_truth_as_often_as_they_say(shares: tuple[float, float], sizes: tuple[int, int]) -> None:
    # Every possible outcome, weighted by its probability: no simulation error.
    k1, k2 = (
        stats.binom.ppf([1e-5, 1 - 1e-5], size, share).astype(int) for share, size in zip(shares, sizes, strict=True)
    )
    covered = 0.0
    for first in range(k1[0], k1[1] + 1):
        for second in range(k2[0], k2[1] + 1):
            low, high = miettinen_nurminen((first, sizes[0]), (second, sizes[1]))
            if low <= shares[0] - shares[1] <= high:
                covered += stats.binom.pmf(first, sizes[0], shares[0]) * stats.binom.pmf(second, sizes[1], shares[1])
    assert covered == pytest.approx(0.95, abs=0.025)


@pytest.mark.parametrize(("main", "control"), [((-1, 10), (1, 10)), ((1, 10), (11, 10)), ((0, 0), (1, 10))])
def test_impossible_counts_are_refused(main: tuple[int, int], control: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="need 0 <= successes <= trials"):
        miettinen_nurminen(main, control)


def test_a_rate_in_published_anonymity_scores_is_the_centre_of_our_wilson_interval() -> None:
    # A linkage attack that succeeds once in four rows; its risk and interval as published with the method.
    low, high = wilson(1, 4)
    assert (low + high) / 2 == pytest.approx(0.3725, abs=5e-5)
    assert (low, high) == pytest.approx((0.045587, 0.699358), abs=1e-6)


def test_the_residual_risk_adds_errors_in_quadrature() -> None:
    risk, error = residual_risk((0.9, 0.02), (0.85, 0.02))
    assert (risk, error) == pytest.approx((0.333, 0.16), abs=5e-4)
    assert residual_risk((0.2, 0.0), (0.3, 0.0))[0] < 0
    with pytest.raises(ValueError, match="rate of the control"):
        residual_risk((1.0, 0.0), (1.0, 0.0))
