"""Feature maps of any network: what goes into each of its layers that have weights.

A layer is a convolution or a linear map; its input is what the layers before it made of the image. The input of the
last one is the *last map*: from there only the head follows. The input of the first one is the image and no feature.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor, nn

__all__ = ["Layers", "chosen_layers", "watched"]

Layers = Literal["last", "all"]

_WEIGHTED = (nn.Linear, nn.modules.conv._ConvNd)


def chosen_layers(network: nn.Module, image: Tensor, layers: Layers) -> tuple[str, ...]:
    """Names of the layers whose inputs are compared, in the order in which they work.

    Parameters
    ----------
    network : torch.nn.Module
        In evaluation mode.
    image : Tensor, shape (1, C, *spatial)
        Any image that it takes.
    layers : {"last", "all"}

    Raises
    ------
    ValueError
        Where the network has fewer than two layers, or `layers` is something else.
    """
    if layers not in ("last", "all"):
        raise ValueError(f"layers must be 'last' or 'all', got {layers!r}")
    order: list[str] = []
    handles = [
        module.register_forward_pre_hook(lambda _module, _inputs, name=name: order.append(name))
        for name, module in network.named_modules()
        if isinstance(module, _WEIGHTED)
    ]
    try:
        with torch.inference_mode():
            network(image)
    finally:
        for handle in handles:
            handle.remove()
    # A layer that works several times is compared where it works last.
    unique = [name for place, name in enumerate(order) if name not in order[place + 1 :]]
    if len(unique) < 2:
        raise ValueError(f"a network of {len(unique)} layers with weights has no feature maps; give a deeper one")
    return tuple(unique[1:]) if layers == "all" else tuple(unique[-1:])


@contextmanager
def watched(network: nn.Module, names: tuple[str, ...]) -> Iterator[dict[str, Tensor]]:
    """While the block runs, each call of the network puts the inputs of these layers into the mapping, with gradients.

    Maps have the shape (B, c, *spatial); pooled features (B, c).
    """
    found: dict[str, Tensor] = {}
    modules = dict(network.named_modules())
    handles = [
        modules[name].register_forward_pre_hook(lambda _module, inputs, name=name: found.__setitem__(name, inputs[0]))
        for name in names
    ]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()
