"""LPIPS: the distance of two images by learned weights on the differences of a network's maps.

With y_l and y'_l the maps of both images at stage l, each place's vector of channels divided by its length, and w_l
the learned weights: ``sum_l mean_places sum_channels w_l (y_l - y'_l)^2``.

References
----------
Zhang, Isola, Efros, Shechtman and Wang, "The unreasonable effectiveness of deep features as a perceptual metric", CVPR
2018; weights of version 0.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fourfold.errors import InputError
from fourfold.features.inputs import with_channels
from fourfold.features.perceptual.stages import read_backbone, stage_maps
from fourfold.features.weights import read_arrays, sha256_of, weights_file

__all__ = ["Lpips", "open_lpips"]

# Mean and standard deviation of ImageNet for values in [-1, 1], as LPIPS rounds them.
_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)
_SHORTEST = 1e-10


@dataclass(frozen=True, eq=False)
class Lpips:
    """The distance of pairs; called with two batches.

    Parameters
    ----------
    network : {"alex", "vgg", "squeeze"}
    backbone : dict of str to Tensor
    heads : tuple of Tensor, each of shape (channels,)
        One a stage, not negative.
    sha256 : dict of str to str
        Of the files, by ``"backbone"`` and ``"heads"``.
    """

    network: str
    backbone: dict[str, Tensor]
    heads: tuple[Tensor, ...]
    sha256: dict[str, str]

    @property
    def name(self) -> str:
        """How reports call it."""
        return f"lpips_{self.network}"

    def describe(self) -> dict[str, Any]:
        """Network and SHA-256 of its files."""
        return {"name": self.name, "weights": dict(self.sha256), "source": "Zhang et al. 2018"}

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """Distances of row i of x and row i of y.

        Parameters
        ----------
        x, y : Tensors, shape (B, C, H, W)
            In [0, 1], C = 1 or 3, at least 32 pixels a side.

        Returns
        -------
        Tensor, shape (B,)
            0 for equal images; the same either way round.
        """
        total = torch.zeros(len(x), dtype=x.dtype, device=x.device)
        for head, one, other in zip(self.heads, self._maps(x), self._maps(y), strict=True):
            total = total + torch.einsum("bchw,c->bhw", (one - other).square(), head.to(x)).mean(dim=(1, 2))
        return total

    def _maps(self, images: Tensor) -> list[Tensor]:
        shift, scale = (torch.tensor(row).to(images).reshape(1, 3, 1, 1) for row in (_SHIFT, _SCALE))
        scaled = (2 * with_channels(images, 3) - 1 - shift) / scale
        weights = {name: value.to(images) for name, value in self.backbone.items()}
        maps = stage_maps(self.network, weights, scaled)
        return [found / (found.norm(dim=1, keepdim=True) + _SHORTEST) for found in maps]


def open_lpips(network: str, backbone: str | Path, heads: str | Path) -> Lpips:
    """LPIPS from two files.

    Parameters
    ----------
    network : {"alex", "vgg", "squeeze"}
    backbone : str or Path
        torchvision's network of that name, trained on ImageNet; see `read_backbone`.
    heads : str or Path
        The learned weights of version 0.1 for it, as npz, safetensors or state dict.

    Raises
    ------
    InputError
        Where a file is missing, or holds something else.
    """
    weights = read_backbone(network, backbone)
    file = weights_file(heads)
    arrays = read_arrays(file)
    found = []
    while f"lin{len(found)}.model.1.weight" in arrays:
        found.append(torch.from_numpy(arrays[f"lin{len(found)}.model.1.weight"]).float().flatten())
    with torch.no_grad():
        widths = [maps.shape[1] for maps in stage_maps(network, weights, torch.zeros(1, 3, 64, 64))]
    if [len(head) for head in found] != widths:
        raise InputError(f"{heads}: holds no LPIPS weights for {network!r}; give version 0.1 of that network")
    return Lpips(network, weights, tuple(found), {"backbone": sha256_of(Path(backbone)), "heads": sha256_of(file)})
