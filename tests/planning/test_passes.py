"""The passes that a plan counts are those that an evaluation makes."""

from collections import Counter
from importlib import import_module

import numpy as np
import pytest

from fourfold import evaluation  # noqa: F401 - fills the register
from fourfold.comparison import Comparison, Features, Spaces
from fourfold.errors import InputError
from fourfold.fidelity import kernel_seen, scores
from fourfold.images.phantoms import phantoms
from fourfold.neighbors import blocks
from fourfold.opening import open_sets
from fourfold.planning import Sizes, kernel_passes, neighbour_passes, passes
from fourfold.planning.passes import kernel_sees
from fourfold.planning.work import changes, copy_queries
from fourfold.privacy.copies import find_copies
from fourfold.privacy.representations import FURTHER, REPRESENTATIONS
from fourfold.score import metrics

SIZES = Sizes(training=150, synthetic=131, holdout=107)
WIDTH = 70
NEIGHBOURS = [
    metric
    for metric in metrics()
    if metric.kind == "features" and neighbour_passes([metric.key], SIZES) and not metric.spaces
]


@pytest.fixture
def made(monkeypatch):
    """Pairs multiplied between whole sets, by the two sizes; draws are smaller and do not count."""
    counted, original = Counter(), blocks.Blocks.__iter__
    whole = {SIZES.of(role) for role in SIZES.roles}

    def noted(self):
        pair = self.queries.count, self.points.count
        if whole.issuperset(pair) and self.frame.width == WIDTH:
            counted[frozenset(pair)] += pair[0] * pair[1] * (0.5 if self.same else 1.0)
        yield from original(self)

    monkeypatch.setattr(blocks.Blocks, "__iter__", noted)
    return counted


def comparison_of(holdout=True, **more):
    rng = np.random.default_rng(0)

    def drawn(role, first):
        size = SIZES.of(role)
        values = rng.normal(size=(size, WIDTH)).astype(np.float32)
        return Features(values, first + np.arange(size), np.array(["a", "b"])[np.arange(size) % 2])

    training, synthetic = drawn("training", 0), drawn("synthetic", 0)
    synthetic = Features(synthetic.values, None, synthetic.labels)
    return Comparison(
        "normal", training, synthetic, drawn("holdout", 1000) if holdout else None, **{"depth": 32, **more}
    )


def counted(asked, sizes, **more):
    found = Counter()
    for one in neighbour_passes(asked, sizes, **more):
        found[frozenset((sizes.of(one.queries), sizes.of(one.points)))] += one.pairs
    return found


@pytest.mark.parametrize("metric", NEIGHBOURS, ids=lambda metric: metric.key)
def test_a_metric_alone_makes_the_passes_that_are_counted(metric, made):
    metric.compute(comparison_of())
    assert made == counted([metric.key], SIZES)


@pytest.mark.parametrize("holdout", [True, False])
def test_all_default_metrics_together_make_the_passes_that_are_counted(holdout, made):
    comparison = comparison_of(holdout)
    asked = [metric for metric in metrics() if metric.kind == "features" and metric in NEIGHBOURS]
    asked = [metric for metric in asked if not metric.thorough]
    for metric in asked:
        metric.compute(comparison)
    sizes = SIZES if holdout else Sizes(SIZES.training, SIZES.synthetic)
    expected = counted([metric.key for metric in asked], sizes)
    # Without a holdout the retrieval score halves the training set instead, which is no whole set.
    assert made == expected


@pytest.mark.parametrize("name", ["fidelity/outside_share", "privacy/holdout_independence"])
def test_metrics_on_several_spaces_make_the_passes_that_are_counted(name, made):
    first = {"training": 0, "synthetic": 500, "holdout": 1000}
    sets = {
        role: phantoms("chest", SIZES.of(role), images_per_patient=1, size=16, first_patient=start).to_image_set()
        for role, start in first.items()
    }
    opened = open_sets(sets["synthetic"], sets["training"], sets["holdout"])
    next(metric for metric in metrics() if metric.key == name).compute(Spaces(opened.sets, {"n": comparison_of()}))
    whole = counted([name], SIZES)
    if name == "fidelity/outside_share":
        # Its folds are no whole sets.
        del whole[frozenset((SIZES.training,))]
    assert made == whole


def test_metrics_without_neighbours_have_no_pass():
    assert neighbour_passes(["fidelity/frechet_distance", "variety/vendi_score"], SIZES) == ()


def test_the_passes_of_many_metrics_are_those_of_one():
    one = neighbour_passes(["fidelity/precision"], SIZES)
    assert neighbour_passes(["fidelity/precision", "variety/coverage", "privacy/authenticity"], SIZES) == one
    assert sum(each.times for each in one) == 5


@pytest.fixture
def watched(monkeypatch):
    """As if sets of this size were worth seeing; no kernel distance has passes of its own."""
    monkeypatch.setattr(kernel_seen, "_WORTH_SEEING", 1)
    monkeypatch.setattr(passes, "_WORTH_SEEING", 1)

    def own(*_, **__):
        raise AssertionError("a kernel distance has products of its own")

    monkeypatch.setattr(scores, "kernel_distance_with_variance", own)


@pytest.mark.parametrize("asked", [["fidelity/kernel_distance"], ["fidelity/kernel_distance", "variety/coverage"]])
@pytest.mark.parametrize("holdout", [True, False])
def test_a_kernel_distance_that_sees_neighbours_makes_their_passes_and_no_others(asked, holdout, watched, made):
    comparison = comparison_of(holdout)
    for metric in metrics():
        if metric.key in asked:
            metric.compute(comparison)
    sizes = SIZES if holdout else Sizes(SIZES.training, SIZES.synthetic)
    assert kernel_sees(sizes, WIDTH, comparison.depth)
    assert made == counted(asked, sizes, seen=True)
    both = [one for one in neighbour_passes(asked, sizes, seen=True) if one.purpose == "both"]
    assert [(one.queries, one.points) for one in both] == [(one.queries, one.points) for one in kernel_passes(sizes)]


@pytest.mark.parametrize("more", [{"depth": 5}, {"distance": "cosine"}, {"alone": False}, {}])
def test_a_kernel_distance_sees_neighbours_where_a_plan_says_so(more, watched):
    comparison = comparison_of(**{name: given for name, given in more.items() if name != "alone"})
    if "alone" in more:
        comparison.synthetic = Features(comparison.synthetic.values, np.arange(SIZES.synthetic) // 2)
    said = kernel_sees(SIZES, WIDTH, **{"depth": 32, **more})
    assert (kernel_seen.seen_kernel_distance(comparison) is not None) == said == (not more)


def test_a_plan_knows_from_which_size_a_kernel_distance_sees_neighbours():
    assert passes._WORTH_SEEING == kernel_seen._WORTH_SEEING


def test_parts_of_a_larger_set_are_searched_within_themselves(monkeypatch):
    pairs, original = [], blocks.Blocks.__iter__

    def noted(self):
        pairs.append(self.queries.count * self.points.count * (0.5 if self.same else 1.0))
        yield from original(self)

    monkeypatch.setattr(blocks.Blocks, "__iter__", noted)
    sizes, rng = Sizes(training=150, synthetic=400, holdout=37), np.random.default_rng(0)
    sets = [Features(rng.normal(size=(sizes.of(role), 6)).astype(np.float32)) for role in sizes.roles]
    Comparison("normal", *sets).neighbors("synthetic", "training", 1)
    assert sum(pairs) == pytest.approx(sum(one.pairs for one in neighbour_passes(["variety/recall"], sizes)), rel=0.01)
    assert len(pairs) == 5 + 8


def test_over_an_engine_there_are_more_passes():
    pairs = [sum(one.pairs for one in neighbour_passes(["variety/coverage"], SIZES, sharded=own)) for own in (0, 1)]
    assert pairs[0] < pairs[1]


@pytest.mark.parametrize("holdout", [0, 20])
def test_the_search_for_copies_has_the_queries_that_are_counted(holdout, monkeypatch):
    search = import_module("fourfold.privacy.search")
    asked, original = [], search.two_nearest

    def noted(prepared, queries, *rest):
        asked.append(len(queries))
        return original(prepared, queries, *rest)

    monkeypatch.setattr(search, "two_nearest", noted)
    images = phantoms("chest", 90, images_per_patient=1, size=16).images
    find_copies(
        images[:45], images[45:70], images[70 : 70 + holdout] if holdout else None, representations=REPRESENTATIONS[:1]
    )
    assert asked == [copy_queries(Sizes(45, 25, holdout))]


def test_the_products_of_a_search_for_copies_are_counted(monkeypatch):
    done, original = [], np.matmul

    def noted(left, right, *rest, **options):
        if left.ndim == 2 and left.shape[0] == 2 and right.shape[-1] == 3:
            done.append(2 * left.shape[1] * 3)
        return original(left, right, *rest, **options)

    rng = np.random.default_rng(0)
    training, queries = rng.random((3, 1, 64, 64)).astype(np.float32), rng.random((2, 1, 64, 64)).astype(np.float32)
    for one in (*REPRESENTATIONS[:6], FURTHER[2]):
        prepared = one.prepare(training)
        done.clear()
        with monkeypatch.context() as patched:
            patched.setattr(np, "matmul", noted)
            prepared.nearness(queries)
        assert sum(done) == pytest.approx(2 * 3 * changes(one, 64), rel=0.15), one.name


def test_sizes_out_of_range_are_refused():
    with pytest.raises(InputError, match="the synthetic set has 0 images; give at least 1"):
        Sizes(training=5, synthetic=0)
    with pytest.raises(InputError, match="the holdout set has -1 images; give at least 0"):
        Sizes(training=5, synthetic=5, holdout=-1)


def test_smaller_sets_keep_their_proportions():
    assert Sizes(1000, 500, 0, 10).at_most(100, least=24) == Sizes(100, 50, 0, 10)
    assert Sizes(50, 20).at_most(100) == Sizes(50, 20)
