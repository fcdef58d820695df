"""What an imitating network is good for beyond its features: first weights of a task's network, and a loss."""

from __future__ import annotations

from torch import Tensor

from fourfold.errors import InputError
from fourfold.features.imitation.network import ImitationNetwork

__all__ = ["initial_weights", "texture_consistency"]


def initial_weights(network: ImitationNetwork, layers: int | None = None, channels: int = 1) -> dict[str, Tensor]:
    """First weights for the early layers of a task's network, for ``Task.fit(initial=...)``.

    Parameters
    ----------
    network : ImitationNetwork
    layers : int or None
        How many layers of its body, the first ones: of `Stages` the stem counts as one and each stage as another, of
        `Tapped` each layer that was named. None for all of them.
    channels : int
        Of the task's images. With several, the first convolution sees their mean.

    Returns
    -------
    dict of str to Tensor
        Copies, by the names in the ``state_dict`` of MONAI's ResNet or of the network that was tapped.

    Raises
    ------
    InputError
        Where there are not that many layers, or no channel.

    References
    ----------
    Saba-Sadiya, Alhanai and Ghassemi, "Feature imitating networks", ICASSP 2022.
    """
    if channels < 1:
        raise InputError(f"the images of a task have at least 1 channel, got channels={channels}")
    there = network.body.layers
    if layers is not None and not 1 <= layers <= len(there):
        raise InputError(f"the body of the imitating network has {len(there)} layers, and {layers} were asked for")
    parts = tuple(f"{part}." for layer in there[:layers] for part in layer)
    weights = {
        name: value.detach().cpu().clone() for name, value in network.body.weights().items() if name.startswith(parts)
    }
    if channels > 1:
        for name, value in weights.items():
            # Only what looks at the grey image has one input; a grey image in every channel gives the same maps.
            if value.ndim == 4 and value.shape[1] == 1:
                weights[name] = value.repeat(1, channels, 1, 1) / channels
    return weights


def texture_consistency(x: Tensor, y: Tensor, network: ImitationNetwork) -> Tensor:
    """How far the texture of images is from that of others, as a loss for a generator.

    The mean squared difference of imitated radiomics, in variances over textures, each weighted by the share of its
    variance that the network explains on textures it has not seen: what it cannot imitate does not count.

    Parameters
    ----------
    x, y : Tensors, shape (B, C, H, W)
        In [0, 1]; image i of one is compared with image i of the other. Sizes may differ.
    network : ImitationNetwork
        In evaluation mode. Its own weights receive gradients too unless they are frozen; give the optimiser those of
        the generator only.

    Returns
    -------
    Tensor, shape ()
        0 for equal images; differentiable in both.

    Raises
    ------
    InputError
        Where the numbers of images differ, or the network is being trained, since images of a batch would then change
        one another's features.

    References
    ----------
    Min, Ebadian, Alhanai and Ghassemi, arXiv:2306.14572.
    """
    if len(x) != len(y):
        raise InputError(f"texture is compared image by image, got {len(x)} and {len(y)} images")
    if network.training:
        raise InputError("the imitating network is in training mode; call its eval() first")
    trust = network.agreement.nan_to_num(0.0).clamp(min=0.0)
    return ((network(x) - network(y)).square() * trust).sum(dim=1).mean() / trust.sum().clamp(min=1e-12)
