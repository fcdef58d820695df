"""The precisions that blocks of distances are multiplied in, and how far each may be off.

Whatever the precision, nothing is decided by it: what a block lets through is scored again in float64, and what it
leaves out is left out by a bound on the error of its entries.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from fourfold.errors import InputError

__all__ = ["BFLOAT16", "DOUBLE", "SINGLE", "TF32", "Precision", "Screening", "precision_named"]

Screening = Literal["float32", "bfloat16", "tf32"]

# Probabilistic bound on the rounding error of an inner product, lambda sqrt(d) u |a| |b| (Higham & Mary, 2019),
# with lambda = 8: it fails with probability below 1e-13 a pair. Where d itself is smaller the bound is certain.
_LAMBDA = 8.0


@dataclass(frozen=True)
class Precision:
    """How rows are kept and multiplied.

    Parameters
    ----------
    name : str
    rows : torch.dtype
        Type of the rows as they are multiplied.
    entries : torch.dtype
        Type of the distances and of the sums within a product.
    cut : float
        Relative error of an entry of a row where the processor shortens rows further by itself.
    """

    name: str
    rows: torch.dtype
    entries: torch.dtype
    cut: float = 0.0

    @property
    def unit(self) -> float:
        """Largest relative error of one rounded operation on the entries."""
        return torch.finfo(self.entries).eps / 2

    @property
    def numpy(self) -> type[np.floating]:
        """Type that NumPy prepares rows in."""
        return np.float64 if self.rows == torch.float64 else np.float32

    def rounding(self, width: int) -> float:
        """Largest error of an entry of a block over |a|^2 + |b|^2, the loss of short rows (`loss`) left aside.

        The rounding of the product, and 16 units for that of the rows, of the three terms and of the float64 scores
        that entries are compared with.
        """
        return (min(width, _LAMBDA * width**0.5) + 16) * self.unit

    def loss(self, whole: torch.Tensor) -> float:
        """Largest |a - a'| / |a| of rows a that are shortened to a' for the product."""
        sizes = torch.linalg.vector_norm(whole, dim=1, dtype=torch.float64)
        missed = torch.linalg.vector_norm(whole.double() - whole.to(self.rows).double(), dim=1)
        relative = torch.where(sizes > 0, missed / sizes, missed)
        return float(relative.max()) * (1.0 + 2.0**-20) + self.cut

    def output_loss(self, device: torch.device) -> float:
        """Largest error, over |a|^2 + |b|^2, from a product that is handed back shortened."""
        return torch.finfo(self.rows).eps / 2 * 1.01 if self._shortens(device) else 0.0

    def product(self, left: torch.Tensor, right: torch.Tensor, out: torch.Tensor | None = None) -> torch.Tensor:
        """Left @ right.T as `entries`; written into `out` where that is given and can be."""
        if self.rows == self.entries and left.device.type == "cpu" and not self.cut:
            # NumPy's product is the faster one on some processors, and nowhere the slower one by much.
            if out is not None:
                np.matmul(left.numpy(), right.numpy().T, out=out.numpy())
                return out
            return torch.from_numpy(left.numpy() @ right.numpy().T)
        if self.rows == self.entries:
            with _tf32(bool(self.cut)):
                return left @ right.T
        if self._shortens(left.device):
            return (left @ right.T).to(self.entries)
        return torch.mm(left, right.T, out_dtype=self.entries)

    def _shortens(self, device: torch.device) -> bool:
        return self.rows != self.entries and device.type != "cuda"


@contextmanager
def _tf32(allowed: bool) -> Iterator[None]:
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


DOUBLE = Precision("float64", torch.float64, torch.float64)
SINGLE = Precision("float32", torch.float32, torch.float32)
BFLOAT16 = Precision("bfloat16", torch.bfloat16, torch.float32)
# Ten bits behind the point, and the rest may be cut off rather than rounded.
TF32 = Precision("tf32", torch.float32, torch.float32, cut=2.0**-10)


def precision_named(name: str) -> Precision:
    """The precision that a search is asked to begin with; raises InputError for others."""
    known = {one.name: one for one in (SINGLE, BFLOAT16, TF32)}
    if name not in known:
        raise InputError(f"screening must be one of {', '.join(known)}, got {name!r}")
    return known[name]
