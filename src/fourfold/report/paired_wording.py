"""What was found of pairs, a sentence a measure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fourfold.report.redaction import Redaction
from fourfold.report.wording import count, figures, interval, name
from fourfold.score import Score

if TYPE_CHECKING:
    from fourfold.pairing import PairedSets, PairedValues

__all__ = ["as_score", "measure_name", "sentences", "standing", "written_with"]

_NAMES = {
    "psnr": "PSNR",
    "ssim": "SSIM",
    "ms_ssim": "MS-SSIM",
    "lpips_alex": "LPIPS (AlexNet)",
    "lpips_vgg": "LPIPS (VGG16)",
    "lpips_squeeze": "LPIPS (SqueezeNet)",
    "dists": "DISTS",
    "dreamsim": "DreamSim",
}
_UNITS = {"psnr": " dB"}
_SCALES = 5
_NOTHING_DONE = {"untreated inputs": "the untreated inputs", "pairs of unrelated images": "unrelated images"}
_STANDING = {"better": "better than {}", "worse": "worse than {}", "no": "not told apart from {}"}


def measure_name(one: PairedValues) -> str:
    """A measure as a reader says it, with the number of scales where it has fewer than the published one."""
    scales = one.settings.get("scales", _SCALES)
    return _NAMES.get(one.name, name(one.name)) + ("" if scales == _SCALES else f" ({scales} of {_SCALES} scales)")


def as_score(one: PairedValues) -> Score:
    """A measure as a score, so that it is written and drawn like any other.

    Its interval is that of the paired comparison, around the null: narrower than that of the mean, since what makes
    images hard is in both.
    """
    band = None if one.null is None or one.gain is None else one.gain.interval
    shifted = None if band is None or one.null is None else (one.null.value + band[0], one.null.value + band[1])
    return Score(
        axis="fidelity",
        name=one.name,
        value=one.mean.value,
        null=None if one.null is None else one.null.value,
        interval=shifted,
        null_interval=None if one.null is None or one.null_source == "untreated inputs" else one.null.interval,
        better=one.better,
        source=one.source,
        null_source=one.null_source,
    )


def written_with(one: PairedValues) -> Callable[[float | None], str]:
    """How the numbers of a measure are written, without their unit."""
    return figures(as_score(one))


def standing(one: PairedValues) -> str:
    """How the restored images stand to what would be there if nothing had been done."""
    if one.standing is None or one.null_source is None:
        return "no interval to compare with" if one.null is not None else "nothing to compare with"
    return _STANDING[one.standing].format(_NOTHING_DONE[one.null_source])


def sentences(paired: PairedSets) -> tuple[str, ...]:
    """What every measure found, and how many images the treatment made worse."""
    return tuple(Redaction().text(_sentence(one)) for one in paired.measures)


def _sentence(one: PairedValues) -> str:
    written, unit = written_with(one), _UNITS.get(one.name, "")
    ends = "" if one.mean.interval is None else f" ({interval(one.mean.interval, written)})"
    text = f"{measure_name(one)}, {one.better} is better: {written(one.mean.value)}{unit}{ends}"
    if one.null is None or one.gain is None or one.null_source is None:
        return f"{text}; there is nothing to compare it with."
    text += f", where {_NOTHING_DONE[one.null_source]} have {written(one.null.value)}"
    reach = "" if one.gain.interval is None else f" ({interval(one.gain.interval, written)})"
    sign = "+" if one.gain.value > 0 else ""
    text += f": a difference of {sign}{written(one.gain.value)}{reach}, {standing(one)}."
    if one.null_source == "untreated inputs" and one.unrelated is not None:
        text += f" Unrelated images have {written(one.unrelated.value)}."
    if one.lost is not None:
        lost, every = count(len(one.lost)), count(len(one.values))
        text += f" {lost} of {every} images are further from their targets than before."
    return text
