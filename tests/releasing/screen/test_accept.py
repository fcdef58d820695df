from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from fourfold.releasing.screen import accept
from fourfold.releasing.screen.accept import acceptance_probability, edges


@pytest.mark.parametrize("size", [30, 300, 5000])
def test_uniform_weights_lose_nobody_to_noise(size: int) -> None:
    shares = [acceptance_probability(np.random.default_rng(seed).random(size)).mean() for seed in range(20)]
    assert np.mean(shares) > 0.97


def test_a_slope_is_levelled() -> None:
    v = np.random.default_rng(0).beta(1, 1.5, 8000)
    accepted, stages = accept({"slope": v}, np.ones(8000, dtype=bool))
    assert stages["slope"].before < 0.42
    assert stages["slope"].after == pytest.approx(0.5, abs=0.015)
    assert stages["slope"].distance_after < 0.03 < 0.1 < stages["slope"].distance_before
    assert stats.kstest(v[accepted], "uniform").pvalue > 0.001


def test_a_few_copies_among_many_candidates_are_singled_out_and_the_others_kept() -> None:
    v = np.random.default_rng(1).random(2000)
    v[:40] = 1e-8
    probability = acceptance_probability(v)
    assert probability[:40].max() < 0.1
    assert probability[40:].mean() > 0.97


def test_a_hole_as_wide_as_a_bin_is_not_left_but_a_narrower_one_costs_nothing() -> None:
    v = np.random.default_rng(2).random(10_000)
    wide = v[(v > 0.1) | (np.random.default_rng(3).random(10_000) < 0.3)]
    accepted, stages = accept({"hole": wide}, np.ones(len(wide), dtype=bool))
    assert stages["hole"].share < 0.5
    assert np.mean(wide[accepted] < 0.1) == pytest.approx(0.1, abs=0.03)
    assert acceptance_probability(v[v > 0.002]).min() > 0.9


def test_a_lean_that_few_calibration_persons_explain_is_left_but_not_a_heap_at_zero() -> None:
    v = np.random.default_rng(6).beta(1.3, 1, 1000)
    assert acceptance_probability(v).mean() < 0.9
    assert acceptance_probability(v, persons=80).mean() > 0.97
    v[:30] = 1e-7
    probability = acceptance_probability(v, persons=80)
    assert probability[:30].max() < 0.1
    assert probability[30:].mean() > 0.95


def test_where_everybody_is_a_copy_nobody_is_accepted() -> None:
    v = 1e-4 * np.random.default_rng(4).random(500)
    for persons in (np.inf, 100):
        assert not accept({"copies": v}, np.ones(500, dtype=bool), persons=persons)[0].any()


def test_embeddings_follow_each_other_and_vetoed_candidates_stay_out() -> None:
    rng = np.random.default_rng(5)
    weights = {"first": rng.beta(1, 1.4, 3000), "second": rng.beta(1, 1.4, 3000)}
    left = rng.random(3000) < 0.9
    accepted, stages = accept(weights, left, seed=3)
    assert not (accepted & ~left).any()
    assert not (stages["second"].accepted & ~stages["first"].accepted).any()
    assert (accepted == stages["second"].accepted).all()
    assert (accept(weights, left, seed=3)[0] == accepted).all()
    assert (accept(weights, left, seed=4)[0] != accepted).any()
    for stage in stages.values():
        assert stage.after == pytest.approx(0.5, abs=0.03)


def test_figures_of_nobody_hold_no_nan() -> None:
    _, stages = accept({"any": np.full(4, 0.5)}, np.zeros(4, dtype=bool))
    assert stages["any"].figures()["mean_before"] is None
    assert stages["any"].figures()["accepted"] == 0


def test_edges_run_from_zero_to_one_without_a_gap() -> None:
    cuts = edges(20)
    assert (cuts[0], cuts[-1]) == (0.0, 1.0)
    assert (np.diff(cuts) > 0).all()
    assert cuts[1] < 0.001


def test_a_slow_lean_towards_training_persons_is_levelled_as_far_as_it_is_certain() -> None:
    v = np.random.default_rng(7).beta(1, 1.35, 4000)
    many = v[np.random.default_rng(8).random(4000) < acceptance_probability(v, persons=900, trained=400)]
    assert v.mean() < 0.44
    assert many.mean() == pytest.approx(0.5, abs=0.025)
    few = v[np.random.default_rng(8).random(4000) < acceptance_probability(v, persons=120, trained=120)]
    assert v.mean() < few.mean() < many.mean()


def test_a_lean_away_from_training_persons_is_left_unless_it_is_certain() -> None:
    v = np.random.default_rng(9).beta(1.15, 1, 4000)
    assert acceptance_probability(v, persons=300, trained=300).mean() > 0.97
    assert acceptance_probability(np.random.default_rng(9).beta(1.8, 1, 4000), persons=300, trained=300).mean() < 0.8
