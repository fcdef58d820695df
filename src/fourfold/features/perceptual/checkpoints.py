"""Where a tuning stands, on disk: weights and the optimiser's moments in one safetensors file."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from fourfold.errors import InputError
from fourfold.features.store import write_atomically

__all__ = ["read_checkpoint", "write_checkpoint"]

_MOMENTS = ("exp_avg", "exp_avg_sq")


def write_checkpoint(
    path: Path, identity: str, network: nn.Module, optimizer: torch.optim.Optimizer, step: int
) -> None:
    """Write network, Adam's moments and the number of steps done, whole or not at all."""
    arrays = {f"network.{name}": value for name, value in network.state_dict().items()}
    for place, parameter in enumerate(_parameters(optimizer)):
        for name in _MOMENTS:
            arrays[f"{name}.{place}"] = optimizer.state[parameter][name]
    written = save(
        {name: value.detach().cpu().contiguous() for name, value in arrays.items()},
        metadata={"identity": identity, "step": str(step)},
    )
    write_atomically(path, lambda stream: stream.write(written))


def read_checkpoint(path: Path, identity: str, network: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Take up a tuning; returns the number of steps done, 0 where there is no checkpoint.

    Raises
    ------
    InputError
        Where the checkpoint is damaged or of another tuning.
    """
    if not path.is_file():
        return 0
    remedy = "remove it to begin anew"
    try:
        with safe_open(path, framework="pt") as opened:
            metadata = opened.metadata() or {}
            arrays = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: the checkpoint is damaged; {remedy}") from error
    if metadata.get("identity") != identity:
        raise InputError(
            f"{path}: is the checkpoint of another tuning (extractor, images, judgements or options); {remedy}"
        )
    step = int(metadata["step"])
    network.load_state_dict({name: arrays[f"network.{name}"] for name in network.state_dict()})
    for place, parameter in enumerate(_parameters(optimizer)):
        moments = {name: arrays[f"{name}.{place}"].to(parameter.device) for name in _MOMENTS}
        optimizer.state[parameter] = {"step": torch.tensor(float(step)), **moments}
    return step


def _parameters(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
