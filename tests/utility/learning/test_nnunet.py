import importlib.util
import json

import nibabel
import numpy as np
import pytest
import torch

from fourfold.errors import FourfoldError, InputError, MissingExtra
from fourfold.utility.learning import Examples, nnunet
from fourfold.utility.learning.nnunet import NnUnetSegmentation, export_raw

HERE = importlib.util.find_spec("nnunetv2") is not None
ONE = NnUnetSegmentation(("square",), (1,))


def examples(drawn):
    images, _, maps = drawn
    return Examples(images, maps, np.arange(len(images)))


@pytest.mark.parametrize("shape", [(6, 8), (4, 6, 8)])
def test_a_set_is_written_as_the_package_reads_it(tmp_path, spots, shape):
    learned = examples(spots(0, 3, shape))
    colour = Examples(np.repeat(learned.images, 3, axis=1), learned.targets, learned.patients)
    export_raw(colour, 2, tmp_path)
    description = json.loads((tmp_path / "dataset.json").read_text())
    assert description["labels"] == {"background": 0, "region1": 1, "region2": 2}
    assert description["channel_names"] == {"0": "image", "1": "image", "2": "image"}
    assert description["numTraining"] == len(list((tmp_path / "labelsTr").iterdir())) == 3
    assert len(list((tmp_path / "imagesTr").iterdir())) == 9
    image = nibabel.load(tmp_path / "imagesTr" / "000001_0002.nii.gz").get_fdata().transpose(2, 1, 0)
    np.testing.assert_allclose(image.reshape(shape), colour.images[1, 2])
    mask = nibabel.load(tmp_path / "labelsTr" / "000001.nii.gz").get_fdata().transpose(2, 1, 0)
    np.testing.assert_array_equal(mask.reshape(shape), learned.targets[1])


def test_without_the_package_the_extra_is_named(spots, monkeypatch):
    monkeypatch.setattr(nnunet.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'fourfold\[nnunet\]'"):
        ONE.fit(examples(spots(0, 4)), seed=0, steps=1)


def test_first_weights_and_empty_sets_are_refused(spots, monkeypatch):
    monkeypatch.setattr(nnunet.importlib.util, "find_spec", lambda name: object())
    with pytest.raises(InputError, match="plans its own network"):
        ONE.fit(examples(spots(0, 4)), seed=0, steps=1, initial={"a": torch.zeros(1)})
    with pytest.raises(InputError, match="no image to learn from"):
        ONE.fit(examples(spots(0, 4)).take(np.arange(0)), seed=0, steps=1)


def test_a_failure_of_the_other_process_is_told_without_its_folder(tmp_path, monkeypatch):
    # In the place of Python: tells of a step, then of trouble in the folder that is its last argument.
    other = tmp_path / "other"
    other.write_text("#!/bin/sh\necho fourfold step 1\necho trouble in $5\nexit 3\n")
    other.chmod(0o755)
    monkeypatch.setattr(nnunet.sys, "executable", str(other))
    folder, told = tmp_path / "work", []
    folder.mkdir()
    with pytest.raises(FourfoldError, match=r"nnU-Net could not train \(exit code 3: trouble in \.\.\.\); try the"):
        nnunet._run("train", folder, {}, 4, lambda *step: told.append(step))
    assert told == [(1, 4)]


@pytest.mark.skipif(not HERE, reason="needs the package nnunetv2: pip install 'fourfold[nnunet]'")
def test_it_plans_prepares_trains_and_segments(spots):
    told = []
    learned = ONE.fit(examples(spots(0, 12)), seed=0, steps=12, progress=lambda *step: told.append(step))
    assert told == [(step, 12) for step in range(1, 13)]
    tested = examples(spots(1, 6))
    predicted = learned(tested.images)
    assert predicted.shape == tested.targets.shape
    assert ONE.metric(ONE.outcomes(predicted, tested))["dice"] > 0.5
    assert learned(tested.images[:0]).shape == (0, 24, 24)
