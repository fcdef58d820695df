"""Which measures of pairs there are, and how a word on the command line becomes one.

A word is ``psnr``, ``ssim`` or ``ms_ssim``, which need no file; ``lpips-NETWORK:BACKBONE,HEADS`` with the network
``alex``, ``vgg`` or ``squeeze``; ``dists:BACKBONE`` or ``dists:BACKBONE,HEADS``; or ``dreamsim:CACHE_DIR`` with the
options that the feature extractor of that name takes. Files are the user's, nothing is downloaded, and a missing one is
an error that names it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from fourfold.errors import InputError
from fourfold.fidelity.similarity import DISTANCES, PairDistance, ms_ssim

__all__ = ["DEFAULT", "Measure", "open_measures"]

DEFAULT = ("psnr", "ssim", "ms_ssim")
"""What is measured unless something else is asked for: all that need no weights."""

_WINDOW = 11
_NETWORKS = ("alex", "vgg", "squeeze")
_LIES = {
    "psnr": "It rewards the mean of everything that an image could be: a blurred image beats a sharp one that is off "
    "by a pixel, and lesions of a few pixels hardly count. It depends on the range of values that counts as whole.",
    "ssim": "Flat regions are alike in structure whatever they show, so that empty background raises it; its constants "
    "decide what happens in the dark. It sees 11 pixels at a time.",
    "ms_ssim": "Coarse scales weigh most, so that lost detail and noise cost little. Images below 161 pixels have "
    "fewer scales, and values with different numbers of scales do not compare.",
    "lpips": "It was fitted to laypeople's judgements of photographs of 64 pixels; no radiologist and no lesion was in "
    "it. Invented texture that looks plausible costs little. It means nothing without the files of its weights.",
    "dists": "It is made to forgive texture that is redrawn, which in a medical image is invention. It was fitted to "
    "photographs, and means nothing without the file of its weights.",
    "dreamsim": "It was tuned on laypeople's judgements of natural images: layout and content count, small findings do "
    "not. It means nothing without the files of its weights.",
}


@dataclass(frozen=True)
class Measure:
    """A measure that is ready to be used.

    Parameters
    ----------
    distance : PairDistance
    lies : str
        When it reads well on bad images, or badly on good ones.
    settings : mapping
        Whatever changes its numbers, as JSON can hold it; weights by their SHA-256.
    """

    distance: PairDistance
    lies: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """How files and reports call it."""
        return self.distance.name


def open_measures(
    words: Sequence[str] | None, shape: tuple[int, ...], device: str = "cpu"
) -> tuple[tuple[Measure, ...], tuple[str, ...]]:
    """The measures that were asked for.

    Parameters
    ----------
    words : sequence of str or None
        None for those of `DEFAULT` that images of this size allow.
    shape : tuple of int
        Of one prepared image, (C, H, W) or (C, D, H, W).
    device : str
        Where networks run.

    Returns
    -------
    tuple of Measure
        In the order of the words; the first leads.
    tuple of str
        Why measures of `DEFAULT` are missing, a sentence each.

    Raises
    ------
    InputError
        Where there is no such measure, a file is missing or wrong, or images do not suit it.
    """
    if words is not None:
        found = [_open(word, shape, device) for word in words]
        names = [one.name for one in found]
        double = next((name for name in names if names.count(name) > 1), None)
        if not found or double is not None:
            raise InputError("no measure was asked for" if double is None else f"{double} was asked for twice")
        return tuple(found), ()
    measures, missing = [], []
    for word in DEFAULT:
        try:
            measures.append(_open(word, shape, device))
        except InputError as error:
            missing.append(f"{word} was left out: {error}.")
    return tuple(measures), tuple(missing)


def _open(word: str, shape: tuple[int, ...], device: str) -> Measure:
    kind, _, files = word.partition(":")
    family, _, network = kind.partition("-")
    if kind in DEFAULT:
        if files:
            raise InputError(f"{kind} takes no file, got {word!r}")
        return _plain(kind, shape)
    if family == "lpips" and network in _NETWORKS:
        return _lpips(network, _files(files, word, 2, 2), shape, device)
    if kind == "dists":
        return _dists(_files(files, word, 1, 2), shape, device)
    if kind == "dreamsim" and files:
        return _dreamsim(word, device)
    raise InputError(
        f"there is no measure {word!r}; there are: {', '.join(DEFAULT)}, "
        f"{', '.join(f'lpips-{name}:BACKBONE,HEADS' for name in _NETWORKS)}, dists:BACKBONE[,HEADS], dreamsim:CACHE_DIR"
    )


def _files(text: str, word: str, least: int, most: int) -> list[str]:
    found = [part.strip() for part in text.split(",")]
    if not least <= len(found) <= most or not all(found):
        kind = word.partition(":")[0]
        wanted = "BACKBONE,HEADS" if least == 2 else "BACKBONE or BACKBONE,HEADS"
        raise InputError(f"{kind} needs the files of its weights, which are not downloaded: {kind}:{wanted}")
    return found


def _plain(name: str, shape: tuple[int, ...]) -> Measure:
    side = min(shape[1:])
    if name != "psnr" and side < _WINDOW:
        raise InputError(f"{name} needs at least {_WINDOW} pixels a side, and images have {side}; use psnr")
    if name != "ms_ssim":
        return Measure(DISTANCES[name], _LIES[name])
    scales = max((one for one in range(1, 6) if (_WINDOW - 1) * 2 ** (one - 1) < side), default=1)
    if scales < 2:
        raise InputError(f"ms_ssim needs at least 21 pixels a side for two scales, and images have {side}; use ssim")
    known = DISTANCES[name]
    distance = PairDistance(
        name, known.better, known.source, lambda x, y: ms_ssim(x, y, scales=scales), limits=known.limits
    )
    return Measure(distance, _LIES[name], {"scales": scales})


def _lpips(network: str, files: list[str], shape: tuple[int, ...], device: str) -> Measure:
    from fourfold.features.perceptual import open_lpips

    _check_planes(f"lpips-{network}", shape)
    opened = open_lpips(network, *files)
    record = opened.describe()
    distance = PairDistance.by_layers(_on(device, opened), opened.name, record["source"])
    return Measure(distance, _LIES["lpips"], {"weights": record["weights"]})


def _dists(files: list[str], shape: tuple[int, ...], device: str) -> Measure:
    from fourfold.features.perceptual import open_dists

    _check_planes("dists", shape)
    opened = open_dists(*files)
    record = opened.describe()
    distance = PairDistance.by_layers(_on(device, opened), opened.name, record["source"])
    return Measure(distance, _LIES["dists"], {"weights": record["weights"]})


def _dreamsim(word: str, device: str) -> Measure:
    from fourfold.features.catalogue import get
    from fourfold.features.perceptual import distances

    extractor = get(word).to(device)

    def distance(x: Tensor, y: Tensor) -> Tensor:
        return distances(extractor(x), extractor(y))

    measure = PairDistance.by_layers(_on(device, distance), "dreamsim", extractor.source)
    return Measure(measure, _LIES["dreamsim"], extractor.settings())


def _check_planes(name: str, shape: tuple[int, ...]) -> None:
    from fourfold.features.perceptual.stages import SMALLEST

    if len(shape) != 3:
        raise InputError(f"{name} sees planes and not volumes; cut volumes into slices with --slices")
    if min(shape[1:]) < SMALLEST:
        raise InputError(f"{name} needs at least {SMALLEST} pixels a side, and images have {min(shape[1:])}")


def _on(device: str, distance: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    return partial(_moved, distance, torch.device(device))


def _moved(distance: Callable[[Tensor, Tensor], Tensor], device: torch.device, x: Tensor, y: Tensor) -> Tensor:
    return distance(x.to(device), y.to(device))
