"""How options behind the question mark of a specification become a feature extractor, a function a kind."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal

from fourfold.errors import InputError
from fourfold.features.extractor import FeatureExtractor
from fourfold.features.pretrained.kinds import KINDS
from fourfold.features.slices import SlicePolicy

__all__ = ["BUILT_IN", "OF_FILES", "network"]


def _refuse_others(options: dict[str, str], known: tuple[str, ...], specification: str) -> None:
    for key in options:
        if key not in known:
            raise InputError(
                f"there is no option {key!r} in {specification!r}; "
                + (f"there are: {', '.join(known)}" if known else "this extractor takes none")
            )


def _number(options: dict[str, str], key: str, kind: Callable[[str], Any], default: Any, specification: str) -> Any:
    if key not in options:
        return default
    try:
        return kind(options[key])
    except ValueError as error:
        raise InputError(f"the option {key}={options[key]!r} in {specification!r} is not a number") from error


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split(","))


def _pixels(options: dict[str, str], specification: str) -> FeatureExtractor:
    from fourfold.features.pixels import Pixels

    _refuse_others(options, ("size",), specification)
    return Pixels(size=_number(options, "size", int, 32, specification))


def _random(options: dict[str, str], specification: str) -> FeatureExtractor:
    from fourfold.features.untrained import Untrained

    _refuse_others(options, ("seed",), specification)
    return Untrained(seed=_number(options, "seed", int, 0, specification))


def _histogram(options: dict[str, str], specification: str) -> FeatureExtractor:
    from fourfold.features.histogram import Histogram

    _refuse_others(options, (), specification)
    return Histogram()


def _radiomics(options: dict[str, str], specification: str) -> FeatureExtractor:
    from fourfold.features.radiomics import Radiomics

    _refuse_others(options, (), specification)
    return Radiomics()


def _imitation(options: dict[str, str], specification: str) -> FeatureExtractor:
    from fourfold.features.imitation import Imitation

    _refuse_others(options, ("seed", *_OF_SLICES), specification)
    seed = _number(options, "seed", int, 0, specification)
    return Imitation(seed=seed, slices=_slices(options, specification))


def _imitation_file(name: str | None, path: str, options: dict[str, str], specification: str) -> FeatureExtractor:
    from fourfold.features.imitation import Imitation

    _refuse_others(options, _OF_SLICES, specification)
    return Imitation(path, name=name, slices=_slices(options, specification))


def _autoencoder(kind: Literal["kl", "vq"], options: dict[str, str], specification: str) -> FeatureExtractor:
    from fourfold.features.autoencoder import Autoencoder

    _refuse_others(options, ("size", "seed", "steps"), specification)
    size, steps = (_number(options, key, int, None, specification) for key in ("size", "steps"))
    return Autoencoder(kind=kind, size=size, steps=steps, seed=_number(options, "seed", int, 0, specification))


def _autoencoder_file(name: str | None, path: str, options: dict[str, str], specification: str) -> FeatureExtractor:
    from fourfold.features.autoencoder import Autoencoder

    _refuse_others(options, (), specification)
    return Autoencoder(path, name=name)


def _mobilenet(name: str | None, path: str, options: dict[str, str], specification: str) -> FeatureExtractor:
    from fourfold.features.mobilenet import MobileNet

    _refuse_others(options, _OF_SLICES, specification)
    return MobileNet(path, name=name, slices=_slices(options, specification))


def _tuned(name: str | None, path: str, options: dict[str, str], specification: str) -> FeatureExtractor:
    from fourfold.features.perceptual import Tuned

    _refuse_others(options, ("base",), specification)
    return Tuned.open(path, options.get("base"), name=name)


def _dreamsim(name: str | None, path: str, options: dict[str, str], specification: str) -> FeatureExtractor:
    from fourfold.features.perceptual import DreamSim

    _refuse_others(options, ("variant", *_OF_SLICES), specification)
    slices = _slices(options, specification)
    return DreamSim(path, options.get("variant", "ensemble"), name=name, slices=slices)


def _meshnet(name: str | None, path: str, options: dict[str, str], specification: str) -> FeatureExtractor:
    from fourfold.features.meshnet import MeshNet

    _refuse_others(options, ("size",), specification)
    return MeshNet(path, name=name, size=_number(options, "size", int, None, specification))


def _pretrained(
    kind: str, name: str | None, path: str, options: dict[str, str], specification: str
) -> FeatureExtractor:
    from fourfold.features.pretrained import open_pretrained

    whole = KINDS[kind].policy.volumes == "whole"
    _refuse_others(options, ("size",) if whole else _OF_SLICES, specification)
    size = _number(options, "size", int, None, specification)
    return open_pretrained(kind, path, name=name, slices=_slices(options, specification), size=size)


def _slices(options: dict[str, str], specification: str) -> SlicePolicy:
    return SlicePolicy(
        planes=options.get("planes", SlicePolicy.planes),
        slices=_number(options, "slices", int, SlicePolicy.slices, specification),
        pool=options.get("pool", SlicePolicy.pool),
    )


def network(name: str | None, path: str, options: dict[str, str], specification: str) -> FeatureExtractor:
    """A network of the user's own, from its file and what the options say of its input."""
    from fourfold.features.inputs import InputPolicy
    from fourfold.features.local import open_network

    known = ("size", "channels", "range", "mean", "std", "volumes", *_OF_SLICES, "trained_on")
    _refuse_others(options, known, specification)
    span = _number(options, "range", _numbers, (0.0, 1.0), specification)
    if len(span) != 2:
        raise InputError(f"the option range={options['range']!r} in {specification!r} needs two numbers: low,high")
    policy = InputPolicy(
        size=_number(options, "size", int, None, specification),
        channels=_number(options, "channels", int, 3, specification),
        low=span[0],
        high=span[1],
        mean=_number(options, "mean", _numbers, (0.0,), specification),
        std=_number(options, "std", _numbers, (1.0,), specification),
        volumes=options.get("volumes", "slices"),
        slices=_slices(options, specification),
    )
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", Path(path).stem).strip("_.-") or "network"
    trained_on = options.get("trained_on", "not stated")
    return open_network(path, name=name or plain, policy=policy, trained_on=trained_on)


BUILT_IN: dict[str, Callable[[dict[str, str], str], FeatureExtractor]] = {
    "radiomics": _radiomics,
    "pixels": _pixels,
    "histogram": _histogram,
    "imitation": _imitation,
    "autoencoder": partial(_autoencoder, "kl"),
    "autoencoder-codes": partial(_autoencoder, "vq"),
    "random": _random,
}
_OF_SLICES = ("planes", "slices", "pool")
OF_FILES: dict[str, Callable[[str | None, str, dict[str, str], str], FeatureExtractor]] = {
    "mobilenet:": _mobilenet,
    "imitation:": _imitation_file,
    "autoencoder:": _autoencoder_file,
    "meshnet:": _meshnet,
    "tuned:": _tuned,
    "dreamsim:": _dreamsim,
    **{f"{kind}:": partial(_pretrained, kind) for kind in KINDS},
}
