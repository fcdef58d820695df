"""Options that several commands share."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fourfold.errors import FourfoldError, InputError

if TYPE_CHECKING:
    from fourfold.engine import Engine
    from fourfold.images.reading import Reading

__all__ = [
    "PolicyWriter",
    "add_engine",
    "add_policy",
    "add_preparation",
    "add_reading",
    "add_search",
    "add_sets",
    "add_work",
    "columns_of",
    "engine_of",
    "evaluation_of",
    "memory_of",
    "named_sets",
    "opening_of",
    "preparation_of",
    "range_of",
    "reading_of",
    "seed",
    "sets_of",
    "size_of",
]


class PolicyWriter(argparse.Action):
    """Writes a policy and ends, like ``--version``, so that no set needs to be named; `const` is MODULE:FUNCTION."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Write and exit."""
        module, function = str(self.const).split(":")
        try:
            file = getattr(import_module(module), function)(str(values))
        except FourfoldError as error:
            parser.exit(2, f"fourfold: error: {error}\n")
        print(f"policy: {file}  (set the limits, have them signed, use it with --policy {file})")
        parser.exit(0)


def add_sets(
    parser: argparse.ArgumentParser,
    name: str = "SYN",
    words: str = "the synthetic set: a folder, a table, an array file",
) -> None:
    """Which sets are compared, in which feature spaces, and how they are read.

    `name` and `words` say what the first argument is.
    """
    parser.add_argument("synthetic", metavar=name, help=words)
    parser.add_argument("--train", required=True, metavar="T", help="the images that the generator was trained on")
    parser.add_argument(
        "--holdout", metavar="H", help="images of other patients that the generator never saw: the control"
    )
    parser.add_argument(
        "--reference", metavar="R", help="images of further patients, in neither T nor H, that attacks calibrate with"
    )
    parser.add_argument(
        "--features",
        action="append",
        metavar="SPEC",
        help="a feature space; may be given several times, the leading one first (radiomics and pixels); "
        "`fourfold features` lists them",
    )
    group = parser.add_argument_group("sets")
    for role, letter in (("train", "T"), ("holdout", "H"), ("reference", "R"), ("synthetic", name)):
        group.add_argument(f"--{role}-split", metavar="NAME", help=f"use only this split of {letter}")
    add_preparation(group, "auto from the training set (auto)")
    add_reading(parser)


def add_policy(parser: argparse.ArgumentParser) -> None:
    """By which limits privacy is judged."""
    parser.add_argument(
        "--policy",
        metavar="FILE",
        help="TOML file with the limits of the privacy verdict; `fourfold audit --write-policy FILE` writes one",
    )


def seed(text: str) -> int:
    """The type of ``--seed``: a whole number from 0 on, as random generators take it."""
    if not text.strip().isdecimal():
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 0, got {text!r}")
    return int(text)


def add_work(parser: argparse.ArgumentParser) -> None:
    """How the work is done."""
    group = parser.add_argument_group("work")
    group.add_argument("--seed", type=seed, default=0)
    group.add_argument("--store", metavar="DIR", help="where features and scores are kept for the next run")
    group.add_argument("--no-store", action="store_true", help="keep nothing")
    group.add_argument("--memory", default="1G", metavar="BYTES", help="for neighbour searches (1G)")
    group.add_argument("--workers", type=int, default=0, metavar="N", help="processes that decode images (0)")
    group.add_argument("--device", default="cpu", help="where networks and searches run, e.g. cuda (cpu)")
    group.add_argument("--quiet", action="store_true", help="no progress bars")


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Where the work is done; goes with `add_work`, whose ``--workers`` counts those of a cluster as well."""
    group = parser.add_argument_group("engine")
    group.add_argument(
        "--engine",
        default="local",
        choices=("local", "torchrun", "ray"),
        help="where features are computed and neighbours searched: this process, the processes of torchrun, or a Ray "
        "cluster with --workers workers (local)",
    )
    group.add_argument("--address", metavar="HOST", help="of a Ray cluster that runs; one is started here otherwise")
    group.add_argument(
        "--features-to",
        metavar="URL",
        help="where features are kept as shards, written by the workers themselves, e.g. s3://bucket/folder (--store)",
    )


def add_search(parser: argparse.ArgumentParser) -> None:
    """Whether neighbours may be missed."""
    parser.add_argument(
        "--search",
        default="exact",
        choices=("exact", "ivf", "hnsw"),
        help="how neighbours are searched; the approximate ways need fourfold[faiss], are for more than ten million "
        "images and say what they missed (exact)",
    )


def engine_of(options: argparse.Namespace) -> Engine:
    """The engine that `add_engine` was told; a context, closed at its end."""
    from fourfold.engine import engine_named

    # Of this process and of those of torchrun, the workers are the processes that decode.
    return engine_named(options.engine, options.address, options.workers if options.engine == "ray" else None)


def evaluation_of(options: argparse.Namespace) -> dict[str, Any]:
    """What `add_sets`, `add_policy` and `add_work` were told, as `fourfold.evaluate` and `fourfold.audit` take it."""
    from fourfold.privacy import read_policy

    return {**sets_of(options), "policy": None if options.policy is None else read_policy(options.policy)}


def sets_of(options: argparse.Namespace) -> dict[str, Any]:
    """What `add_sets` and `add_work` were told, by the names that functions of Fourfold give it."""
    from fourfold.evaluation import DEFAULT_FEATURES

    splits = {
        "training": options.train_split,
        "holdout": options.holdout_split,
        "reference": options.reference_split,
        "synthetic": options.synthetic_split,
    }
    return {
        "synthetic": options.synthetic,
        "train": options.train,
        "holdout": options.holdout,
        "reference": options.reference,
        "features": tuple(options.features or DEFAULT_FEATURES),
        "splits": _given(splits),
        **opening_of(options),
        **preparation_of(options),
        "seed": options.seed,
        "store": False if options.no_store else options.store,
        "memory": memory_of(options.memory),
        "workers": options.workers,
        "device": options.device,
    }


def add_reading(parser: argparse.ArgumentParser) -> None:
    """How images are read."""
    group = parser.add_argument_group("reading")
    group.add_argument(
        "--column",
        action="append",
        default=[],
        metavar="ROLE=NAME",
        help="the metadata column of a role (path, label, patient, split, mask), e.g. patient=MRN",
    )
    group.add_argument("--root", metavar="DIR", help="where the paths of a table start (the table's own folder)")
    group.add_argument("--volumes", action="store_true", help="join the DICOM files of a series into a volume")
    group.add_argument("--slices", action="store_true", help="cut volumes into axial slices")
    group.add_argument(
        "--skip-broken", action="store_true", help="leave out files that cannot be read, and list them in the report"
    )


def add_preparation(group: argparse._ActionsContainer, auto: str = "auto (auto)") -> None:
    """How images are made alike; `auto` says what the scaling of that name is in this command."""
    group.add_argument("--size", metavar="N", help="resample every image to N, HxW or DxHxW")
    group.add_argument("--channels", type=int, choices=(1, 3), help="convert every image to grey or RGB")
    group.add_argument("--scaling", default="auto", metavar="RULE", help=f"LOW:HIGH, per-image, or {auto}")


def opening_of(options: argparse.Namespace) -> dict[str, Any]:
    """What `add_reading` was told, by the names that `fourfold.images.open_set` gives it."""
    return {
        "columns": columns_of(options.column),
        "root": options.root,
        "volumes": options.volumes,
        "slices": options.slices,
        "skip_broken": options.skip_broken,
    }


def preparation_of(options: argparse.Namespace) -> dict[str, Any]:
    """What `add_preparation` was told, by the names that `fourfold.images.prepare` gives it."""
    return {"size": size_of(options.size), "channels": options.channels, "scaling": options.scaling}


def reading_of(options: argparse.Namespace, splits: Mapping[str, str | None]) -> Reading:
    """What `add_reading` and `add_preparation` were told, with the split of each role where one was."""
    from fourfold.images.reading import Reading

    return Reading(splits=_given(splits), **opening_of(options), **preparation_of(options))


def columns_of(pairs: list[str]) -> dict[str, str] | None:
    """``ROLE=NAME`` options as a mapping."""
    found = {}
    for pair in pairs:
        role, equals, name = pair.partition("=")
        if not equals or role not in ("path", "label", "patient", "split", "mask") or not name:
            raise InputError(f"--column takes ROLE=NAME with path, label, patient, split or mask, got {pair!r}")
        found[role] = name
    return found or None


def size_of(text: str | None) -> int | tuple[int, ...] | None:
    """``128``, ``128x96`` or ``24x96x96``."""
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,5}(x\d{1,5}){0,2}", text) or "0" in text.split("x"):
        raise InputError(f"--size takes 128, 128x96 (height x width) or 24x96x96, got {text!r}")
    sides = tuple(int(side) for side in text.split("x"))
    return sides[0] if len(sides) == 1 else sides


def memory_of(text: str) -> int:
    """``512M`` or ``2G`` in bytes."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([KMG])?i?B?", text.strip(), re.IGNORECASE)
    if not found or float(found[1]) == 0:
        raise InputError(f"--memory takes a number of bytes such as 512M or 2G, got {text!r}")
    return int(float(found[1]) * 1024 ** " KMG".index((found[2] or " ").upper()))


def range_of(text: str) -> tuple[float, float]:
    """``-1:1`` as two numbers, the second larger."""
    low, _, high = text.partition(":")
    try:
        found = float(low), float(high)
    except ValueError:
        found = (0.0, 0.0)
    if not found[0] < found[1]:
        raise InputError(f"--model-range takes LOW:HIGH such as -1:1, got {text!r}")
    return found


def _given(splits: Mapping[str, str | None]) -> dict[str, str]:
    return {role: split for role, split in splits.items() if split is not None}


def named_sets(words: list[str]) -> dict[str, str] | list[str]:
    """``NAME=SYN`` as a mapping; where no word names its set, the sets as they are."""
    pairs = [word.partition("=") for word in words]
    # A path may hold an equals sign of its own.
    if not any(
        equals and name and not Path(word).exists() for word, (name, equals, _) in zip(words, pairs, strict=True)
    ):
        return words
    found: dict[str, str] = {}
    for word, (name, equals, path) in zip(words, pairs, strict=True):
        own, source = (name, path) if equals and not Path(word).exists() else (Path(word).stem, word)
        if own in found:
            raise InputError(f"two synthetic sets are called {own!r}; name them apart with NAME=SYN")
        found[own] = source
    return found
