"""What a study of utility measured of each set, read from its ``utility.json``."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fourfold.errors import InputError
from fourfold.report.utility_study import SCHEMA, utility_schema
from fourfold.score import Score

__all__ = ["MeasuredUtility", "read_measured_utility"]

_SOURCE = "train on synthetic, test on real: Esteban et al. 2017 (arXiv:1706.02633)"


@dataclass(frozen=True)
class MeasuredUtility:
    """How models that learned from each set in place of real images did on real test patients.

    Parameters
    ----------
    measure : str
        Of the difference: ``"auc"``, ``"dice"``.
    scores : mapping of str to Score
        By name of the set: the difference to as many real images with its interval; its null is 0.
    """

    measure: str
    scores: Mapping[str, Score]


def read_measured_utility(path: str | os.PathLike[str]) -> MeasuredUtility:
    """Read the substitution estimates of a study of utility.

    Parameters
    ----------
    path : path
        ``utility.json``, or the folder that it lies in.

    Returns
    -------
    MeasuredUtility
        Of the first task. Where a set was asked with several numbers of images, the one nearest to that of the real
        images counts.

    Raises
    ------
    InputError
        Where the file cannot be read, is no record of a study of utility, or asked no set in place of real images.
    """
    import jsonschema

    path = Path(path)
    path = path / "utility.json" if path.is_dir() else path
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the utility.json of a study") from error
    except ValueError as error:
        raise InputError(f"{path}: is not JSON; give the utility.json that `fourfold utility` wrote") from error
    try:
        jsonschema.validate(document, utility_schema())
    except jsonschema.ValidationError as error:
        raise InputError(f"{path}: is not a {SCHEMA} record; give the utility.json of `fourfold utility`") from error
    findings = document["findings"][0]
    chosen: dict[str, dict[str, Any]] = {}
    for contrast in findings["contrasts"]:
        if contrast["question"] == "substitution" and contrast["subject"] != "fresh real":
            held = chosen.get(contrast["subject"])
            if held is None or _distance(contrast) < _distance(held):
                chosen[contrast["subject"]] = contrast
    if not chosen:
        raise InputError(
            f"{path}: no set was asked in place of real images; run `fourfold utility` with --arms synthetic"
        )
    return MeasuredUtility(findings["headline"], {name: _score(contrast) for name, contrast in chosen.items()})


def _distance(contrast: Mapping[str, Any]) -> int:
    return abs(contrast["added"] - contrast["real"]) if contrast["real"] else -contrast["added"]


def _score(contrast: Mapping[str, Any]) -> Score:
    found = contrast["difference"]
    interval, band = found["interval"], contrast["null_interval"]
    return Score(
        "utility",
        "measured_utility",
        found["value"],
        0.0,
        None if interval is None or None in interval else tuple(interval),
        None if band is None or None in band else tuple(band),
        source=_SOURCE,
        null_source="holdout",
        reason=None if found["value"] is not None else "the study could not tell it",
    )
