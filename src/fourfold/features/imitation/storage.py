"""An imitating network as one safetensors file: its arrays, and in the file's metadata what they belong to.

Only networks whose body is `Stages` are stored. Nothing in a file is executed.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from fourfold.errors import InputError
from fourfold.features.imitation.network import ImitationNetwork, Stages, new_network
from fourfold.features.imitation.targets import Scale, columns_of
from fourfold.features.store import write_atomically
from fourfold.features.weights import read_described

__all__ = ["load_network", "save_network"]

_SCHEMA = "fourfold.imitation/1"


def save_network(network: ImitationNetwork, path: str | Path) -> Path:
    """Write a network, whole or not at all.

    Parameters
    ----------
    network : ImitationNetwork
        With `Stages` as its body.
    path : str or Path

    Returns
    -------
    Path

    Raises
    ------
    InputError
        Where the body is another one or the file cannot be written.
    """
    body = network.body
    if not isinstance(body, Stages):
        raise InputError("only an imitating network whose body is Stages can be stored; store another one's state_dict")
    record = {
        "channels": body.channels,
        "stride": body.stride,
        "pooled": body.pooled,
        "features": list(network.features),
    }
    arrays = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    written = save(arrays, metadata={"schema": _SCHEMA, "network": json.dumps(record)})
    return write_atomically(Path(path), lambda stream: stream.write(written))


def load_network(path: str | Path) -> ImitationNetwork:
    """Read a network that `save_network` wrote; in evaluation mode.

    Raises
    ------
    InputError
        Where there is no such file, it is damaged, or it holds something else.
    """
    metadata, arrays = read_described(path)
    if metadata.get("schema") != _SCHEMA:
        raise InputError(f"{path}: holds no imitating network; write one with fourfold.features.imitation.save_network")
    try:
        return _built(json.loads(metadata["network"]), arrays)
    # A record that was written by hand can be wrong in any way.
    except (KeyError, TypeError, ValueError, RuntimeError, InputError) as error:
        raise InputError(f"{path}: its arrays are not those of the network that it names; write it again") from error


def _built(record: dict, arrays: dict[str, Tensor]) -> ImitationNetwork:
    features = tuple(record["features"])
    columns_of(features)
    scale = Scale(arrays["size"], arrays["centre"], arrays["spread"])
    channels, stride, pooled = record["channels"], record["stride"], record["pooled"]
    network = new_network(lambda: Stages(channels, stride=stride, pooled=pooled), features, scale, seed=0)
    network.load_state_dict(arrays)
    if not all(bool(torch.isfinite(value).all()) for name, value in arrays.items() if name != "agreement"):
        raise ValueError("not finite")
    return network.eval()
