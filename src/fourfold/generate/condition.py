"""A condition as a network takes it: tensors, one row an image, and what is left of them where it is withheld.

What users know as classes, findings, attributes, prompts, masks or features is turned into this by
`fourfold.generate.conditioning`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

__all__ = ["Condition"]


@dataclass(frozen=True)
class Condition:
    """Encoded conditions of n images; every part may be missing.

    Parameters
    ----------
    vector : tensor, shape (n, k), or None
        float32: classes one-hot, findings, attributes and features side by side. The last column is 1 where the
        condition is withheld, and then all others are 0.
    tokens : tensor, shape (n, L), or None
        int64 numbers of words, 0 for padding; all padding where the condition is withheld.
    context : tensor, shape (n, L, e), or None
        float32 word vectors of a text encoder that is not trained here; zeros where the condition is withheld.
    mask : tensor, shape (n, K, H, W) or (n, K, D, H, W), or None
        float32 one-hot maps of regions, background included; all 0 where the condition is withheld.
    told : tensor, shape (n, a), or None
        float32: what augmentation did to each training image, so that the network need not draw it; None is none.
    """

    vector: Tensor | None = None
    tokens: Tensor | None = None
    context: Tensor | None = None
    mask: Tensor | None = None
    told: Tensor | None = None

    def __len__(self) -> int:
        return next((len(part) for part in self._parts() if part is not None), 0)

    def withheld(self, rows: Tensor | None = None) -> Condition:
        """The same with some rows withheld, as for training without a condition (Ho & Salimans 2022).

        Parameters
        ----------
        rows : tensor of bool, shape (n,), or None
            None withholds all.
        """
        rows = torch.ones(len(self), dtype=torch.bool) if rows is None else rows

        def blank(part: Tensor) -> Tensor:
            hidden = rows.to(part.device).reshape(-1, *(1,) * (part.ndim - 1))
            return torch.where(hidden, torch.zeros_like(part), part)

        found = self._map(blank)
        if found.vector is None:
            return found
        vector = found.vector.clone()
        vector[rows.to(vector.device), -1] = 1.0
        return replace(found, vector=vector)

    def take(self, rows: Sequence[int] | Tensor) -> Condition:
        """The chosen rows."""
        return self._map(lambda part: part[torch.as_tensor(rows, device=part.device)])

    def to(self, device: torch.device | str) -> Condition:
        """The same on another device."""
        return self._map(lambda part: part.to(device))

    def _parts(self) -> list[Tensor | None]:
        return [getattr(self, field.name) for field in fields(self)]

    def _map(self, change: Callable[[Tensor], Tensor]) -> Condition:
        return Condition(*(None if part is None else change(part) for part in self._parts()))
