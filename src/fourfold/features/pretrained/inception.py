"""InceptionV3, and the variant of it whose features the Frechet inception distance was defined on.

The two differ in their pools only. In the network that was published with FID, averages leave out the padding, and the
last block takes the maximum where the others take the average. Neither MONAI nor transformers has either of the two.

References
----------
Szegedy et al., "Rethinking the Inception architecture", CVPR 2016; Heusel et al., "GANs trained by a two time-scale
update rule", NeurIPS 2017 (FID).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["InceptionV3", "fid_inception", "plain_inception"]

# Of the batch normalisations, as the network was trained.
_EPSILON = 1e-3


class Layer(NamedTuple):
    """A convolution without bias, its batch normalisation and ReLU.

    A kernel is padded to keep the size where `stride` is 1, and not at all where it is 2.
    """

    name: str
    outputs: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1


class Block(NamedTuple):
    """Chains of layers side by side, all of them from the same map.

    One more chain is the block's pool, with the layer `after_pool` behind it if there is one. `forks` has for each
    chain the layers that its last map goes into side by side; empty where no chain ends so.
    """

    name: str
    chains: tuple[tuple[Layer, ...], ...]
    after_pool: Layer | None = None
    forks: tuple[tuple[Layer, ...], ...] = ()

    def parts(self) -> list[tuple[tuple[Layer, ...], tuple[Layer, ...]]]:
        """Each chain with its fork."""
        return list(zip(self.chains, self.forks or ((),) * len(self.chains), strict=True))


def _with_five(name: str, pooled: int) -> Block:
    return Block(
        name,
        (
            (Layer("branch1x1", 64),),
            (Layer("branch5x5_1", 48), Layer("branch5x5_2", 64, (5, 5))),
            (Layer("branch3x3dbl_1", 64), Layer("branch3x3dbl_2", 96, (3, 3)), Layer("branch3x3dbl_3", 96, (3, 3))),
        ),
        Layer("branch_pool", pooled),
    )


def _with_seven(name: str, width: int) -> Block:
    return Block(
        name,
        (
            (Layer("branch1x1", 192),),
            (
                Layer("branch7x7_1", width),
                Layer("branch7x7_2", width, (1, 7)),
                Layer("branch7x7_3", 192, (7, 1)),
            ),
            (
                Layer("branch7x7dbl_1", width),
                Layer("branch7x7dbl_2", width, (7, 1)),
                Layer("branch7x7dbl_3", width, (1, 7)),
                Layer("branch7x7dbl_4", width, (7, 1)),
                Layer("branch7x7dbl_5", 192, (1, 7)),
            ),
        ),
        Layer("branch_pool", 192),
    )


def _with_forks(name: str) -> Block:
    return Block(
        name,
        (
            (Layer("branch1x1", 320),),
            (Layer("branch3x3_1", 384),),
            (Layer("branch3x3dbl_1", 448), Layer("branch3x3dbl_2", 384, (3, 3))),
        ),
        Layer("branch_pool", 192),
        (
            (),
            (Layer("branch3x3_2a", 384, (1, 3)), Layer("branch3x3_2b", 384, (3, 1))),
            (Layer("branch3x3dbl_3a", 384, (1, 3)), Layer("branch3x3dbl_3b", 384, (3, 1))),
        ),
    )


# Szegedy et al. 2016, table 1 and figures 5 to 7; names as in the published weights.
BLOCKS = (
    _with_five("Mixed_5b", 32),
    _with_five("Mixed_5c", 64),
    _with_five("Mixed_5d", 64),
    Block(
        "Mixed_6a",
        (
            (Layer("branch3x3", 384, (3, 3), 2),),
            (Layer("branch3x3dbl_1", 64), Layer("branch3x3dbl_2", 96, (3, 3)), Layer("branch3x3dbl_3", 96, (3, 3), 2)),
        ),
    ),
    _with_seven("Mixed_6b", 128),
    _with_seven("Mixed_6c", 160),
    _with_seven("Mixed_6d", 160),
    _with_seven("Mixed_6e", 192),
    Block(
        "Mixed_7a",
        (
            (Layer("branch3x3_1", 192), Layer("branch3x3_2", 320, (3, 3), 2)),
            (
                Layer("branch7x7x3_1", 192),
                Layer("branch7x7x3_2", 192, (1, 7)),
                Layer("branch7x7x3_3", 192, (7, 1)),
                Layer("branch7x7x3_4", 192, (3, 3), 2),
            ),
        ),
    ),
    _with_forks("Mixed_7b"),
    _with_forks("Mixed_7c"),
)


def fid_inception() -> InceptionV3:
    """The network of FID; features of 2048 columns."""
    return InceptionV3(average=nn.AvgPool2d(3, 1, 1, count_include_pad=False), last=nn.MaxPool2d(3, 1, 1))


def plain_inception() -> InceptionV3:
    """The network as published, without its auxiliary head; features of 2048 columns."""
    return InceptionV3(average=nn.AvgPool2d(3, 1, 1), last=nn.AvgPool2d(3, 1, 1))


class InceptionV3(nn.Module):
    """Images of shape (B, 3, H, W) to the average over pixels of the last map, shape (B, 2048).

    Parameters
    ----------
    average : nn.Module
        The pool inside the blocks that keep the size of the map.
    last : nn.Module
        The same inside the last block.
    """

    def __init__(self, average: nn.Module, last: nn.Module) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = _Convolution(3, Layer("", 32, (3, 3), 2))
        self.Conv2d_2a_3x3 = _Convolution(32, Layer("", 32, (3, 3)), padded=False)
        self.Conv2d_2b_3x3 = _Convolution(32, Layer("", 64, (3, 3)))
        self.Conv2d_3b_1x1 = _Convolution(64, Layer("", 80))
        self.Conv2d_4a_3x3 = _Convolution(80, Layer("", 192, (3, 3)), padded=False)
        self._halve = nn.MaxPool2d(3, 2)
        inputs = 192
        for block in BLOCKS:
            keeps = last if block is BLOCKS[-1] else average
            mixed = _Mixed(inputs, block, keeps if block.after_pool else self._halve)
            self.add_module(block.name, mixed)
            inputs = mixed.outputs

    def forward(self, images: Tensor) -> Tensor:
        """Features of shape (B, 2048), not negative."""
        values = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(images)))
        values = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(self._halve(values)))
        values = self._halve(values)
        for block in BLOCKS:
            values = self.get_submodule(block.name)(values)
        return values.mean(dim=(2, 3))


class _Mixed(nn.Module):
    def __init__(self, inputs: int, block: Block, pool: nn.Module) -> None:
        super().__init__()
        self._block, self._pool = block, pool
        self.outputs = 0 if block.after_pool else inputs
        for chain, fork in block.parts():
            have = inputs
            for layer in chain:
                self.add_module(layer.name, _Convolution(have, layer))
                have = layer.outputs
            for layer in fork:
                self.add_module(layer.name, _Convolution(have, layer))
            self.outputs += sum(layer.outputs for layer in fork) or have
        if block.after_pool:
            self.add_module(block.after_pool.name, _Convolution(inputs, block.after_pool))
            self.outputs += block.after_pool.outputs

    def forward(self, values: Tensor) -> Tensor:
        maps = []
        for chain, fork in self._block.parts():
            found = values
            for layer in chain:
                found = self.get_submodule(layer.name)(found)
            maps += [self.get_submodule(layer.name)(found) for layer in fork] or [found]
        pooled = self._pool(values)
        last = self._block.after_pool
        return torch.cat([*maps, self.get_submodule(last.name)(pooled) if last else pooled], dim=1)


class _Convolution(nn.Module):
    def __init__(self, inputs: int, layer: Layer, padded: bool = True) -> None:
        super().__init__()
        padding = tuple(length // 2 for length in layer.kernel) if padded and layer.stride == 1 else 0
        self.conv = nn.Conv2d(inputs, layer.outputs, layer.kernel, layer.stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(layer.outputs, eps=_EPSILON)

    def forward(self, values: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(values)), inplace=True)
