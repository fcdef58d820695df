"""What every recipe must keep, ours or another package's, tried out on a few dozen phantoms in seconds.

``fourfold recipes --check NAME`` prints the findings; the tests run them over every recipe. Training is short (a
recipe's `Recipe.quick` options), so what is asked of images is little: that they are images, that they repeat, that
they obey. Whether they are good is the evaluation's question.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fourfold.comparison import Progress, no_progress
from fourfold.generate.recipe import recipe
from fourfold.generate.rules import Broken, Rules
from fourfold.images import ImageSet, open_set, prepare

__all__ = ["Finding", "check_recipe"]

_PATIENTS = 32
_SIDE = 16
_BRIGHTENED = 0.35
# Found again in a file, it cannot be there by chance.
_MARK = "conformance-patient"


@dataclass(frozen=True)
class Finding:
    """One rule, and whether it is kept.

    Parameters
    ----------
    name : str
    passed : bool
    detail : str
        What was found, or why the rule does not apply.
    """

    name: str
    passed: bool
    detail: str


def check_recipe(
    name: str,
    data: Any | None = None,
    *,
    options: Mapping[str, Any] | None = None,
    progress: Progress = no_progress,
) -> tuple[Finding, ...]:
    """Fit a recipe with its quick options and try every rule.

    Parameters
    ----------
    name : str
        See `fourfold.generate.recipe.names`.
    data : source or None
        Whatever `fourfold.images.open_set` opens: a few dozen images of patients, in classes that are easily told
        apart; None for phantoms.
    options : mapping of str to object or None
        Options of the recipe beside or instead of its quick ones.
    progress : callable
        Called with (task, done, total).

    Returns
    -------
    tuple of Finding
        In order; the rules that need a fitted model are missing where the fit failed.

    Raises
    ------
    InputError
        Where there is no such recipe.
    """
    found = recipe(name)
    images = _phantoms() if data is None else open_set(data, name="training")
    rules = Rules(found, prepare({"training": images})["training"], images, {**found.quick, **(options or {})})
    findings = []
    with tempfile.TemporaryDirectory(prefix="fourfold-") as place:
        tried = rules.all(Path(place))
        for done, (title, rule) in enumerate(tried):
            progress("checking the recipe", done, len(tried))
            findings.append(_finding(title, rule))
            if title == rules.FIT and not findings[-1].passed:
                break
        progress("checking the recipe", len(tried), len(tried))
    return tuple(findings)


def _finding(title: str, rule: Callable[[], str]) -> Finding:
    try:
        return Finding(title, True, rule())
    except Broken as broken:
        return Finding(title, False, str(broken))
    # A recipe of another package may raise anything; here each is a finding.
    except Exception as error:
        return Finding(title, False, f"{type(error).__name__}: {error}")


def _phantoms() -> ImageSet:
    """Small chests of two classes, one of them brightened, so that the shortest training tells them apart."""
    from fourfold.images.phantoms import phantoms

    drawn = phantoms("chest", _PATIENTS, size=_SIDE, seed=1)
    bright = (drawn.labels == np.unique(drawn.labels)[0]).astype(np.float32).reshape(-1, 1, 1, 1)
    values = np.rint(255 * np.clip(0.6 * drawn.images + _BRIGHTENED * bright, 0, 1)).astype(np.uint8)
    patients = [f"{_MARK}-{patient}" for patient in drawn.patients]
    return ImageSet.from_array(values, name="training", labels=list(drawn.labels), patients=patients)
