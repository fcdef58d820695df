"""Features are the same wherever they are computed."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from fourfold.engine import LOCAL
from fourfold.errors import FourfoldError, InputError
from fourfold.features import FeatureStore, extract, get
from fourfold.features.remote import RemoteStore
from fourfold.images import open_set, prepare
from fourfold.images.sets import ImageSet

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.*"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray.*"),
]


@pytest.fixture(scope="module")
def pieces():
    import pieces

    return pieces


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """Thirty small films, two of them the same, as files."""
    folder = tmp_path_factory.mktemp("films")
    drawn = np.random.default_rng(0).integers(0, 256, (30, 16, 16), dtype=np.uint8)
    drawn[7] = drawn[3]
    for number, image in enumerate(drawn):
        Image.fromarray(image).save(folder / f"{number:02d}.png")
    return _prepared(open_set(folder, name="training"))


def _prepared(image_set):
    return prepare({"training": image_set})["training"]


def test_features_are_those_of_the_local_engine(engine, films):
    radiomics, calls = get("radiomics"), []
    expected = extract(films, radiomics, batch_size=8)
    found = extract(films, radiomics, batch_size=8, engine=engine, progress=lambda *call: calls.append(call[1:]))
    assert np.allclose(found, expected, rtol=1e-6, atol=1e-6)
    assert (calls[0], calls[-1]) == ((0, 30), (30, 30))
    assert [done for done, _ in calls] == sorted({done for done, _ in calls})


def test_arrays_in_memory_travel_once(engine, pieces):
    images = np.random.default_rng(1).random((50, 1, 4, 4), dtype=np.float32)
    held = _prepared(ImageSet.from_array(images))
    expected = extract(held, pieces.Moments())
    assert np.array_equal(extract(held, pieces.Moments(), batch_size=4, engine=engine), expected)


def test_what_was_computed_is_stored_and_not_computed_again(engine, films, pieces, tmp_path):
    store = FeatureStore(tmp_path / "store")
    first = extract(films, pieces.Moments(), store=store, batch_size=4, engine=engine)
    assert len(store.space(pieces.Moments(), films.preparation)) == 29
    again = extract(films, pieces.Moments(), store=store, engine=_Idle())
    assert np.array_equal(first, again)


class _Idle(type(LOCAL)):
    """An engine that must not be asked for features."""

    @property
    def here(self):
        return False

    def map(self, work, pieces):
        return map(work, pieces)

    def stream(self, make, pieces, accelerated=False):
        raise AssertionError("nothing is left to compute")


class _Forgetful(_Idle):
    """An engine that gives only some of the results."""

    def stream(self, make, pieces, accelerated=False):
        work = make()
        return iter([(place, work(piece)) for place, piece in enumerate(pieces) if place != 1])


def test_an_engine_that_loses_a_part_is_an_error_and_never_a_feature_of_nought(films, pieces):
    with pytest.raises(FourfoldError, match=r"^the engine 'local' gave features of 22 of 30 images; run it again$"):
        extract(films, pieces.Moments(), batch_size=4, engine=_Forgetful())


def test_workers_write_shards_where_a_url_says(engine, films, pieces, tmp_path):
    store = RemoteStore(f"file://{tmp_path}/shards")
    first = extract(films, pieces.Moments(), store=store, batch_size=4, engine=engine)
    assert len(list(tmp_path.rglob("*.parquet"))) >= min(engine.workers, 2)
    assert not [path for path in tmp_path.rglob("*") if path.suffix == ".part"]
    again = extract(films, pieces.Moments(), store=RemoteStore(f"file://{tmp_path}/shards"), engine=_Idle())
    assert np.array_equal(first, again)


def test_an_image_that_cannot_be_read_is_named(engine, films, pieces, tmp_path):
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(films.entries[5].file.read_bytes()[:60])
    entries = [replace(entry, file=damaged) if row == 5 else entry for row, entry in enumerate(films.entries)]
    with pytest.raises(InputError, match=r"^05\.png: "):
        extract(replace(films, entries=tuple(entries)), pieces.Moments(), batch_size=4, engine=engine)


@pytest.mark.parametrize("name", ["process_engine", "ray_engine"])
def test_a_killed_worker_costs_no_feature(name, request, films, pieces, tmp_path):
    engine = request.getfixturevalue(name)
    found = extract(films, pieces.Moments(tmp_path), batch_size=2, engine=engine)
    assert (tmp_path / "died").exists()
    assert np.array_equal(found, extract(films, pieces.Moments()))
