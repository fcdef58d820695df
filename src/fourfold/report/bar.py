"""A value against its null, drawn small: the geometry of one horizontal bar.

The bar holds the interval (a thick line), the value (a dot), the null (a tick) and the band in which fresh
real samples would score (a hatched rectangle) on one common scale.
"""

from __future__ import annotations

from dataclasses import dataclass

from fourfold.report.wording import figures, interval
from fourfold.score import Score

__all__ = ["Bar", "bar"]

_MARGIN = 0.08
_EDGE = 20.0


@dataclass(frozen=True)
class Bar:
    """Positions in per cent of the width, and the sentence that says the same in words.

    Parameters
    ----------
    value, null : float or None
    interval, band : (float, float) or None
        Start and width.
    value_anchor, null_anchor : {"start", "middle", "end"}
        How the labels above and below stand, so that neither leaves the picture.
    value_label, null_label, words : str
    """

    value: float
    null: float | None
    interval: tuple[float, float] | None
    band: tuple[float, float] | None
    value_anchor: str
    null_anchor: str
    value_label: str
    null_label: str
    words: str


def bar(score: Score) -> Bar | None:
    """The bar of a score; None where the score has no value, or nothing to stand against."""
    if score.value is None or (score.null is None and score.interval is None and score.null_interval is None):
        return None
    numbers = [score.value, *(score.interval or ()), *(score.null_interval or ())]
    if score.null is not None:
        numbers.append(score.null)
    low, high = min(numbers), max(numbers)
    span = (high - low) or abs(high) or 1.0
    low, span = low - _MARGIN * span, span * (1 + 2 * _MARGIN)

    def place(x: float) -> float:
        return round(100 * (x - low) / span, 2)

    def stretch(pair: tuple[float, float] | None) -> tuple[float, float] | None:
        if pair is None:
            return None
        start, stop = place(pair[0]), place(pair[1])
        return start, round(max(stop - start, 0.4), 2)

    written = figures(score)
    value = place(score.value)
    null = None if score.null is None else place(score.null)
    return Bar(
        value=value,
        null=null,
        interval=stretch(score.interval),
        band=stretch(score.null_interval),
        value_anchor=_anchor(value),
        null_anchor="middle" if null is None else _anchor(null),
        value_label=written(score.value) + (f" ({interval(score.interval, written)})" if score.interval else ""),
        null_label="" if score.null is None else f"null {written(score.null)}",
        words=_words(score),
    )


def _anchor(place: float) -> str:
    if place < _EDGE:
        return "start"
    return "end" if place > 100 - _EDGE else "middle"


def _words(score: Score) -> str:
    written = figures(score)
    parts = [f"value {written(score.value)}"]
    if score.interval is not None:
        parts.append(f"95 % interval {interval(score.interval, written)}")
    parts.append("null unknown" if score.null is None else f"null {written(score.null)}")
    if score.null_interval is not None:
        parts.append(f"fresh real samples {interval(score.null_interval, written)}")
    return ", ".join(parts)
