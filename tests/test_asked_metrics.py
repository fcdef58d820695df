from dataclasses import replace

import pytest

from fourfold.errors import InputError
from fourfold.evaluation import asked_metrics
from fourfold.score import metrics


def keys(*only, **more):
    return [metric.key for metric in asked_metrics(only, **more)]


def test_a_metric_may_be_named_without_its_axis():
    assert keys("coverage") == keys("variety/coverage") == ["variety/coverage"]
    assert keys("coverage", "variety/coverage", "precision") == ["fidelity/precision", "variety/coverage"]


def test_an_axis_stays_an_axis():
    asked = keys("privacy", "coverage")
    assert "variety/coverage" in asked
    assert set(asked) - {"variety/coverage"} == {
        metric.key for metric in metrics() if metric.axis == "privacy" and not metric.thorough
    }


def test_a_name_that_two_axes_have_is_refused_with_both(monkeypatch):
    coverage = next(metric for metric in metrics() if metric.key == "variety/coverage")
    monkeypatch.setattr("fourfold.evaluation.metrics", lambda: (replace(coverage, axis="fidelity"), coverage))
    with pytest.raises(InputError) as caught:
        keys("coverage")
    assert str(caught.value) == (
        "'coverage' is a metric of several axes; name one of fidelity/coverage, variety/coverage"
    )
    assert keys("fidelity/coverage") == ["fidelity/coverage"]


def test_what_there_is_not_is_refused():
    with pytest.raises(InputError) as caught:
        keys("speed", "coverage", "variety/precision")
    assert str(caught.value) == (
        "there is no axis or metric 'speed', 'variety/precision'; axes are fidelity, variety, privacy, utility, and "
        "`fourfold metrics` lists the metrics"
    )
