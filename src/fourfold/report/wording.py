"""How numbers, directions and names read on a page."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from fourfold.score import Score

__all__ = ["count", "direction", "fact", "figures", "interval", "name", "number", "standing", "status"]

_MOST_DECIMALS = 6
_INITIALS = {
    "auc": "AUC",
    "cnn": "CNN",
    "fd": "FD",
    "fid": "FID",
    "frd": "FRD",
    "irs": "IRS",
    "kid": "KID",
    "mmd": "MMD",
    "ms": "MS",
    "ssim": "SSIM",
    "frechet": "Fréchet",
    "vendi": "Vendi",
}
_DIRECTION = {
    "higher": "higher is better",
    "lower": "lower is better",
    "null": "the closer to its null, the better",
}
_STANDING = {
    "no": "cannot be told from its null",
    "worse": "worse than its null",
    "better": "better than its null",
    "different": "departs from its null",
}
_STATUS = {"pass": "pass", "fail": "fail", "inconclusive": "inconclusive"}


def number(value: float | None, digits: int = 3) -> str:
    """A real number with `digits` significant digits, a true minus and no trailing noise; a dash for None.

    Examples
    --------
    >>> number(0.8125), number(-12345.6), number(3.2e-6), number(None)
    ('0.812', '−12,346', '3.2e−6', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    size = abs(value)
    if float(value).is_integer() and size < 10 ** (digits + 3):
        text = f"{value:,.0f}"
    elif size >= 10 ** (digits + 3) or size < 1e-3:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        text = f"{mantissa}e{int(exponent)}"
    elif size >= 10 ** (digits - 1):
        text = f"{value:,.0f}"
    else:
        text = f"{value:.{digits - 1 - math.floor(math.log10(size))}f}"
    return text.replace("-", "−")


def figures(score: Score) -> Callable[[float | None], str]:
    """How the numbers of one score are written: with as many decimals as its narrowest interval has meaning for.

    Value, null and both intervals then read against each other; two digits of the narrowest width are kept.
    """
    widths = [high - low for low, high in filter(None, (score.interval, score.null_interval)) if high > low]
    if not widths and score.value is not None and score.null is not None and score.value != score.null:
        widths = [abs(score.value - score.null)]
    decimals = max(0, 1 - math.floor(math.log10(min(widths) * (1 + 1e-9)))) if widths else None
    if decimals is None or decimals > _MOST_DECIMALS:
        return number

    def written(value: float | None) -> str:
        if value is None or not math.isfinite(value):
            return number(value)
        whole = float(value).is_integer()
        return f"{value:,.{0 if whole else decimals}f}".replace("-", "−")

    return written


def count(value: int | None) -> str:
    """A whole number with thousands separated; ``"unknown"`` for None."""
    return "unknown" if value is None else f"{value:,d}"


def interval(pair: tuple[float, float] | None, written: Callable[[float | None], str] = number) -> str:
    """Both ends of an interval; a dash for None."""
    return "–" if pair is None else f"{written(pair[0])} to {written(pair[1])}"


def name(text: str) -> str:
    """A register name as a reader says it.

    Examples
    --------
    >>> name("frechet_distance"), name("ms_ssim"), name("irs_infinity")
    ('Fréchet distance', 'MS SSIM', 'IRS infinity')
    """
    words = [_INITIALS.get(word, word) for word in text.replace("-", "_").split("_") if word]
    if not words:
        return text
    words[0] = words[0][:1].upper() + words[0][1:]
    return " ".join(words)


def direction(score: Score) -> str:
    """The good direction in words."""
    return _DIRECTION[score.better]


def standing(score: Score) -> str:
    """How the value stands to its null in words."""
    departs = score.departs()
    if departs is not None:
        return _STANDING[departs]
    if score.value is None:
        return "does not apply"
    return "no null to compare with" if score.null is None else "no interval to compare with"


def status(text: str) -> str:
    """The status of a verdict in words; raises ValueError for anything that is not a status."""
    if text not in _STATUS:
        raise ValueError(f"a verdict is one of {', '.join(_STATUS)}, got {text!r}")
    return _STATUS[text]


def fact(value: Any, limit: int = 12) -> str:
    """A detail of a score or a setting as one short line.

    Lists longer than `limit` are given by their length, so that a page stays readable; programs find them
    whole in ``scores.json``.
    """
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,d}" if abs(value) >= 10_000 else str(value)
    if isinstance(value, float):
        return number(value, 4)
    if isinstance(value, dict):
        if len(value) > limit:
            return f"{len(value)} entries"
        return "; ".join(f"{str(key).replace('_', ' ')}: {fact(item, limit)}" for key, item in value.items()) or "none"
    if isinstance(value, (list, tuple)):
        if len(value) > limit:
            return f"{len(value)} values"
        between = " / " if any(isinstance(item, dict) for item in value) else ", "
        return between.join(fact(item, limit) for item in value) or "none"
    return str(value)
