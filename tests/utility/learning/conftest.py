import numpy as np
import pytest


def draw_spots(seed, count, shape=(24, 24)):
    """Grey noise; every second image has a bright square somewhere. Images, whether each has one, and where."""
    random = np.random.default_rng([31, seed])
    images = (0.4 + 0.1 * random.normal(size=(count, 1, *shape))).astype(np.float32)
    maps = np.zeros((count, *shape), dtype=np.uint8)
    present = np.arange(count) % 2
    for image, where, here in zip(images, maps, present, strict=True):
        if here:
            corner = [int(random.integers(0, side - side // 3)) for side in shape]
            square = tuple(slice(start, start + side // 3) for start, side in zip(corner, shape, strict=True))
            image[(0, *square)] += 0.25
            where[square] = 1
    return images.clip(0, 1), present, maps


@pytest.fixture
def spots():
    return draw_spots
