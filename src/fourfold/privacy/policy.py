"""The limits that a privacy audit is judged by, as a file that a controller can read, change and sign.

The limits are set before the audit is run: a limit chosen after the result is no limit. Each bounds what an attack may
achieve, and a set passes where the 95 % upper bound of every attack lies below its limit.
"""

from __future__ import annotations

import contextlib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any, Literal

from fourfold.errors import InputError

__all__ = ["LIMITS", "Policy", "Scope", "policy_of", "read_policy", "read_toml", "write_new", "write_policy"]

Scope = Literal["images", "model"]

_SHARE = (0.0, 1.0, "a share above 0 and up to 1")
_AUC = (0.5, 1.0, "an area above 0.5 (chance) and up to 1")
_RATE = (0.01, 1.0, "a share above 0.01 (chance) and up to 1")
_RANGES: dict[str, tuple[float, float, str]] = {
    "copy_rate": _SHARE,
    "membership_auc": _AUC,
    "membership_tpr": _RATE,
    "worst_case_auc": _AUC,
    "worst_case_tpr": _RATE,
    "singling_out_excess": _SHARE,
    "linkage_excess": _SHARE,
    "inference_excess": _SHARE,
    "model_auc": _AUC,
    "model_tpr": _RATE,
    "epsilon": (0.0, 100.0, "a number above 0 and up to 100"),
}

LIMITS = ("copies", *_RANGES)
"""The endpoints that have a limit, in the order of the stages."""

_MOST_MONTHS = 120


@dataclass(frozen=True)
class Policy:
    """What an audit must show, and who answers for it.

    Parameters
    ----------
    copies : int
        Listed copies that are accepted, 0 or more.
    copy_rate : float
        Share of the images that the generator copies, in (0, 1].
    membership_auc, worst_case_auc, model_auc : float
        Area under the ROC curve of an attack on membership, in (0.5, 1]: over all patients, over the most exposed ones,
        and with access to the model.
    membership_tpr, worst_case_tpr, model_tpr : float
        Share of training patients that the attack names while it wrongly names 1 % of the others, in (0.01, 1].
    singling_out_excess, linkage_excess, inference_excess : float
        Success of an attack on training patients beyond that of the same attack on other patients, in (0, 1]. 0.09 is
        the threshold of identity disclosure of EMA Policy 0070 and Health Canada.
    epsilon : float
        Largest accepted lower bound of the privacy loss, in (0, 100].
    required : tuple of str
        Endpoints that must have been measured: without one of them there is no pass. Where the model is shared, those
        of a model are required in any case.
    scope : {"images", "model"}
        What is shared: the images, or the generator as well, which makes the attacks on a model apply.
    signed_by : str
        Who set the limits; empty for nobody yet.
    expires : int or date
        Months after the audit, 1 to 120, or a day, after which the audit must be repeated.

    Raises
    ------
    InputError
        Where a value is of the wrong type or out of range; it says what is allowed.

    References
    ----------
    Article 29 Working Party, Opinion 05/2014 (WP216); EMA Policy 0070 (the excess of 0.09).
    """

    copies: int = 0
    copy_rate: float = 0.001
    membership_auc: float = 0.60
    membership_tpr: float = 0.03
    worst_case_auc: float = 0.60
    worst_case_tpr: float = 0.03
    singling_out_excess: float = 0.09
    linkage_excess: float = 0.09
    inference_excess: float = 0.09
    model_auc: float = 0.60
    model_tpr: float = 0.03
    epsilon: float = 1.0
    required: tuple[str, ...] = ("copies", "copy_rate", "membership_auc", "membership_tpr")
    scope: Scope = "images"
    signed_by: str = ""
    expires: int | date = 12

    def __post_init__(self) -> None:
        _check_count("copies", self.copies, 0, None)
        for name in _RANGES:
            _check_limit(name, getattr(self, name))
        required = self.required
        if isinstance(required, str) or not all(isinstance(name, str) and name in LIMITS for name in required):
            raise InputError(f"required must be a list of names out of {', '.join(LIMITS)}, got {required!r}")
        object.__setattr__(self, "required", tuple(required))
        if self.scope not in ("images", "model"):
            raise InputError(f"scope must be 'images' or 'model', got {self.scope!r}")
        if not isinstance(self.signed_by, str):
            raise InputError(f"signed_by must be text, got {self.signed_by!r}")
        if type(self.expires) is not date:
            _check_count("expires", self.expires, 1, _MOST_MONTHS, "months, or a day such as 2027-01-31")

    def limit(self, name: str) -> float:
        """The limit of an endpoint; raises ValueError where there is none of that name."""
        if name not in LIMITS:
            raise ValueError(f"a policy has no limit for {name!r}; it has {', '.join(LIMITS)}")
        return float(getattr(self, name))

    def applies(self, name: str) -> bool:
        """Whether an endpoint counts for what is shared: attacks on a model only where the model is shared."""
        return self.scope == "model" or not name.startswith("model_")

    def requires(self, name: str) -> bool:
        """Whether there is no pass without that endpoint."""
        return self.applies(name) and (name in self.required or name.startswith("model_"))

    def last_day(self, audited: date) -> date:
        """The day on which an audit of the day `audited` expires.

        Examples
        --------
        >>> Policy(expires=1).last_day(date(2027, 1, 31)).isoformat()
        '2027-02-28'
        """
        if isinstance(self.expires, date):
            return self.expires
        years, month = divmod(audited.month - 1 + self.expires, 12)
        for day in range(audited.day, 27, -1):
            with contextlib.suppress(ValueError):
                return date(audited.year + years, month + 1, day)
        return date(audited.year + years, month + 1, audited.day)


def read_policy(file: str | os.PathLike[str]) -> Policy:
    """A policy from a TOML file as `write_policy` writes it; what it leaves out has its default.

    Raises
    ------
    InputError
        Where the file cannot be read, is no TOML, or holds a name or value that is not allowed.
    """
    file = Path(file)
    return policy_of(read_toml(file, "`fourfold audit --write-policy FILE` writes a valid one"), file)


def read_toml(file: Path, remedy: str) -> dict[str, Any]:
    """What a TOML file holds.

    Raises
    ------
    InputError
        Where it cannot be read or is no TOML; the message ends with `remedy`.
    """
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror or error}); check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: is no TOML ({error}); {remedy}") from error


def policy_of(found: Mapping[str, Any], file: Path) -> Policy:
    """A policy from what a file holds; what it leaves out has its default.

    Raises
    ------
    InputError
        Where a name or value is not allowed; it names the file.
    """
    found = dict(found)
    limits = found.pop("limits", {})
    others = [field.name for field in fields(Policy) if field.name not in LIMITS]
    _check_names(file, "", found, others)
    if not isinstance(limits, Mapping):
        raise InputError(f"{file}: limits must be a table, [limits], with {', '.join(LIMITS)}")
    _check_names(file, "in [limits] ", limits, LIMITS)
    try:
        return Policy(**found, **limits)
    except InputError as error:
        raise InputError(f"{file}: {error}") from error
    except TypeError as error:
        raise InputError(f"{file}: required must be a list of names out of {', '.join(LIMITS)}") from error


def write_policy(file: str | os.PathLike[str]) -> Path:
    """Write the default policy with its comments, whole or not at all.

    Raises
    ------
    InputError
        Where the file exists already or cannot be written.
    """
    return write_new(Path(file), _TEXT)


def write_new(file: Path, text: str) -> Path:
    """Write a policy that does not exist yet, whole or not at all; raises InputError as `write_policy` does."""
    if file.exists():
        raise InputError(f"{file}: exists already; a policy is not overwritten, choose another name")
    partial = file.with_name(f".{file.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(file)
    except OSError as error:
        raise InputError(f"{file}: cannot be written ({error.strerror or error}); choose another folder") from error
    finally:
        # Where the folder itself is missing or a file, there is nothing to remove.
        with contextlib.suppress(OSError):
            partial.unlink()
    return file


def _check_names(file: Path, place: str, found: Mapping[str, Any], known: Any) -> None:
    for name in found:
        if name not in known:
            hint = "; limits stand under [limits]" if not place and name in LIMITS else ""
            raise InputError(f"{file}: {place}there is no {name!r}; known are {', '.join(known)}{hint}")


def _check_limit(name: str, value: Any) -> None:
    low, high, allowed = _RANGES[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not low < value <= high:
        raise InputError(f"{name} must be {allowed}, got {value!r}")


def _check_count(name: str, value: Any, least: int, most: int | None, unit: str = "") -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least or (most is not None and value > most):
        span = f"{least} or more" if most is None else f"from {least} to {most}"
        raise InputError(f"{name} must be a whole number {span}{' ' if unit else ''}{unit}, got {value!r}")


_TEXT = """\
# Limits of a Fourfold privacy audit: fourfold audit SYN --train T --holdout H --policy THIS
#
# Set them before the audit, and have them signed by whoever answers for the data.
# A set passes where the 95 % upper bound of every attack lies below its limit; it fails where a lower bound, adjusted
# for the number of attacks, lies above. Anything between is inconclusive, and the audit says how many images or
# patients would settle it. A line that is left out keeps the value shown here.

# What is shared: "images", or "model" where the generator is shared as well.
scope = "images"

# Who set these limits; printed on the statement.
signed_by = ""

# Months after which the audit must be repeated, or a day such as 2027-01-31.
expires = 12

# What must have been measured: without one of these there is no pass.
required = ["copies", "copy_rate", "membership_auc", "membership_tpr"]

[limits]
# Images that may be listed as copies of a training image.
copies = 0

# Share of copies that the generator makes. 0.001 needs about 3 000 images without a copy.
copy_rate = 0.001

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

# Attacks with access to the generator; they count where scope is "model".
model_auc = 0.60
model_tpr = 0.03

# Lower bound of the privacy loss, measured where patients were assigned to training or holdout at random.
epsilon = 1.0
"""
