"""A trained autoencoder as one safetensors file: its arrays, and in the file's metadata as JSON what they belong to.

Nothing in a file is executed. What it holds was learned from patients: the file is its owner's alone, and is to be
treated as a model trained on them.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from fourfold.errors import InputError
from fourfold.features.autoencoder.trained import KINDS, Seen, TrainedAutoencoder, new_autoencoder
from fourfold.features.store import write_atomically
from fourfold.features.weights import read_described

__all__ = ["load_autoencoder", "save_autoencoder"]

_SCHEMA = "fourfold.autoencoder/1"


def save_autoencoder(autoencoder: TrainedAutoencoder, path: str | Path) -> Path:
    """Write an autoencoder, whole or not at all.

    Parameters
    ----------
    autoencoder : TrainedAutoencoder
    path : str or Path

    Returns
    -------
    Path

    Raises
    ------
    InputError
        Where the file cannot be written.
    """
    record = {
        "kind": autoencoder.kind,
        "shape": list(autoencoder.shape),
        "seen": asdict(autoencoder.seen),
        "reconstruction": dict(autoencoder.reconstruction),
    }
    arrays = {name: value.detach().cpu().contiguous() for name, value in autoencoder.network.state_dict().items()}
    # Arrays that share memory cannot be stored.
    arrays = {name: value.clone() for name, value in arrays.items()}
    written = save(arrays, metadata={"schema": _SCHEMA, "autoencoder": json.dumps(record, sort_keys=True)})
    return write_atomically(Path(path), lambda stream: stream.write(written))


def load_autoencoder(path: str | Path) -> TrainedAutoencoder:
    """Read an autoencoder that `save_autoencoder` wrote; in evaluation mode, on the processor.

    Raises
    ------
    InputError
        Where there is no such file, it is damaged, or it holds something else.
    """
    metadata, arrays = read_described(path)
    if metadata.get("schema") != _SCHEMA:
        raise InputError(
            f"{path}: holds no autoencoder of a feature space; write one with "
            "fourfold.features.autoencoder.save_autoencoder"
        )
    try:
        return _built(json.loads(metadata["autoencoder"]), arrays)
    # A record that was written by hand can be wrong in any way.
    except (KeyError, TypeError, ValueError, RuntimeError, InputError) as error:
        raise InputError(f"{path}: its arrays are not those of the network that it names; write it again") from error


def _built(record: dict[str, Any], arrays: dict[str, Tensor]) -> TrainedAutoencoder:
    kind, shape = record["kind"], tuple(record["shape"])
    # Sides are bounded, so that a record cannot ask for more memory than there is.
    if kind not in KINDS or len(shape) not in (3, 4) or not all(1 <= side <= 4096 for side in shape):
        raise ValueError("no such autoencoder")
    network = new_autoencoder(kind, shape, seed=0)
    network.load_state_dict(arrays)
    if not all(bool(torch.isfinite(value).all()) for value in arrays.values()):
        raise ValueError("not finite")
    seen = Seen(str(record["seen"]["role"]), int(record["seen"]["images"]), str(record["seen"]["digest"]))
    return TrainedAutoencoder(network.eval().requires_grad_(False), kind, shape, seen, dict(record["reconstruction"]))
