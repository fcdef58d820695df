"""A tuned extractor on disk: ``tuned.json``, ``weights.safetensors``, and the file of the network that was tuned.

The folder appears whole or not at all. The record holds no path and no identifier; it says what was tuned on what, and
whether images of patients were among it. Nothing is ever unpickled.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from fourfold import __version__
from fourfold.errors import InputError
from fourfold.features import catalogue
from fourfold.features.extractor import FeatureExtractor
from fourfold.features.imitation import Imitation, save_network
from fourfold.features.perceptual.extractor import Tuned
from fourfold.features.perceptual.network import TunedNetwork
from fourfold.features.perceptual.tuning import Tuning
from fourfold.features.weights import read_arrays, sha256_of

__all__ = ["RECORD", "WEIGHTS", "open_tuned", "write_tuned"]

SCHEMA = "fourfold.tuned/2"
RECORD = "tuned.json"
WEIGHTS = "weights.safetensors"
_BASE = "base"
_PLACE = "{file}"


def write_tuned(
    folder: str | os.PathLike[str],
    network: TunedNetwork,
    specification: str,
    tuning: Tuning,
    facts: Mapping[str, Any],
) -> Path:
    """Write a tuned extractor into a new folder.

    Parameters
    ----------
    folder : path
        Must not exist, or be empty.
    network : TunedNetwork
    specification : str
        Of the extractor that was tuned, as `fourfold.features.get` takes it. The file that it names is copied; of a
        folder (DreamSim's) only the fingerprint is kept.
    tuning : Tuning
    facts : mapping
        What else the record says; ``tuned_on`` (str) is what reports call it.

    Raises
    ------
    InputError
        Where the folder is taken or cannot be written.
    """
    folder = Path(folder)
    check_new(folder)
    base = network.extractor
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.partial-", dir=folder.parent))
        try:
            stored = _stored_base(base, specification, partial)
            arrays = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
            save_file(arrays, partial / WEIGHTS, metadata={"schema": SCHEMA})
            record = {
                "schema": SCHEMA,
                "base": {"specification": stored, **base.describe()},
                "columns": len(network.centre),
                "tuning": asdict(tuning),
                "weights": {"file": WEIGHTS, "sha256": sha256_of(partial / WEIGHTS)},
                "version": __version__,
                **facts,
            }
            text = json.dumps(record, ensure_ascii=False, allow_nan=False, indent=1) + "\n"
            (partial / RECORD).write_text(text, encoding="utf-8")
            partial.chmod(0o755)
            if folder.exists():
                folder.rmdir()
            partial.replace(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        problem = (error.strerror or type(error).__name__).lower()
        raise InputError(f"{folder}: cannot be written ({problem}); free space or choose another folder") from error
    return folder


def check_new(folder: Path) -> None:
    """Raise InputError where the folder holds something."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: is not empty; choose a new folder")


def _stored_base(base: FeatureExtractor, specification: str, folder: Path) -> str:
    """The specification with a placeholder for its file, which is copied into the folder."""
    body, mark, query = specification.strip().partition("?")
    found = re.fullmatch(r"((?:[A-Za-z0-9_.-]+=)?(?:[a-z0-9]+:)?)(.+)", body)
    file = Path(found[2]).expanduser() if found else Path(body)
    if isinstance(base, Imitation):
        # Trained on the spot, it would come out otherwise on another machine.
        save_network(base.network, folder / f"{_BASE}.safetensors")
        named = "" if base.name == "imitation" else f"{base.name}="
        seen = base.slices
        return f"{named}imitation:{_PLACE}?planes={seen.planes}&slices={seen.slices}&pool={seen.pool}"
    if found and file.is_file():
        shutil.copyfile(file, folder / f"{_BASE}{file.suffix}")
        return f"{found[1]}{_PLACE}{mark}{query}"
    if found and file.is_dir():
        return f"{found[1]}{_PLACE}{mark}{query}"
    return specification.strip()


def open_tuned(folder: str | os.PathLike[str], base: str | None = None, *, name: str | None = None) -> Tuned:
    """Open what `write_tuned` wrote.

    Parameters
    ----------
    folder : path
    base : str or None
        Where the network that was tuned lies, if it is not in the folder: DreamSim's cache.
    name : str or None
        How reports call the space.

    Raises
    ------
    InputError
        Where there is none, its files are cut short or changed, or the network is another one than was tuned.
    """
    folder = Path(folder).expanduser()
    record = _read_record(folder)
    weights = folder / WEIGHTS
    if not weights.is_file() or sha256_of(weights) != record.get("weights", {}).get("sha256"):
        raise InputError(f"{weights}: is not the file that {RECORD} speaks of (SHA-256 differs); copy both files again")
    try:
        told, tuning = record["base"], Tuning(**record["tuning"])
        extractor = catalogue.get(_specification(told["specification"], folder, base))
        if extractor.fingerprint != told["fingerprint"]:
            raise InputError(
                f"{folder}: was tuned from another {told['name']!r} than the one that is here (fingerprints differ); "
                "bring the very file, and the version of fourfold that tuned it"
            )
        network = TunedNetwork(
            extractor, record["columns"], tuning.method,
            rank=tuning.rank, alpha=tuning.alpha, hidden=tuning.hidden, seed=tuning.seed,
        )  # fmt: skip
        network.load_state_dict({key: torch.from_numpy(value) for key, value in read_arrays(weights).items()})
        return Tuned(network.eval().requires_grad_(False), sha256_of(weights), record["tuned_on"], name=name)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise InputError(
            f"{folder}: its record and its weights do not fit together ({type(error).__name__}); it was changed, copy "
            "the whole folder again"
        ) from error


def _specification(stored: str, folder: Path, base: str | None) -> str:
    if _PLACE not in stored:
        return stored
    inside = sorted(folder.glob(f"{_BASE}.*"))
    if base is None and not inside:
        raise InputError(
            f"{folder}: the network that was tuned is not in the folder; say where it lies: tuned:{folder}?base=PATH"
        )
    return stored.replace(_PLACE, str(base if base is not None else inside[0]))


def _read_record(folder: Path) -> dict[str, Any]:
    file = folder / RECORD
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{folder}: holds no tuned extractor; give a folder that fourfold rank fit wrote") from error
    except ValueError as error:
        raise InputError(f"{file}: is cut short or damaged; copy the whole folder again") from error
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise InputError(f"{file}: is no record of version {SCHEMA!r}; use the version of fourfold that wrote it")
    return record
