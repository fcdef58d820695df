"""Random numbers that belong to an image and not to a batch: image k is the same whatever is drawn beside it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["Noise"]


class Noise:
    """Gaussian noise, a stream of its own for each image.

    Parameters
    ----------
    seeds : sequence of int, length n
        One an image.
    shape : tuple of int
        Shape of one image's noise.
    device : torch.device or str
        Numbers are drawn on the CPU, so that they are the same on every device, and moved.

    Examples
    --------
    >>> both, alone = Noise([7, 8], (1, 2, 2)), Noise([8], (1, 2, 2))
    >>> torch.equal(both()[1:], alone()), torch.equal(both()[1:], alone())
    (True, True)
    """

    def __init__(self, seeds: Sequence[int], shape: tuple[int, ...], device: torch.device | str = "cpu") -> None:
        self.shape = tuple(shape)
        self.device = device
        self._streams = [torch.Generator().manual_seed(int(seed)) for seed in seeds]

    def __len__(self) -> int:
        return len(self._streams)

    def __call__(self) -> Tensor:
        """The next numbers of every stream, shape (n, *shape), float32."""
        return torch.stack([torch.randn(self.shape, generator=stream) for stream in self._streams]).to(self.device)
