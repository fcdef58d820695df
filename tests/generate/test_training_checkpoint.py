"""Checkpoints: whole or not at all, never unpickled, and clear about what is wrong with a file."""

from __future__ import annotations

import re
import resource
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from fourfold.errors import InputError
from fourfold.generate.training.checkpoint import (
    optimizer_arrays,
    read_checkpoint,
    restore_optimizer,
    write_checkpoint,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "checkpoint.safetensors"


def test_what_is_written_is_read_and_no_part_is_left(path: Path) -> None:
    shared = torch.arange(6.0).reshape(2, 3)
    arrays = {"a/x": shared, "a/y": shared.T, "a/z": shared[:1], "number": torch.tensor(3)}
    write_checkpoint(path, arrays, {"step": 3, "words": ["ü"]})
    write_checkpoint(path, arrays, {"step": 4, "words": ["ü"]})
    found, state = read_checkpoint(path)
    assert state == {"step": 4, "words": ["ü"]}
    assert all(torch.equal(found[name], arrays[name]) for name in arrays)
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def pickled(path: Path) -> None:
    torch.save({"step": 3}, path)


def foreign(path: Path) -> None:
    save_file({"weight": torch.zeros(2)}, path)


def newer(path: Path) -> None:
    save_file({"weight": torch.zeros(2)}, path, metadata={"format": "fourfold.checkpoint/9", "state": "{}"})


def garbled(path: Path) -> None:
    save_file({"weight": torch.zeros(2)}, path, metadata={"format": "fourfold.checkpoint/1", "state": "{"})


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (cut, "is cut short, damaged or no safetensors file; remove it to train from the beginning"),
        (pickled, "is cut short, damaged or no safetensors file; remove it to train from the beginning"),
        (lambda path: path.write_bytes(b""), "is cut short, damaged or no safetensors file"),
        (foreign, "is no checkpoint of a training of Fourfold"),
        (newer, "was written in the format fourfold.checkpoint/9 and this version reads fourfold.checkpoint/1"),
        (garbled, "its metadata are damaged"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_what_to_do(
    spoil: Callable[[Path], object], said: str, path: Path
) -> None:
    write_checkpoint(path, {"weight": torch.zeros(100)}, {"step": 3})
    spoil(path)
    with pytest.raises(InputError, match=re.escape(f"{path}: {said}")):
        read_checkpoint(path)


def test_a_full_disk_is_said_and_the_earlier_checkpoint_survives(path: Path) -> None:
    write_checkpoint(path, {"weight": torch.zeros(10)}, {"step": 1})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    try:
        with pytest.raises(InputError) as caught:
            write_checkpoint(path, {"weight": torch.zeros(10_000)}, {"step": 2})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "the disk is full and the checkpoint cannot be written (the earlier checkpoint is kept)" in str(caught.value)
    assert read_checkpoint(path)[1] == {"step": 1}
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be written \(No such file or directory; there is no earlier one\)"):
        write_checkpoint(tmp_path / "gone" / "checkpoint.safetensors", {"weight": torch.zeros(1)}, {})


@pytest.mark.parametrize(
    "kind",
    [
        lambda p: torch.optim.SGD(p, 0.1, momentum=0.9),
        lambda p: torch.optim.Adam(p, 0.1, amsgrad=True),
        lambda p: torch.optim.RMSprop(p, 0.1),
        lambda p: torch.optim.NAdam(p, 0.1),
    ],
)
def test_a_restored_optimiser_goes_on_as_the_saved_one(
    kind: Callable[[object], torch.optim.Optimizer], path: Path
) -> None:
    def walk(module: nn.Module, optimizer: torch.optim.Optimizer, steps: range) -> None:
        for step in steps:
            optimizer.zero_grad()
            (module(torch.full((1, 2), float(step))) ** 2).sum().backward()
            optimizer.step()

    module = nn.Linear(2, 2)
    optimizer = kind(module.parameters())
    walk(module, optimizer, range(5))
    write_checkpoint(path, {**module.state_dict(), **optimizer_arrays(optimizer)}, {})
    arrays, _ = read_checkpoint(path)
    other = nn.Linear(2, 2)
    other.load_state_dict({name: arrays.pop(name) for name in ("weight", "bias")})
    theirs = kind(other.parameters())
    restore_optimizer(theirs, arrays)
    walk(module, optimizer, range(5, 10))
    walk(other, theirs, range(5, 10))
    assert torch.equal(module.weight, other.weight)
