"""Metrics for training loops."""

import doctest
import pickle

import numpy as np
import pytest
import torch
from torchmetrics import MetricCollection
from torchmetrics.wrappers import FeatureShare

import fourfold.torchmetrics
from fourfold.errors import InputError
from fourfold.score import metrics
from fourfold.torchmetrics import (
    FUNCTIONS,
    Coverage,
    FrechetDistance,
    KernelDistance,
    LikelihoodDivergence,
    Precision,
    VendiScore,
    collect,
    frechet,
    named,
)

CLASSES = sorted({one for one in vars(named).values() if hasattr(one, "function")}, key=lambda one: one.__name__)
ROLES = ("training", "holdout", "synthetic")


@pytest.fixture(scope="module")
def sets() -> dict[str, torch.Tensor]:
    rng = np.random.default_rng(0)
    arrays = rng.normal(size=(90, 6)), rng.normal(size=(60, 6)), 0.8 * rng.normal(size=(70, 6)) + 0.3
    return {role: torch.from_numpy(array) for role, array in zip(ROLES, arrays, strict=True)}


def expected(function, sets, **settings):
    return function({role: rows.numpy() for role, rows in sets.items()}, **settings)


def filled(metric, sets, size=1000):
    for role, rows in sets.items():
        for batch in rows.split(size):
            metric.update(batch, real=role != "synthetic", holdout=role == "holdout")
    return metric


def halves(sets):
    return (
        {role: rows[: len(rows) // 3] for role, rows in sets.items()},
        {role: rows[len(rows) // 3 :] for role, rows in sets.items()},
    )


def frechet_of(sets):
    return expected(FUNCTIONS["frechet_distance"], sets)


def test_every_registered_metric_of_features_has_a_class_with_its_direction_and_name():
    registered = {
        metric.key: metric.better
        for metric in metrics()
        if metric.axis in ("fidelity", "variety") and metric.kind == "features"
    }
    assert {f"{row.axis}/{row.name}": row.better for row in FUNCTIONS.values()} == registered
    assert {one.function.name for one in CLASSES} == set(FUNCTIONS)
    assert Coverage.higher_is_better is True
    assert LikelihoodDivergence.higher_is_better is False
    assert fourfold.torchmetrics.RetrievalGap.higher_is_better is None
    assert (Coverage.plot_lower_bound, Coverage.plot_upper_bound) == (0.0, 1.0)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_a_metric_gives_what_its_function_gives_whatever_the_batches(sets, kind):
    value = expected(kind.function, sets)
    for size in (7, 1000):
        found = filled(kind(), sets, size).compute()
        assert found.dtype == torch.float64
        assert float(found) == pytest.approx(value, rel=1e-9)
    low, high = kind.plot_lower_bound, kind.plot_upper_bound
    assert low is None or low <= value
    assert high is None or value <= high


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_two_processes_that_merge_agree_with_one(sets, kind):
    first, second = (filled(kind(), half) for half in halves(sets))
    # What is merged comes first, and functions that draw see the order.
    second.merge_state(first)
    assert float(second.compute()) == pytest.approx(expected(kind.function, sets), rel=1e-9)


def test_the_frechet_distance_in_bounded_memory_merges_and_ignores_the_holdout(sets):
    first, second = (filled(FrechetDistance(6), half, 7) for half in halves(sets))
    first.merge_state(second)
    assert float(first.compute()) == pytest.approx(frechet_of(sets), rel=1e-9)


def test_settings_reach_the_function(sets):
    value = expected(FUNCTIONS["precision"], sets, k=2, metric="cosine")
    assert value != expected(FUNCTIONS["precision"], sets)
    assert float(filled(Precision(k=2, metric="cosine"), sets).compute()) == value
    assert float(filled(VendiScore(order=2.0), sets).compute()) == expected(FUNCTIONS["vendi_score"], sets, order=2.0)
    with pytest.raises(ValueError, match="Unexpected keyword arguments: `depth`"):
        Precision(depth=2)


@pytest.mark.parametrize("make", [lambda: Coverage(), lambda: FrechetDistance(6)])
def test_a_state_dict_brings_everything_back(sets, make):
    metric = filled(make(), sets, 20)
    metric.persistent(True)
    stored = metric.state_dict()
    fresh = make()
    fresh.persistent(True)
    fresh.load_state_dict(stored)
    fresh._update_count = 1
    assert float(fresh.compute()) == float(metric.compute())


@pytest.mark.parametrize("make", [lambda **more: Coverage(**more), lambda **more: FrechetDistance(6, **more)])
def test_reset_forgets_everything_or_the_synthetic_images_only(sets, make):
    metric = filled(make(), sets)
    value = float(metric.compute())
    metric.reset()
    with pytest.warns(UserWarning, match="before the ``update``"), pytest.raises(InputError, match=r"got 0|no images"):
        metric.compute()

    keeping = filled(make(reset_real_features=False), sets)
    for _ in range(2):
        keeping.reset()
        keeping.update(sets["synthetic"], real=False)
        assert float(keeping.compute()) == pytest.approx(value, rel=1e-12)


class Counting(torch.nn.Module):
    """An extractor that knows how often it ran."""

    def __init__(self) -> None:
        super().__init__()
        self.runs = 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.runs += 1
        return images.flatten(1)


def images_of(sets):
    return {role: rows.view(-1, 1, 2, 3) for role, rows in sets.items()}


def test_the_metrics_of_a_collection_run_the_extractor_once_a_batch(sets):
    extractor = Counting()
    together = filled(collect(["coverage", "kernel_distance", "retrieval_gap"], extractor), images_of(sets), 30)
    assert extractor.runs == 3 + 2 + 3
    for name, value in together.compute().items():
        assert float(value) == pytest.approx(expected(FUNCTIONS[name], sets), rel=1e-9)


def test_a_collection_keeps_real_features_through_resets(sets):
    together = collect(["coverage", "kernel_distance"], reset_real_features=False)
    first = filled(together, sets).compute()
    together.reset()
    together.update(sets["synthetic"], real=False)
    assert together.compute() == first


def test_torchmetrics_groups_and_shares_them_as_its_own(sets):
    extractor = Counting()
    groups = filled(MetricCollection([Coverage(extractor), Precision(extractor)]), images_of(sets), 30)
    # It compares states after the first batch, which every metric therefore sees.
    assert extractor.runs == 8 + 1
    assert len(groups.compute_groups) == 1

    extractor = Counting()
    shared = FeatureShare({"exact": KernelDistance(extractor), "sums": FrechetDistance(6, extractor)})
    filled(shared, {role: one for role, one in images_of(sets).items() if role != "holdout"}, 30)
    assert float(shared.compute()["sums"]) == pytest.approx(frechet_of(sets), rel=1e-9)


def test_images_without_an_extractor_and_sets_that_are_missing_are_refused_with_a_sentence(sets):
    with pytest.raises(InputError, match=r"shape \(B, d\), got \(2, 1, 4, 4\); give an extractor"):
        Precision().update(torch.zeros(2, 1, 4, 4), real=True)
    with pytest.raises(InputError, match="made for 6 features, got 5"):
        FrechetDistance(6).update(torch.zeros(2, 5), real=True)
    with pytest.raises(InputError, match="holdout images are real ones"):
        Precision().update(sets["holdout"], real=False, holdout=True)
    alone = LikelihoodDivergence()
    alone.update(sets["training"], real=True)
    with pytest.raises(InputError, match="likelihood_divergence has no holdout images yet"):
        alone.compute()
    with pytest.raises(InputError, match="no metric of features called 'inception'; there are alpha_precision"):
        collect(["inception"])


def test_low_precision_is_raised_before_it_is_compared(sets):
    metric = filled(FrechetDistance(6).half(), sets)
    assert metric.real_scatter.dtype == torch.float64
    half = filled(Coverage(), {role: rows.bfloat16() for role, rows in sets.items()})
    assert half.features[0].dtype == torch.float32
    assert 0 <= float(half.compute()) <= 1


def test_metrics_can_be_pickled_with_their_state(sets):
    metric = filled(Coverage(k=3), sets)
    assert float(pickle.loads(pickle.dumps(metric)).compute()) == float(metric.compute())  # noqa: S301


@pytest.mark.parametrize("module", [named, frechet])
def test_the_examples_run_as_printed(module):
    assert doctest.testmod(module).failed == 0
