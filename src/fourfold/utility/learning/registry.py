"""From a name to a task: networks of this library, nnU-Net, and models of installed packages.

A name is one of ours (``resnet``, ``unet``, ``nnunet``...), an entry point of the group ``fourfold.tasks``, or a path
``module:Object``. Code is only taken from packages that are installed where Python looks for packages; a module that
lies beside the data, or in the folder where the command runs, is refused, because a data set that somebody sends must
never bring code that runs.

What is loaded is a subclass of `Classification` or `Segmentation` (usually with a `fit` of its own), another `Task`
with a classmethod ``of(images)``, or a class with scikit-learn's ``fit`` and ``predict_proba``.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import site
import sysconfig
from importlib.metadata import distributions, entry_points
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlparse

from fourfold.errors import InputError
from fourfold.images.sets import ImageSet
from fourfold.utility.learning.classification import Classification
from fourfold.utility.learning.contract import Task
from fourfold.utility.learning.estimators import EstimatorClassification
from fourfold.utility.learning.networks import CLASSIFIERS, SEGMENTERS
from fourfold.utility.learning.nnunet import NnUnetSegmentation, demand_nnunet
from fourfold.utility.learning.segmentation import Segmentation

__all__ = ["GROUP", "Kind", "networks", "task_of"]

Kind = Literal["classification", "segmentation"]

GROUP = "fourfold.tasks"
"""Entry points of packages that bring a model."""

_OURS: dict[Kind, tuple[str, ...]] = {
    "classification": tuple(CLASSIFIERS),
    "segmentation": (*SEGMENTERS, "nnunet"),
}


def networks(kind: Kind) -> tuple[str, ...]:
    """Names that `task_of` knows: ours, the default first, then those of installed packages."""
    others = sorted({point.name for point in entry_points(group=GROUP)} - set(_OURS[kind]))
    return (*_OURS[kind], *others)


def task_of(
    kind: Kind,
    images: ImageSet,
    network: str | None = None,
    *,
    column: str | None = None,
    names: tuple[str, ...] | None = None,
) -> Task:
    """The task that a set poses, learned by a network of this name.

    Parameters
    ----------
    kind : {"classification", "segmentation"}
    images : ImageSet
        Prepared; usually the training set.
    network : str or None
        None for the default; else a name of `networks`, or ``module:Object`` of an installed package.
    column : str or None
        A column with the class instead of ``label``, for a second task.
    names : tuple of str or None
        Of the regions, in the order of their values in the masks.

    Raises
    ------
    InputError
        Where there is no such network, it is no model for this kind of task, its package is not installed, or the
        set poses no such task.
    MissingExtra
        ``nnunet`` without its package.
    """
    name = _OURS[kind][0] if network is None else network
    settings: dict[str, Any] = {"column": column} if kind == "classification" else {"names": names}
    if name == "nnunet" and kind == "segmentation":
        demand_nnunet()
        return NnUnetSegmentation.of(images, **settings)
    if name in _OURS[kind]:
        ours = Classification if kind == "classification" else Segmentation
        return ours.of(images, network=name, **settings)
    found = _loaded(name, kind)
    if isinstance(found, type) and issubclass(found, Task):
        if getattr(found, "kind", None) != kind:
            raise InputError(f"{name} is a model for {found.kind}, not for {kind}; choose another")
        return found.of(images, **{key: value for key, value in settings.items() if value is not None})
    if isinstance(found, type) and hasattr(found, "fit") and hasattr(found, "predict_proba"):
        if kind == "segmentation":
            raise InputError(
                f"{name} tells classes apart and cannot segment; choose one of {', '.join(networks(kind))}"
            )
        return EstimatorClassification.of(images, network=name, estimator=found, **settings)
    raise InputError(
        f"{name} is no fourfold Task with a method `of`, and no class with fit and predict_proba; "
        "see fourfold.utility.learning.Task"
    )


def _loaded(name: str, kind: Kind) -> Any:
    """What an entry point or a path names."""
    path = name
    for point in entry_points(group=GROUP, name=name):
        path = point.value
    module, colon, member = path.partition(":")
    if not (module and colon and member):
        raise InputError(
            f"there is no network {name!r}; there are: {', '.join(networks(kind))}; "
            "a model of an installed package is given as module:Object"
        )
    _demand_installed(module, name)
    try:
        found: Any = importlib.import_module(module)
        for part in member.split("."):
            found = getattr(found, part)
    # What a foreign package raises at import is its own affair; here it means one thing.
    except Exception as error:
        raise InputError(
            f"the network {name!r} cannot be loaded from {path!r} ({type(error).__name__}: {error}); "
            "check the name, and that the package works"
        ) from error
    return found


def _demand_installed(module: str, name: str) -> None:
    """Refuse a module that lies anywhere but in an installed package, before any of its code runs."""
    # Only the outermost package is looked up: looking up what lies inside it would run it.
    top = module.partition(".")[0]
    try:
        found = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        found = None
    if found is None:
        raise InputError(f"the network {name!r} needs the package {top!r}, which is not installed; install it first")
    places = [found.origin] if found.origin else list(found.submodule_search_locations or ())
    folders = _package_folders()
    if not places or not all(any(Path(place).resolve().is_relative_to(one) for one in folders) for place in places):
        raise InputError(
            f"the network {name!r}: {top!r} lies outside the folders of installed packages, and code beside data is "
            "never run; install it as a package (pip install) and try again"
        )


def _package_folders() -> list[Path]:
    """Where installed packages lie, those installed in place by their developers (pip install -e) included."""
    folders = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()]
    if site.ENABLE_USER_SITE:
        folders.append(site.getusersitepackages())
    for distribution in distributions():
        origin = json.loads(distribution.read_text("direct_url.json") or "{}")
        if origin.get("dir_info", {}).get("editable"):
            folders.append(unquote(urlparse(origin["url"]).path))
    return [Path(folder).resolve() for folder in folders]
