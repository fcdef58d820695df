import math

import numpy as np
import pytest

from fourfold.errors import InputError
from fourfold.features import ResultStore


def test_a_result_comes_back_as_it_was_put(tmp_path):
    arrays = {
        "path": np.array(["a.png", "é/b.png"], dtype=object),
        "file": np.array([1.5, np.nan]),
        "copy": np.array([True, False]),
        "privacy/nearest": np.array([[3, 4]], dtype=np.int64),
    }
    ResultStore(tmp_path).put("a key", {"value": 0.1, "band": [None, math.inf]}, arrays)
    value, found = ResultStore(tmp_path).get("a key")
    assert value == {"value": 0.1, "band": [None, math.inf]}
    assert list(found) == list(arrays)
    assert found["path"].dtype.kind == "U"
    assert found["path"].tolist() == ["a.png", "é/b.png"]
    assert np.array_equal(found["file"], arrays["file"], equal_nan=True)
    assert found["copy"].dtype == bool
    assert found["privacy/nearest"].tolist() == [[3, 4]]


def test_another_key_has_no_result(tmp_path):
    store = ResultStore(tmp_path)
    assert store.get("a key") is None
    store.put("a key", 1)
    assert store.get("another key") is None
    assert store.get("a key") == (1, {})


def test_putting_again_replaces(tmp_path):
    store = ResultStore(tmp_path)
    store.put("a key", 1, {"x": np.zeros(2)})
    store.put("a key", 2)
    assert store.get("a key") == (2, {})
    assert len(list(store.folder.iterdir())) == 1


@pytest.mark.parametrize("damage", ["flipped", "truncated", "emptied"])
def test_a_damaged_result_is_noted_and_forgotten(tmp_path, damage):
    store = ResultStore(tmp_path)
    store.put("a key", {"value": 1}, {"x": np.arange(100)})
    path = next(store.folder.iterdir())
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes({"flipped": bytes(content), "truncated": content[:-50], "emptied": b""}[damage])
    assert store.get("a key") is None
    assert store.notes == [f"the stored result in {path} was damaged; it is computed anew"]
    assert not path.exists()


def test_objects_that_would_need_a_pickle_are_refused(tmp_path):
    store = ResultStore(tmp_path)
    with pytest.raises(TypeError, match=r"^the array 'x' holds Python objects; only numbers, booleans and text"):
        store.put("a key", 1, {"x": np.array([None, "a"], dtype=object)})
    assert store.get("a key") is None


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "results").write_text("a file")
    with pytest.raises(InputError, match=r"results: cannot create the feature store"):
        ResultStore(tmp_path).put("a key", 1)
