"""Sets are drawn in bounded memory, and a disk or a memory that is too small is said and loses nothing."""

from __future__ import annotations

import errno
import shutil
import tracemalloc
from collections import namedtuple
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from fourfold.errors import InputError
from fourfold.generate import Conditioning, Conditions, Drawing, Generator, Model, production
from fourfold.generate.baselines import GaussianGenerator

Usage = namedtuple("Usage", "total used free")


class Painter(Generator):
    """Draws noise of a size that is felt."""

    recipe = "painter"

    def __init__(self) -> None:
        self.shape, self.conditioning = (1, 64, 64), Conditioning()

    def draw(self, seeds: Sequence[int], conditions: Conditions, drawing: Drawing) -> np.ndarray:
        return np.stack([np.random.default_rng(seed).random(self.shape, dtype=np.float32) for seed in seeds])

    def arrays(self) -> dict[str, Tensor]:
        return {}

    @classmethod
    def restore(cls, *_: object) -> Painter:
        return cls()


def test_memory_does_not_grow_with_the_set(model: Model, tmp_path: Path) -> None:
    painter = replace(model, generator=Painter())
    painter.generate(8, tmp_path / "first", batch=8)
    peaks = []
    for n in (16, 480):
        tracemalloc.start()
        painter.generate(n, tmp_path / str(n), batch=8)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 20 * 64 * 64 * 4


def test_more_than_the_disk_holds_is_refused(
    rows_of, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1 << 30, 1 << 30, 40 * 4096))
    message = "1000 images need 4.08 MB more and the disk has 164 kB free, enough for 44 images; ask for fewer"
    with pytest.raises(InputError, match=message):
        model.generate(1000, tmp_path / "syn", batch=4)
    assert not list(tmp_path.iterdir())
    assert len(rows_of(model.generate(44, tmp_path / "syn", batch=4))) == 44


def test_a_disk_that_fills_up_loses_nothing(
    content_of, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = production.append
    calls = []

    def full(*arguments: object) -> None:
        calls.append(1)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        append(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(production, "append", full)
        with pytest.raises(
            InputError, match=r"syn: cannot be written \(no space left on device\); mend that and repeat"
        ):
            model.generate(12, tmp_path / "syn", batch=4)
    finished = model.generate(12, tmp_path / "syn", batch=4)
    assert content_of(finished) == content_of(model.generate(12, tmp_path / "whole", batch=4))


@pytest.mark.parametrize(
    "error",
    [MemoryError(), torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("DefaultCPUAllocator: not enough")],
)
def test_too_little_memory_names_the_knob(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def greedy(*_: object) -> np.ndarray:
        raise error

    monkeypatch.setattr(GaussianGenerator, "draw", greedy)
    with pytest.raises(InputError, match=r"not enough memory; draw fewer images at once than 64 \(--batch\)"):
        model.generate(100, tmp_path / "syn")
    assert not list(tmp_path.iterdir())
