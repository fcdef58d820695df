"""What a release must show before it may leave: the limits of its audit, of its screen, and who answers for them.

A release policy is an audit's policy with three more tables. It is set and signed before the release is made, and its
text travels with the package.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from pathlib import Path
from typing import Any, Literal

from fourfold.errors import InputError
from fourfold.privacy import LIMITS, Policy
from fourfold.privacy.policy import policy_of, read_toml, write_new

__all__ = ["ReleasePolicy", "policy_text", "read_release_policy", "write_release_policy"]

_TABLES = {
    "screen": ("miss_rate", "false_veto", "shortfall"),
    "release": ("earlier_releases", "inconclusive", "fewest_label_patients", "given_up"),
    "tests": ("singling_out_p", "avoidance_p", "utility_loss"),
}


@dataclass(frozen=True)
class ReleasePolicy:
    """The limits of a release.

    Parameters
    ----------
    audit : Policy
        The limits of the audit of the images that are released, and who signed; see `fourfold.privacy.Policy`.
    miss_rate : float
        Share of near-duplicates of training images that the screen may let pass, in (0, 0.5].
    false_veto : float
        Share of images of fresh patients that the screen may veto, in (0, 0.2]. Where both cannot be had, this one is
        kept and the miss rate suffers.
    shortfall : {"refuse", "accept"}
        What becomes of a release whose screen misses more than `miss_rate`.
    earlier_releases : int
        Releases that may already have been made from any of the same patients. Each is tested alone, and security
        against singling out does not add up.
    inconclusive : {"refuse", "accept"}
        What becomes of a release whose audit is inconclusive. A failed audit is always refused.
    fewest_label_patients : int
        Training patients that must share a label (or combination of findings) for it to be released, at least 2.
    given_up : float
        Share of the training images' conditions for which no image could be given, above which the release is refused,
        in (0, 1].
    singling_out_p, avoidance_p : float
        Levels of the test of predicate singling out over all weights and feature spaces, and of its other tail, holes
        around training patients; in (0, 0.5].
    utility_loss : float or None
        How much lower the area under the curve of a model trained on the released images may be, on real patients,
        than that of one trained on as many real images; the lower bound of the difference counts. None reports it only.
    text : str
        The file as it was read, which travels with the package.

    Raises
    ------
    InputError
        Where a value is out of range, or nobody signed.
    """

    audit: Policy = field(default_factory=Policy)
    miss_rate: float = 0.1
    false_veto: float = 0.01
    shortfall: Literal["refuse", "accept"] = "refuse"
    earlier_releases: int = 0
    inconclusive: Literal["refuse", "accept"] = "refuse"
    fewest_label_patients: int = 5
    given_up: float = 1.0
    singling_out_p: float = 0.01
    avoidance_p: float = 0.01
    utility_loss: float | None = None
    text: str = ""

    def __post_init__(self) -> None:
        if not self.audit.signed_by.strip():
            raise InputError(
                "signed_by is empty: a release needs somebody who answers for its limits; let them sign the policy"
            )
        if self.audit.scope != "images":
            raise InputError("scope must be 'images': a release holds images; audit a model with `fourfold audit`")
        for name, most in (
            ("miss_rate", 0.5),
            ("false_veto", 0.2),
            ("given_up", 1.0),
            ("singling_out_p", 0.5),
            ("avoidance_p", 0.5),
        ):
            _check_number(name, getattr(self, name), most)
        if self.utility_loss is not None:
            _check_number("utility_loss", self.utility_loss, 0.5)
        for name in ("shortfall", "inconclusive"):
            if getattr(self, name) not in ("refuse", "accept"):
                raise InputError(f"{name} must be 'refuse' or 'accept', got {getattr(self, name)!r}")
        for name, least in (("earlier_releases", 0), ("fewest_label_patients", 2)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InputError(f"{name} must be a whole number {least} or more, got {value!r}")

    def describe(self) -> dict[str, Any]:
        """The limits beyond those of the audit, as JSON can hold them."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name not in ("audit", "text")}


def read_release_policy(file: str | os.PathLike[str]) -> ReleasePolicy:
    """A release policy from a TOML file as `write_release_policy` writes it; what it leaves out has its default.

    Raises
    ------
    InputError
        Where the file cannot be read, is no TOML, holds a name or value that is not allowed, or nobody signed it.
    """
    file = Path(file)
    found = read_toml(file, "`fourfold release --write-policy FILE` writes a valid one")
    own: dict[str, Any] = {}
    for table, names in _TABLES.items():
        values = found.pop(table, {})
        if not isinstance(values, Mapping):
            raise InputError(f"{file}: {table} must be a table, [{table}], with {', '.join(names)}")
        for name in values:
            if name not in names:
                raise InputError(f"{file}: in [{table}] there is no {name!r}; known are {', '.join(names)}")
        own |= values
    # What a release needs of its audit is less than what an audit of a generator needs, unless the file says otherwise.
    found.setdefault("required", list(_REQUIRED))
    found["limits"] = (
        {"copy_rate": _COPY_RATE, **found["limits"]}
        if isinstance(found.get("limits"), Mapping)
        else {"copy_rate": _COPY_RATE}
    )
    try:
        return ReleasePolicy(policy_of(found, file), **own, text=file.read_text(encoding="utf-8"))
    except InputError as error:
        said = str(error)
        raise InputError(said if said.startswith(str(file)) else f"{file}: {said}") from error


def write_release_policy(file: str | os.PathLike[str]) -> Path:
    """Write the default policy with its comments, whole or not at all; it still has to be signed.

    Raises
    ------
    InputError
        Where the file exists already or cannot be written.
    """
    return write_new(Path(file), _TEXT)


def policy_text(policy: ReleasePolicy) -> str:
    """A policy as the file that travels with a package: as it was read, or written out where it was made in Python.

    Examples
    --------
    >>> "miss_rate = 0.1" in policy_text(ReleasePolicy(Policy(signed_by="Dr A. Example")))
    True
    """
    if policy.text:
        return policy.text
    own, audit = policy.describe(), policy.audit
    lines = [f"{name} = {_toml(getattr(audit, name))}" for name in ("scope", "signed_by", "expires", "required")]
    for table, names in _TABLES.items():
        lines += ["", f"[{table}]", *(f"{name} = {_toml(own[name])}" for name in names if own[name] is not None)]
    lines += ["", "[limits]", *(f"{name} = {_toml(getattr(audit, name))}" for name in LIMITS)]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, date):
        return value.isoformat()
    # Numbers, strings and lists of strings are written in TOML as they are in JSON.
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


def _check_number(name: str, value: Any, most: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
        raise InputError(f"{name} must be a number above 0 and up to {most:g}, got {value!r}")


_REQUIRED = ("copies", "copy_rate", "membership_auc", "singling_out_excess")
_COPY_RATE = 0.01

_TEXT = """\
# Limits of a Fourfold release: fourfold release M --train T --holdout H -o R --policy THIS
#
# Set them before the release is made. A release is refused unless somebody signed here. The images that would be
# released are audited on patients whom neither the generator nor the choice of the images ever saw: an audit passes
# where the 95 % upper bound of every attack lies below its limit, and fails where a lower bound, adjusted for the
# number of attacks, lies above. This file travels with the package. A line that is left out keeps the value shown here.

# Who set these limits and answers for them. Required.
signed_by = ""

# Months after which the audit must be repeated, or a day such as 2027-01-31.
expires = 12

# What must have been measured: without one of these nothing is released.
required = ["copies", "copy_rate", "membership_auc", "singling_out_excess"]

[screen]
# Share of near-duplicates of training images that the screen may miss, measured on near-duplicates made for the
# purpose (hardly visible ones among them), and share of the images of fresh patients that it may veto in vain. Where
# both cannot be had, the second is kept; "shortfall" says whether the release is then refused or accepted.
miss_rate = 0.10
false_veto = 0.01
shortfall = "refuse"

[release]
# Releases that may already have been made from any of these patients. Each is tested alone, and what several of them
# tell together is not the sum.
earlier_releases = 0

# What becomes of a release whose audit is inconclusive: "refuse" or "accept". The statement says so either way.
inconclusive = "refuse"

# Training patients that must share a label, or combination of findings, for it to be released.
fewest_label_patients = 5

# Share of the training images whose condition may go without any image, since none could be given safely.
given_up = 1.0

[tests]
# Predicate singling out, over all weights and feature spaces: released images may not isolate training patients more
# often than patients who were never used (upper tail), nor leave holes around them (lower tail), at these levels.
singling_out_p = 0.01
avoidance_p = 0.01

# How much a model that is trained on the released images may lose, in area under the curve on real patients, against
# one trained on as many real images. Without this line it is reported and does not decide.
# utility_loss = 0.05

[limits]
# Images that may be listed as copies of a training image.
copies = 0

# Share of copies among further images of the same making. 0.01 needs about 300 images without a copy.
copy_rate = 0.01

# Telling training patients from others: area under the ROC curve (0.5 is chance), and the share of training
# patients named while 1 % of the others are named wrongly (0.01 is chance).
membership_auc = 0.60
membership_tpr = 0.03

# The same for the patients most at risk: the most isolated ones and rare groups.
worst_case_auc = 0.60
worst_case_tpr = 0.03

# Success of an attack on training patients beyond the same attack on patients who were never used.
singling_out_excess = 0.09
linkage_excess = 0.09
inference_excess = 0.09
"""
