import sys

import numpy as np
import pytest

from fourfold.errors import InputError
from fourfold.images.prepare import prepare
from fourfold.images.sets import ImageSet
from fourfold.utility.learning import registry
from fourfold.utility.learning.classification import Classification
from fourfold.utility.learning.estimators import EstimatorClassification
from fourfold.utility.learning.registry import networks, task_of

FOREST = """
from fourfold.utility.learning.classification import Classification


class Mine(Classification):
    def fit(self, examples, *, seed, steps, device="cpu", augment=False, initial=None, progress=None):
        from sklearn.linear_model import LogisticRegression

        pixels = examples.images.reshape(len(examples), -1)
        fitted = LogisticRegression().fit(pixels, examples.targets.argmax(axis=1))
        return lambda images: fitted.predict_proba(images.reshape(len(images), -1))


number = 3
"""


@pytest.fixture
def images():
    values = np.random.default_rng(0).integers(0, 100, (40, 1, 4, 4))
    values[::2] += 80
    found = ImageSet.from_array(values.astype(np.uint8), name="training", labels=["bright", "dark"] * 20)
    return prepare({"training": found}, scaling="0:255")["training"]


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A folder on Python's path with a module, and a file that is made as soon as any of its code runs."""
    module = f"some_model_{tmp_path.name.replace('-', '_')}"
    ran = tmp_path / "ran"
    (tmp_path / f"{module}.py").write_text(f"open({str(ran)!r}, 'w').close()\n{FOREST}")
    folder = tmp_path / f"{module}-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(f"[{registry.GROUP}]\nmine-{module} = {module}:Mine\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield module, ran
    sys.modules.pop(module, None)


@pytest.fixture
def installed(package, monkeypatch):
    """The same as if it lay among the installed packages."""
    folders = [*registry._package_folders(), package[1].parent.resolve()]
    monkeypatch.setattr(registry, "_package_folders", lambda: folders)
    return package[0]


def test_ours_by_name_and_by_default(images):
    assert task_of("classification", images) == Classification(("bright", "dark"))
    assert task_of("classification", images, "densenet121").network == "densenet121"
    assert networks("classification")[:2] == ("resnet", "densenet121")
    assert networks("segmentation")[:3] == ("unet", "dynunet", "nnunet")


@pytest.mark.parametrize("form", ["{}:Mine", "mine-{}"])
def test_a_model_of_an_installed_package_learns(images, installed, form):
    task = task_of("classification", images, form.format(installed))
    examples = task.examples(images)
    predictor = task.fit(examples, seed=0, steps=1)
    assert task.metric(task.outcomes(predictor(examples.images), examples))["auc"] > 0.95
    assert f"mine-{installed}" in networks("classification")


def test_a_class_of_scikit_learn_is_a_model(images):
    task = task_of("classification", images, "sklearn.linear_model:LogisticRegression")
    assert isinstance(task, EstimatorClassification)
    assert task.names == ("bright", "dark")


@pytest.mark.parametrize("form", ["{}:Mine", "mine-{}"])
def test_code_beside_data_is_never_run(images, package, form):
    module, ran = package
    with pytest.raises(InputError, match="code beside data is never run"):
        task_of("classification", images, form.format(module))
    assert not ran.exists()
    assert module not in sys.modules


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("classification", "vit", "no network 'vit'; there are: resnet, densenet121.*module:Object"),
        ("classification", "unet", "no network 'unet'"),
        ("classification", "no_such_package_at_all:Model", "'no_such_package_at_all', which is not installed"),
        ("classification", "sklearn.linear_model:Nothing", r"cannot be loaded from .*AttributeError"),
        ("classification", "sklearn.metrics:auc", "no fourfold Task with a method `of`"),
        ("segmentation", "sklearn.linear_model:LogisticRegression", "cannot segment; choose one of unet, dynunet"),
        ("segmentation", "fourfold.utility.learning.classification:Classification", "model for classification, not"),
        ("segmentation", None, "no image of the training set has a mask"),
    ],
)
def test_what_is_no_model_is_refused_with_what_there_is(images, kind, name, message):
    with pytest.raises(InputError, match=message):
        task_of(kind, images, name)
