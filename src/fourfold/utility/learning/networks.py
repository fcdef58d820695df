"""Networks of the tasks, all of them MONAI's, by name.

Classification: ``resnet`` (one block a stage, as in the quick answer) and ``densenet121``. Segmentation: ``unet``
(residual units, Kerfoot et al. 2018) and ``dynunet`` (the plain U-Net with instance norm of Isensee et al. 2021), both
small, with one stage fewer for each halving that the image does not allow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from fourfold.errors import InputError
from fourfold.utility.network import BUILDING, SmallNetwork

__all__ = ["CLASSIFIERS", "SEGMENTERS", "build", "depth", "start_from"]

CHANNELS = (16, 32, 64, 128)
"""Of the stages of a segmentation network: 0.4 million weights in 2-D."""

COARSEST = 4
"""Pixels a side that the coarsest stage of a segmentation network keeps at least."""


def depth(sides: tuple[int, ...]) -> int:
    """How often a segmentation network halves images of this spatial shape: 1 to 3 times."""
    halvings = 1
    while halvings < len(CHANNELS) - 1 and min(sides) // 2 ** (halvings + 1) >= COARSEST:
        halvings += 1
    return halvings


def _resnet(shape: tuple[int, ...], outputs: int, seed: int) -> nn.Module:
    return SmallNetwork()._network(shape, outputs, seed)


def _densenet121(shape: tuple[int, ...], outputs: int, seed: int) -> nn.Module:
    from monai.networks.nets import DenseNet121

    if min(shape[1:]) < 32:
        raise InputError(
            f"densenet121 halves an image five times and these have a side of {min(shape[1:])}; "
            "prepare them at 32 or more with --size, or choose the network resnet"
        )
    return _seeded(lambda: DenseNet121(len(shape) - 1, shape[0], outputs), seed)


def _unet(shape: tuple[int, ...], outputs: int, seed: int) -> nn.Module:
    from monai.networks.nets import UNet

    halvings = depth(shape[1:])
    return _seeded(
        lambda: UNet(
            spatial_dims=len(shape) - 1,
            in_channels=shape[0],
            out_channels=outputs,
            channels=CHANNELS[: halvings + 1],
            strides=(2,) * halvings,
            num_res_units=1,
            norm="instance",
        ),
        seed,
    )


def _dynunet(shape: tuple[int, ...], outputs: int, seed: int) -> nn.Module:
    from monai.networks.nets import DynUNet

    # MONAI's has two stages at least besides the bottleneck.
    halvings = max(depth(shape[1:]), 2)
    return _seeded(
        lambda: DynUNet(
            spatial_dims=len(shape) - 1,
            in_channels=shape[0],
            out_channels=outputs,
            kernel_size=[3] * (halvings + 1),
            strides=[1, *[2] * halvings],
            upsample_kernel_size=[2] * halvings,
            filters=list(CHANNELS[: halvings + 1]),
        ),
        seed,
    )


Builder = Callable[[tuple[int, ...], int, int], nn.Module]

CLASSIFIERS: Mapping[str, Builder] = {"resnet": _resnet, "densenet121": _densenet121}
SEGMENTERS: Mapping[str, Builder] = {"unet": _unet, "dynunet": _dynunet}


def build(
    networks: Mapping[str, Builder],
    name: str,
    shape: tuple[int, ...],
    outputs: int,
    seed: int,
    initial: Mapping[str, Tensor] | None = None,
) -> nn.Module:
    """A network with the first weights of a seed.

    Parameters
    ----------
    networks : mapping of str to callable
        `CLASSIFIERS` or `SEGMENTERS`.
    name : str
    shape : tuple of int
        (C, H, W) or (C, D, H, W) of one image.
    outputs : int
    seed : int
    initial : mapping of str to Tensor, or None
        Weights that replace the drawn ones; see `start_from`.

    Returns
    -------
    torch.nn.Module
        Images of shape (B, *shape) to (B, outputs) or (B, outputs, *spatial).

    Raises
    ------
    InputError
        Where there is no such network, or it cannot take images of this shape.
    ValueError
        As `start_from`.
    """
    if name not in networks:
        raise InputError(f"there is no network {name!r} for this task; there are: {', '.join(networks)}")
    network = networks[name](shape, outputs, seed)
    if initial is not None:
        start_from(network, initial)
    return network


def start_from(network: nn.Module, initial: Mapping[str, Tensor]) -> None:
    """Put weights learned elsewhere into some layers of a network.

    Parameters
    ----------
    network : torch.nn.Module
    initial : mapping of str to Tensor
        By the names in the network's ``state_dict``.

    Raises
    ------
    ValueError
        A name that the network does not have, or another shape.
    """
    own = network.state_dict()
    for name, weights in initial.items():
        if name not in own:
            raise ValueError(f"the network has no weights {name!r} to start from")
        if own[name].shape != weights.shape:
            raise ValueError(
                f"weights {name!r} to start from have the shape {tuple(weights.shape)} and the network's have "
                f"{tuple(own[name].shape)}"
            )
    network.load_state_dict({**own, **initial})


def _seeded(make: Callable[[], nn.Module], seed: int) -> nn.Module:
    # Layers draw their first weights from the global generator, which is left as it was.
    with BUILDING, torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return make()
