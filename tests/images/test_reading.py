import numpy as np
import pytest
from PIL import Image

from fourfold.errors import InputError
from fourfold.images.reading import Reading, left_out


@pytest.fixture
def table(tmp_path):
    """Twelve pictures of one table: eight to train on, two held out, two synthetic."""
    lines = ["file,part"]
    for row, part in enumerate(["train"] * 8 + ["test"] * 2 + ["made"] * 2):
        Image.fromarray(np.full((8, 6), 10 + 20 * row, dtype=np.uint8)).save(tmp_path / f"{row}.png")
        lines.append(f"{row}.png,{part}")
    (tmp_path / "metadata.csv").write_text("\n".join(lines))
    return tmp_path


READING = Reading(
    splits={"training": "train", "holdout": "test", "synthetic": "made"}, columns={"split": "part"}, size=4
)


def test_each_set_is_the_split_of_its_role_and_all_are_prepared_alike(table):
    sets, said = READING.open({"training": table, "holdout": table})
    assert {role: len(images) for role, images in sets.items()} == {"training": 8, "holdout": 2}
    assert sets["training"].shape == sets["holdout"].shape == (1, 4, 4)
    assert sets["training"].preparation == sets["holdout"].preparation
    assert said == []


def test_a_set_may_be_called_otherwise_than_its_role(table):
    images = READING.open_one(table, "gan", "synthetic")
    assert (images.name, len(images), images.preparation) == ("gan", 2, None)
    assert len(READING.open_one(table, "gan")) == 12, "a role without a split is the whole set"


def test_files_that_cannot_be_read_are_said(table):
    (table / "3.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    sets, said = Reading(columns={"split": "part"}, skip_broken=True).open({"training": table})
    assert len(sets["training"]) == 11
    assert said == left_out(sets) == ["1 files of the training set could not be read and were left out."]


def test_a_holdout_that_is_the_training_set_is_refused(table):
    with pytest.raises(InputError, match="the holdout shares 8 of 8 images with the training set"):
        Reading(splits={"training": "train", "holdout": "train"}, columns={"split": "part"}).open(
            {"training": table, "holdout": table}
        )
