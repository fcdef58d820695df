"""One scaling rule, one size and one number of channels for the sets that are compared."""

from __future__ import annotations

import numpy as np

from fourfold.images.sets import Preparation

__all__ = ["apply"]


def apply(preparation: Preparation, values: np.ndarray, path: str) -> np.ndarray:
    """Native values of one image as float32 in [0, 1] of the prepared shape."""
    values = np.asarray(values, dtype=np.float32)
    low, high = preparation.low, preparation.high
    if preparation.rule == "per-image":
        low, high = np.percentile(values, [low, high])
    span = max(float(high) - float(low), np.finfo(np.float32).tiny)
    return np.clip((values - low) / span, 0.0, 1.0).astype(np.float32)
