"""The names that arrays have in published files, brought to those of the networks that are built here.

Every function takes the arrays of a file by name and returns them by other names; nothing else is changed but for
matrices that hold several layers in one, which are divided.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import numpy as np

__all__ = [
    "DENSENET_SEQUENCE",
    "INCEPTION_SEQUENCE",
    "RESNET_SEQUENCE",
    "Arrays",
    "from_sequence",
    "of_clip",
    "of_densenet",
    "of_dinov2",
    "without",
]

Arrays = Mapping[str, np.ndarray]

# Places of the layers of a network that was wrapped in one long sequence without its head.
RESNET_SEQUENCE = {0: "conv1", 1: "bn1", 4: "layer1", 5: "layer2", 6: "layer3", 7: "layer4"}
DENSENET_SEQUENCE = {0: "features"}
INCEPTION_SEQUENCE = {
    0: "Conv2d_1a_3x3",
    1: "Conv2d_2a_3x3",
    2: "Conv2d_2b_3x3",
    4: "Conv2d_3b_1x1",
    5: "Conv2d_4a_3x3",
    7: "Mixed_5b",
    8: "Mixed_5c",
    9: "Mixed_5d",
    10: "Mixed_6a",
    11: "Mixed_6b",
    12: "Mixed_6c",
    13: "Mixed_6d",
    14: "Mixed_6e",
    15: "Mixed_7a",
    16: "Mixed_7b",
    17: "Mixed_7c",
}

_DENSE_LAYER = re.compile(r"(denselayer\d+)\.(norm|conv)\.?([12])\.")

# transformers' names, as its published files have them; it knows itself what became of them in later versions.
_DINOV2 = (
    (r"^cls_token$", "embeddings.cls_token"),
    (r"^mask_token$", "embeddings.mask_token"),
    (r"^pos_embed$", "embeddings.position_embeddings"),
    (r"^patch_embed\.proj\.", "embeddings.patch_embeddings.projection."),
    (r"^blocks\.(\d+)\.", r"encoder.layer.\1."),
    (r"\.attn\.proj\.", ".attention.output.dense."),
    (r"\.ls([12])\.gamma$", r".layer_scale\1.lambda1"),
    (r"^norm\.", "layernorm."),
)
_CLIP = (
    (r"^conv1\.", "embeddings.patch_embedding."),
    (r"^class_embedding$", "embeddings.class_embedding"),
    (r"^positional_embedding$", "embeddings.position_embedding.weight"),
    (r"^ln_pre\.", "pre_layrnorm."),
    (r"^ln_post\.", "post_layernorm."),
    (r"^transformer\.resblocks\.(\d+)\.", r"encoder.layers.\1."),
    (r"\.attn\.", ".self_attn."),
    (r"\.ln_([12])\.", r".layer_norm\1."),
    (r"\.mlp\.c_fc\.", ".mlp.fc1."),
    (r"\.mlp\.c_proj\.", ".mlp.fc2."),
)


def without(arrays: Arrays, prefixes: Iterable[str]) -> dict[str, np.ndarray]:
    """The arrays whose names begin with none of `prefixes`: heads and other towers, which features do not need."""
    return {name: values for name, values in arrays.items() if not name.startswith(tuple(prefixes))}


def from_sequence(arrays: Arrays, places: Mapping[int, str]) -> dict[str, np.ndarray]:
    """Arrays by their layers' names where a file has ``backbone.PLACE.``; raises KeyError at an unknown place."""
    renamed = {}
    for name, values in arrays.items():
        found = re.match(r"backbone\.(\d+)\.(.*)", name)
        renamed[f"{places[int(found[1])]}.{found[2]}" if found else name] = values
    return renamed


def of_densenet(arrays: Arrays) -> dict[str, np.ndarray]:
    """MONAI's names of a DenseNet whose layers lie where torchvision's lie."""
    return {_DENSE_LAYER.sub(r"\1.layers.\2\3.", name): values for name, values in arrays.items()}


def of_dinov2(arrays: Arrays) -> dict[str, np.ndarray]:
    """The names of the package transformers of a DINOv2 from its authors' file, or from that package's."""
    if "pos_embed" not in arrays:
        return dict(arrays)
    renamed = {}
    for name, values in arrays.items():
        name = _renamed(name, _DINOV2)
        stem, joined, kind = name.partition(".attn.qkv.")
        if joined:
            parts = zip(("query", "key", "value"), np.split(values, 3), strict=True)
            renamed.update({f"{stem}.attention.attention.{part}.{kind}": rows for part, rows in parts})
        else:
            renamed[name] = values
    return renamed


def of_clip(arrays: Arrays) -> dict[str, np.ndarray]:
    """The names of the package transformers of CLIP's image tower from its authors' file, or from that package's."""
    if "visual.proj" not in arrays:
        kept = {name: arrays[name] for name in arrays if name.startswith(("vision_model.", "visual_projection."))}
        kept.pop("vision_model.embeddings.position_ids", None)
        return kept
    renamed = {}
    for name in (name for name in arrays if name.startswith("visual.")):
        values, name = arrays[name], _renamed(name.removeprefix("visual."), _CLIP)
        stem, joined, kind = name.partition(".in_proj_")
        if joined:
            parts = zip("qkv", np.split(values, 3), strict=True)
            renamed.update({f"vision_model.{stem}.{part}_proj.{kind}": rows for part, rows in parts})
        elif name == "proj":
            renamed["visual_projection.weight"] = values.T
        else:
            renamed[f"vision_model.{name}"] = values
    return renamed


def _renamed(name: str, rules: tuple[tuple[str, str], ...]) -> str:
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name
