"""DreamSim: an embedding tuned on people's judgements of natural images, by the authors' package, offline.

The package downloads whatever it does not find, even where no pretrained weights are asked for; so every file that it
reads is looked for first. It was tuned on natural images and the votes of laypeople, and is not validated for
radiology; pixel correlation and other features stay beside it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fourfold.errors import InputError, MissingExtra
from fourfold.features.extractor import FeatureExtractor
from fourfold.features.inputs import InputPolicy
from fourfold.features.perceptual.ranking import embedding
from fourfold.features.slices import SlicePolicy
from fourfold.features.weights import sha256_of

__all__ = ["VARIANTS", "DreamSim"]

# What version 0.2.1 of the package reads, named as in its source. An adapter is a folder; either weights file will do.
_ADAPTER_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
# DINO's definition comes from GitHub by way of torch.hub, which keeps the code and its own copy of the weights.
_DINO = (
    "dino_vitb16_pretrain.pth",
    "facebookresearch_dino_main/hubconf.py",
    "facebookresearch_dino_main/vision_transformer.py",
    "checkpoints/dino_vitbase16_pretrain.pth",
)
VARIANTS: dict[str, tuple[tuple[str, ...], str]] = {
    "ensemble": ((*_DINO, "clip_vitb16_pretrain.pth.tar", "open_clip_vitb16_pretrain.pth.tar"), "ensemble_lora"),
    "dino_vitb16": (_DINO, "dino_vitb16_single_lora"),
    "clip_vitb32": (("clip_vitb32_pretrain.pth.tar",), "clip_vitb32_single_lora"),
    "open_clip_vitb32": (("open_clip_vitb32_pretrain.pth.tar",), "open_clip_vitb32_single_lora"),
}
"""Files and adapter of each variant. Those on DINOv2 ask GitHub each time they are opened, the one on SynCLR is read by
running what is in its file, and those with patches give no vector: they are left out."""

_ARCHIVES = "https://github.com/ssundaram21/dreamsim/releases"


class DreamSim(FeatureExtractor):
    """The embedding of DreamSim; the distance of two images is 1 - cosine of their features.

    Parameters
    ----------
    cache : str or Path
        The package's ``cache_dir``, with every file that the variant needs.
    variant : {"ensemble", "dino_vitb16", "clip_vitb32", "open_clip_vitb32"}
    name : str or None
        How reports call the space; ``"dreamsim"`` where None.
    slices : SlicePolicy or None
        What of a volume is seen; None: `SlicePolicy`'s defaults.

    Raises
    ------
    InputError
        Where there is no such variant, files are missing (the message names them) or cannot be used.
    MissingExtra
        Where the package is not installed.

    References
    ----------
    Fu, Tamir, Sundaram, Chai, Zhang, Dekel and Isola, "DreamSim: learning new dimensions of human visual similarity
    using synthetic data", NeurIPS 2023, arXiv:2306.09344.
    """

    name = "dreamsim"
    trained_on = "natural images, and 20 019 triplets of synthetic ones judged by laypeople; no medical image"
    source = "Fu et al., DreamSim, arXiv:2306.09344"

    def __init__(
        self,
        cache: str | Path,
        variant: str = "ensemble",
        *,
        name: str | None = None,
        slices: SlicePolicy | None = None,
    ) -> None:
        if variant not in VARIANTS:
            raise InputError(f"there is no DreamSim variant {variant!r} here; there are: {', '.join(VARIANTS)}")
        folder = Path(cache).expanduser()
        files = needed_files(folder, variant)
        self.name = name or type(self).name
        self.variant = variant
        self.sha256 = _digest(folder, files)
        self.policy = InputPolicy(size=224, resampling="bicubic", slices=slices or SlicePolicy())
        self._network = _opened(folder, variant)

    def settings(self) -> dict[str, Any]:
        """Variant, SHA-256 over its files, and the input policy."""
        return {"variant": self.variant, "weights": self.sha256, "input": self.policy.describe()}

    def to(self, device: torch.device | str) -> DreamSim:
        """Move the weights; returns itself."""
        self._network.to(device)
        # The package moves one of its matrices by this attribute at every call.
        for module in self._network.modules():
            for part in (module, *(getattr(module, "extractor_list", None) or ())):
                if isinstance(getattr(part, "device", None), (str, torch.device)):
                    with contextlib.suppress(AttributeError):
                        part.device = str(device)
        return self

    def __call__(self, images: Tensor) -> Tensor:
        """Features of shape (B, d), of length 1 and mean 0; d = 1792 for the ensemble."""
        return self.policy.features(images, self._embedded)

    def _embedded(self, images: Tensor) -> Tensor:
        # Bicubic resampling overshoots, which the package's own, on whole numbers, cannot.
        found = self._network.embed(images.clamp(0, 1))
        # A batch of one comes back without its first axis from some versions, and none divides in this order in all.
        return embedding(found.reshape(len(images), -1))


def needed_files(folder: Path, variant: str) -> list[str]:
    """Every file that a variant needs, relative to the folder.

    Raises
    ------
    InputError
        Where some are missing; the message names all of them.
    """
    files, adapter = VARIANTS[variant]
    found = [*files, f"{adapter}/adapter_config.json"]
    missing = [name for name in found if not (folder / name).is_file()]
    weights = [f"{adapter}/{name}" for name in _ADAPTER_WEIGHTS if (folder / adapter / name).is_file()]
    if not weights:
        missing.append(f"{adapter}/{_ADAPTER_WEIGHTS[0]}")
    if missing:
        raise InputError(
            f"{folder}: DreamSim ({variant}) needs files that are not there: {', '.join(missing)}; nothing is "
            f"downloaded: on a machine with a network, call dreamsim(cache_dir=..., dreamsim_type={variant!r}) once "
            f"(it takes them from {_ARCHIVES}) and copy its folder here"
        )
    return [*found, weights[0]]


def _digest(folder: Path, files: list[str]) -> str:
    lines = [f"{name} {sha256_of(folder / name)}\n" for name in sorted(files)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _opened(folder: Path, variant: str) -> torch.nn.Module:
    try:
        from dreamsim import dreamsim
    except ImportError as error:
        raise MissingExtra("dreamsim", "dreamsim", f"the feature extractor dreamsim:{folder}") from error
    before = torch.hub.get_dir()
    try:
        # It prints what it finds, moves to a GPU unless told not to, and points torch.hub to its folder for good.
        with contextlib.redirect_stdout(io.StringIO()):
            network, _ = dreamsim(pretrained=True, device="cpu", cache_dir=str(folder), dreamsim_type=variant)
    # Whatever the package and its needs raise on a file has one cause here: the file is not what it should be.
    except Exception as error:
        raise InputError(
            f"{folder}: DreamSim ({variant}) cannot be opened from these files ({type(error).__name__}); "
            "copy the folder again, whole"
        ) from error
    finally:
        torch.hub.set_dir(before)
    return network.eval().requires_grad_(False)
