import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from fourfold import plugins
from fourfold.cli.main import main
from fourfold.errors import InputError
from fourfold.evaluation import evaluate
from fourfold.features import available, get
from fourfold.images import ImageSet
from fourfold.score import broken_plugins, is_plugin, metrics

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "own_extractor"


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Puts modules and their entry points where Python finds installed packages, as pip would."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(name, entries, **sources):
        record = tmp_path / f"{name.replace('-', '_')}-1.0.dist-info"
        record.mkdir()
        (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
        lines = []
        for group, points in entries.items():
            lines += [f"[{group}]", *(f"{point} = {target}" for point, target in points.items())]
        (record / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        for module, source in sources.items():
            (tmp_path / f"{module}.py").write_text(source, encoding="utf-8")
        forget()

    def forget():
        plugins._found.cache_clear()
        plugins._loaded.cache_clear()

    forget()
    known = set(sys.modules)
    yield install
    monkeypatch.undo()
    forget()
    for module in set(sys.modules) - known:
        if str(tmp_path) in str(getattr(sys.modules[module], "__file__", "")):
            del sys.modules[module]


@pytest.fixture
def example(installed):
    """The package of ``examples/own_extractor``, by the entry points that its pyproject.toml declares."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    source = (EXAMPLE / "own_extractor.py").read_text(encoding="utf-8")
    installed(project["name"], project["entry-points"], own_extractor=source)


def sets(count=60, side=16):
    rng = np.random.default_rng(0)
    smooth = rng.uniform(0.2, 0.8, (3 * count, 1, side, 1)) + 0.05 * rng.standard_normal((3 * count, 1, side, side))
    images = np.clip(smooth, 0, 1).astype(np.float32)
    images[2 * count :] = np.clip(images[2 * count :] + 0.2 * rng.standard_normal((count, 1, side, side)), 0, 1)
    parts = [images[place * count : (place + 1) * count] for place in range(3)]
    return [
        ImageSet.from_array(part, name=name, patients=[f"{name}{row}" for row in range(count)])
        for part, name in zip(parts, ("training", "holdout", "synthetic"), strict=True)
    ]


def test_the_example_brings_an_extractor_and_a_metric_to_an_evaluation(example):
    training, holdout, synthetic = sets()
    found = evaluate(
        synthetic,
        training,
        holdout,
        features=["edges?bins=16"],
        only=["fidelity/mean_shift"],
        scaling="0:1",
        store=False,
    )
    score = found["fidelity/mean_shift@edges"]
    assert score.departs() == "worse"
    assert found.comparisons["edges"].training.values.shape == (60, 16)
    assert found.extractors["edges"]["settings"] == {"bins": 16}
    assert not [note for note in found.notes if "plug-in" in note]


def test_both_are_listed_with_the_package_that_brings_them(example, capsys):
    assert main(["features"]) == 0
    out = capsys.readouterr().out
    assert "edges\n" in out
    assert "finite differences (package own-extractor 1.0)" in " ".join(out.split())
    assert main(["metrics", "mean_shift"]) == 0
    assert "fidelity/mean_shift" in capsys.readouterr().out


def test_scores_of_plugins_are_not_kept_for_other_code(example):
    own = [metric for metric in metrics() if is_plugin(metric)]
    assert [metric.key for metric in own] == ["fidelity/mean_shift"]


def test_nothing_is_imported_before_it_is_asked_for(installed):
    installed("lazy", {"fourfold.features": {"lazy": "lazy_module:Lazy"}}, lazy_module="raise RuntimeError('imported')")
    assert get("pixels").name == "pixels"
    assert "lazy_module" not in sys.modules


def test_a_broken_plugin_is_named_and_takes_nothing_else_with_it(installed, capsys):
    installed(
        "broken",
        {
            "fourfold.features": {"wrecked": "broken_module:Wrecked"},
            "fourfold.metrics": {"ruined": "broken_module:RUINED"},
        },
        broken_module="raise ImportError('no such library')",
    )
    with pytest.raises(InputError, match=r"plug-in 'wrecked' of the package broken 1\.0 cannot be imported"):
        get("wrecked")
    listing = next(one for one in available() if one.name == "wrecked")
    assert listing.summary.startswith("left out: the plug-in 'wrecked'")
    assert [plugin.name for plugin in broken_plugins()] == ["ruined"]
    training, holdout, synthetic = sets(30)
    asked = {"features": ["pixels?size=4"], "scaling": "0:1", "store": False}
    found = evaluate(synthetic, training, holdout, only=["fidelity/kernel_distance"], **asked)
    assert any("'ruined' of the package broken 1.0" in note for note in found.notes)
    with pytest.raises(InputError, match="plug-in 'ruined'"):
        evaluate(synthetic, training, holdout, only=["fidelity/ruined"], **asked)
    assert main(["metrics", "ruined"]) == 2
    assert "plug-in 'ruined'" in capsys.readouterr().err
    assert main(["metrics"]) == 0
    assert "left out: the plug-in 'ruined'" in capsys.readouterr().out


METRIC = """
from dataclasses import replace
from fourfold.score import Metric, metrics
known = Metric("fidelity", "known", "features", "lower", "s", "n", "c", "s", len)
other = Metric("fidelity", "other", "features", "lower", "s", "n", "c", "s", len)
taken = Metric("fidelity", "kernel_distance", "features", "lower", "s", "n", "c", "s", len)
nothing = 7
"""


@pytest.mark.parametrize(
    ("point", "target", "problem"),
    [
        ("known", "nothing", "brings a int where a fourfold.Metric is needed"),
        ("known", "other", "brings a metric of another name, 'other'"),
        ("kernel_distance", "taken", "name is taken, fidelity/kernel_distance"),
        ("known", "missing", "AttributeError"),
    ],
)
def test_a_metric_that_is_none_or_takes_a_name_is_left_out(installed, point, target, problem):
    installed("odd", {"fourfold.metrics": {point: f"odd_module:{target}"}}, odd_module=METRIC)
    assert not [metric for metric in metrics() if is_plugin(metric)]
    (found,) = broken_plugins()
    assert problem in found.problem


EXTRACTORS = """
from fourfold.features import FeatureExtractor
class Good(FeatureExtractor):
    name = "good"
    def __init__(self, size="4"):
        if size == "0":
            raise ValueError("size 0")
    def __call__(self, images):
        return images.flatten(1)
def nothing():
    return 7
"""


@pytest.mark.parametrize(
    ("point", "target", "specification", "problem"),
    [
        ("good", "Good", "good?width=3", "do not fit the extractor 'good'"),
        ("good", "Good", "good?size=0", "ValueError: size 0"),
        ("bad", "Good", "bad", "an extractor of another name, 'good'"),
        ("bad", "nothing", "bad", "brings a int where a feature extractor is needed"),
    ],
)
def test_an_extractor_that_cannot_be_made_says_why(installed, point, target, specification, problem):
    installed("own", {"fourfold.features": {point: f"own_module:{target}"}}, own_module=EXTRACTORS)
    with pytest.raises(InputError, match=problem):
        get(specification)


def test_an_extractor_with_a_taken_name_does_not_replace_the_built_in_one(installed):
    installed("own", {"fourfold.features": {"pixels": "own_module:Good"}}, own_module=EXTRACTORS)
    assert type(get("pixels")).__name__ == "Pixels"
    assert (
        "has the name of an extractor of Fourfold" in [one for one in available() if one.name == "pixels"][-1].summary
    )


def test_two_packages_with_one_name_are_both_left_out(installed):
    installed("first", {"fourfold.features": {"good": "own_module:Good"}}, own_module=EXTRACTORS)
    installed("second", {"fourfold.features": {"good": "own_module:Other"}})
    with pytest.raises(InputError, match="has the name of another one, of the package"):
        get("good")


def test_the_example_is_one_small_file_and_an_entry_point():
    assert sorted(file.name for file in EXAMPLE.iterdir() if not file.name.startswith("__")) == [
        "own_extractor.py",
        "pyproject.toml",
    ]
    assert len((EXAMPLE / "own_extractor.py").read_text(encoding="utf-8").splitlines()) < 80
