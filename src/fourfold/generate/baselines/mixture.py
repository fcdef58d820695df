"""A mixture of Gaussians in the space of principal components, one mixture a class.

What one Gaussian blurs into an average (views, devices, sexes) becomes components of their own. With enough components
every patient would have one; so a component must hold several patients, and the number of components is the one that
the data pay for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from fourfold.errors import InputError
from fourfold.generate.baselines.classes import rows_by_class
from fourfold.generate.baselines.components import fit_components
from fourfold.generate.baselines.gaussian import GaussianGenerator
from fourfold.generate.baselines.law import fit_mixtures
from fourfold.generate.conditioning.aggregates import FEWEST_PATIENTS
from fourfold.generate.generator import Generator
from fourfold.generate.recipe import Family, Recipe, Run
from fourfold.generate.training_set import TrainingSet

__all__ = ["MixtureGenerator", "MixtureOptions", "MixtureRecipe"]


class MixtureGenerator(GaussianGenerator):
    """Draws as `GaussianGenerator` does, from a law of several components.

    Temperature 0 gives the components' means, truncation 0 the mean of each class.
    """

    recipe: ClassVar[str] = "mixture"
    knobs: ClassVar[tuple[str, ...]] = ("temperature", "truncation")


@dataclass(frozen=True)
class MixtureOptions:
    """Options of `MixtureRecipe`.

    Parameters
    ----------
    components : int or None
        Gaussians a class; None for as many as the Bayesian information criterion asks for.
    covariance : {"full", "tied", "diag"}
        Of each component its own, one for all, or without correlations.
    share : float
        Share of the variance that the principal components hold.
    most : int
        Principal components at most.
    residual : {"none", "pixel"}
        As for `fourfold.generate.baselines.GaussianOptions`.
    """

    components: int | None = None
    covariance: Literal["full", "tied", "diag"] = "full"
    share: float = 0.95
    most: int = 64
    residual: Literal["none", "pixel"] = "none"

    def __post_init__(self) -> None:
        if self.components is not None and self.components < 1:
            raise InputError(f"a mixture has at least 1 component, got {self.components}")


class MixtureRecipe(Recipe):
    """Fits `MixtureGenerator`."""

    name: ClassVar[str] = "mixture"
    family: ClassVar[Family] = "baseline"
    summary: ClassVar[str] = "a mixture of Gaussians in the space of principal components, one a class"
    source: ClassVar[str] = "Dempster, Laird & Rubin 1977; Schwarz 1978"
    conditions: ClassVar[tuple[str, ...]] = ("class",)
    fewest: ClassVar[int] = 16
    Options: ClassVar[type] = MixtureOptions
    Generator: ClassVar[type[Generator]] = MixtureGenerator

    def fit(self, data: TrainingSet, options: MixtureOptions, run: Run) -> tuple[MixtureGenerator, dict[str, Any]]:
        """As `Recipe.fit`."""
        classes = rows_by_class(data, self.name, patients=FEWEST_PATIENTS)
        run.progress("principal components", 0, 1)
        components, coordinates = fit_components(data, options.share, options.most, run.seed)
        run.progress("principal components", 1, 1)
        law, record = fit_mixtures(
            coordinates,
            classes,
            data.patients,
            components=options.components,
            covariance=options.covariance,
            seed=run.seed,
        )
        generator = MixtureGenerator(data.shape, data.conditioning, components, law, options.residual)
        return generator, {"components": len(components), "share_held": components.share, **record}
