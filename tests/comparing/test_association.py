import numpy as np
import pytest
from scipy import stats

from fourfold.comparing import association
from fourfold.comparing.association import associations, too_few_sets


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch):
    monkeypatch.setattr(association, "_DRAWS", 40)


def scores(rng, families, rho, shared=0.0):
    """Two scores with Spearman's rho; `shared` of their variance belongs to the family."""
    codes = np.asarray(families)
    r = 2 * np.sin(np.pi * rho / 6)
    root = np.linalg.cholesky([[1, r], [r, 1]])
    common = rng.normal(size=(codes.max() + 1, 2)) @ root.T
    own = rng.normal(size=(len(codes), 2)) @ root.T
    return (np.sqrt(shared) * common[codes] + np.sqrt(1 - shared) * own).T


def test_coefficients_are_those_of_scipy():
    x = np.random.default_rng(0).normal(size=(3, 12))
    x[1, 3] = x[1, 4]
    found = associations(x, np.zeros_like(x), range(12)).values
    np.testing.assert_allclose(found[0, 1], stats.spearmanr(x[0], x[1]).statistic, rtol=1e-12)
    np.testing.assert_allclose(found[1, 2], stats.spearmanr(x[1], x[2]).statistic, rtol=1e-12)


@pytest.mark.parametrize(("sets", "families"), [(8, 4), (20, 5), (20, 20)])
@pytest.mark.parametrize("rho", [0.0, 0.8])
def test_intervals_cover_the_truth_with_few_sets_in_few_families(sets, families, rho):
    rng = np.random.default_rng([sets, families])
    groups = np.arange(sets) % families
    covered = 0
    for draw in range(40):
        x = scores(rng, groups, rho, 0.0 if sets == families else 0.5)
        low, high = associations(x, np.zeros_like(x), groups, seed=draw).intervals()[0, 1]
        covered += low <= rho <= high
    assert covered >= 34  # 38 expected at 95 %, standard deviation 1.4


def test_sets_of_one_family_count_for_less_than_as_many_of_their_own():
    rng = np.random.default_rng(3)
    groups = np.arange(24) % 4
    ratio = []
    for _ in range(20):
        x = scores(rng, groups, 0.0, 0.9)
        ratio.append(
            associations(x, np.zeros_like(x), groups).errors[0, 1]
            / associations(x, np.zeros_like(x), range(24)).errors[0, 1]
        )
    assert np.mean(ratio) > 1.5


def test_errors_of_measurement_widen_an_interval():
    x = np.tile(np.arange(12.0), (2, 1))
    errors = [associations(x, np.full_like(x, size), range(12)).errors[0, 1] for size in (0.0, 4.0, 12.0)]
    assert errors[0] * 1.1 < errors[1]
    assert errors[0] * 1.1 < errors[2]


def test_a_score_that_does_not_vary_has_no_coefficient():
    x = np.stack([np.arange(6.0), np.ones(6)])
    found = associations(x, np.zeros_like(x), range(6))
    assert np.isnan(found.values[0, 1])
    assert np.isnan(found.intervals()[0, 1]).all()
    assert np.isfinite(found.errors[0, 0])


@pytest.mark.parametrize("families", [range(4), [0, 0, 1, 1, 2, 2]])
def test_too_few_sets_or_families_give_no_interval(families):
    x = np.random.default_rng(0).normal(size=(2, len(families)))
    found = associations(x, np.zeros_like(x), families)
    assert np.isfinite(found.values).all()
    assert np.isnan(found.errors).all()
    assert "at least 5 sets of at least 4 generator families" in too_few_sets(families)


def test_perfect_agreement_of_few_sets_does_not_give_a_width_of_zero():
    x = np.tile(np.arange(6.0), (2, 1))
    low, high = associations(x, np.zeros_like(x), range(6)).intervals()[0, 1]
    assert low < 0.75 < high < 1
