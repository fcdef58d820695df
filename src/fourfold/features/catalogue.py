"""Which extractors there are, and how a word on the command line becomes one.

A specification is ``NAME``, ``PATH``, ``NAME=PATH``, ``mobilenet:PATH`` or ``imitation:PATH``, with options behind a
question mark: ``pixels?size=16``,
``mine=net.pt?size=224&mean=0.5&std=0.25&range=-1,1&trained_on=our own CT``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from fourfold.errors import InputError
from fourfold.features.extractor import FeatureExtractor

__all__ = ["Listing", "available", "get"]


class Listing(NamedTuple):
    """One line of ``fourfold features``."""

    name: str
    summary: str
    trained_on: str
    source: str


def available() -> list[Listing]:
    """Every extractor, in the order in which a user should think of them."""
    from fourfold.features.mobilenet import MobileNet

    return [
        Listing(
            "radiomics",
            "first-order, texture and shape statistics of intensities, 2-D and 3-D; no weights, no training",
            "nothing",
            "Zwanenburg et al. 2020 (IBSI); agrees with pyradiomics",
        ),
        Listing("pixels", "the image averaged down to 32 pixels; finds verbatim copies", "nothing", "-"),
        Listing("histogram", "the distribution of intensities; blind to where they are", "nothing", "-"),
        Listing(
            "imitation",
            "radiomics as a network imitates them, differentiable; trained once, in a minute, or imitation:PATH",
            "procedural textures, no patient",
            "Saba-Sadiya et al. 2022, Min et al. 2024",
        ),
        Listing(
            "random",
            "an untrained network, for comparison only: nearly blind to blur and noise",
            "nothing",
            "He et al. 2015 (initialisation)",
        ),
        Listing(
            "mobilenet:PATH",
            "MobileNetV1 0.25 or MobileNetV2, recognised from the arrays of the file at PATH",
            MobileNet.trained_on,
            "Howard et al. 2017, Sandler et al. 2018",
        ),
        Listing(
            "NAME=PATH",
            "your own network: TorchScript, ONNX, or arrays of a known network (npz, safetensors, state dict)",
            "what you state with ?trained_on=...",
            "your file, by its SHA-256",
        ),
    ]


def get(specification: str) -> FeatureExtractor:
    """The extractor of a specification.

    Parameters
    ----------
    specification : str
        ``"radiomics"``, ``"pixels"``, ``"histogram"``, ``"imitation"``, ``"random"``, ``"imitation:PATH"``,
        ``"mobilenet:PATH"``, ``"NAME=PATH"`` or a path, each with options as ``"?key=value&key=value"``. A network's
        options are ``size``, ``channels``, ``range`` (``low,high``), ``mean``, ``std`` (one value, or one a channel,
        with commas), ``volumes`` (``slices`` or ``whole``), ``slices`` and ``trained_on``.

    Raises
    ------
    InputError
        Where there is no such extractor or option, or the file is wrong; the message lists what there is.

    Examples
    --------
    >>> get("pixels?size=16").settings()
    {'size': 16}
    """
    body, _, query = specification.strip().partition("?")
    options = _options(query, specification)
    if body in _BUILT_IN:
        return _BUILT_IN[body](options, specification)
    name, path = _name_and_path(body, specification)
    for kind, build in _OF_FILES.items():
        if path.startswith(kind):
            return build(name, path.removeprefix(kind), options, specification)
    return _network(name, path, options, specification)


def _name_and_path(body: str, specification: str) -> tuple[str | None, str]:
    name, equals, path = body.partition("=")
    if not equals or "/" in name:
        name, path = None, body
    elif not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise InputError(f"the name {name!r} in {specification!r} may hold letters, digits, '_', '.' and '-' only")
    elif name in _BUILT_IN:
        raise InputError(f"the name {name!r} in {specification!r} is taken; choose another for the file {path}")
    if not path or path in _OF_FILES:
        raise InputError(f"{specification!r} names no file; {_choices()}")
    looks_like_path = path.startswith(tuple(_OF_FILES)) or "/" in path or Path(path).suffix or Path(path).exists()
    if name is None and not looks_like_path:
        raise InputError(f"there is no feature extractor {body!r}; {_choices()}")
    return name, path


def _choices() -> str:
    return "there are: " + ", ".join(listing.name for listing in available())


def _options(query: str, specification: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for part in filter(None, query.split("&")):
        key, equals, value = part.partition("=")
        if not equals or not key or not value:
            raise InputError(f"the option {part!r} in {specification!r} is not of the form key=value")
        options[key] = value
    return options


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

    _refuse_others(options, ("seed", "slices"), specification)
    seed, slices = (_number(options, key, int, default, specification) for key, default in (("seed", 0), ("slices", 3)))
    return Imitation(seed=seed, slices=slices)


def _imitation_file(name: str | None, path: str, options: dict[str, str], specification: str) -> FeatureExtractor:
    from fourfold.features.imitation import Imitation

    _refuse_others(options, ("slices",), specification)
    return Imitation(path, name=name, slices=_number(options, "slices", int, 3, specification))


def _mobilenet(name: str | None, path: str, options: dict[str, str], specification: str) -> FeatureExtractor:
    from fourfold.features.mobilenet import MobileNet

    _refuse_others(options, ("slices",), specification)
    return MobileNet(path, name=name, slices=_number(options, "slices", int, 3, specification))


def _network(name: str | None, path: str, options: dict[str, str], specification: str) -> FeatureExtractor:
    from fourfold.features.inputs import InputPolicy
    from fourfold.features.local import open_network

    known = ("size", "channels", "range", "mean", "std", "volumes", "slices", "trained_on")
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
        slices=_number(options, "slices", int, 3, specification),
    )
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", Path(path).stem).strip("_.-") or "network"
    trained_on = options.get("trained_on", "not stated")
    return open_network(path, name=name or plain, policy=policy, trained_on=trained_on)


_BUILT_IN: dict[str, Callable[[dict[str, str], str], FeatureExtractor]] = {
    "radiomics": _radiomics,
    "pixels": _pixels,
    "histogram": _histogram,
    "imitation": _imitation,
    "random": _random,
}
_OF_FILES: dict[str, Callable[[str | None, str, dict[str, str], str], FeatureExtractor]] = {
    "mobilenet:": _mobilenet,
    "imitation:": _imitation_file,
}
