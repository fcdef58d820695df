"""A model folder says what it is, opens as it was written, and refuses whatever is not it."""

from __future__ import annotations

import hashlib
import json
import pickle
import re
import shutil
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import torch

import fourfold as ff
from fourfold.errors import InputError
from fourfold.generate import model_schema, open_model
from fourfold.generate.provenance import difference, digest_of, plain, read_record, seed_of


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "model"
    chest = ff.phantoms("chest", 20, size=16)
    ff.train(
        chest.to_image_set(),
        recipe="gaussian",
        output=folder,
        condition="class",
        licence="CC BY 4.0",
        intended_use="tests",
        most=8,
    )
    return folder


@pytest.fixture
def model_folder(trained: Path, tmp_path: Path) -> Path:
    """A copy that may be broken."""
    return shutil.copytree(trained, tmp_path / "model")


def edit(folder: Path, **changes: object) -> None:
    record = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**record, **changes}))


def test_the_record_is_valid_and_says_what_was_done(trained: Path) -> None:
    record = json.loads((trained / "model.json").read_text())
    schema = model_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(record, schema)
    assert record["recipe"] == "gaussian"
    assert record["options"]["most"] == 8
    assert record["licence"] == "CC BY 4.0"
    assert record["data"]["patients"] == 20
    assert record["data"]["identified"] is True
    assert record["surprisal"]["patients"] == 20
    assert record["holds_patient_images"] is False


def test_the_schema_refuses_a_record_without_its_weights(trained: Path) -> None:
    record = json.loads((trained / "model.json").read_text())
    del record["weights"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(record, model_schema())


def test_an_opened_model_draws_what_the_fitted_one_drew(tmp_path: Path) -> None:
    chest = ff.phantoms("chest", 12, size=16)
    fitted = ff.train(chest.to_image_set(), recipe="gaussian", output=tmp_path / "m")
    opened = open_model(tmp_path / "m")
    assert opened.digest == fitted.digest
    assert opened.draw(5, seed=3).tobytes() == fitted.draw(5, seed=3).tobytes()


def test_what_a_person_writes_into_the_record_does_not_change_the_model(model_folder: Path) -> None:
    before = open_model(model_folder).digest
    edit(model_folder, licence="none", intended_use="other")
    assert open_model(model_folder).digest == before


def test_a_folder_that_is_not_there_or_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=re.escape(f"{tmp_path / 'no'}: does not exist; give the folder of a model")):
        open_model(tmp_path / "no")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is a file"):
        open_model(tmp_path / "file")
    with pytest.raises(InputError, match="holds no model"):
        open_model(tmp_path)


def test_an_unfinished_training_is_told_how_to_finish(model_folder: Path) -> None:
    (model_folder / "model.json").unlink()
    with pytest.raises(InputError, match="not finished; repeat the same fourfold train command"):
        open_model(model_folder)


def test_weights_that_were_cut_short_are_refused(model_folder: Path) -> None:
    weights = model_folder / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"weights.safetensors: is cut short \(\d+ of \d+ bytes\); copy it again"):
        open_model(model_folder)
    weights.unlink()
    with pytest.raises(InputError, match=r"weights.safetensors: does not exist"):
        open_model(model_folder)


def test_weights_of_another_model_are_refused(model_folder: Path) -> None:
    weights = model_folder / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(InputError, match=r"holds other weights than model.json says"):
        open_model(model_folder)


def test_a_pickle_is_never_opened(model_folder: Path, tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "exploded",))

    content = pickle.dumps(Bomb())
    (model_folder / "weights.safetensors").write_bytes(content)
    edit(model_folder, weights={"file": "x", "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)})
    with pytest.raises(InputError, match="is no safetensors file"):
        open_model(model_folder)
    assert not (tmp_path / "exploded").exists()


def test_a_record_of_another_version_or_kind_is_refused(model_folder: Path) -> None:
    edit(model_folder, schema="fourfold.model/2")
    with pytest.raises(InputError, match=r"is a record of version 'fourfold.model/2'.+reads 'fourfold.model/1'"):
        open_model(model_folder)
    edit(model_folder, schema="somebody.else/1")
    with pytest.raises(InputError, match=r"is no fourfold.model record"):
        open_model(model_folder)
    (model_folder / "model.json").write_text("{")
    with pytest.raises(InputError, match="is cut short or damaged"):
        open_model(model_folder)


def test_a_recipe_that_is_not_installed_is_named(model_folder: Path) -> None:
    edit(model_folder, recipe="elsewhere")
    with pytest.raises(InputError, match="there is no recipe 'elsewhere'"):
        open_model(model_folder)


@pytest.mark.parametrize("changes", [{"settings": {}}, {"conditions": [{"kind": "class"}]}, {"weights": {}}])
def test_a_record_that_does_not_fit_its_weights_is_refused(model_folder: Path, changes: dict[str, object]) -> None:
    edit(model_folder, **changes)
    with pytest.raises(InputError, match=r"its record and its weights do not fit together \(KeyError\)"):
        open_model(model_folder)


def test_a_file_is_of_use_only_to_a_condition_that_needs_one(trained: Path) -> None:
    with pytest.raises(InputError, match="the model has no condition 'features'"):
        open_model(trained, features="pixels")


def test_a_model_without_a_denoiser_cannot_be_attacked(trained: Path) -> None:
    with pytest.raises(InputError, match="a gaussian model has no denoiser of images"):
        open_model(trained).denoiser()


def test_a_diffusion_model_is_attacked_without_its_condition(tmp_path: Path) -> None:
    chest = ff.phantoms("chest", 12, size=16).to_image_set()
    options = {"steps": 1, "batch": 4, "channels": "8,8", "warmup": 0}
    model = ff.train(chest, recipe="diffusion", output=tmp_path / "m", condition="class", options=options)
    denoise = model.denoiser()
    x = 2 * torch.from_numpy(np.stack([chest.raw(row) for row in range(3)])) - 1
    found = denoise(x, torch.tensor([0.01, 0.01, 5.0]))
    assert denoise.value_range == (-1.0, 1.0)
    assert found.shape == x.shape
    assert (found - x)[:2].abs().max() < 0.1 < (found - x)[2].abs().max()


def test_seeds_of_images_never_change() -> None:
    assert [seed_of(0, place) for place in range(2)] == [3065247057545751466, 6096812863120040317]
    assert all(0 <= seed_of(-5, place) < 2**63 for place in range(100))
    assert len({seed_of(seed, place) for seed in range(30) for place in range(30)}) == 900


def test_digests_do_not_depend_on_the_order_of_names() -> None:
    assert digest_of({"a": 1, "b": (1, 2)}) == digest_of({"b": [1, 2], "a": 1})
    assert digest_of({"a": 1}) != digest_of({"a": 2})


def test_records_hold_what_json_can() -> None:
    values = {"a": np.float32(0.5), "b": np.arange(2), "c": (1, float("nan")), "d": np.bool_(True), "e": None}
    assert plain(values) == {"a": 0.5, "b": [0, 1], "c": [1, None], "d": True, "e": None}
    with pytest.raises(TypeError, match=r"not (Posix|Windows)Path"):
        plain({"where": Path.cwd()})


def test_differences_are_said_in_words() -> None:
    there, here = {"seed": 0, "options": {"steps": 10, "batch": 4}}, {"seed": 1, "options": {"steps": 20, "batch": 4}}
    assert difference(there, here) == "options.steps was 10 and is 20, seed was 0 and is 1"
    assert difference({"a": 1}, {}) == "a was 1 and is none"
    assert difference(there, there) == ""


def test_a_record_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"x.json: cannot be read \(no such file or directory\)"):
        read_record(tmp_path / "x.json", "fourfold.model/1")
