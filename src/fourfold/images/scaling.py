"""Which values become 0 and 1: one rule for all sets, decided once, on the training set.

A set whose values are scaled unlike the others' fools every metric, so a set that does not fit the rule is an error
that says so. The rule, by what the training set holds:

- whole numbers from 0: range 0..255 for 8 bit, else the smallest of 2^8 - 1, 2^10 - 1, 2^12 - 1, 2^14 - 1, 2^16 - 1
  that holds the largest value (range 0..1 where nothing exceeds 1);
- a range that the format promises, such as 0..255 after the display window of a DICOM file: that range;
- fractions within [0, 1] or [-1, 1]: that range;
- anything else (rescaled DICOM, NIfTI, other floats): the percentiles 0.5 and 99.5 of the training set as a fixed
  range where its images agree within a factor of 4, else the same percentiles of each image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fourfold.errors import InputError, UnreadableImage
from fourfold.images.sets import ImageSet

__all__ = ["Probe", "choose_rule", "extent", "is_grey", "probe_set", "spread"]

PROBED = 64
PERCENTILES = (0.5, 99.5)
AGREEMENT = 4.0
_BITS = (8, 10, 12, 14, 16)
_SAMPLE = 4096


@dataclass(frozen=True)
class Probe:
    """What one image tells about its set."""

    path: str
    shape: tuple[int, ...]
    channels: int
    dtype: np.dtype
    low: float
    high: float
    nominal: tuple[float, float] | None
    sample: np.ndarray

    @property
    def whole(self) -> bool:
        """Whether the values are whole numbers from 0."""
        return self.dtype.kind in "bu" or (self.dtype.kind == "i" and self.low >= 0)


def probe_set(image_set: ImageSet) -> list[Probe]:
    """Look at up to `PROBED` images, spread evenly over a set.

    Raises
    ------
    UnreadableImage
        Where one of them cannot be read.
    InputError
        Where one has neither 1 nor 3 channels.
    """
    probes = []
    for row in spread(image_set):
        entry = image_set.entries[row]
        decoded = image_set.decoded(row)
        values, nominal = decoded.values, decoded.nominal
        if values.ndim not in (3, 4) or values.size == 0:
            raise UnreadableImage(entry.path, f"has the shape {extent(values.shape)}, which is no image or volume")
        grey = values.shape[0] == 3 and is_grey(values)
        if not grey and values.shape[0] not in (1, 3):
            raise InputError(f"{entry.path}: has {values.shape[0]} channels; images have 1 (grey) or 3 (RGB)")
        flat = values.reshape(-1)
        probes.append(
            Probe(
                path=entry.path,
                shape=values.shape[1:],
                channels=1 if grey else values.shape[0],
                dtype=values.dtype,
                low=float(flat.min()),
                high=float(flat.max()),
                nominal=nominal,
                sample=flat[:: max(1, flat.size // _SAMPLE)].astype(np.float64),
            )
        )
    return probes


def spread(image_set: ImageSet, count: int = PROBED) -> np.ndarray:
    """At most `count` rows, spread evenly over a set."""
    return np.unique(np.linspace(0, len(image_set) - 1, min(count, len(image_set))).round().astype(int))


def choose_rule(probes: Mapping[str, list[Probe]], first: str, scaling: str) -> tuple[str, float, float]:
    """Rule, low and high of a `Preparation`.

    Parameters
    ----------
    probes : mapping of str to list of Probe
        By the name of the set.
    first : str
        The set that decides.
    scaling : str
        ``"auto"``, ``"per-image"`` or ``"LOW:HIGH"``.

    Raises
    ------
    InputError
        Where a set is scaled unlike the one that decides, or within itself.
    """
    if scaling == "per-image":
        return "per-image", *PERCENTILES
    if scaling != "auto":
        return "range", *_asked_range(scaling)
    kinds = {name: _kind(name, found) for name, found in probes.items()}
    rule, low, high = _auto(kinds[first], probes[first])
    if rule == "range":
        for name, found in probes.items():
            if name != first:
                _check_agreement(first, kinds[first], probes[first], name, kinds[name], found, high)
    return rule, low, high


def _asked_range(scaling: str) -> tuple[float, float]:
    try:
        low, high = (float(part) for part in scaling.split(":"))
    except ValueError as error:
        raise InputError(
            f"the scaling {scaling!r} is not understood; write auto, per-image or LOW:HIGH such as 0:4095"
        ) from error
    if not (np.isfinite([low, high]).all() and low < high):
        raise InputError(f"the scaling {scaling!r} is empty; LOW must be below HIGH, such as 0:4095")
    return low, high


_KIND_WORDS = {
    "whole": "whole numbers",
    "nominal": "values of a display window",
    "unit": "fractions",
    "symmetric": "fractions around 0",
    "free": "free values",
}


def _kind(name: str, probes: list[Probe]) -> str:
    """What the values of a set are: the same for all of its images, whatever a single one of them happens to hold."""
    promised = {probe.nominal for probe in probes} - {None}
    if promised and all(probe.nominal is not None or probe.dtype == np.uint8 for probe in probes):
        return "nominal"
    if all(probe.whole for probe in probes):
        widths = {probe.dtype.itemsize for probe in probes}
        if len(widths) > 1:
            narrow = next(probe for probe in probes if probe.dtype.itemsize == min(widths))
            wide = next(probe for probe in probes if probe.dtype.itemsize == max(widths))
            if wide.high > 255:
                raise InputError(
                    f"images of the {name} set differ in depth: {narrow.path} has 8 bit (up to {narrow.high:g}) and "
                    f"{wide.path} has 16 bit (up to {wide.high:g}); "
                    "convert them to one depth or use --scaling per-image"
                )
        return "whole"
    if any(probe.whole and probe.high > 1 for probe in probes) and any(probe.dtype.kind == "f" for probe in probes):
        whole = next(probe for probe in probes if probe.whole)
        other = next(probe for probe in probes if probe.dtype.kind == "f")
        raise InputError(
            f"images of the {name} set differ in scaling: {whole.path} holds whole numbers up to {whole.high:g} and "
            f"{other.path} holds {other.low:g} to {other.high:g}; "
            "store all of them alike or use --scaling per-image"
        )
    low, high = min(probe.low for probe in probes), max(probe.high for probe in probes)
    if low >= 0 and high <= 1:
        return "unit"
    if low >= -1 and high <= 1:
        return "symmetric"
    return "free"


def _auto(kind: str, probes: list[Probe]) -> tuple[str, float, float]:
    high = max(probe.high for probe in probes)
    if kind == "nominal":
        return "range", *next(probe.nominal for probe in probes if probe.nominal is not None)
    if kind == "whole":
        if high <= 1:
            return "range", 0.0, 1.0
        fitting = [2**bits - 1 for bits in _BITS if 2**bits - 1 >= high]
        if fitting:
            return "range", 0.0, float(fitting[0])
    if kind == "unit":
        return "range", 0.0, 1.0
    if kind == "symmetric":
        return "range", -1.0, 1.0
    tops = np.array([np.percentile(probe.sample, PERCENTILES[1]) for probe in probes])
    bottoms = np.array([np.percentile(probe.sample, PERCENTILES[0]) for probe in probes])
    spans = tops - bottoms
    spans = spans[spans > 0]
    if len(spans) and spans.max() > AGREEMENT * spans.min():
        return "per-image", *PERCENTILES
    low, high = np.percentile(np.concatenate([probe.sample for probe in probes]), PERCENTILES)
    return "range", float(low), float(high if high > low else low + 1.0)


def _check_agreement(
    first: str,
    model_kind: str,
    model: list[Probe],
    name: str,
    kind: str,
    probes: list[Probe],
    high: float,
) -> None:
    """Raise InputError where a set is scaled unlike the one that decides."""
    ours, theirs = _used(model), _used(probes)
    alike = kind == model_kind or {kind, model_kind} in _compatible(high)
    largest = max(map(abs, theirs)), max(map(abs, ours))
    near = min(largest) > 0 and max(largest) <= AGREEMENT * min(largest)
    if {kind, model_kind} & {"free", "symmetric"}:
        near = near and abs(theirs[0] - ours[0]) <= max(ours[1] - ours[0], theirs[1] - theirs[0]) / AGREEMENT
    deep = kind == "whole" and model_kind == "whole" and high > 255 and all(p.dtype.itemsize == 1 for p in probes)
    if alike and near and not deep:
        return
    raise InputError(
        f"the {name} set is scaled unlike the {first} set: it holds {_KIND_WORDS[kind]} from {theirs[0]:g} to "
        f"{theirs[1]:g} ({probes[0].path}), the {first} set {_KIND_WORDS[model_kind]} from {ours[0]:g} to {ours[1]:g} "
        f"({model[0].path}); store both alike, or give the common range with --scaling LOW:HIGH, or scale each image "
        "by its own percentiles with --scaling per-image"
    )


def _compatible(high: float) -> tuple[set[str], ...]:
    """Pairs of kinds that may stand side by side on a range up to `high`."""
    # A volume with a slope is read as fractions, also where it stands for whole numbers or a display window.
    pairs: list[set[str]] = [{"free", "unit"}, {"free", "symmetric"}, {"free", "whole"}, {"free", "nominal"}]
    if high == 255:
        pairs.append({"whole", "nominal"})
    if high == 1:
        pairs.append({"whole", "unit"})
    return tuple(pairs)


def _used(probes: list[Probe]) -> tuple[float, float]:
    return min(probe.low for probe in probes), max(probe.high for probe in probes)


def is_grey(values: np.ndarray) -> bool:
    """Whether three channels are equal."""
    return bool((values[0] == values[1]).all() and (values[0] == values[2]).all())


def extent(shape: tuple[int, ...]) -> str:
    """A shape in words, ``"96 x 96"``."""
    return " x ".join(str(extent) for extent in shape)
