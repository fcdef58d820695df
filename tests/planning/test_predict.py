"""Predictions follow what was counted and measured."""

from dataclasses import replace
from typing import get_args

import pytest

from fourfold.evaluation import asked_metrics
from fourfold.planning import Constants, Law, Seconds, Sizes
from fourfold.planning.advice import advised
from fourfold.planning.cluster import EFFICIENCY, START
from fourfold.planning.constants import READING, draws_step, features_step, neighbours_step
from fourfold.planning.law import timed
from fourfold.planning.predict import predicted
from fourfold.planning.work import Kind, metric_work

ASKED = asked_metrics(None)
EACH = Seconds(1e-9, 2e-9)
KINDS = get_args(Kind)


@pytest.fixture(scope="module")
def constants():
    widths = {"narrow": 70, "wide": 512}
    laws = {READING: Law(Seconds(1, 1), EACH)}
    for space in widths:
        laws |= {features_step(space): Law(unit=Seconds(1e-3, 1e-3)), neighbours_step(space): Law(unit=EACH)}
        laws[draws_step(space)] = Law(unit=EACH)
    for metric in ASKED:
        for space in (None, *widths):
            laws[metric.key, space] = Law(Seconds(0.1, 0.1), Seconds(1e-4, 1e-4))
    rates = {(kind, width): EACH for kind in KINDS for width in (70, 512)}
    return Constants((1, 64, 64), 4096, 1, widths, 1 << 28, laws, rates)


def steps_of(sizes, constants, **options):
    found = predicted(ASKED, sizes, constants, **{"memory": 1 << 30, **options})
    return {(step.name, step.space): step for step in found}


def test_larger_sets_never_take_less(constants):
    before = None
    for n in (100, 1000, 10_000, 100_000):
        found = steps_of(Sizes(n, n, n // 2), constants)
        for key, step in (before or {}).items():
            assert found[key].seconds.wall >= step.seconds.wall
            assert found[key].multiplications >= step.multiplications
            assert found[key].memory >= step.memory
        before = found


@pytest.mark.parametrize("role", ["training", "synthetic", "holdout"])
def test_a_larger_set_makes_the_whole_longer(role, constants):
    sizes = Sizes(900, 900, 400)
    small, large = (steps_of(one, constants) for one in (sizes, replace(sizes, **{role: 3 * sizes.of(role)})))
    assert sum(one.seconds.wall for one in small.values()) < sum(one.seconds.wall for one in large.values())


def test_neighbours_grow_by_the_square_and_features_in_proportion(constants):
    one, ten = (steps_of(Sizes(n, n, n), constants) for n in (1000, 10_000))
    key = ("neighbours", "wide")
    assert ten[key].multiplications == pytest.approx(100 * one[key].multiplications)
    assert ten["features", "wide"].seconds.wall == pytest.approx(10 * one["features", "wide"].seconds.wall)


def test_what_is_drawn_stops_growing(constants):
    key = ("draws", "wide")
    small, large, larger = (steps_of(Sizes(n, n, n), constants)[key] for n in (100, 1000, 100_000))
    assert small.seconds.wall < large.seconds.wall
    assert larger.seconds == large.seconds


def test_a_bound_from_few_components_can_only_spare(constants):
    short, long = (steps_of(Sizes(n, n, n), constants)["neighbours", "wide"] for n in (1000, 50_000))
    assert short.seconds_at_best == short.seconds
    assert long.seconds_at_best.wall < 0.2 * long.seconds.wall


def test_where_the_kernel_distance_sees_neighbours_it_has_no_passes_and_they_are_not_spared(constants):
    sizes, kernel = Sizes(50_000, 50_000, 5000), ("fidelity/kernel_distance", "wide")
    own, seen = (steps_of(sizes, constants, seen=spaces) for spaces in ((), ("wide",)))
    assert (own[kernel].passes, seen[kernel].passes) == (3, 0)
    assert own[kernel].multiplications == pytest.approx(512 * seen[kernel].multiplications)
    searched = "neighbours", "wide"
    assert seen[searched].multiplications == own[searched].multiplications
    assert seen[searched].seconds_at_best.wall > 2 * own[searched].seconds_at_best.wall
    assert seen["neighbours", "narrow"] == own["neighbours", "narrow"]


def test_parts_are_drawn_once_however_many_metrics_ask(constants):
    for names in (["fidelity/precision"], ["fidelity/precision", "fidelity/density", "variety/coverage"]):
        found = predicted(asked_metrics(names), Sizes(900, 900, 400), constants, memory=1 << 30)
        assert [step.name for step in found].count("draws") == len(constants.widths)
    without = predicted(asked_metrics(["fidelity/precision"]), Sizes(900, 900), constants, memory=1 << 30)
    assert "draws" not in [step.name for step in without]
    assert without[-1].multiplications > 0


def test_workers_share_features_and_neighbours_and_nothing_else(constants):
    sizes = Sizes(50_000, 50_000, 10_000)
    alone, four = (steps_of(sizes, constants, sharded=True, workers=workers) for workers in (1, 4))
    for key, step in alone.items():
        if key[0] in ("features", "neighbours"):
            shared = (step.seconds.wall - START) / (4 * EFFICIENCY) + START
            assert four[key].seconds.wall == pytest.approx(shared)
            assert four[key].seconds.processor == step.seconds.processor
        else:
            assert four[key] == step


def test_memory_of_a_search_is_bounded_by_what_it_was_given(constants):
    sizes = Sizes(1_000_000, 1_000_000)
    little, much = (
        steps_of(sizes, constants, memory=memory)["neighbours", "wide"].memory for memory in (1 << 28, 1 << 30)
    )
    assert much - little == (1 << 30) - (1 << 28)


def test_only_metrics_that_are_asked_are_planned(constants):
    found = predicted(asked_metrics(["variety/vendi_score"]), Sizes(100, 100), constants, memory=1 << 30)
    names = [step.name for step in found]
    assert names == ["reading", "features", "features", "variety/vendi_score", "variety/vendi_score"]


def test_work_is_known_for_every_metric():
    for metric in asked_metrics(None, thorough=True):
        work = metric_work(metric.key, Sizes(100, 80, 60), 32, cells=256)
        assert work.units > 0
        assert all(times > 0 for times in work.products.values())


def test_a_line_goes_through_two_measurements_and_never_falls():
    law = Law.through(10, Seconds(1.0, 2.0), 30, Seconds(2.0, 6.0))
    assert law.at(10) == Seconds(1.0, 2.0)
    assert law.at(50) == Seconds(3.0, 10.0)
    falling = Law.through(10, Seconds(2.0, 2.0), 30, Seconds(1.0, 1.0))
    assert falling == Law(once=Seconds(1.0, 1.0))
    steep = Law.through(10, Seconds(0.1, 0.1), 20, Seconds(1.0, 1.0))
    assert steep.once == Seconds()
    assert Law.through(5, Seconds(1.0, 1.0), 5, Seconds(3.0, 3.0)).at(500) == Seconds(3.0, 3.0)


def test_what_is_timed_is_returned():
    found, seconds = timed(lambda: sum(range(1000)))
    assert found == 499_500
    assert seconds.wall > 0
    assert seconds.processor >= 0


def test_advice_names_what_takes_most(constants):
    sizes = Sizes(20_000_000, 20_000_000)
    steps = predicted(ASKED, sizes, constants, memory=1 << 30, sharded=True, workers=8)
    said = " ".join(advised(steps, sizes, True, True))
    assert "takes" in said
    assert "--search ivf" in said
    assert "8 s" in said
    assert "copies" in said or "neighbours" in said
