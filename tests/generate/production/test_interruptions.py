"""A set goes on after a kill and becomes what it would have been."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from fourfold.errors import InputError
from fourfold.generate import Model
from fourfold.generate.baselines import GaussianGenerator

KILLED = """
import sys, time
import torch
torch.set_num_threads(1)
from fourfold.generate import open_model
from fourfold.generate.baselines import GaussianGenerator
draw = GaussianGenerator.draw
def slow(self, seeds, conditions, drawing):
    time.sleep(0.15)
    return draw(self, seeds, conditions, drawing)
GaussianGenerator.draw = slow
open_model(sys.argv[1]).generate(200, sys.argv[2], batch=4, seed=6)
"""


@pytest.mark.skipif(os.name != "posix", reason="kills with a signal")
def test_a_set_goes_on_after_a_kill_and_becomes_what_it_would_have_been(
    content_of, model: Model, tmp_path: Path
) -> None:
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(model.folder), str(tmp_path / "syn")])
    table = tmp_path / ".syn.partial" / "metadata.csv"
    deadline = time.monotonic() + 60
    while not (table.exists() and len(table.read_text().splitlines()) > 8) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "syn").exists()
    there = (tmp_path / ".syn.partial" / "images" / "000002.tiff").stat().st_mtime_ns
    # What a kill in the middle of writing leaves.
    with table.open("a") as stream:
        stream.write("images/0000")
    (tmp_path / ".syn.partial" / "images" / "000150.tiff").write_bytes(b"torn")
    (tmp_path / ".syn.partial" / "images" / "000151.partial.tiff").write_bytes(b"torn")
    resumed = model.generate(40, tmp_path / "syn", batch=4, seed=6)
    whole = model.generate(40, tmp_path / "whole", batch=4, seed=6)
    assert content_of(resumed) == content_of(whole)
    assert (resumed / "images" / "000002.tiff").stat().st_mtime_ns == there
    assert {entry.name for entry in tmp_path.iterdir()} == {"syn", "whole"}


def interrupt(model: Model, folder: Path, monkeypatch: pytest.MonkeyPatch, after: int, **call: object) -> None:
    """A call that ends after some batches as Ctrl-C ends it."""
    draw = GaussianGenerator.draw
    calls = []

    def interrupted(self: GaussianGenerator, *rest: object) -> np.ndarray:
        calls.append(1)
        if len(calls) > after:
            raise KeyboardInterrupt
        return draw(self, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(GaussianGenerator, "draw", interrupted)
        with pytest.raises(KeyboardInterrupt):
            model.generate(12, folder, batch=4, **call)


def test_an_unfinished_set_is_not_mixed_with_another(
    content_of, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(model, tmp_path / "syn", monkeypatch, 2, seed=1)
    message = r"\.syn\.partial: holds a set that is not finished and was asked for otherwise \(seed was 1 and is 2\);"
    with pytest.raises(InputError, match=message):
        model.generate(12, tmp_path / "syn", batch=4, seed=2)
    finished = model.generate(12, tmp_path / "syn", batch=4, seed=1)
    assert content_of(finished) == content_of(model.generate(12, tmp_path / "whole", batch=4, seed=1))


def test_an_unfinished_set_may_become_smaller(
    content_of, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(model, tmp_path / "syn", monkeypatch, 2)
    smaller = model.generate(6, tmp_path / "syn", batch=4)
    assert content_of(smaller) == content_of(model.generate(6, tmp_path / "whole", batch=4))
