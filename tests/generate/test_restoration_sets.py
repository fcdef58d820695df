"""Whole sets, and the command: ``fourfold restore fit | apply | renoise | region``."""

import argparse
import csv
import json

import numpy as np
import pytest
import torch
from PIL import Image

from fourfold.cli import restore as command
from fourfold.errors import InputError
from fourfold.generate.provenance import now, versions
from fourfold.generate.restoration import ReadShotNoise, Restorer, estimate_read_shot, open_restorer, renoise
from fourfold.generate.restoration.network import RestorationNet
from fourfold.generate.restoration.restorer import write_restorer
from fourfold.images import open_set, prepare

SIZE = 16


def call(*arguments):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args([str(argument) for argument in (*arguments, "--quiet")]))


def levels(count, size=SIZE, seed=0):
    """Smooth images of whole numbers from 30 to 220."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size
    waves = [np.sin(6 * (a * x + b * y) + c) for a, b, c in rng.uniform(0.2, 1, (count, 3))]
    return np.rint(125 + 95 * np.array(waves)).astype(np.uint8)


def write_pictures(folder, images, **columns):
    (folder / "images").mkdir(parents=True)
    rows = []
    for place, image in enumerate(images):
        path = f"images/case{place}.png"
        Image.fromarray(image).save(folder / path)
        rows.append({"path": path, **{name: values[place] for name, values in columns.items()}})
    with (folder / "metadata.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


def loaded(folder, **more):
    return prepare({"x": open_set(folder, name="x")}, **more)["x"].load()


@pytest.fixture
def pictures(tmp_path):
    patients = [f"p{place // 2}" for place in range(6)]
    return write_pictures(tmp_path / "pictures", levels(6), patient=patients, label=["a", "b"] * 3, age=list("345678"))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Not trained: it takes what it sees for the truth."""
    folder = tmp_path_factory.mktemp("model") / "model"
    folder.mkdir()
    torch.manual_seed(0)
    preparation = {
        "rule": "range", "low": 0.0, "high": 255.0, "shape": [SIZE, SIZE], "channels": 1,
        "resized": False, "converted": False,
    }  # fmt: skip
    record = {"preparation": preparation, "versions": versions(), "created": now(), "warnings": []}
    write_restorer(folder, Restorer(RestorationNet(1, 2, (4, 4)).eval()), record)
    return folder


def test_a_set_is_restored_into_a_folder_with_its_columns_and_a_record(model, pictures, tmp_path, capsys):
    out, spread = tmp_path / "out", tmp_path / "spread"
    code = call(
        "apply", model, pictures, "-o", out, "--noise", "read=0.1", "--chains", 2, "--spread", spread, "--batch", 4
    )
    assert code == 0
    said = capsys.readouterr().out
    assert f"6 restored images, each the mean of 2 samples: {out}" in said
    assert "can show structure that is not in the patient" in said
    found = open_set(out, name="out")
    assert list(found.patients) == ["p0", "p0", "p1", "p1", "p2", "p2"]
    assert list(found.labels) == ["a", "b"] * 3
    assert [entry.columns["age"] for entry in found.entries] == list("345678")
    assert found.raw(0).dtype == np.uint8
    deviations = np.concatenate([open_set(spread, name="s").raw(row) for row in range(6)])
    assert deviations.dtype == np.float32
    assert 0 < deviations.mean() < 0.1
    record = json.loads((out / "restoration.json").read_text())
    assert record["done"] == "restored"
    assert record["noise"] == {"model": "read-shot", "read": 0.1, "shot": 0.0}
    assert "case0" not in json.dumps(record)
    assert not list(tmp_path.glob(".*"))


def test_noise_is_estimated_and_told_where_none_is_said(model, pictures, tmp_path, capsys):
    noisy = tmp_path / "noisy"
    call("renoise", pictures, "-o", noisy, "--noise", "read=0.08")
    call("apply", model, noisy, "-o", tmp_path / "out", "--chains", 1)
    assert "noise of the images set: read-shot, read 0.0" in capsys.readouterr().out


def test_restoring_twice_gives_the_same_bytes_whatever_the_batch(model, pictures, tmp_path):
    for name, batch in (("one", 6), ("other", 4)):
        call("apply", model, pictures, "-o", tmp_path / name, "--noise", "read=0.1", "--chains", 1, "--batch", batch)
    assert np.array_equal(loaded(tmp_path / "one"), loaded(tmp_path / "other"))


def test_an_error_leaves_nothing_behind(model, pictures, tmp_path):
    (pictures / "images" / "case5.png").write_bytes(b"no picture")
    with pytest.raises(InputError):
        call("apply", model, pictures, "-o", tmp_path / "out", "--noise", "read=0.1", "--chains", 1, "--batch", 2)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["pictures"]


@pytest.mark.parametrize("taken", ["out", "spread"])
def test_a_folder_that_holds_something_is_refused(model, pictures, tmp_path, taken):
    (tmp_path / taken).mkdir()
    (tmp_path / taken / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match=f"{taken}: is not empty; choose a new folder"):
        call("apply", model, pictures, "-o", tmp_path / "out", "--spread", tmp_path / "spread", "--noise", "read=0.1")
    assert (tmp_path / taken / "mine.txt").read_text() == "mine"
    assert not list(tmp_path.glob(".*"))


def test_images_on_another_scale_are_refused(model, tmp_path):
    np.save(tmp_path / "deep.npy", levels(4).astype(np.uint16)[:, None] * 16)
    with pytest.raises(InputError, match="ranges from 0 to 4095 and the model was trained on 0 to 255"):
        call("apply", model, tmp_path / "deep.npy", "-o", tmp_path / "out", "--noise", "read=0.1")
    code = call(
        "apply", model, tmp_path / "deep.npy", "-o", tmp_path / "out", "--noise", "read=0.1", "--scaling", "0:4095",
        "--chains", 1,
    )  # fmt: skip
    assert code == 0
    assert open_set(tmp_path / "out", name="out").raw(0).dtype == np.uint16


def test_synthetic_images_get_what_they_lack_of_the_noise_of_real_ones(tmp_path, capsys):
    synthetic = write_pictures(tmp_path / "synthetic", levels(30, 32, seed=1))
    noisy = renoise(levels(30, 32, seed=2)[:, None] / 255, ReadShotNoise(0.05)).clip(0, 1)
    real = write_pictures(tmp_path / "real", np.rint(255 * noisy[:, 0]).astype(np.uint8))
    assert call("renoise", synthetic, "--like", real, "-o", tmp_path / "out") == 0
    assert "noise that is added: read-shot, read 0.0" in capsys.readouterr().out
    found = estimate_read_shot(loaded(tmp_path / "out"))
    assert np.sqrt(found.read**2 + found.shot**2 * 0.5) == pytest.approx(0.05, rel=0.1)
    with pytest.raises(InputError, match="no cleaner than the real ones, so there is nothing to add"):
        call("renoise", real, "--like", synthetic, "-o", tmp_path / "none")


def test_noise_that_must_be_estimated_needs_real_images(pictures, tmp_path):
    with pytest.raises(InputError, match="give them with --like, or say it with --noise"):
        call("renoise", pictures, "-o", tmp_path / "out")


def masked(tmp_path):
    """Pictures with masks in a column; the region of picture k is a square that depends on k."""
    folder = write_pictures(tmp_path / "pictures", levels(3), mask=[f"masks/m{place}.png" for place in range(3)])
    (folder / "masks").mkdir()
    masks = np.zeros((3, SIZE, SIZE), dtype=np.uint8)
    for place, mask in enumerate(masks):
        mask[4 : 8 + place, 5:10] = 1 + place
        Image.fromarray(mask).save(folder / f"masks/m{place}.png")
    return folder, masks > 0


def test_a_region_is_drawn_anew_and_no_other_pixel_of_the_files_changes(model, tmp_path, capsys):
    folder, masks = masked(tmp_path)
    assert call("region", model, folder, "-o", tmp_path / "out") == 0
    assert "what stands in a region is made up" in capsys.readouterr().out
    found = np.concatenate([open_set(tmp_path / "out", name="out").raw(row) for row in range(3)])
    assert np.array_equal(found[~masks], levels(3)[~masks])
    assert (found[masks] != levels(3)[masks]).mean() > 0.9


def test_masks_of_their_own_are_matched_by_name(model, tmp_path):
    folder, masks = masked(tmp_path)
    other = tmp_path / "masks"
    other.mkdir()
    # Another order of names than of rows.
    for place in range(3):
        Image.fromarray(255 * masks[place].astype(np.uint8)).save(other / f"case{place}.png")
    call("region", model, folder, "-o", tmp_path / "out", "--masks", other)
    call("region", model, folder, "-o", tmp_path / "same")
    assert np.array_equal(loaded(tmp_path / "out"), loaded(tmp_path / "same"))
    (other / "case1.png").rename(other / "else.png")
    with pytest.raises(InputError, match=r"case1.png: there is no mask of this name alone"):
        call("region", model, folder, "-o", tmp_path / "third", "--masks", other)


def test_a_mask_is_resampled_with_its_image_and_covers_what_it_touches(model, tmp_path):
    folder, masks = masked(tmp_path)
    call("region", model, folder, "-o", tmp_path / "out", "--size", 8)
    touched = masks.reshape(3, 8, 2, 8, 2).any(axis=(2, 4))
    before, after = loaded(folder, size=8)[:, 0], loaded(tmp_path / "out")[:, 0]
    changed = np.abs(before - after) > 0.5 / 255
    assert not changed[~touched].any()
    assert changed[touched].mean() > 0.9


def test_a_mask_of_another_size_is_refused(model, tmp_path):
    folder, _ = masked(tmp_path)
    Image.fromarray(np.ones((SIZE, 9), dtype=np.uint8)).save(folder / "masks" / "m1.png")
    with pytest.raises(InputError, match=r"the mask is 16 x 9 and its image images/case1\.png is 16 x 16"):
        call("region", model, folder, "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_images_without_masks_are_refused(model, pictures, tmp_path):
    with pytest.raises(InputError, match=r"images/case0.png: has no mask; add a column mask to the table"):
        call("region", model, pictures, "-o", tmp_path / "out")


def test_a_restorer_is_fitted_from_the_command_line(pictures, tmp_path, capsys):
    options = ["--steps", 2, "--batch", 4, "--set", "channels=4", "--set", "regions=0.5", "--set", "read=0.01,0.2"]
    folder = write_pictures(tmp_path / "clean", levels(20), patient=[f"p{place}" for place in range(20)])
    other = write_pictures(tmp_path / "other", levels(12, seed=5), patient=[f"q{place}" for place in range(12)])
    assert call("fit", folder, "-o", tmp_path / "model", "--holdout", other, *options) == 0
    said = capsys.readouterr().out
    assert "trained a restorer on 20 images of 20 patients" in said
    restorer = open_restorer(tmp_path / "model")
    assert restorer.record["options"]["read"] == [0.01, 0.2]
    assert restorer.preparation.high == 255
    assert restorer.record["data"]["holdout_images"] == 12
    record = (tmp_path / "model" / "model.json").read_text()
    assert "case0" not in record
    assert str(tmp_path) not in record
    assert call("apply", tmp_path / "model", pictures, "-o", tmp_path / "out", "--noise", "rician=0.1") == 0


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("steps", "--set takes NAME=VALUE, got 'steps'"),
        ("depth=3", "the recipe restorer has no option 'depth'"),
        ("scale=much", "the option scale of restorer is a number, got 'much'"),
    ],
)
def test_options_that_are_none_are_refused(pictures, tmp_path, option, message):
    with pytest.raises(InputError, match=message):
        call("fit", pictures, "-o", tmp_path / "model", "--set", option)


def test_a_spread_of_one_chain_is_refused(model, pictures, tmp_path):
    with pytest.raises(InputError, match="a spread takes 2 chains at least; raise --chains"):
        call("apply", model, pictures, "-o", tmp_path / "o", "--chains", 1, "--spread", tmp_path / "s", "--noise",
             "read=0.1")  # fmt: skip
