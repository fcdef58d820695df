"""The truth is known: what the intervals cover, and what they find."""

import numpy as np
import pytest
from scipy import stats

from fourfold.utility.study import Effort, findings_of
from fourfold.utility.study import samples as samples_module


@pytest.fixture
def few_draws(monkeypatch):
    monkeypatch.setattr(samples_module, "DRAWS", 60)
    monkeypatch.setattr(samples_module, "FURTHER_DRAWS", 2)


def simulate(known, times, ask, effort=None, each=1, **sets):
    effort = effort or Effort(seeds=3, halvings=3, steps=1)
    for seed in range(times):
        problem = known.problem([7, seed], each=each, **sets)
        yield findings_of(problem, effort, questions=[ask], ratios=[1.0])[0].of(ask)[0]


@pytest.mark.parametrize("each", [1, 3])
def test_fresh_real_images_as_synthetic_set_differ_from_none_at_the_stated_rate(known, few_draws, each):
    count = 60 // each
    found = list(simulate(known, 60, "substitution", each=each, real=count, test=100 // each, gan=(count, {})))
    covered = sum(one.difference.interval[0] <= 0 <= one.difference.interval[1] for one in found)
    # Of 60 at 95 %, fewer than 52 happen once in 500 times.
    assert stats.binom.cdf(covered, 60, 0.95) > 0.002
    assert np.std([one.difference.value for one in found]) > 0.01


def test_without_halvings_the_interval_speaks_of_these_images_and_is_narrower(known, few_draws):
    sets = {"real": 60, "gan": (60, {})}
    bare = list(simulate(known, 10, "substitution", Effort(seeds=3, halvings=0, steps=1), **sets))
    whole = list(simulate(known, 10, "substitution", **sets))
    widths = [np.mean([np.ptp(one.difference.interval) for one in found]) for found in (bare, whole)]
    assert widths[0] < widths[1]
    assert bare[0].null_interval is None
    assert whole[0].null_interval is not None


def test_shuffled_labels_are_found_to_cost(known, few_draws):
    found = list(
        simulate(
            known, 5, "substitution", Effort(3, 4, 1), real=200, test=300, shift=1.2, gan=(200, {"shuffled": True})
        )
    )
    assert [one.standing for one in found].count("worse") >= 4
    assert all(one.difference.value < 0 for one in found)


def test_an_interval_covers_the_true_difference_of_a_weaker_set(known, few_draws):
    sets = {"real": 60, "gan": (60, {"shift": 0.2})}
    truth = np.mean([one.difference.value for one in simulate(known, 100, "substitution", Effort(2, 0, 1), **sets)])
    assert truth < -0.03
    found = list(simulate(known, 30, "substitution", **sets))
    covered = sum(one.difference.interval[0] <= truth <= one.difference.interval[1] for one in found)
    assert stats.binom.cdf(covered, 30, 0.95) > 0.002


def test_fresh_images_add_to_few_real_ones_and_repeating_them_adds_nothing(known, few_draws):
    effort = Effort(3, 0, 1)
    problem = known.problem(3, real=10, fresh=300, test=400, gan=(300, {}))
    found, _ = findings_of(problem, effort, questions=["addition"], ratios=[30.0])
    gain, upper = found.of("addition", "gan")[0], found.of("addition", "fresh real")[0]
    assert gain.difference.value > 0.02
    assert upper.difference.value > 0.02
    values = {arm.name: arm.values["auc"].value for arm in found.arms}
    alone, _ = findings_of(problem, effort, questions=["augmentation"])
    assert abs(values["10 real, repeated to 310"] - alone.arms[0].values["auc"].value) < 0.01


def test_holm_counts_the_synthetic_sets_and_not_the_controls(known, few_draws):
    problem = known.problem(1, fresh=60, gan=(60, {}), vae=(60, {"shift": 0.0}))
    found, _ = findings_of(problem, Effort(3, 2, 1), questions=["substitution"])
    raw = {one.subject: one.difference.p for one in found.contrasts}
    adjusted = {one.subject: one.adjusted for one in found.contrasts}
    assert adjusted["fresh real"] == raw["fresh real"]
    first, second = sorted(("gan", "vae"), key=raw.get)
    assert adjusted[first] == pytest.approx(min(2 * raw[first], 1))
    assert adjusted[second] == pytest.approx(min(max(2 * raw[first], raw[second]), 1))


def test_subgroups_are_judged_apart_and_small_ones_are_named(known, few_draws):
    problem = known.problem(1, test=100, gan=(60, {}))
    problem.test.groups["sex"][:5] = "X"
    found, notes = findings_of(problem, Effort(2, 0, 1), questions=["substitution"], columns=["sex"])
    groups = {one.value: one.images for one in found.arms[0].subgroups}
    assert set(groups) == {"F", "M"}
    assert sum(groups.values()) == 95
    assert notes == ("The subgroup sex = X has 5 test images, fewer than 20: it is not judged.",)
    assert {one.value for one in found.contrasts[0].subgroups} == {"F", "M"}
    assert "accuracy" in found.contrasts[0].values


def test_the_same_seed_gives_the_same_findings(known, few_draws):
    found = [findings_of(known.problem(2, gan=(60, {})), Effort(2, 2, 1), questions=["substitution"]) for _ in range(2)]
    assert found[0] == found[1]
