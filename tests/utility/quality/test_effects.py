import numpy as np
import pytest

from fourfold.utility.quality.effects import crossed_effect


def crossed(rng, seeds, patients, of_seed, of_patient, of_both, effect=0.0, samples=200):
    """A contrast that is the mean over patients of effect + seed + patient + both, and its bootstrap."""
    values = effect + of_seed * rng.normal(size=(seeds, 1)) + of_patient * rng.normal(size=(1, patients))
    values = values + of_both * rng.normal(size=(seeds, patients))
    counts = rng.multinomial(patients, np.full(patients, 1 / patients), size=samples) / patients
    return values.mean(axis=1), values @ counts.T


@pytest.mark.parametrize(
    ("seeds", "of_seed", "of_patient", "of_both"),
    [(5, 0.1, 1.0, 0.0), (5, 0.3, 0.3, 0.3), (5, 0.0, 0.2, 1.0), (3, 0.3, 1.0, 1.0), (8, 0.5, 0.1, 0.1)],
)
def test_intervals_cover_nothing_at_the_stated_rate(seeds, of_seed, of_patient, of_both):
    rng = np.random.default_rng([seeds, int(10 * of_seed), int(10 * of_both)])
    covered = 0
    for _ in range(400):
        low, high = crossed_effect(*crossed(rng, seeds, 60, of_seed, of_patient, of_both), 60).interval
        covered += low <= 0 <= high
    # 95 % of 400, less three standard errors; a little too wide is allowed, twice too wide is not.
    assert 0.917 <= covered / 400 <= 0.99


def test_a_percentile_bootstrap_would_be_too_narrow():
    """Why the variance is put together by hand."""
    rng = np.random.default_rng(7)
    ours = theirs = 0
    for _ in range(400):
        whole, resampled = crossed(rng, 5, 60, 0.3, 0.3, 0.3)
        low, high = crossed_effect(whole, resampled, 60).interval
        ours += low <= 0 <= high
        drawn = rng.multinomial(5, np.full(5, 0.2), size=200) / 5
        low, high = np.quantile((drawn * resampled.T).sum(axis=1), [0.025, 0.975])
        theirs += low <= 0 <= high
    assert theirs < 360 < ours


def test_an_effect_is_found_and_its_sign_told():
    rng = np.random.default_rng(0)
    assert crossed_effect(*crossed(rng, 5, 60, 0.1, 0.5, 0.5, effect=1), 60).verdict == "helps"
    harm = crossed_effect(*crossed(rng, 5, 60, 0.1, 0.5, 0.5, effect=-1), 60)
    assert harm.verdict == "harms"
    assert harm.p < 0.01
    assert len(harm.by_seed) == 5
    assert crossed_effect(*crossed(rng, 5, 60, 0.1, 0.5, 0.5), 60).verdict == "no evidence"


def test_the_interval_and_the_p_value_agree():
    rng = np.random.default_rng(1)
    for _ in range(50):
        found = crossed_effect(*crossed(rng, 4, 30, 0.3, 0.5, 0.5, effect=0.5), 30)
        assert (found.p < 0.05) == (found.interval[0] > 0 or found.interval[1] < 0)


def test_more_seeds_narrow_only_their_part():
    rng = np.random.default_rng(2)
    widths = {}
    for seeds in (5, 50):
        found = [crossed_effect(*crossed(rng, seeds, 40, 0.0, 1.0, 0.0), 40).interval for _ in range(20)]
        widths[seeds] = np.mean([high - low for low, high in found])
    assert widths[50] == pytest.approx(widths[5], rel=0.1)


def test_equal_scores_are_no_effect():
    found = crossed_effect(np.zeros(5), np.zeros((5, 20)), 10)
    assert (found.value, found.interval, found.p) == (0.0, (0.0, 0.0), 1.0)


def test_samples_without_a_score_are_left_out():
    rng = np.random.default_rng(3)
    whole, resampled = crossed(rng, 5, 40, 0.1, 0.5, 0.1)
    holes = np.concatenate([resampled, np.full((5, 3), np.nan)], axis=1)
    assert crossed_effect(whole, holes, 40) == crossed_effect(whole, resampled, 40)


@pytest.mark.parametrize(("seeds", "patients", "samples"), [(1, 9, 9), (3, 1, 9), (3, 9, 1)])
def test_one_seed_or_one_patient_says_nothing(seeds, patients, samples):
    with pytest.raises(ValueError, match="takes 2 of each"):
        crossed_effect(np.zeros(seeds), np.zeros((seeds, samples)), patients)
