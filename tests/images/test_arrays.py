"""Arrays of every kind as image sets: npy, npz, MedMNIST, HDF5, Zarr, Hugging Face, memory."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fourfold.errors import InputError, MissingExtra, UnreadableImage
from fourfold.images import open_set, prepare

GREY = np.random.default_rng(0).integers(0, 256, (5, 8, 6), dtype=np.uint8)


@pytest.mark.parametrize(
    ("images", "shape"),
    [
        (GREY, (1, 8, 6)),
        (GREY[:, None], (1, 8, 6)),
        (GREY[..., None], (1, 8, 6)),
        (np.repeat(GREY[:, None], 3, axis=1), (3, 8, 6)),
        (np.repeat(GREY[..., None], 3, axis=3), (3, 8, 6)),
        (np.repeat(GREY[:, None], 4, axis=1), (1, 4, 8, 6)),
        (np.repeat(GREY[:, None, None], 4, axis=2), (1, 4, 8, 6)),
        (np.repeat(GREY[:, None, ..., None], 4, axis=1), (1, 4, 8, 6)),
    ],
)
@pytest.mark.parametrize("source", ["memory", "torch", "npy", "npz"])
def test_the_axes_of_an_array_are_read_by_the_declared_rule(
    tmp_path: Path, images: np.ndarray, shape: tuple[int, ...], source: str
) -> None:
    if source in ("npy", "npz"):
        file = tmp_path / f"set.{source}"
        np.save(file, images) if source == "npy" else np.savez_compressed(file, images=images)
        opened = open_set(file, name="set")
    else:
        opened = open_set(torch.from_numpy(images) if source == "torch" else images, name="set")
    assert len(opened) == 5
    assert [opened.raw(row).shape for row in range(5)] == [shape] * 5
    assert all(np.array_equal(opened.raw(row)[(0,) * (len(shape) - 2)], GREY[row]) for row in range(5))


def test_labels_and_patients_beside_the_images_are_read(tmp_path: Path) -> None:
    file = tmp_path / "set.npz"
    np.savez(file, x=GREY, labels=np.array(["a", "b", "a", "b", "a"]), patients=np.arange(5)[:, None])
    opened = open_set(file, name="set")
    assert opened.labels.tolist() == ["a", "b", "a", "b", "a"]
    assert opened.patients.tolist() == ["0", "1", "2", "3", "4"]


def test_several_targets_an_image_are_kept_by_number(tmp_path: Path) -> None:
    file = tmp_path / "set.npz"
    np.savez(file, images=GREY, labels=np.eye(5)[:, :3])
    assert dict(open_set(file, name="set").entries[1].labels) == {"0": 0.0, "1": 1.0, "2": 0.0}


def test_a_medmnist_file_has_splits(tmp_path: Path) -> None:
    file = tmp_path / "mnist.npz"
    arrays = {"train_images": GREY, "val_images": GREY[:2], "test_images": GREY[:3]}
    np.savez_compressed(
        file, **arrays, **{key.replace("images", "labels"): np.zeros((len(v), 1)) for key, v in arrays.items()}
    )
    assert len(open_set(file, name="set")) == 10
    assert len(open_set(file, name="set", split="test")) == 3
    assert len(open_set(file, name="set", split="training")) == 5
    assert np.array_equal(open_set(file, name="set").raw(6)[0], GREY[1])
    with pytest.raises(InputError, match=r"^mnist.npz: there is no split 'dev'; the splits are train, val, test$"):
        open_set(file, name="set", split="dev")


def test_the_medmnist_style_file_is_read(data_folder: Path) -> None:
    opened = open_set(data_folder / "kermany_cxr_96" / "medmnist_style_28.npz", name="set", split="train")
    assert prepare({"training": opened})["training"].load([0, 1]).shape == (2, 1, 28, 28)
    assert opened.labels is not None


@pytest.mark.parametrize("name", ["set.npy", "set.npz"])
def test_pickled_objects_are_never_loaded(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    objects = np.array([{"a": 1}, None], dtype=object).reshape(1, 2)
    np.save(file, objects, allow_pickle=True) if name.endswith("npy") else np.savez(file, images=objects)
    message = f"{name}: holds pickled Python objects, which are never loaded; store a plain array of numbers"
    with pytest.raises(UnreadableImage, match="^" + re.escape(message) + "$"):
        open_set(file, name="set").raw(0)


def test_an_npz_that_announces_too_much_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    file = tmp_path / "bomb.npz"
    header = np.lib.format.header_data_from_array_1_0(np.zeros((1, 1), dtype=np.uint8)) | {"shape": (40000, 40000)}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("images.npy", "w") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        stream.write(bytes(1 << 20))
    message = "bomb.npz: announces 1 x 40000 x 40000 values, more than the limit of 268435456; crop or downsample it"
    with pytest.raises(UnreadableImage, match="^" + re.escape(message) + "$"):
        open_set(file, name="set").raw(0)


def test_an_archive_without_images_lists_what_it_holds(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", weights=GREY, biases=GREY)
    with pytest.raises(UnreadableImage, match=r"it holds biases, weights\); rename the array$"):
        open_set(tmp_path / "set.npz", name="set")


def test_labels_that_do_not_fit_the_images_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", images=GREY, labels=np.arange(4))
    message = "set.npz: holds 5 images but labels of shape (4,); store one of them an image"
    with pytest.raises(UnreadableImage, match="^" + re.escape(message) + "$"):
        open_set(tmp_path / "set.npz", name="set")


def test_complex_arrays_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "set.npy", GREY.astype(complex))
    with pytest.raises(UnreadableImage, match=r"^set.npy#0: holds values of type complex128, not real numbers"):
        open_set(tmp_path / "set.npy", name="set").raw(0)


def test_a_truncated_array_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "set.npy"
    np.save(file, GREY)
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(UnreadableImage, match=r"^set.npy: is cut short or damaged"):
        open_set(file, name="set")


def test_hdf5_is_read_image_by_image(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "set.h5", "w") as file:
        file["images"] = GREY
        file["labels"] = np.array([b"a", b"b", b"a", b"b", b"a"])
    opened = open_set(tmp_path / "set.h5", name="set")
    assert opened.labels.tolist() == ["a", "b", "a", "b", "a"]
    assert np.array_equal(opened.raw(2)[0], GREY[2])


def test_zarr_is_read_image_by_image(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    zarr.save(str(tmp_path / "set.zarr"), GREY)
    opened = open_set(tmp_path / "set.zarr", name="set")
    assert len(opened) == 5
    assert np.array_equal(opened.raw(2)[0], GREY[2])
    assert len(set(opened.digests())) == 5


@pytest.mark.parametrize(("package", "extra"), [("h5py", "hdf5"), ("zarr", "zarr")])
def test_a_missing_package_is_named_with_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, extra: str
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, package, None)
    if package == "h5py":
        file = tmp_path / "set.h5"
        file.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    else:
        file = tmp_path / "set.zarr"
        file.mkdir()
        (file / "zarr.json").write_text("{}")
    with pytest.raises(MissingExtra, match=re.escape(f"pip install 'fourfold[{extra}]'")):
        open_set(file, name="set")


def test_a_hugging_face_dataset_is_read_with_its_names_of_classes(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "label": datasets.ClassLabel(names=["normal", "ill"]),
            "patient_id": datasets.Value("string"),
        }
    )
    rows = {
        "image": [Image.fromarray(image) for image in GREY],
        "label": [0, 1, 1, 0, 0],
        "patient_id": ["a", "a", "b", "c", "d"],
    }
    source = datasets.Dataset.from_dict(rows, features=features)
    opened = open_set(source, name="set")
    assert opened.labels.tolist() == ["normal", "ill", "ill", "normal", "normal"]
    assert opened.patients.tolist() == ["a", "a", "b", "c", "d"]
    assert np.array_equal(opened.raw(4)[0], GREY[4])
    source.save_to_disk(str(tmp_path / "saved"))
    saved = open_set(tmp_path / "saved", name="set")
    assert np.array_equal(saved.raw(4)[0], GREY[4])
    parts = datasets.DatasetDict({"train": source, "test": source.select([0])})
    assert len(open_set(parts, name="set", split="test")) == 1
    with pytest.raises(InputError, match=r"^the set set holds the splits test, train; choose one with split=$"):
        open_set(parts, name="set")


def test_an_object_that_holds_no_images_is_refused() -> None:
    with pytest.raises(InputError, match=r"^the set set is a int; give a path, a numpy array, a torch tensor, "):
        open_set(7, name="set")
    with pytest.raises(InputError, match=r"^the set set is an array of shape \(4, 4\); give \(N, H, W\)"):
        open_set(np.zeros((4, 4)), name="set")
