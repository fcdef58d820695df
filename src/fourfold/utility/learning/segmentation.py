"""Segmentation of images and volumes into regions.

A small network of MONAI is trained on whole images by AdamW under a one-cycle learning rate with the sum of Dice loss
and cross-entropy (Isensee et al. 2021). Images whose sides the network cannot halve often enough are padded by their
border and cut back.

The headline is the mean Dice over the images that have a region, averaged over regions; `overlap` says what becomes
of images that do not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from fourfold.errors import InputError
from fourfold.features.threads import one_thread
from fourfold.images.sets import ImageSet
from fourfold.utility.learning.contract import Examples, Outcomes, Predictor, Progress, Task
from fourfold.utility.learning.labels import numbered, subgroups
from fourfold.utility.learning.masks import regions, values_of_regions
from fourfold.utility.learning.networks import SEGMENTERS, build
from fourfold.utility.learning.optimisation import Scale, Schedule, learned
from fourfold.utility.learning.overlap import (
    Sizes,
    border_distances,
    dice_of_images,
    dice_of_patients,
    false_alarms,
    sizes,
)
from fourfold.utility.network import laid_out

__all__ = ["Segmentation"]

BATCHES = {2: 16, 3: 2}
"""Images a step, by the number of spatial dimensions."""

MEMORY = 0.95
"""Decay of AdamW's squared gradients. At its usual .999 some seeds end up marking nothing where regions are a hundredth
of an image."""

MULTIPLE = 8
"""Sides of images are padded to a multiple of it: three halvings."""


@dataclass(frozen=True)
class Segmentation(Task):
    """Learn the regions that the masks of a set mark.

    Parameters
    ----------
    names : tuple of str
        R regions, without the background.
    values : tuple of int
        The value of each in a mask file; where there is one region, whatever lies above 0 belongs to it.
    network : str
        One of `fourfold.utility.learning.networks.SEGMENTERS`.
    learning_rate, weight_decay : float
    batch_size : int or None
        None for 16 images or 2 volumes.
    flips : tuple of int
        Spatial axes along which augmentation mirrors, 0 the first; none by itself.
    borders : bool
        Whether outcomes hold the distance of borders too, which takes some milliseconds an image.
    """

    kind: ClassVar[Literal["classification", "segmentation"]] = "segmentation"
    exclusive: ClassVar[bool] = True  # type: ignore[misc]

    names: tuple[str, ...]
    values: tuple[int, ...]
    network: str = "unet"
    learning_rate: float = 5e-3
    weight_decay: float = 1e-4
    batch_size: int | None = None
    flips: tuple[int, ...] = ()
    borders: bool = False

    def __post_init__(self) -> None:
        if not self.names or len(self.names) != len(self.values):
            raise ValueError(f"{len(self.names)} names for {len(self.values)} regions; give one each, at least one")

    @classmethod
    def of(cls, images: ImageSet, *, names: tuple[str, ...] | None = None, **settings: object) -> Segmentation:
        """The task that the masks of a set pose.

        Parameters
        ----------
        images : ImageSet
            Usually the training set.
        names : tuple of str or None
            Of the regions in the order of their values; None for ``region 1`` and so on.
        **settings
            As for the class.

        Raises
        ------
        InputError
            Where there are no masks or no regions in them, or another number of names.
        """
        values = values_of_regions(images)
        if names is None:
            names = tuple(f"region {value if len(values) > 1 else 1}" for value in values)
        elif len(names) != len(values):
            raise InputError(
                f"{len(names)} names were given and the masks of the {images.name} set hold {len(values)} regions "
                f"({', '.join(map(str, values))}); give one name each"
            )
        return cls(names, values, **settings)  # type: ignore[arg-type]

    def examples(self, images: ImageSet) -> Examples:
        """As `Task.examples`; an image without a mask in a set of masks holds nothing but background."""
        return Examples(images.load(), regions(images, self.values), numbered(images), subgroups(images))

    def fit(
        self,
        examples: Examples,
        *,
        seed: int,
        steps: int,
        device: str = "cpu",
        augment: bool = False,
        initial: Mapping[str, Tensor] | None = None,
        progress: Progress | None = None,
    ) -> Predictor:
        """As `Task.fit`."""
        shape = examples.images.shape[1:]
        padded = (shape[0], *(side + -side % MULTIPLE for side in shape[1:]))
        batch = BATCHES[len(shape) - 1] if self.batch_size is None else self.batch_size
        network, scale = learned(
            lambda: _Padded(build(SEGMENTERS, self.network, padded, len(self.names) + 1, seed, initial)),
            examples,
            _dice_and_cross_entropy(),
            Schedule(steps, batch, self.learning_rate, self.weight_decay, MEMORY),
            seed=seed,
            device=device,
            augment=self.flips if augment else None,
            progress=progress,
        )
        return _Network(network, scale, device)

    def outcomes(self, predicted: np.ndarray, examples: Examples) -> Outcomes:
        """As `Task.outcomes`: pixels of each region in the one, the other and both, and distances where wanted."""
        found = sizes(examples.targets, predicted, len(self.names))
        facts = {"shared": found.shared, "true": found.true, "predicted": found.predicted}
        if self.borders:
            facts["borders"] = border_distances(examples.targets, predicted, len(self.names))
        return Outcomes(facts, examples.patients)

    def metric(self, outcomes: Outcomes, weights: np.ndarray | None = None) -> dict[str, float]:
        """As `Task.metric`.

        Returns
        -------
        dict of str to float
            ``dice`` and ``dice_patient``, means over regions; ``dice/NAME``, ``dice_patient/NAME`` and
            ``false_alarms/NAME`` each; ``hausdorff95/NAME``, in pixels, where borders are wanted.
        """
        found = _sizes_of(outcomes)
        once = None if weights is None else np.asarray(weights, dtype=np.float64)
        single = {
            "dice": dice_of_images(found, None if once is None else once[None])[0],
            "dice_patient": dice_of_patients(found, outcomes.patients, once),
            "false_alarms": false_alarms(found, once),
        }
        if "borders" in outcomes.facts:
            single["hausdorff95"] = _mean_known(outcomes.facts["borders"], once)
        return {
            "dice": float(single["dice"].mean()),
            "dice_patient": float(single["dice_patient"].mean()),
            **{
                f"{fact}/{name}": float(value)
                for fact, values in single.items()
                for name, value in zip(self.names, values, strict=True)
            },
        }

    def headline(self, outcomes: Outcomes, weights: np.ndarray) -> np.ndarray:
        """As `Task.headline`: Dice, shape (B,)."""
        return dice_of_images(_sizes_of(outcomes), weights).mean(axis=1)


class _Padded(nn.Module):
    """A network for images of any size: padded by their border to what it can halve, its maps cut back."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        sides = images.shape[2:]
        more = [-side % MULTIPLE for side in sides]
        if any(more):
            # The last axis comes first.
            edges = [edge for extra in reversed(more) for edge in (extra // 2, extra - extra // 2)]
            images = functional.pad(images, edges, mode="replicate")
        maps = self.network(images)
        for axis, (side, extra) in enumerate(zip(sides, more, strict=True)):
            maps = maps.narrow(2 + axis, extra // 2, side)
        return maps


@dataclass(frozen=True, eq=False)
class _Network:
    """A trained network as a `Predictor`."""

    network: nn.Module
    scale: Scale
    device: str

    def __call__(self, images: np.ndarray) -> np.ndarray:
        maps = np.empty((len(images), *images.shape[2:]), dtype=np.uint8)
        batch = 64 if images.ndim == 4 else 4
        with one_thread(), torch.inference_mode():
            for start in range(0, len(images), batch):
                part = torch.from_numpy(np.ascontiguousarray(images[start : start + batch])).to(self.device)
                logits = self.network(laid_out(self.scale(part)))
                maps[start : start + batch] = logits.argmax(dim=1).to(torch.uint8).cpu().numpy()
        return maps


def _dice_and_cross_entropy() -> Callable[[Tensor, Tensor], Tensor]:
    from monai.losses import DiceCELoss

    # Over the batch as a whole, so that an image without a region does not swing the loss.
    loss = DiceCELoss(include_background=False, to_onehot_y=True, softmax=True, batch=True)
    return lambda logits, maps: loss(logits, maps[:, None].long())


def _sizes_of(outcomes: Outcomes) -> Sizes:
    return Sizes(*(outcomes.facts[name] for name in ("shared", "true", "predicted")))


def _mean_known(values: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Mean over images, shape (R,), of those that have a value."""
    known = ~np.isnan(values)
    weights = np.ones(len(values)) if weights is None else weights
    with np.errstate(invalid="ignore", divide="ignore"):
        return (weights @ np.where(known, values, 0.0)) / (weights @ known)
