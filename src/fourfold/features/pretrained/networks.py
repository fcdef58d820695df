"""The published networks, built from the layers of MONAI and transformers and filled with the arrays of a file.

A builder takes arrays by name and returns a network from prepared images to features of shape (B, d). It raises
ValueError where the arrays are not those of its network; `fill` says which one is missing, unknown or of another shape.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from fourfold.errors import MissingExtra
from fourfold.features.pretrained import layouts
from fourfold.features.pretrained.inception import fid_inception, plain_inception
from fourfold.features.pretrained.layouts import Arrays

__all__ = ["Built", "chest_densenet", "clip", "dinov2", "inception", "radiological", "resnet50", "volume_resnet"]

# DINOv2's own code asks for a tenth of a patch more than there are when it resamples its table of positions, and its
# features were measured so.
_POSITION_OFFSET = 0.1
# Width of an attention head in every ViT of both families.
_HEAD_WIDTH = 64
_COUNTERS = "num_batches_tracked"


class Built(NamedTuple):
    """A network with its weights inside.

    Parameters
    ----------
    network : nn.Module
    architecture : str
    size : int or None
        Side of the images that this very network takes, where the file decides it.
    """

    network: nn.Module
    architecture: str
    size: int | None = None


def inception(arrays: Arrays) -> Built:
    """FID's InceptionV3."""
    with torch.device("meta"):
        network = fid_inception()
    return Built(fill(network, layouts.without(arrays, ("fc.",))), "InceptionV3 of FID")


def resnet50(arrays: Arrays) -> Built:
    """A ResNet-50 for planes (stride in the 3x3 convolution), without its head."""
    from monai.networks.nets import resnet50 as of_monai

    shape = {"spatial_dims": 2, "n_input_channels": 3, "conv1_t_stride": 2}
    with torch.device("meta"):
        network = of_monai(**shape, feed_forward=False, bias_downsample=False)
    kept = layouts.without(arrays, ("fc.", "projection_head.", "prototypes."))
    return Built(fill(network, kept), "ResNet-50")


def densenet121(arrays: Arrays, channels: int) -> Built:
    """A DenseNet-121 for planes, without its head."""
    from monai.networks.nets import DenseNet121

    with torch.device("meta"):
        network = DenseNet121(spatial_dims=2, in_channels=channels, out_channels=1)
    network.class_layers.out = nn.Identity()
    kept = layouts.without(arrays, ("classifier.", "op_threshs"))
    return Built(fill(network, layouts.of_densenet(kept)), "DenseNet-121")


def chest_densenet(arrays: Arrays) -> Built:
    """A DenseNet-121 for grey images."""
    return densenet121(arrays, 1)


def radiological(arrays: Arrays) -> Built:
    """RadImageNet's ResNet-50, DenseNet-121 or InceptionV3, whichever the arrays are of."""
    if any(name.endswith("denselayer1.conv1.weight") for name in arrays):
        return densenet121(layouts.from_sequence(arrays, layouts.DENSENET_SEQUENCE), 3)
    if any(name.endswith("branch1x1.conv.weight") for name in arrays):
        named = layouts.without(layouts.from_sequence(arrays, layouts.INCEPTION_SEQUENCE), ("fc.", "AuxLogits."))
        with torch.device("meta"):
            network = plain_inception()
        return Built(fill(network, named), "InceptionV3")
    return resnet50(layouts.from_sequence(arrays, layouts.RESNET_SEQUENCE))


def volume_resnet(arrays: Arrays) -> Built:
    """MedicalNet's ResNet for volumes, of the depth that the arrays have, without its head for segmentation."""
    from monai.networks.nets import ResNet
    from monai.networks.nets.resnet import get_inplanes

    blocks = [_count(arrays, rf"layer{stage}\.(\d+)\.conv1\.weight") for stage in (1, 2, 3, 4)]
    if not all(blocks):
        raise ValueError("it has no layer1 to layer4")
    block, convolutions = ("bottleneck", 3) if "layer1.0.conv3.weight" in arrays else ("basic", 2)
    shape = {"spatial_dims": 3, "n_input_channels": 1, "conv1_t_stride": 2}
    shortcut = "B" if "layer2.0.downsample.0.weight" in arrays else "A"
    with torch.device("meta"):
        network = ResNet(
            block, blocks, get_inplanes(), **shape, shortcut_type=shortcut, feed_forward=False, bias_downsample=False
        )
    for stage, dilation in ((network.layer3, 2), (network.layer4, 4)):
        _dilate(stage, dilation)
    fill(network, layouts.without(arrays, ("conv_seg.", "fc.")))
    return Built(network, f"ResNet-{convolutions * sum(blocks) + 2}, 3-D")


def dinov2(arrays: Arrays, size: int = 224) -> Built:
    """DINOv2's ViT-S, B or L with patches of 14 pixels; the class token behind the last normalisation."""
    named = layouts.of_dinov2(arrays)
    kernel = _needed(named, "embeddings.patch_embeddings.projection.weight", 4)
    if any("register_tokens" in name for name in named) or any(".mlp.w" in name for name in named):
        raise ValueError("it is a variant with registers, or ViT-g; take ViT-S, B or L without registers")
    table = _needed(named, "embeddings.position_embeddings", 3)
    named["embeddings.position_embeddings"] = _positions(table, size // kernel.shape[-1])
    transformers = _transformers("dinov2")
    width, layers = kernel.shape[0], _count(named, r"encoder\.layer\.(\d+)\.norm1\.weight")
    configuration = transformers.Dinov2Config(
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=max(width // _HEAD_WIDTH, 1),
        image_size=size,
        patch_size=kernel.shape[-1],
    )
    network = _of_transformers(transformers.Dinov2Model, configuration, named)
    return Built(
        _Output(network, "pooler_output"), f"ViT, {width} wide, {layers} layers, patches of {kernel.shape[-1]}"
    )


def clip(arrays: Arrays) -> Built:
    """CLIP's image tower with its projection, not normalised."""
    named = layouts.of_clip(arrays)
    kernel = _needed(named, "vision_model.embeddings.patch_embedding.weight", 4)
    table = _needed(named, "vision_model.embeddings.position_embedding.weight", 2)
    projection = _needed(named, "visual_projection.weight", 2)
    hidden = _needed(named, "vision_model.encoder.layers.0.mlp.fc1.weight", 2)
    size = round((table.shape[0] - 1) ** 0.5) * kernel.shape[-1]
    width, layers = kernel.shape[0], _count(named, r"vision_model\.encoder\.layers\.(\d+)\.layer_norm1\.weight")
    transformers = _transformers("clip")
    configuration = transformers.CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=hidden.shape[0],
        num_hidden_layers=layers,
        num_attention_heads=max(width // _HEAD_WIDTH, 1),
        image_size=size,
        patch_size=kernel.shape[-1],
        projection_dim=projection.shape[0],
        hidden_act="quick_gelu",
    )
    network = _of_transformers(transformers.CLIPVisionModelWithProjection, configuration, named)
    return Built(
        _Output(network, "image_embeds"), f"ViT, {width} wide, {layers} layers, patches of {kernel.shape[-1]}", size
    )


def fill(network: nn.Module, arrays: Arrays) -> nn.Module:
    """Make `arrays` the weights of `network`, which was built without any (on torch's device "meta").

    Raises
    ------
    ValueError
        Where a name or a shape is not the network's.
    """
    # Counters of training steps change nothing, and some files leave them out.
    names = (name for name in network.state_dict() if name.endswith(_COUNTERS))
    counters = {name: torch.zeros((), dtype=torch.int64) for name in names}
    try:
        found = network.load_state_dict({**counters, **_tensors(arrays)}, strict=False, assign=True)
    except RuntimeError as error:
        first = str(error).splitlines()[-1].strip()
        raise ValueError(first) from error
    _refuse(found.missing_keys, found.unexpected_keys)
    return network


def _refuse(missing: list[str], unexpected: list[str]) -> None:
    if missing:
        raise ValueError(f"{len(missing)} arrays are missing, the first is {min(missing)!r}")
    if unexpected:
        raise ValueError(f"{len(unexpected)} arrays do not belong there, the first is {min(unexpected)!r}")


def _tensors(arrays: Arrays) -> dict[str, Tensor]:
    return {
        name: torch.from_numpy(np.array(values, dtype=np.float32))
        for name, values in arrays.items()
        if not name.endswith(_COUNTERS)
    }


def _needed(arrays: Arrays, name: str, axes: int) -> np.ndarray:
    if name not in arrays or arrays[name].ndim != axes:
        raise ValueError(f"there is no array {name!r} of {axes} axes")
    return arrays[name]


def _count(arrays: Arrays, pattern: str) -> int:
    return sum(re.fullmatch(pattern, name) is not None for name in arrays)


def _dilate(stage: nn.Sequential, dilation: int) -> None:
    # MedicalNet keeps the size of its last maps by holes in the kernels where MONAI's network halves it.
    for layer in stage.modules():
        if isinstance(layer, nn.Conv3d):
            layer.stride = (1, 1, 1)
            if layer.kernel_size == (3, 3, 3):
                layer.dilation = layer.padding = (dilation,) * 3
    shortcut = stage[0].downsample
    if hasattr(shortcut, "keywords"):
        shortcut.keywords["stride"] = 1


def _positions(table: np.ndarray, side: int) -> np.ndarray:
    have = round((table.shape[1] - 1) ** 0.5)
    if have == side:
        return table
    values = torch.from_numpy(np.asarray(table[:, 1:], dtype=np.float32)).reshape(1, have, have, -1)
    scale = (side + _POSITION_OFFSET) / have
    resampled = functional.interpolate(values.permute(0, 3, 1, 2), scale_factor=(scale, scale), mode="bicubic")
    patches = resampled.permute(0, 2, 3, 1).reshape(1, side * side, -1)
    return np.concatenate([table[:, :1], patches.numpy()], axis=1)


class _Output(nn.Module):
    """One array of what a network of transformers returns."""

    def __init__(self, network: nn.Module, name: str) -> None:
        super().__init__()
        self.network, self.name = network, name

    def forward(self, images: Tensor) -> Tensor:
        return getattr(self.network(pixel_values=images), self.name)


def _transformers(purpose: str) -> Any:
    try:
        import transformers
    # A package that does not fit the machine fails with RuntimeError or OSError rather than ImportError.
    except (ImportError, RuntimeError, OSError) as error:
        raise MissingExtra("transformers", "networks", f"the network {purpose!r}") from error
    return transformers


def _of_transformers(kind: Any, configuration: Any, arrays: Arrays) -> nn.Module:
    # Only this way do transformers' later versions understand the names in files of the earlier ones.
    with _quiet_transformers():
        try:
            network, found = kind.from_pretrained(
                None, config=configuration, state_dict=_tensors(arrays), output_loading_info=True
            )
        except RuntimeError as error:
            raise ValueError("an array has another shape") from error
    _refuse(sorted(found["missing_keys"]), sorted(found["unexpected_keys"]))
    return network


@contextlib.contextmanager
def _quiet_transformers() -> Iterator[None]:
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
