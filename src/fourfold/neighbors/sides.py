"""The rows of one set as blocks of distances need them: in a frame, in a precision, with their lengths.

A side is made once and meets as many others as there are questions.
"""

from __future__ import annotations

import numpy as np
import torch

from fourfold.neighbors.frames import Frame
from fourfold.neighbors.precision import SINGLE, Precision

__all__ = ["Side"]

_STEP = 256


class Side:
    """Rows of one set, ready to be multiplied.

    Parameters
    ----------
    values : array, shape (n, d)
    frame : Frame
    memory : int
        Bytes that a copy of the rows in the frame may take; without room for it they are brought there piecewise.
    chosen : array of int, or None
        Row numbers to take, in place of all.
    precision : Precision
    device : str
        Where products are done.

    Attributes
    ----------
    sizes : tensor of float64, shape (n,)
        Squared lengths of the rows.
    loss : float
        Largest relative error of a row as it is multiplied, see `Precision.loss`.
    """

    def __init__(
        self,
        values: np.ndarray,
        frame: Frame,
        memory: int,
        *,
        chosen: np.ndarray | None = None,
        precision: Precision = SINGLE,
        device: str = "cpu",
    ) -> None:
        self.values, self.frame, self.precision, self.chosen = (values, frame, precision, chosen)
        self.device = torch.device(device)
        self.count = len(values) if chosen is None else len(chosen)
        # Codes would lose their identity in float32.
        self._kind = np.float64 if frame.metric == "hamming" else precision.numpy
        self._ready: torch.Tensor | None = None
        keep = None
        # Rows that are in their frame already need no copy.
        # What is read-only, as a mapped file is, torch would not take without a copy.
        ready = frame.still and chosen is None and values.dtype == self._kind and values.flags.writeable
        if ready and self.device.type == "cpu":
            self._ready = torch.from_numpy(values) if precision.rows == precision.entries else None
        elif frame.metric != "hamming" and precision.rows.itemsize * frame.width * self.count <= memory:
            keep = torch.empty(self.count, frame.width, dtype=precision.rows, device=self.device)
        self.sizes, self.loss = torch.empty(self.count, dtype=torch.float64), 0.0
        lossy = precision.rows != precision.entries or precision.cut > 0.0
        for start in range(0, self.count, _STEP):
            part = slice(start, start + _STEP)
            whole = self._whole(part)
            self.sizes[part] = torch.linalg.vector_norm(whole, dim=1, dtype=torch.float64) ** 2
            if lossy:
                self.loss = max(self.loss, precision.loss(whole))
            if keep is not None:
                keep[part] = whole.to(self.device, keep.dtype)
        if keep is not None:
            self._ready = keep

    def rows(self, part: slice) -> torch.Tensor:
        """Some of the rows as they are multiplied, shape (rows, d)."""
        if self._ready is not None:
            return self._ready[part]
        whole = self._whole(part)
        return whole if self.frame.metric == "hamming" else whole.to(self.device, self.precision.rows)

    @property
    def ready(self) -> bool:
        """Whether the rows are held as they are multiplied."""
        return self._ready is not None

    def given(self, part: slice) -> np.ndarray:
        """The same rows as they were given."""
        return self.values[part] if self.chosen is None else self.values[self.chosen[part]]

    def _whole(self, part: slice) -> torch.Tensor:
        start, stop, _ = part.indices(self.count)
        values = np.empty((stop - start, self.frame.width), dtype=self._kind)
        for top in range(start, stop, _STEP):
            some = slice(top, min(top + _STEP, stop))
            self.frame.rows(self.given(some), self._kind, out=values[top - start : some.stop - start])
        return torch.from_numpy(values)
