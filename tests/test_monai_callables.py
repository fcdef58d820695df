"""Metrics that MONAI can call."""

import doctest
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from monai.metrics import CumulativeIterationMetric, FIDMetric, Metric, MMDMetric

import fourfold.monai
from fourfold.errors import InputError
from fourfold.monai import CumulativeSetMetric, SetMetric
from fourfold.torchmetrics import FUNCTIONS


@pytest.fixture(scope="module")
def sets() -> dict[str, torch.Tensor]:
    rng = np.random.default_rng(0)
    arrays = rng.normal(size=(90, 6)), rng.normal(size=(60, 6)), 0.8 * rng.normal(size=(70, 6)) + 0.3
    return {role: torch.from_numpy(array) for role, array in zip(("training", "holdout", "synthetic"), arrays)}


def expected(name, sets, **settings):
    return FUNCTIONS[name]({role: rows.numpy() for role, rows in sets.items()}, **settings)


def test_the_frechet_distance_is_the_one_of_monai(sets):
    both = {"y_pred": sets["synthetic"], "y": sets["training"]}
    assert float(SetMetric("frechet_distance")(**both)) == pytest.approx(float(FIDMetric()(**both)), rel=1e-6)


def test_it_can_take_the_place_of_metrics_of_monai(sets):
    for theirs, ours in ((FIDMetric(), SetMetric("frechet_distance")), (MMDMetric(), SetMetric("kernel_distance"))):
        assert isinstance(ours, Metric)
        both = {"y_pred": sets["synthetic"][:50], "y": sets["training"][:50]}
        assert ours(**both).shape == theirs(**both).shape == ()
    assert isinstance(CumulativeSetMetric("coverage"), CumulativeIterationMetric)


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - {"likelihood_divergence"}))
def test_whole_sets_and_batches_give_what_the_function_gives(sets, name):
    value = expected(name, sets)
    whole = SetMetric(name, holdout=sets["holdout"])(sets["synthetic"], sets["training"])
    batches = CumulativeSetMetric(name, holdout=sets["holdout"])
    for synthetic, training in zip(sets["synthetic"].split(20), sets["training"].split(25), strict=True):
        batches(y_pred=synthetic, y=training)
    for found in (whole, batches.aggregate()):
        assert found.dtype == torch.float64
        assert float(found) == pytest.approx(value, rel=1e-9)


def test_images_go_through_the_extractor_a_batch_at_a_time(sets):
    runs = []

    def extractor(images: torch.Tensor) -> torch.Tensor:
        runs.append(len(images))
        return images.flatten(1)

    images = {role: rows.view(-1, 1, 2, 3) for role, rows in sets.items()}
    metric = CumulativeSetMetric("coverage", extractor, k=3)
    # MONAI hands over lists of images as well as batches.
    metric(y_pred=list(images["synthetic"]), y=list(images["training"]))
    assert runs == [70, 90]
    assert float(metric.aggregate()) == expected("coverage", sets, k=3)


def test_reset_forgets_the_batches(sets):
    metric = CumulativeSetMetric("coverage")
    metric(sets["synthetic"], sets["training"])
    value = metric.aggregate()
    metric.reset()
    with pytest.raises(InputError, match="coverage has no images yet"):
        metric.aggregate()
    metric(sets["synthetic"], sets["training"])
    assert metric.aggregate() == value


def test_what_is_missing_or_unknown_is_said_in_a_sentence(sets):
    with pytest.raises(InputError, match="retrieval_gap has no holdout images yet"):
        SetMetric("retrieval_gap")(sets["synthetic"], sets["training"])
    with pytest.raises(InputError, match="coverage has no setting 'depth'; its settings are: k, memory, metric"):
        SetMetric("coverage", depth=3)
    with pytest.raises(InputError, match="compares two sets; give real images as y"):
        CumulativeSetMetric("coverage")(sets["synthetic"])
    with pytest.raises(InputError, match="there is no metric of features called 'fid'"):
        SetMetric("fid")


# In a process of its own: importing ignite warns, and MONAI remembers a failed import for good.
IGNITE = """
import sys
import numpy as np
import torch
from ignite.engine import Engine
from monai.handlers import IgniteMetricHandler
from fourfold.monai import CumulativeSetMetric

sets = {role: torch.from_numpy(rows) for role, rows in np.load(sys.argv[1]).items()}
evaluator = Engine(lambda engine, batch: batch)
IgniteMetricHandler(CumulativeSetMetric("coverage"), save_details=False).attach(evaluator, "coverage")
evaluator.run(list(zip(sets["synthetic"].split(20), sets["training"].split(25))))
print(evaluator.state.metrics["coverage"])
"""


@pytest.mark.skipif(find_spec("ignite") is None, reason="pytorch-ignite is not installed")
def test_an_ignite_handler_of_monai_attaches_the_value_to_its_engine(sets, tmp_path):
    np.savez(tmp_path / "sets.npz", **{role: rows.numpy() for role, rows in sets.items()})
    command = [sys.executable, "-c", IGNITE, str(tmp_path / "sets.npz")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(expected("coverage", sets), rel=1e-9)


def test_the_examples_run_as_printed():
    assert doctest.testmod(fourfold.monai).failed == 0
