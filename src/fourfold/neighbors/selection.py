"""The few smallest entries of every row, kept while the blocks of a matrix go by.

After the first blocks, few entries of a block are smaller than what is kept. Those few are set aside, and rows are put
in order again only when the space for them runs out; a block with many of them is reduced on the whole.
"""

from __future__ import annotations

import numpy as np
import torch

__all__ = ["Smallest"]

# Columns of a block are reduced in this many interleaved strips before the selection: the k smallest entries of a
# row lie in the k strips with the smallest minima, so the costly selection sees few of the entries. The more are
# kept, the fewer strips pay.
_STRIPS = (16, 8, 4)
# Entries set aside for a row at most.
_ASIDE = 32


class Smallest:
    """The `kept` smallest entries of each row so far, smallest first, and their columns.

    Parameters
    ----------
    rows : int
    kept : int
        At least 1.
    dtype : torch.dtype
    device : torch.device
    """

    def __init__(self, rows: int, kept: int, dtype: torch.dtype, device: torch.device) -> None:
        self._values = torch.full((rows, kept), torch.inf, dtype=dtype, device=device)
        self._columns = torch.full((rows, kept), -1, dtype=torch.int64, device=device)
        # On other devices, looking for the few entries would wait for every block.
        self._aside = _Aside(rows, self._values) if device.type == "cpu" and dtype == torch.float32 else None

    @property
    def kept(self) -> int:
        """How many are kept a row."""
        return self._values.shape[1]

    @property
    def values(self) -> torch.Tensor:
        """Shape (rows, kept); infinity where fewer were seen."""
        self._order(slice(0, len(self._values)))
        return self._values

    @property
    def columns(self) -> torch.Tensor:
        """int64, shape (rows, kept); -1 where fewer were seen."""
        self._order(slice(0, len(self._values)))
        return self._columns

    def take(self, rows: slice, columns: slice, block: torch.Tensor) -> None:
        """Look through a block, shape (rows, columns)."""
        if self._aside is not None and self._aside.put(rows, columns.start, block.numpy()):
            return
        self._order(rows)
        values, places = _smallest(block, self.kept)
        self._merge(rows, values, places, columns.start)

    def take_transposed(self, rows: slice, columns: slice, block: torch.Tensor) -> None:
        """The same for the transpose of a block, shape (columns, rows), without moving it."""
        if self._aside is not None and self._aside.put(rows, columns.start, block.numpy(), transposed=True):
            return
        self._order(rows)
        values, places = _smallest_by_column(block, self.kept)
        self._merge(rows, values, places, columns.start)

    def _order(self, rows: slice) -> None:
        """Put in order what was set aside."""
        if self._aside is not None and self._aside.holds(rows):
            values, columns = self._aside.emptied(rows)
            self._merge(rows, torch.from_numpy(values), torch.from_numpy(columns), 0)

    def _merge(self, rows: slice, values: torch.Tensor, places: torch.Tensor, offset: int) -> None:
        # An excluded pair is infinite, and takes no place.
        places = torch.where(torch.isinf(values), -1, places + offset)
        together = torch.cat([self._values[rows], values], dim=1)
        numbers = torch.cat([self._columns[rows], places], dim=1)
        self._values[rows], order = torch.topk(together, self.kept, dim=1, largest=False)
        self._columns[rows] = numbers.gather(1, order)


class _Aside:
    """Entries smaller than the largest that is kept of their row, in no order.

    Parameters
    ----------
    rows : int
    kept : tensor, shape (rows, kept)
        Smallest first; looked at anew for every block.
    """

    def __init__(self, rows: int, kept: torch.Tensor) -> None:
        self._kept = kept.numpy()
        self._values = np.full((rows, _ASIDE), np.inf, dtype=np.float32)
        self._columns = np.full((rows, _ASIDE), -1, dtype=np.int64)
        self._filled = np.zeros(rows, dtype=np.int64)

    def holds(self, rows: slice) -> bool:
        """Whether there is anything of these rows."""
        return bool(self._filled[rows].any())

    def put(self, rows: slice, first: int, block: np.ndarray, *, transposed: bool = False) -> bool:
        """Set the entries of a block aside that may have to be kept; False, and nothing done, where there is no room.

        The block has the shape (rows, columns), or the other way round where `transposed`; its columns start at
        `first`.
        """
        limits = self._kept[rows, -1]
        if not np.isfinite(limits).all():
            return False
        hits = np.flatnonzero(block < (limits[None] if transposed else limits[:, None]))
        if len(hits) > len(limits) * _ASIDE:
            return False
        found = block.ravel()[hits] if block.flags.c_contiguous else block[np.divmod(hits, block.shape[1])]
        i, j = np.divmod(hits, block.shape[1])
        if transposed:
            order = np.argsort(j, kind="stable")
            i, j, found = j[order], i[order], found[order]
        counts = np.bincount(i, minlength=len(limits))
        filled = self._filled[rows]
        if (filled + counts).max(initial=0) > _ASIDE:
            return False
        # Hits are in the order of their rows: the place of each is its rank among those of its row.
        place = filled[i] + np.arange(len(i)) - (np.cumsum(counts) - counts)[i]
        row = i + rows.start
        self._values[row, place] = found
        self._columns[row, place] = j + first
        self._filled[rows] = filled + counts
        return True

    def emptied(self, rows: slice) -> tuple[np.ndarray, np.ndarray]:
        """Values and columns that were set aside, shapes (rows, n); there is room again."""
        most = int(self._filled[rows].max())
        values, columns = self._values[rows, :most].copy(), self._columns[rows, :most].copy()
        self._values[rows, :most], self._filled[rows] = np.inf, 0
        return values, columns


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
