"""Weights and images that anybody can draw again: what the reference implementations were run on."""

import zlib

import numpy as np


def arrays(shapes, seed=7):
    """Weights under which a deep network neither dies nor explodes, each drawn from its own name."""
    return {name: _drawn(name, tuple(shape), seed) for name, shape in shapes.items()}


def _drawn(name, shape, seed):
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    if len(shape) > 1:
        return rng.standard_normal(shape, dtype=np.float32) * np.float32(np.sqrt(1.6 / np.prod(shape[1:])))
    if name.endswith((".weight", "running_var", "gamma")):
        return rng.random(shape, dtype=np.float32) + np.float32(0.5)
    return rng.standard_normal(shape, dtype=np.float32) * np.float32(0.1)


def images(*shape, seed=11):
    """Images or volumes of 8-bit blocks in [0, 1]."""
    coarse = np.random.default_rng(seed).integers(0, 256, (*shape[:2], *(-(-length // 8) for length in shape[2:])))
    for axis in range(2, len(shape)):
        coarse = np.repeat(coarse, 8, axis=axis)
    return (coarse[(..., *(slice(length) for length in shape[2:]))] / 255).astype(np.float32)
