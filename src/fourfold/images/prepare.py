"""One scaling rule, one size and one number of channels for the sets that are compared.

A set whose values are scaled unlike the others' fools every metric, so the rule is decided once, on the training set,
and a set that does not fit it is an error that says so. The rule, by what the training set holds:

- whole numbers from 0: range 0..255 for 8 bit, else the smallest of 2^8 - 1, 2^10 - 1, 2^12 - 1, 2^14 - 1, 2^16 - 1
  that holds the largest value (range 0..1 where nothing exceeds 1);
- a range that the format promises, such as 0..255 after the display window of a DICOM file: that range;
- fractions within [0, 1] or [-1, 1]: that range;
- anything else (rescaled DICOM, NIfTI, other floats): the percentiles 0.5 and 99.5 of the training set as a fixed
  range where its images agree within a factor of 4, else the same percentiles of each image.

Probed are up to 64 images spread evenly over each set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from fourfold.errors import InputError, UnreadableImage
from fourfold.images.formats import FileDecoder, is_plain_picture
from fourfold.images.sets import ImageSet, Preparation

__all__ = ["apply", "prepare", "spread"]

PROBED = 64
PERCENTILES = (0.5, 99.5)
AGREEMENT = 4.0
_BITS = (8, 10, 12, 14, 16)
_SAMPLE = 4096
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


def prepare(
    sets: Mapping[str, ImageSet],
    *,
    size: int | tuple[int, ...] | None = None,
    channels: int | None = None,
    scaling: str = "auto",
) -> dict[str, ImageSet]:
    """Give sets that are to be compared one `Preparation`.

    Parameters
    ----------
    sets : mapping of str to ImageSet
        The one called ``"training"`` decides (the first where none is).
    size : int, tuple of int or None
        Spatial shape to resample to; one number for all axes; None to demand that all images have one shape.
    channels : {1, 3} or None
        Convert to this number of channels; None to demand that all images have the same. RGB images whose three
        channels are equal count as grey.
    scaling : str
        ``"auto"``, ``"per-image"`` (percentiles 0.5 and 99.5 of each image) or ``"LOW:HIGH"``.

    Returns
    -------
    dict of str to ImageSet

    Raises
    ------
    InputError
        Where shapes, channels or scaling differ, in words that name two files and the remedy.
    UnreadableImage
        Where a probed file cannot be read.
    """
    if not sets:
        raise InputError("there is no image set to prepare")
    for name, image_set in sets.items():
        if not len(image_set):
            raise InputError(f"there is no image in the {name} set; point at a folder or table with images")
    if channels not in (None, 1, 3):
        raise InputError(f"images are prepared with 1 or 3 channels, got {channels}")
    first = "training" if "training" in sets else next(iter(sets))
    probes = {name: _probe(image_set) for name, image_set in sets.items()}
    shape = _common_shape(sets, probes, first, size)
    planes = _common_channels(probes, first, channels)
    rule, low, high = _rule(probes, first, scaling)
    preparation = Preparation(rule, low, high, shape, planes, resized=size is not None, converted=channels is not None)
    return {name: replace(image_set, preparation=preparation) for name, image_set in sets.items()}


def apply(preparation: Preparation, values: np.ndarray, path: str) -> np.ndarray:
    """Native values of one image as float32 in [0, 1] of the prepared shape.

    Parameters
    ----------
    preparation : Preparation
    values : array, shape (C, H, W) or (C, D, H, W)
        Finite.
    path : str
        How messages call the image.

    Returns
    -------
    array, shape (channels, *shape)
        float32 in [0, 1].

    Raises
    ------
    InputError
        Where the image has another shape or number of channels and no conversion was asked for.
    """
    values = np.asarray(values)
    if values.ndim != 1 + len(preparation.shape):
        raise InputError(
            f"{path}: is {_extent(values.shape[1:])}, a {values.ndim - 1}-D image, among "
            f"{len(preparation.shape)}-D ones; compare images of one kind"
        )
    if values.shape[1:] != preparation.shape and not preparation.resized:
        raise InputError(
            f"{path}: is {_extent(values.shape[1:])} among images of {_extent(preparation.shape)}; "
            f"resample all of them with --size {max(preparation.shape)}"
        )
    values = _with_channels(values.astype(np.float32), preparation, path)
    low, high = preparation.low, preparation.high
    if preparation.rule == "per-image":
        low, high = np.percentile(values, [low, high])
    span = max(float(high) - float(low), float(np.finfo(np.float32).tiny))
    values = np.clip((values - np.float32(low)) / np.float32(span), 0.0, 1.0)
    if values.shape[1:] != preparation.shape:
        values = _resample(values, preparation.shape)
    return np.ascontiguousarray(values, dtype=np.float32)


def spread(image_set: ImageSet, count: int = PROBED) -> np.ndarray:
    """At most `count` rows, spread evenly over a set."""
    return np.unique(np.linspace(0, len(image_set) - 1, min(count, len(image_set))).round().astype(int))


def _resample(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Resample (C, H, W) or (C, D, H, W) without aliasing: bilinear with a widened kernel, trilinear after area."""
    import torch
    from torch.nn.functional import interpolate

    images = torch.from_numpy(np.ascontiguousarray(values))[None]
    if len(shape) == 2:
        images = interpolate(images, size=shape, mode="bilinear", antialias=True, align_corners=False)
    else:
        reduced = tuple(min(new, old) for new, old in zip(shape, values.shape[1:], strict=True))
        if reduced != tuple(values.shape[1:]):
            images = interpolate(images, size=reduced, mode="area")
        if reduced != tuple(shape):
            images = interpolate(images, size=shape, mode="trilinear", align_corners=False)
    return images[0].clamp(0.0, 1.0).numpy()


def _with_channels(values: np.ndarray, preparation: Preparation, path: str) -> np.ndarray:
    wanted, there = preparation.channels, values.shape[0]
    if there == wanted:
        return values
    if there not in (1, 3):
        raise InputError(f"{path}: has {there} channels; images have 1 (grey) or 3 (RGB)")
    if wanted == 3:
        if not preparation.converted:
            raise InputError(f"{path}: is grey among RGB images; make all of them grey with --channels 1")
        return np.repeat(values, 3, axis=0)
    if _is_grey(values):
        return values[:1]
    if not preparation.converted:
        raise InputError(f"{path}: is RGB among grey images; make all of them grey with --channels 1")
    return np.tensordot(np.array(_LUMA, dtype=np.float32), values, axes=1)[None]


def _is_grey(values: np.ndarray) -> bool:
    return bool((values[0] == values[1]).all() and (values[0] == values[2]).all())


def _extent(shape: tuple[int, ...]) -> str:
    return " x ".join(str(extent) for extent in shape)


@dataclass(frozen=True)
class _Probe:
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


def _probe(image_set: ImageSet) -> list[_Probe]:
    probes = []
    for row in spread(image_set):
        entry = image_set.entries[row]
        decoded = image_set.decoded(row)
        values, nominal = decoded.values, decoded.nominal
        if values.ndim not in (3, 4) or values.size == 0:
            raise UnreadableImage(entry.path, f"has the shape {_extent(values.shape)}, which is no image or volume")
        grey = values.shape[0] == 3 and _is_grey(values)
        if not grey and values.shape[0] not in (1, 3):
            raise InputError(f"{entry.path}: has {values.shape[0]} channels; images have 1 (grey) or 3 (RGB)")
        flat = values.reshape(-1)
        probes.append(
            _Probe(
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


def _common_shape(
    sets: Mapping[str, ImageSet],
    probes: Mapping[str, list[_Probe]],
    first: str,
    size: int | tuple[int, ...] | None,
) -> tuple[int, ...]:
    model = probes[first][0]
    dimensions = len(model.shape)
    for name, found in probes.items():
        for probe in found:
            if len(probe.shape) != dimensions:
                raise InputError(
                    f"2-D and 3-D images cannot be compared: {model.path} of the {first} set is "
                    f"{_extent(model.shape)} and {probe.path} of the {name} set is {_extent(probe.shape)}; "
                    "cut volumes into slices with --slices"
                )
    if size is not None:
        shape = (size,) * dimensions if isinstance(size, int) else tuple(size)
        if len(shape) != dimensions or min(shape) < 1:
            raise InputError(f"the size {size} does not fit {dimensions}-D images; give {dimensions} positive numbers")
        return shape
    for name, image_set in sets.items():
        for path, shape in _shapes(image_set, probes[name]):
            if shape != model.shape:
                raise InputError(
                    f"images differ in size: {model.path} of the {first} set is {_extent(model.shape)} and "
                    f"{path} of the {name} set is {_extent(shape)}; resample all of them with --size {max(model.shape)}"
                )
    return model.shape


def _shapes(image_set: ImageSet, probes: list[_Probe]) -> list[tuple[str, tuple[int, ...]]]:
    """Path and spatial shape: of the probed images and, where headers are cheap to read, of all."""
    found = [(probe.path, probe.shape) for probe in probes]
    if not isinstance(image_set.decode, FileDecoder):
        return found
    for entry in image_set.entries:
        if entry.index is None and not entry.files and is_plain_picture(entry.file):
            shape = image_set.decode.contents(entry).shape
            if shape is not None:
                found.append((entry.path, shape))
    return found


def _common_channels(probes: Mapping[str, list[_Probe]], first: str, channels: int | None) -> int:
    if channels is not None:
        return channels
    model = probes[first][0]
    for name, found in probes.items():
        for probe in found:
            if probe.channels != model.channels:
                raise InputError(
                    f"images differ in channels: {model.path} of the {first} set has {model.channels} and "
                    f"{probe.path} of the {name} set has {probe.channels}; make all of them grey with --channels 1"
                )
    return model.channels


def _rule(probes: Mapping[str, list[_Probe]], first: str, scaling: str) -> tuple[str, float, float]:
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


def _kind(name: str, probes: list[_Probe]) -> str:
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


def _auto(kind: str, probes: list[_Probe]) -> tuple[str, float, float]:
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
    model: list[_Probe],
    name: str,
    kind: str,
    probes: list[_Probe],
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
    pairs: list[set[str]] = [{"free", "unit"}, {"free", "symmetric"}]
    if high == 255:
        pairs.append({"whole", "nominal"})
    if high == 1:
        pairs.append({"whole", "unit"})
    return tuple(pairs)


def _used(probes: list[_Probe]) -> tuple[float, float]:
    return min(probe.low for probe in probes), max(probe.high for probe in probes)
