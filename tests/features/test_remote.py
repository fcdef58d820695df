"""Features at a URL."""

import pickle

import numpy as np
import pytest

from fourfold.errors import InputError
from fourfold.features import Pixels
from fourfold.features.remote import RemoteStore
from fourfold.images.sets import Preparation

PREPARATION = Preparation("range", 0.0, 1.0, (4, 4), 1)


@pytest.fixture
def store(tmp_path):
    return RemoteStore(f"file://{tmp_path}/shards")


def _space(store):
    return store.space(Pixels(), PREPARATION)


def test_what_was_stored_is_read_in_the_order_asked_for(store):
    values = np.random.default_rng(0).random((6, 3), dtype=np.float32)
    writer = pickle.loads(pickle.dumps(_space(store).writer()))  # noqa: S301 - as it travels to a worker
    writer.append(list("abcd"), values[:4])
    _space(store).append(list("ef"), values[4:])
    space = _space(store)
    assert len(space) == 6
    found, stored = space.read(["f", "x", "a", "d"])
    assert found.dtype == np.float32
    assert stored.tolist() == [True, False, True, True]
    assert np.array_equal(found[stored], values[[5, 0, 3]])
    assert not found[1].any()


def test_nothing_stored_gives_nothing(store):
    found, stored = _space(store).read(["a", "b"])
    assert found is None
    assert not stored.any()


def test_other_preparations_are_other_spaces(store):
    _space(store).append(["a"], np.ones((1, 2)))
    other = Preparation("range", 0.0, 2.0, (4, 4), 1)
    assert len(store.space(Pixels(), other)) == 0


def test_a_damaged_shard_is_dropped_and_said(store, tmp_path):
    _space(store).append(["a", "b"], np.random.default_rng(0).random((2, 500)))
    (shard,) = tmp_path.rglob("*.parquet")
    content = bytearray(shard.read_bytes())
    content[2500] ^= 0xFF
    shard.write_bytes(content)
    found, stored = _space(store).read(["a", "b"])
    assert found is None
    assert not stored.any()
    assert not shard.exists()
    assert len(store.notes) == 1
    assert "damaged; they are computed anew" in store.notes[0]


def test_a_torn_shard_is_dropped_when_the_space_is_opened(store, tmp_path):
    _space(store).append(["a"], np.ones((1, 2)))
    (shard,) = tmp_path.rglob("*.parquet")
    shard.write_bytes(shard.read_bytes()[:-5])
    assert len(_space(store)) == 0
    assert len(store.notes) == 1


def test_files_appear_whole_or_not_at_all(store, tmp_path):
    _space(store).append(["a"], np.ones((1, 2)))
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {".json", ".parquet"}


def test_a_filesystem_of_fsspec_serves_as_well():
    pytest.importorskip("fsspec")
    store = RemoteStore("memory://features-of-a-test")
    _space(store).append(["a"], np.full((1, 2), 3.0))
    found, stored = _space(RemoteStore("memory://features-of-a-test")).read(["a"])
    assert stored.all()
    assert found.tolist() == [[3.0, 3.0]]


def test_a_place_that_cannot_be_written_is_said_without_its_keys(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(InputError, match=r"cannot write the feature store .*; check the address"):
        _space(RemoteStore(f"file://{tmp_path}/file"))
    pytest.importorskip("fsspec")
    with pytest.raises(InputError) as caught:
        RemoteStore("nowhere://key:secret@host/folder?token=hidden")
    assert str(caught.value).startswith("nowhere://host/folder: cannot open the feature store")
