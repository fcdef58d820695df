"""The few smallest entries of every row, kept while the blocks of a matrix go by."""

from __future__ import annotations

import torch

__all__ = ["Smallest"]

# Columns of a block are reduced in this many interleaved strips before the selection: the k smallest entries of a
# row lie in the k strips with the smallest minima, so the costly selection sees few of the entries. The more are
# kept, the fewer strips pay.
_STRIPS = (16, 8, 4)


class Smallest:
    """The `kept` smallest entries of each row so far, smallest first, and their columns.

    Parameters
    ----------
    rows : int
    kept : int
        At least 1.
    dtype : torch.dtype
    device : torch.device

    Attributes
    ----------
    values : tensor, shape (rows, kept)
        Infinity where fewer were seen.
    columns : tensor of int64, shape (rows, kept)
        -1 where fewer were seen.
    """

    def __init__(self, rows: int, kept: int, dtype: torch.dtype, device: torch.device) -> None:
        self.values = torch.full((rows, kept), torch.inf, dtype=dtype, device=device)
        self.columns = torch.full((rows, kept), -1, dtype=torch.int64, device=device)

    @property
    def kept(self) -> int:
        """How many are kept a row."""
        return self.values.shape[1]

    def take(self, rows: slice, columns: slice, block: torch.Tensor) -> None:
        """Look through a block, shape (rows, columns)."""
        values, places = _smallest(block, self.kept)
        self._merge(rows, values, places, columns.start)

    def take_transposed(self, rows: slice, columns: slice, block: torch.Tensor) -> None:
        """The same for the transpose of a block, shape (columns, rows), without moving it."""
        values, places = _smallest_by_column(block, self.kept)
        self._merge(rows, values, places, columns.start)

    def _merge(self, rows: slice, values: torch.Tensor, places: torch.Tensor, offset: int) -> None:
        # An excluded pair is infinite, and takes no place.
        places = torch.where(torch.isinf(values), -1, places + offset)
        together = torch.cat([self.values[rows], values], dim=1)
        numbers = torch.cat([self.columns[rows], places], dim=1)
        self.values[rows], order = torch.topk(together, self.kept, dim=1, largest=False)
        self.columns[rows] = numbers.gather(1, order)


def _strips(size: int, kept: int) -> int:
    """How many strips to reduce; 0 where the strips would leave as much to select from."""
    return next((strips for strips in _STRIPS if size // strips > 2 * kept), 0)


def _smallest(block: torch.Tensor, kept: int) -> tuple[torch.Tensor, torch.Tensor]:
    height, width = block.shape
    strips = _strips(width, kept)
    if not strips:
        return torch.topk(block, min(kept, width), dim=1, largest=False)
    strip = width // strips
    minima = block[:, : strip * strips].view(height, strips, strip).amin(dim=1)
    chosen = torch.topk(minima, kept, dim=1, largest=False, sorted=False).indices
    columns = (chosen[:, :, None] + torch.arange(strips, device=block.device) * strip).view(height, -1)
    rest = torch.arange(strip * strips, width, device=block.device).expand(height, -1)
    columns = torch.cat([columns, rest], dim=1)
    values, order = torch.topk(block.gather(1, columns), kept, dim=1, largest=False)
    return values, columns.gather(1, order)


def _smallest_by_column(block: torch.Tensor, kept: int) -> tuple[torch.Tensor, torch.Tensor]:
    height, width = block.shape
    strips = _strips(height, kept)
    if not strips:
        values, places = torch.topk(block, min(kept, height), dim=0, largest=False)
        return values.T, places.T
    strip = height // strips
    minima = block[: strip * strips].view(strips, strip, width).amin(dim=0)
    chosen = torch.topk(minima.T.contiguous(), kept, dim=1, largest=False, sorted=False).indices
    rows = (chosen[:, :, None] + torch.arange(strips, device=block.device) * strip).view(width, -1)
    rest = torch.arange(strip * strips, height, device=block.device).expand(width, -1)
    rows = torch.cat([rows, rest], dim=1)
    candidates = block[rows, torch.arange(width, device=block.device)[:, None]]
    values, order = torch.topk(candidates, kept, dim=1, largest=False)
    return values, rows.gather(1, order)
