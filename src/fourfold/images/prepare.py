"""One scaling rule, one size and one number of channels for the sets that are compared.

The rule is found by `scaling`; here it is applied. Probed are up to 64 images spread evenly over each set; sizes are
read from the headers of all pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from fourfold.errors import InputError
from fourfold.images.formats import FileDecoder, is_plain_picture
from fourfold.images.scaling import Probe, choose_rule, extent, is_grey, probe_set
from fourfold.images.sets import ImageSet, Preparation

__all__ = ["apply", "prepare"]

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
    probes = {name: probe_set(image_set) for name, image_set in sets.items()}
    shape = _common_shape(sets, probes, first, size)
    planes = _common_channels(probes, first, channels)
    rule, low, high = choose_rule(probes, first, scaling)
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
            f"{path}: is {extent(values.shape[1:])}, a {values.ndim - 1}-D image, among "
            f"{len(preparation.shape)}-D ones; compare images of one kind"
        )
    if values.shape[1:] != preparation.shape and not preparation.resized:
        raise InputError(
            f"{path}: is {extent(values.shape[1:])} among images of {extent(preparation.shape)}; "
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
    if is_grey(values):
        return values[:1]
    if not preparation.converted:
        raise InputError(f"{path}: is RGB among grey images; make all of them grey with --channels 1")
    return np.tensordot(np.array(_LUMA, dtype=np.float32), values, axes=1)[None]


def _common_shape(
    sets: Mapping[str, ImageSet],
    probes: Mapping[str, list[Probe]],
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
                    f"{extent(model.shape)} and {probe.path} of the {name} set is {extent(probe.shape)}; "
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
                    f"images differ in size: {model.path} of the {first} set is {extent(model.shape)} and "
                    f"{path} of the {name} set is {extent(shape)}; resample all of them with --size {max(model.shape)}"
                )
    return model.shape


def _shapes(image_set: ImageSet, probes: list[Probe]) -> list[tuple[str, tuple[int, ...]]]:
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


def _common_channels(probes: Mapping[str, list[Probe]], first: str, channels: int | None) -> int:
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
