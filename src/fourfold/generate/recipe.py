"""Recipes by name: how a generator is fitted. Ours, and those of installed packages.

A package adds a recipe with an entry point of the group ``fourfold.recipes`` whose value is a `Recipe` subclass;
``fourfold recipes --check NAME`` runs the conformance suite on it.
"""

from __future__ import annotations

import typing
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from fourfold.comparison import Progress, no_progress
from fourfold.errors import InputError
from fourfold.generate.generator import Generator
from fourfold.generate.training_set import TrainingSet

__all__ = ["Recipe", "Run", "names", "options_of", "recipe"]

GROUP = "fourfold.recipes"

Family = Literal["baseline", "autoencoder", "adversarial", "diffusion", "adversary"]


@dataclass(frozen=True)
class Run:
    """Where and how a fit runs; nothing in it changes what an ideal fit would be, but for `seed` and the budgets.

    Parameters
    ----------
    folder : Path
        Where logs, snapshots and checkpoints go; exists.
    seed : int
    device : str
        ``"cpu"``, ``"cuda"``, ``"mps"``.
    devices : int
        How many of them.
    precision : str
        As Lightning Fabric names it: ``"32-true"``, ``"bf16-mixed"``, ``"16-mixed"``.
    minutes : float or None
        Training ends after this time, None for the recipe's steps alone.
    snapshots : int
        Steps between snapshots (samples, watch, checkpoint); 0 for a recipe's own choice.
    stop_at_onset : bool
        End training where memorisation begins (needs a holdout), and keep the last model from before it.
    progress : callable
        Called with (task, done, total).
    """

    folder: Path
    seed: int = 0
    device: str = "cpu"
    devices: int = 1
    precision: str = "32-true"
    minutes: float | None = None
    snapshots: int = 0
    stop_at_onset: bool = False
    progress: Progress = no_progress


class Recipe(ABC):
    """How a generator of one kind is fitted.

    A subclass sets the class attributes and implements `fit`; its options are a frozen dataclass of numbers, strings
    and booleans with defaults.

    Attributes
    ----------
    name : str
    family : {"baseline", "autoencoder", "adversarial", "diffusion", "adversary"}
    summary : str
        One line.
    source : str
        Paper.
    conditions : tuple of str
        Parts of a condition that it can take, from ``"class"``, ``"labels"``, ``"attributes"``, ``"text"``,
        ``"mask"``, ``"features"``.
    usual : tuple of str
        What it is conditioned on where the user does not say, as far as the training set has it.
    fewest : int
        Images below which a fit makes no sense.
    dims : tuple of int
        Spatial dimensions that it can do.
    holds_patients : bool
        Whether a model holds training images, so that it must be kept as they are.
    quick : mapping of str to object
        Options with which a fit to a few dozen images of 16 x 16 takes seconds, for the conformance suite.
    Options : type
        Frozen dataclass.
    Generator : type
        What it fits.
    """

    name: ClassVar[str]
    family: ClassVar[Family]
    summary: ClassVar[str]
    source: ClassVar[str]
    conditions: ClassVar[tuple[str, ...]] = ()
    usual: ClassVar[tuple[str, ...]] = ()
    fewest: ClassVar[int] = 2
    dims: ClassVar[tuple[int, ...]] = (2, 3)
    holds_patients: ClassVar[bool] = False
    quick: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    Options: ClassVar[type]
    Generator: ClassVar[type[Generator]]

    @abstractmethod
    def fit(self, data: TrainingSet, options: Any, run: Run) -> tuple[Generator, dict[str, Any]]:
        """The fitted generator, and what its record says about the training (steps, losses, warnings).

        Raises
        ------
        InputError
            Where the data or the options do not allow it.
        """

    def check(self, data: TrainingSet) -> None:
        """Raise InputError where the data do not fit this recipe."""
        if len(data) < self.fewest:
            raise InputError(
                f"the recipe {self.name} needs at least {self.fewest} images and there are {len(data)}; "
                "add images, or choose a simpler recipe (fourfold recipes)"
            )
        for kind in data.conditioning.kinds:
            if kind not in self.conditions:
                takes = f"it takes: {', '.join(self.conditions)}" if self.conditions else "it takes none"
                raise InputError(f"the recipe {self.name} has no condition {kind!r}; {takes}")
        if len(data.shape) - 1 not in self.dims:
            raise InputError(
                f"the recipe {self.name} does not do {len(data.shape) - 1}-D images; "
                "cut volumes into slices with --slices, or choose another recipe (fourfold recipes)"
            )


_OURS = {
    "gaussian": "fourfold.generate.baselines.gaussian:GaussianRecipe",
    "mixture": "fourfold.generate.baselines.mixture:MixtureRecipe",
    "smote": "fourfold.generate.baselines.smote:SmoteRecipe",
    "kde": "fourfold.generate.baselines.kde:KdeRecipe",
    "vae": "fourfold.generate.vae:VaeRecipe",
    "gan": "fourfold.generate.gan:GanRecipe",
    "diffusion": "fourfold.generate.diffusion:DiffusionRecipe",
    "latent-diffusion": "fourfold.generate.latent:LatentDiffusionRecipe",
    "diversity-aware": "fourfold.generate.diversity:DiversityAwareRecipe",
    "copier": "fourfold.generate.adversaries:CopierRecipe",
    "collapsed": "fourfold.generate.adversaries:CollapsedRecipe",
}


def names() -> tuple[str, ...]:
    """Every recipe: ours in order of effort, the two adversaries last, then those of installed packages."""
    others = sorted(point.name for point in entry_points(group=GROUP) if point.name not in _OURS)
    return (*_OURS, *others)


def recipe(name: str) -> Recipe:
    """A recipe by name.

    Raises
    ------
    InputError
        Where there is none, or an installed package's cannot be loaded.
    """
    if name in _OURS:
        module, _, member = _OURS[name].partition(":")
        return getattr(import_module(module), member)()
    for point in entry_points(group=GROUP, name=name):
        try:
            found = point.load()
        # What a foreign package raises at import is its own affair; here it means one thing.
        except Exception as error:
            raise InputError(
                f"the recipe {name!r} of {point.value!r} cannot be loaded ({type(error).__name__}); "
                "repair or remove the package that brings it"
            ) from error
        if not (isinstance(found, type) and issubclass(found, Recipe)):
            raise InputError(
                f"the recipe {name!r} of {point.value!r} is no fourfold.generate.Recipe; repair the package"
            )
        return found()
    raise InputError(f"there is no recipe {name!r}; there are: {', '.join(names())}")


def options_of(found: Recipe, given: Mapping[str, Any]) -> Any:
    """The options of a recipe from names and values, text included.

    Parameters
    ----------
    found : Recipe
    given : mapping of str to object
        Values of the right type, or their text as typed at a command line.

    Raises
    ------
    InputError
        Where there is no such option, or its value is of another kind; the message lists what there is.
    """
    known = {field.name: field for field in fields(found.Options)}
    hints = typing.get_type_hints(found.Options)
    values = {}
    for name, value in given.items():
        plain = name.replace("-", "_")
        if plain not in known:
            raise InputError(
                f"the recipe {found.name} has no option {name!r}; "
                + (f"it has: {', '.join(known)}" if known else "it has none")
            )
        values[plain] = _converted(found.name, plain, value, hints[plain])
    missing = [name for name, field in known.items() if name not in values and field.default is MISSING]
    if missing:
        raise InputError(
            f"the recipe {found.name} needs the option {missing[0]!r}; give it with --set {missing[0]}=VALUE"
        )
    return found.Options(**values)


def _converted(recipe_name: str, name: str, value: Any, hint: Any) -> Any:
    """`value` as the kind that `hint` names."""
    kinds = [kind for kind in (typing.get_args(hint) or (hint,)) if kind is not type(None)]
    if value is None and type(None) in typing.get_args(hint):
        return None
    if typing.get_origin(hint) is Literal:
        if value not in typing.get_args(hint):
            choices = ", ".join(map(str, typing.get_args(hint)))
            raise InputError(f"the option {name} of {recipe_name} is one of {choices}, got {value!r}")
        return value
    if typing.get_origin(hint) is tuple:
        parts = value.split(",") if isinstance(value, str) else value
        return tuple(_converted(recipe_name, name, part, typing.get_args(hint)[0]) for part in parts)
    kind = kinds[0]
    try:
        if kind is bool and isinstance(value, str):
            return {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}[value.lower()]
        return kind(value)
    except (KeyError, TypeError, ValueError) as error:
        words = {int: "a whole number", float: "a number", bool: "yes or no"}.get(kind, kind.__name__)
        raise InputError(f"the option {name} of {recipe_name} is {words}, got {value!r}") from error
