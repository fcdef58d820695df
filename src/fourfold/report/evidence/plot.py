"""A drawing with the sentences that say how to read it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

__all__ = ["Plot", "some"]


@dataclass(frozen=True)
class Plot:
    """A drawing, its title and its caption.

    `internal` drawings have a mark for single real images and stay out of the shareable edition; `shareable`
    ones stand in for them there.
    """

    title: str
    svg: Markup
    caption: str
    wide: bool = False
    internal: bool = True
    shareable: bool = True


def some(total: int, limit: int, rng: np.random.Generator) -> np.ndarray:
    """At most `limit` row numbers out of `total`, sorted; all of them where they are few enough."""
    return np.arange(total) if total <= limit else np.sort(rng.choice(total, limit, replace=False))
