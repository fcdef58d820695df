import json

import numpy as np
import pytest
import torch

from fourfold import phantoms
from fourfold.errors import InputError
from fourfold.images import open_set, prepare
from fourfold.images.sets import Preparation
from fourfold.utility.adaptation import Regression, adapt, open_adapted, write_adapted, write_predictions
from fourfold.utility.learning.classification import Classification
from fourfold.utility.learning.contract import Examples
from fourfold.utility.learning.segmentation import Segmentation

SIZE = 16
PREPARATION = Preparation("range", 0.0, 255.0, (SIZE, SIZE), 1)


def stored(folder, task, targets):
    images = phantoms("brain", 8, images_per_patient=1, size=SIZE).images
    teacher = task.fit(Examples(images, targets, np.arange(8)), seed=0, steps=2)
    found = adapt(teacher, images, 1 - images, Regression(steps=2))
    written = write_adapted(folder, task, found, PREPARATION, Regression(steps=2), {"pairs": 8})
    return images, written


@pytest.fixture
def segmenter(tmp_path):
    masks = np.zeros((8, SIZE, SIZE), dtype=np.uint8)
    masks[:, 4:9, 4:9] = 1
    masks[:, 10:12, 4:9] = 2
    return tmp_path / "model", *stored(tmp_path / "model", Segmentation(("core", "rim"), (100, 200)), masks)


@pytest.mark.parametrize("exclusive", [True, False])
def test_a_stored_classifier_predicts_the_same(tmp_path, exclusive):
    targets = np.eye(2, dtype=np.float32)[[0, 1] * 4]
    task = Classification(("a", "b"), exclusive)
    images, written = stored(tmp_path / "model", task, targets)
    opened = open_adapted(tmp_path / "model")
    assert opened.task == task
    assert np.array_equal(opened.predictor(images), written.predictor(images))


def test_a_stored_segmenter_predicts_the_same_and_knows_its_images(segmenter):
    folder, images, written = segmenter
    opened = open_adapted(folder)
    assert opened.task == written.task
    assert opened.preparation == PREPARATION
    assert np.array_equal(opened.predictor(images), written.predictor(images))
    assert sorted(file.name for file in folder.iterdir()) == ["adapted.json", "weights.safetensors"]


def test_the_record_says_what_was_done_and_no_path(segmenter, tmp_path):
    text = (segmenter[0] / "adapted.json").read_text()
    record = json.loads(text)
    assert record["schema"] == "fourfold.adapted/1"
    assert record["regression"]["tolerance"] == 0
    assert set(record["residuals"]["before"]) == set(record["residuals"]["after"])
    assert str(tmp_path) not in text


def test_damaged_models_are_refused(segmenter):
    folder = segmenter[0]
    record, weights = folder / "adapted.json", folder / "weights.safetensors"
    whole = record.read_text()
    record.write_text(whole.replace('"core"', '"core", "edge"'))
    with pytest.raises(InputError, match="its record and its weights do not fit together"):
        open_adapted(folder)
    record.write_text(whole.replace("fourfold.adapted/1", "fourfold.adapted/9"))
    with pytest.raises(InputError, match=r"is no record of version 'fourfold.adapted/1'"):
        open_adapted(folder)
    record.write_text(whole[:50])
    with pytest.raises(InputError, match="is cut short or damaged"):
        open_adapted(folder)
    record.write_text(whole)
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"is not the file that adapted.json speaks of"):
        open_adapted(folder)
    record.unlink()
    with pytest.raises(InputError, match="holds no adapted model"):
        open_adapted(folder)


def test_a_folder_that_holds_something_is_left_alone(segmenter):
    folder, images, written = segmenter
    found = adapt(written.predictor, images, images, Regression(steps=1))
    with pytest.raises(InputError, match="is not empty; choose a new folder"):
        write_adapted(folder, written.task, found, PREPARATION, Regression(), {})


def test_predicted_masks_have_the_values_that_were_learned_from(segmenter, tmp_path):
    _, _, model = segmenter
    phantoms("brain", 5, images_per_patient=1, size=SIZE).write(tmp_path / "new")
    images = prepare({"images": open_set(tmp_path / "new", name="images")})["images"]

    def predictor(values):
        return np.tile(np.arange(SIZE, dtype=np.uint8)[:, None] % 3, (len(values), 1, SIZE))

    out = write_predictions(images, model.task, predictor, tmp_path / "out")
    found = open_set(out / "masks", name="masks")
    assert len(found) == 5
    assert np.array_equal(found.raw(0)[0], np.array([0, 100, 200])[predictor(images.load())[0]])
    rows = (out / "metadata.csv").read_text().splitlines()
    assert rows[0] == "path,mask"
    assert [row.split(",")[0] for row in rows[1:]] == images.paths


def test_a_failed_prediction_leaves_nothing(segmenter, tmp_path):
    _, _, model = segmenter
    phantoms("brain", 5, images_per_patient=1, size=SIZE).write(tmp_path / "new")
    images = prepare({"images": open_set(tmp_path / "new", name="images")})["images"]

    def predictor(values):
        raise torch.cuda.OutOfMemoryError("full")

    with pytest.raises(torch.cuda.OutOfMemoryError):
        write_predictions(images, model.task, predictor, tmp_path / "out")
    assert sorted(item.name for item in tmp_path.iterdir()) == ["model", "new"]
