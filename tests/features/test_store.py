import os
import stat

import numpy as np
import pytest

from fourfold.errors import InputError
from fourfold.features import FeatureStore, Pixels, default_folder
from fourfold.images.sets import Preparation

PREPARATION = Preparation("range", 0.0, 255.0, (8, 8), 1)


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)


def _files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _shard(store):
    return next(path for path in _files(store.folder) if path.suffix == ".npy")


def test_features_come_back_by_digest_in_any_order(tmp_path, values):
    FeatureStore(tmp_path).space(Pixels(), PREPARATION).append(list("abcde"), values)
    space = FeatureStore(tmp_path).space(Pixels(), PREPARATION)
    found, stored = space.read(["d", "z", "a", "d"])
    assert stored.tolist() == [True, False, True, True]
    assert np.array_equal(found[stored], values[[3, 0, 3]])
    assert len(space) == 5


def test_an_empty_space_has_nothing(tmp_path):
    found, stored = FeatureStore(tmp_path).space(Pixels(), PREPARATION).read(["a", "b"])
    assert found is None
    assert stored.tolist() == [False, False]


def test_extractor_settings_and_preparation_have_spaces_of_their_own(tmp_path, values):
    store = FeatureStore(tmp_path)
    store.space(Pixels(), PREPARATION).append(list("abcde"), values)
    assert len(store.space(Pixels(size=16), PREPARATION)) == 0
    assert len(store.space(Pixels(), Preparation("range", 0.0, 1.0, (8, 8), 1))) == 0
    assert len(store.space(Pixels(), PREPARATION)) == 5


def test_two_writers_do_not_disturb_each_other(tmp_path, values):
    first = FeatureStore(tmp_path).space(Pixels(), PREPARATION)
    second = FeatureStore(tmp_path).space(Pixels(), PREPARATION)
    first.append(["a", "b"], values[:2])
    second.append(["b", "c"], values[1:3])
    found, stored = FeatureStore(tmp_path).space(Pixels(), PREPARATION).read(["a", "b", "c"])
    assert stored.all()
    assert np.array_equal(found, values[:3])


def test_features_lie_on_disk_as_memory_maps(tmp_path, values):
    space = FeatureStore(tmp_path).space(Pixels(), PREPARATION)
    space.append(list("abcde"), values)
    assert all(isinstance(shard, np.memmap) for shard in space._shards.values())


@pytest.mark.parametrize("damage", ["flipped", "truncated", "emptied", "other"])
def test_a_damaged_shard_is_removed_noted_and_forgotten(tmp_path, values, damage, caplog):
    store = FeatureStore(tmp_path)
    store.space(Pixels(), PREPARATION).append(["a", "b"], values[:2])
    path = _shard(store)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes({"flipped": bytes(content), "truncated": content[:-5], "emptied": b"", "other": b"text"}[damage])
    space = store.space(Pixels(), PREPARATION)
    space.append(["c"], values[2:3])
    found, stored = space.read(["a", "b", "c"])
    assert stored.tolist() == [False, False, True]
    assert np.array_equal(found[2], values[2])
    assert not path.exists()
    assert store.notes == [f"the stored features in {path} were damaged; they are computed anew"]
    assert store.notes[0] in caplog.text


def test_only_the_owner_may_look(tmp_path, values):
    store = FeatureStore(tmp_path / "new" / "store")
    store.space(Pixels(), PREPARATION).append(list("abcde"), values)
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in _files(store.folder)} == {0o600}


def test_a_failed_write_leaves_nothing_and_names_the_cause(tmp_path, values, monkeypatch):
    store = FeatureStore(tmp_path)
    space = store.space(Pixels(), PREPARATION)
    before = _files(tmp_path)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r": the disk is full; free some space or name another folder in .* FOURFOLD_"):
        space.append(list("abcde"), values)
    assert _files(tmp_path) == before


def test_an_interrupted_write_leaves_nothing(tmp_path, values, monkeypatch):
    space = FeatureStore(tmp_path).space(Pixels(), PREPARATION)
    before = _files(tmp_path)

    def interrupted(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        space.append(list("abcde"), values)
    assert _files(tmp_path) == before


def test_missing_permission_is_said(tmp_path, monkeypatch):
    def denied(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.mkdir", denied)
    with pytest.raises(InputError, match=r"store: no permission to create the feature store; change its permissions"):
        FeatureStore(tmp_path / "store").space(Pixels(), PREPARATION)


def test_a_file_in_the_place_of_the_folder_is_said(tmp_path):
    (tmp_path / "store").write_text("a file")
    with pytest.raises(InputError, match=r"store: cannot create the feature store \(.*\); mend it or name another"):
        FeatureStore(tmp_path / "store").space(Pixels(), PREPARATION)


def test_what_a_killed_run_left_behind_is_removed_after_a_day(tmp_path):
    store = FeatureStore(tmp_path)
    folder = store.space(Pixels(), PREPARATION).folder
    for name in (".old.part", ".new.part"):
        (folder / name).write_bytes(b"half a shard")
    os.utime(folder / ".old.part", (0, 0))
    store.space(Pixels(), PREPARATION)
    assert [path.name for path in folder.glob(".*.part")] == [".new.part"]


def test_the_default_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("FOURFOLD_STORE", str(tmp_path / "chosen"))
    assert default_folder() == FeatureStore().folder == tmp_path / "chosen"
    monkeypatch.delenv("FOURFOLD_STORE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert default_folder() == tmp_path / "cache" / "fourfold"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_folder() == tmp_path / "home" / ".cache" / "fourfold"
