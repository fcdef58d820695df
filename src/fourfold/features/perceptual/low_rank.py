"""Low-rank changes to the weights of an extractor (LoRA).

A weight W of shape (out, ...), read as a matrix (out, in), becomes ``W + (alpha / r) U D`` with U of shape (out, r) and
D of shape (r, in). U starts at 0, so that an untrained change changes nothing, and the weight itself is never trained.
Linear layers and convolutions without groups are changed, 1 x 1 or larger.

How the weights of an extractor are reached is told by `opened`, one function a kind of extractor.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import singledispatch

import torch
from torch import Tensor, nn
from torch.func import functional_call

from fourfold.errors import InputError
from fourfold.features.extractor import FeatureExtractor
from fourfold.features.imitation import Imitation
from fourfold.features.mobilenet import MobileNet
from fourfold.features.untrained import Untrained

__all__ = ["LowRank", "Opened", "opened"]

_LAYERS = (nn.Linear, nn.Conv2d, nn.Conv3d)


@dataclass(frozen=True)
class Opened:
    """An extractor whose weights can be exchanged.

    Parameters
    ----------
    weights : mapping of str to Tensor
        Of linear layers and of convolutions without groups, outputs first.
    run : callable
        Weights by the same names, and images, to features; differentiable in the weights.
    """

    weights: Mapping[str, Tensor]
    run: Callable[[Mapping[str, Tensor], Tensor], Tensor]


@singledispatch
def opened(extractor: FeatureExtractor) -> Opened | None:
    """The weights of an extractor, None where they cannot be reached: it has none, or its file is a closed program.

    Whatever extractor keeps a `torch.nn.Module` in an attribute is reached, apart from TorchScript.
    """
    modules = {
        name: value
        for name, value in vars(extractor).items()
        if isinstance(value, nn.Module) and not isinstance(value, torch.jit.ScriptModule)
    }
    if not modules:
        return None
    caller = _Caller(extractor, modules)
    weights = _weights_of(caller)
    return (
        Opened(weights, lambda changed, images: functional_call(caller, dict(changed), (images,))) if weights else None
    )


def _weights_of(network: nn.Module) -> dict[str, Tensor]:
    """Weights of linear layers and of convolutions without groups, by their names in the network."""
    return {
        f"{name}.weight": layer.weight.detach()
        for name, layer in network.named_modules()
        if isinstance(layer, _LAYERS) and getattr(layer, "groups", 1) == 1
    }


class _Caller(nn.Module):
    """The extractor as one module, so that the weights of its modules can be exchanged for the time of a call."""

    def __init__(self, extractor: FeatureExtractor, modules: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self._extractor = extractor
        for name, module in modules.items():
            self.add_module(name.lstrip("_"), module)

    def forward(self, images: Tensor) -> Tensor:
        return self._extractor(images)


@opened.register
def _imitation(extractor: Imitation) -> Opened | None:
    # The extractor itself moves its network at every call, which exchanged weights do not allow.
    network = extractor.network

    def run(changed: Mapping[str, Tensor], images: Tensor) -> Tensor:
        def planes(part: Tensor) -> Tensor:
            return functional_call(network, dict(changed), (part,))

        return extractor.slices.features(images, planes) if images.ndim == 5 else planes(images)

    return Opened(_weights_of(network), run)


@opened.register
def _mobilenet(extractor: MobileNet) -> Opened | None:
    steps = extractor.operations
    weights = {
        str(place): step.weight for place, step in enumerate(steps) if step.weight is not None and step.groups == 1
    }

    def run(changed: Mapping[str, Tensor], images: Tensor) -> Tensor:
        exchanged = [
            replace(step, weight=changed[str(place)]) if str(place) in changed else step
            for place, step in enumerate(steps)
        ]
        return extractor.with_operations(exchanged)(images)

    return Opened(weights, run)


@opened.register
def _untrained(extractor: Untrained) -> Opened | None:
    weights = {str(place): weight for place, weight in enumerate(extractor.weights(2))}

    def run(changed: Mapping[str, Tensor], images: Tensor) -> Tensor:
        if images.ndim != 4:
            raise InputError("the weights of 'random' are tuned for planes; cut volumes into slices with --slices")
        return extractor.with_weights(list(changed.values()))(images)

    return Opened(weights, run)


class LowRank(nn.Module):
    """Low-rank changes of some weights, all of them 0 at first.

    Parameters
    ----------
    weights : mapping of str to Tensor
        As `Opened` has them.
    rank : int
        r, at most the smaller side of each matrix.
    alpha : float
        The change is divided by r and multiplied by this.
    generator : torch.Generator
        Of the first values of D.

    References
    ----------
    Hu et al., "LoRA: low-rank adaptation of large language models", ICLR 2022.
    """

    def __init__(self, weights: Mapping[str, Tensor], rank: int, alpha: float, generator: torch.Generator) -> None:
        super().__init__()
        self.names = tuple(weights)
        self.ups, self.downs = nn.ParameterList(), nn.ParameterList()
        self.shares = []
        for weight in weights.values():
            rows, columns = weight.flatten(1).shape
            r = min(rank, rows, columns)
            self.shares.append(alpha / r)
            self.ups.append(torch.zeros(rows, r))
            self.downs.append((2 * torch.rand(r, columns, generator=generator) - 1) / math.sqrt(columns))

    def forward(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The changed weights by the same names."""
        changed = {}
        for name, share, up, down in zip(self.names, self.shares, self.ups, self.downs, strict=True):
            weight = weights[name]
            changed[name] = weight + share * (up @ down).reshape(weight.shape).to(weight)
        return changed
