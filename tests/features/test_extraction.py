import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from fourfold.errors import InputError
from fourfold.features import FeatureExtractor, FeatureStore, extract
from fourfold.images.sets import Entry, ImageSet, Preparation

PREPARATION = Preparation("range", 0.0, 1.0, (4, 4), 1)


class Counting(FeatureExtractor):
    """Mean and first pixel; counts images, and fails after `limit` of them."""

    name = "counting"

    def __init__(
        self, limit: int | None = None, error: Callable[[str], BaseException] = RuntimeError, scale: float = 1.0
    ) -> None:
        self.limit, self.error, self.scale, self.seen = limit, error, scale, 0

    def settings(self):
        return {"scale": self.scale}

    def __call__(self, images):
        if self.limit is not None and self.seen + len(images) > self.limit:
            raise self.error("stop")
        self.seen += len(images)
        flat = images.flatten(1) * self.scale
        return torch.stack([flat.mean(dim=1), flat[:, 0]], dim=1)


def _images(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((count, 1, 4, 4), dtype=np.float32)


def _set(images: np.ndarray) -> ImageSet:
    return replace(ImageSet.from_array(images, name="training"), preparation=PREPARATION)


def _expected(images: np.ndarray) -> np.ndarray:
    flat = images.reshape(len(images), -1)
    return np.stack([flat.mean(axis=1), flat[:, 0]], axis=1)


@pytest.fixture
def store(tmp_path):
    return FeatureStore(tmp_path / "store")


def test_a_device_that_is_too_small_is_said_in_words():
    with pytest.raises(InputError, match="not enough memory; take smaller images with --size"):
        extract(_set(_images(4)), Counting(limit=0, error=lambda _: torch.cuda.OutOfMemoryError("CUDA out of memory")))


def test_features_are_those_of_the_extractor_with_and_without_a_store(store):
    images = _images(10)
    for chosen in (None, store, store):
        found = extract(_set(images), Counting(), store=chosen, batch_size=3)
        assert found.dtype == np.float32
        assert np.allclose(found, _expected(images))


def test_a_second_extraction_computes_nothing(store):
    images, extractor = _images(10), Counting()
    first = extract(_set(images), extractor, store=store)
    second = extract(_set(images), extractor, store=FeatureStore(store.folder))
    assert extractor.seen == 10
    assert np.array_equal(first, second)


def test_only_new_images_are_decoded_and_computed(store):
    images, extractor = _images(12), Counting()
    extract(_set(images[:8]), extractor, store=store)
    decoded = []
    images_set = _set(images[::-1])
    decode = images_set.decode
    watched = replace(images_set, decode=lambda entry: decoded.append(entry.index) or decode(entry))
    # Arrays have to be read for their digest; what is decoded once more is what is computed.
    found = extract(watched, extractor, store=store, batch_size=2)
    assert extractor.seen == 12
    assert sorted(row for row in decoded if decoded.count(row) > 1) == sorted([0, 1, 2, 3] * 2)
    assert np.allclose(found, _expected(images[::-1]))


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_run_goes_on_where_it_stopped(store, error):
    images = _images(600)
    with pytest.raises(error):
        extract(_set(images), Counting(limit=300, error=error), store=store, batch_size=10)
    rest = Counting()
    found = extract(_set(images), rest, store=store, batch_size=10)
    assert rest.seen == 300
    assert np.allclose(found, _expected(images))
    assert not [path for path in store.folder.rglob("*") if path.suffix == ".part"]


def test_an_interruption_by_the_caller_keeps_what_is_finished(store):
    def interrupt(task, done, total):
        if done >= 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract(_set(_images(40)), Counting(), store=store, batch_size=10, progress=interrupt)
    rest = Counting()
    extract(_set(_images(40)), rest, store=store)
    assert rest.seen == 20


def test_changed_content_under_the_same_name_is_computed_anew(tmp_path, store):
    file = tmp_path / "image.png"

    def image_set(value: int) -> ImageSet:
        Image.fromarray(np.full((4, 4), value, dtype=np.uint8)).save(file)
        entry = Entry(path="image.png", file=file)
        decode = lambda entry: np.asarray(Image.open(entry.file))[None] / 255.0  # noqa: E731
        return ImageSet(name="training", entries=(entry,), decode=decode, preparation=PREPARATION)

    extractor = Counting()
    assert extract(image_set(51), extractor, store=store)[0, 0] == pytest.approx(0.2)
    assert extract(image_set(102), extractor, store=store)[0, 0] == pytest.approx(0.4)
    assert extract(image_set(51), extractor, store=store)[0, 0] == pytest.approx(0.2)
    assert extractor.seen == 2


def test_other_settings_or_another_preparation_are_computed_anew(store):
    images = _images(5)
    extract(_set(images), Counting(), store=store)
    scaled = Counting(scale=2.0)
    assert np.allclose(extract(_set(images), scaled, store=store), 2 * _expected(images))
    prepared = Counting()
    narrower = replace(_set(images), preparation=replace(PREPARATION, high=2.0))
    assert np.allclose(extract(narrower, prepared, store=store), _expected(images) / 2)
    assert (scaled.seen, prepared.seen) == (5, 5)


def test_duplicates_are_computed_once_with_and_without_a_store(store):
    images = _images(4)[[0, 1, 0, 2, 1, 0, 3]]
    for chosen in (None, store):
        extractor = Counting()
        found = extract(_set(images), extractor, store=chosen, batch_size=2)
        assert extractor.seen == 4
        assert np.allclose(found, _expected(images))


def test_images_are_decoded_while_the_network_runs():
    images, decoded, running = _set(_images(12)), [], []

    class Watching(Counting):
        def __call__(self, images):
            # The next batch comes although this one has not left the network.
            begun = time.monotonic()
            while len(decoded) < min(12, self.seen + len(images) + 3) and time.monotonic() < begun + 5:
                time.sleep(0.001)
            running.append(len(decoded))
            return super().__call__(images)

    decode = images.decode
    watched = replace(images, decode=lambda entry: decoded.append(entry.index) or decode(entry))
    extract(watched, Watching(), batch_size=3)
    assert all(count >= min(12, 3 * batch + 6) for batch, count in enumerate(running))


def test_a_damaged_shard_is_computed_anew_and_said(store):
    images = _images(300)
    extract(_set(images), Counting(), store=store, batch_size=32)
    shard = max(store.folder.rglob("*.npy"), key=lambda path: path.stat().st_size)
    shard.write_bytes(shard.read_bytes()[:-1])
    extractor = Counting()
    found = extract(_set(images), extractor, store=store)
    assert extractor.seen == 256
    assert np.allclose(found, _expected(images))
    assert len(store.notes) == 1
    again = Counting()
    extract(_set(images), again, store=store)
    assert again.seen == 0


def test_features_that_are_not_finite_name_the_image(store):
    class Contrast(Counting):
        def __call__(self, images):
            return 1 / images.flatten(1).std(dim=1, keepdim=True)

    images = _images(9)
    images[7] = 0.5
    for chosen in (None, store):
        with pytest.raises(InputError) as caught:
            extract(_set(images), Contrast(), store=chosen, batch_size=4)
        assert str(caught.value) == (
            "training[7]: the feature extractor 'counting' gives NaN or infinite values for this image; "
            "look at the image, and leave it out or use another extractor"
        )


def test_features_of_a_wrong_shape_are_refused():
    class Flat(Counting):
        def __call__(self, images):
            return images.mean(dim=(1, 2, 3))

    with pytest.raises(InputError, match=r"^the feature extractor 'counting' gives shape \(3,\) for 3 images"):
        extract(_set(_images(3)), Flat())


def test_an_empty_set_is_refused():
    with pytest.raises(InputError, match=r"^the training set holds no image; check its path$"):
        extract(_set(_images(0)), Counting())


def test_progress_starts_at_what_is_stored_and_ends_at_the_total(store):
    images = _images(10)
    extract(_set(images[:4]), Counting(), store=store)
    calls = []
    extract(_set(images), Counting(), store=store, batch_size=3, progress=lambda *call: calls.append(call))
    assert [call[1:] for call in calls] == [(4, 10), (7, 10), (10, 10)]
    assert {call[0] for call in calls} == {"counting features of the training set"}
