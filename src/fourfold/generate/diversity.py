"""``--recipe diversity-aware``: each training image is a condition of its own, by a few numbers of its feature.

A model that is told what each image is like covers what an unconditional one forgets ("pseudo-unconditional"). What it
is told also singles images out, so here the class stands in the condition by itself, the feature is cut to a few
components, unit-normalised and blurred by noise, and new features are drawn from their distribution rather than taken
from patients one by one. How nearly unique the conditions are is part of the training record (surprisal).

References
----------
M. Dombrowski, W. Zhang, S. Cechnicka, H. Reynaud, B. Kainz, CVPR 2025 (arXiv 2411.16171).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from torch import Tensor

from fourfold.errors import InputError
from fourfold.generate.conditioning import Conditioning
from fourfold.generate.diffusion import DiffusionGenerator, DiffusionRecipe
from fourfold.generate.latent import LatentDiffusionGenerator, LatentDiffusionOptions, LatentDiffusionRecipe
from fourfold.generate.recipe import Recipe, Run
from fourfold.generate.training_set import TrainingSet

__all__ = ["DiversityAwareOptions", "DiversityAwareRecipe"]


@dataclass(frozen=True)
class DiversityAwareOptions(LatentDiffusionOptions):
    """Options of both kinds of diffusion.

    Parameters
    ----------
    space : {"pixels", "latents"}
        Where the diffusion runs.
    """

    space: Literal["pixels", "latents"] = "pixels"
    condition_noise: float = 0.1

    def __post_init__(self) -> None:
        if self.epsilon is not None:
            raise InputError(
                "diversity-aware training is not offered with --epsilon: its features are measured on every patient "
                "without protection; use --recipe diffusion"
            )
        super().__post_init__()


class DiversityAwareGenerator(DiffusionGenerator):
    """Either kind of diffusion, by what its settings say."""

    recipe: ClassVar[str] = "diversity-aware"

    @classmethod
    def restore(
        cls,
        shape: tuple[int, ...],
        conditioning: Conditioning,
        settings: Mapping[str, Any],
        arrays: Mapping[str, Tensor],
    ) -> DiffusionGenerator:
        """As `Generator.restore`."""
        kind = LatentDiffusionGenerator if "latent_shape" in settings else DiffusionGenerator
        return kind.restore(shape, conditioning, settings, arrays)


class DiversityAwareRecipe(Recipe):
    """Diffusion under the class and a low-information feature of the image itself."""

    name: ClassVar[str] = "diversity-aware"
    family: ClassVar[str] = "diffusion"
    summary: ClassVar[str] = "diffusion under class and a few components of each image's own feature: covers rare kinds"
    source: ClassVar[str] = "Dombrowski et al. 2025"
    conditions: ClassVar[tuple[str, ...]] = ("class", "labels", "attributes", "features")
    usual: ClassVar[tuple[str, ...]] = ("class", "features")
    fewest: ClassVar[int] = 32
    quick: ClassVar[dict[str, Any]] = DiffusionRecipe.quick
    Options: ClassVar[type] = DiversityAwareOptions
    Generator: ClassVar[type] = DiversityAwareGenerator

    def fit(self, data: TrainingSet, options: Any, run: Run) -> tuple[DiffusionGenerator, dict[str, Any]]:
        """As `Recipe.fit`."""
        if data.conditioning.part("features") is None:
            raise InputError("the recipe diversity-aware needs features; train with --condition class,features")
        inner = LatentDiffusionRecipe() if options.space == "latents" else DiffusionRecipe()
        return inner.fit(data, options, run)
