"""What an autoencoder makes of an image, as a feature extractor: latents, or the numbers of codes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from fourfold.errors import InputError
from fourfold.features.autoencoder.storage import load_autoencoder, save_autoencoder
from fourfold.features.autoencoder.trained import Kind, TrainedAutoencoder
from fourfold.features.autoencoder.training import content_of, steps_for, train_autoencoder, usual_size
from fourfold.features.extractor import FeatureExtractor
from fourfold.features.store import make_private
from fourfold.images.sets import ImageSet

__all__ = ["Autoencoder"]

_LOG = logging.getLogger("fourfold")

_NAMES: dict[Kind, str] = {"kl": "autoencoder", "vq": "autoencoder-codes"}
_DISTANCES: dict[Kind, str] = {"kl": "euclidean", "vq": "hamming"}


class Autoencoder(FeatureExtractor):
    """The latents of an autoencoder, or its codes under the Hamming distance; planes and volumes, grey and colour.

    It is read from a file, or trained on the spot when `learn` is called with the images of a comparison: on the
    reference set where there is one, whose patients are in no other set, and else on the training set. Either way
    holdout and synthetic images are new to it. A network knows what it was trained on better than other images, so in
    a space that was trained on the training set, differences between training and holdout patients are partly its
    own doing; the copy detector (`fourfold.privacy.learned`) is cross-fitted for that reason, and verdicts on copies
    rest on it. `trained_on` says which of the two it is.

    Parameters
    ----------
    autoencoder : TrainedAutoencoder, str, Path or None
        A trained one, the safetensors file of one, or None to train one in `learn`.
    kind : {"kl", "vq"}
        Of the one to train: latents or codes.
    name : str or None
        None for ``autoencoder`` or ``autoencoder-codes``.
    size : int or None
        Longest side that images are encoded at; None for 32 pixels or 24 voxels.
    seed : int
        Of the training.
    steps : int or None
        Of the training; None for as many as the number of images asks for, see
        `fourfold.features.autoencoder.steps_for`.

    Raises
    ------
    InputError
        Where the file cannot be used, or the seed is below 0, the size below 8 or the steps below 1.

    References
    ----------
    Kingma and Welling, "Auto-encoding variational Bayes", ICLR 2014; van den Oord et al., "Neural discrete
    representation learning", NeurIPS 2017; Rombach et al., CVPR 2022. Networks: MONAI.
    """

    version: ClassVar[int] = 1
    trained_on = "the reference set of the comparison, else its training set"
    source = "Kingma & Welling 2014, van den Oord et al. 2017 (autoencoders); MONAI's AutoencoderKL and VQVAE"

    def __init__(
        self,
        autoencoder: TrainedAutoencoder | str | Path | None = None,
        *,
        kind: Kind = "kl",
        name: str | None = None,
        size: int | None = None,
        seed: int = 0,
        steps: int | None = None,
    ) -> None:
        for what, value, least in (("seed", seed, 0), ("size", size, 8), ("steps", steps, 1)):
            if value is not None and value < least:
                raise InputError(f"the {what} of an autoencoder must be {least} or above, got {value}")
        self._given = load_autoencoder(autoencoder) if isinstance(autoencoder, (str, Path)) else autoencoder
        self._trained = self._given
        self.kind = kind if self._given is None else self._given.kind
        self.name = name or _NAMES[self.kind]
        self.distance = _DISTANCES[self.kind]
        self.size, self.seed, self.steps = size, seed, steps
        self._device = torch.device("cpu")
        self._digest: str | None = None
        if self._given is not None:
            self.trained_on = _said(self._given, None)

    @property
    def trained(self) -> TrainedAutoencoder:
        """The autoencoder; raises InputError before there is one."""
        if self._trained is None:
            raise InputError(
                f"{self.name!r} is trained on the images of a comparison and there is none here; "
                "give a trained one as autoencoder:FILE"
            )
        return self._trained

    def learn(
        self,
        images: ImageSet,
        *,
        folder: Path | None = None,
        device: torch.device | str = "cpu",
        progress: Callable[[str, int, int], None] | None = None,
    ) -> Autoencoder:
        """Train on a set of a comparison, unless it came from a file; see `FeatureExtractor.learn`."""
        content = content_of(images)
        if self._given is None and (self._trained is None or self._trained.seen.digest != content):
            self._trained = self._found_or_trained(images, content, folder, device, progress)
            self._digest = None
        self.trained_on = _said(self.trained, content)
        return self

    def _found_or_trained(
        self,
        images: ImageSet,
        content: str,
        folder: Path | None,
        device: torch.device | str,
        progress: Callable[[str, int, int], None] | None,
    ) -> TrainedAutoencoder:
        """What an earlier run has trained on the same images, or a new one that is left for the next run."""
        steps = steps_for(len(images)) if self.steps is None else self.steps
        size = usual_size(images.shape) if self.size is None else self.size
        recipe = {"version": self.version, "kind": self.kind, "size": size, "seed": self.seed, "steps": steps}
        key = hashlib.sha256(json.dumps([recipe, images.name, content], sort_keys=True).encode()).hexdigest()[:16]
        file = None if folder is None else folder / f"{_NAMES[self.kind]}-{key}.safetensors"
        if file is not None and file.is_file():
            # A damaged file is made anew.
            with contextlib.suppress(InputError):
                return load_autoencoder(file)
        _LOG.info("training the autoencoder on the %s set", images.name)
        task = f"training the {self.name} on the {images.name} set"
        trained = train_autoencoder(
            images,
            self.kind,
            size=size,
            seed=self.seed,
            steps=steps,
            device=device,
            progress=None if progress is None else lambda done, total: progress(task, done, total),
        )
        if file is not None:
            make_private(file.parent)
            save_autoencoder(trained, file)
        return trained

    def settings(self) -> dict[str, Any]:
        """Kind, working shape and SHA-256 of the weights, what it saw and what it loses of that."""
        trained = self.trained
        if self._digest is None:
            self._digest = _digest(trained)
        return {
            "kind": trained.kind,
            "shape": list(trained.shape),
            "distance": self.distance,
            "sha256": self._digest,
            "images_seen": trained.seen.images,
            "reconstruction": dict(trained.reconstruction),
        }

    def to(self, device: torch.device | str) -> Autoencoder:
        """Move the weights; returns itself."""
        self._device = torch.device(device)
        return self

    def __call__(self, images: Tensor) -> Tensor:
        """Features of shape (B, d), see `TrainedAutoencoder.features`."""
        trained = self.trained
        trained.network.to(self._device)
        return trained.features(images)


def _said(autoencoder: TrainedAutoencoder, content: str | None) -> str:
    """What a report says of the images that it was trained on; `content` are those of the set that could have been."""
    seen = autoencoder.seen
    if content is None or content != seen.digest:
        return (
            f"{seen.images} images of another comparison's {seen.role} set; whose they are decides what a score means"
        )
    if seen.role == "reference":
        return f"{seen.images} images of the reference set, whose patients are in no other set"
    return (
        f"{seen.images} images of the training set itself, which it knows better than the holdout; "
        "give a reference set (or a file) and it is trained on other patients"
    )


def _digest(autoencoder: TrainedAutoencoder) -> str:
    found = hashlib.sha256(json.dumps([autoencoder.kind, list(autoencoder.shape)]).encode())
    for name, value in sorted(autoencoder.network.state_dict().items()):
        found.update(name.encode())
        found.update(value.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()
