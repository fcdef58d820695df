"""Which extractors there are, and how a word on the command line becomes one.

A specification is ``NAME``, ``PATH``, ``NAME=PATH``, or ``KIND:PATH`` for a network that is known here
(``mobilenet:PATH``, ``inception:PATH``), with options behind a question mark: ``pixels?size=16``,
``mine=net.pt?size=224&mean=0.5&std=0.25&range=-1,1&trained_on=our own CT``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from fourfold.errors import InputError
from fourfold.features.brought import from_plugin, plugin_lines
from fourfold.features.builders import BUILT_IN, OF_FILES, network
from fourfold.features.extractor import FeatureExtractor
from fourfold.features.pretrained.kinds import KINDS

__all__ = ["Listing", "available", "get"]


class Listing(NamedTuple):
    """One entry of ``fourfold features``."""

    name: str
    summary: str
    trained_on: str
    source: str
    file: str = "none needed"
    licence: str = "none needed"


def available() -> list[Listing]:
    """Every extractor, in the order in which a user should think of them."""
    from fourfold.features.autoencoder import Autoencoder
    from fourfold.features.meshnet import MeshNet
    from fourfold.features.mobilenet import MobileNet

    built_in = [
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
            "autoencoder",
            "latents of an autoencoder, planes and volumes; trained on the spot in minutes, or autoencoder:PATH",
            Autoencoder.trained_on,
            "Kingma & Welling 2014, Rombach et al. 2022; MONAI's AutoencoderKL",
        ),
        Listing(
            "autoencoder-codes",
            "codes of an autoencoder with a code book, compared by the share of places that differ; as autoencoder",
            Autoencoder.trained_on,
            "van den Oord et al. 2017; MONAI's VQVAE",
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
            "arrays of either as npz, safetensors or state dict",
            "of your file",
        ),
        *(
            Listing(f"{kind.name}:PATH", kind.summary, kind.trained_on, kind.source, kind.file, kind.licence)
            for kind in KINDS.values()
        ),
        Listing(
            "meshnet:PATH",
            "MeshNet for whole brains in voxels of 1 mm: mean and spread of each of its hidden maps",
            MeshNet.trained_on,
            MeshNet.source,
            "npz with the order of its layers, such as 'meshnet3d_model20chan3cls.npz'",
            "MIT",
        ),
        Listing(
            "dreamsim:CACHE_DIR",
            "DreamSim, tuned on people's judgements of natural images; not validated for radiology",
            "natural images and judged synthetic ones; no medical image",
            "Fu et al. 2023",
            "the whole cache folder of the package dreamsim",
            "MIT (package); weights: see there",
        ),
        Listing(
            "tuned:DIR",
            "an extractor that `fourfold rank fit` tuned to rank",
            "what its tuned.json says",
            "Fu et al. 2023 (the method)",
            "a folder that rank fit wrote",
            "yours",
        ),
        Listing(
            "NAME=PATH",
            "your own network: TorchScript, ONNX, or arrays of a known network (npz, safetensors, state dict)",
            "what you state with ?trained_on=...",
            "your file, by its SHA-256",
            "yours",
            "yours",
        ),
    ]
    return [*built_in, *(Listing(*line) for line in plugin_lines(tuple(BUILT_IN)))]


def get(specification: str) -> FeatureExtractor:
    """The extractor of a specification.

    Parameters
    ----------
    specification : str
        ``"radiomics"``, ``"pixels"``, ``"histogram"``, ``"imitation"``, ``"autoencoder"``, ``"autoencoder-codes"``,
        ``"random"``, ``"KIND:PATH"`` with a kind of `available` (``"inception:PATH"``), ``"NAME=KIND:PATH"``,
        ``"NAME=PATH"`` or a path, each with options as ``"?key=value&key=value"``. Networks for planes take ``planes``
        (``axial`` or ``three``), ``slices`` and ``pool`` (``mean`` or ``planes``), which say what of a volume they see;
        networks for volumes take ``size``, autoencoders ``size``, ``seed`` and ``steps``.
        A network of your own also takes ``size``, ``channels``, ``range`` (``low,high``), ``mean``, ``std`` (one value,
        or one a channel, with commas), ``volumes`` (``slices`` or ``whole``) and ``trained_on``.

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
    if body in BUILT_IN:
        return BUILT_IN[body](options, specification)
    plugin = from_plugin(body, options, specification)
    if plugin is not None:
        return plugin
    name, path = _name_and_path(body, specification)
    for kind, build in OF_FILES.items():
        if path.startswith(kind):
            return build(name, path.removeprefix(kind), options, specification)
    return network(name, path, options, specification)


def _name_and_path(body: str, specification: str) -> tuple[str | None, str]:
    name, equals, path = body.partition("=")
    if not equals or "/" in name:
        name, path = None, body
    elif not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise InputError(f"the name {name!r} in {specification!r} may hold letters, digits, '_', '.' and '-' only")
    elif name in BUILT_IN:
        raise InputError(f"the name {name!r} in {specification!r} is taken; choose another for the file {path}")
    if path.removesuffix(":") in KINDS:
        raise InputError(f"{specification!r} names no file; {KINDS[path.removesuffix(':')].advice}")
    if not path or path in OF_FILES:
        raise InputError(f"{specification!r} names no file; {_choices()}")
    looks_like_path = path.startswith(tuple(OF_FILES)) or "/" in path or Path(path).suffix or Path(path).exists()
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
