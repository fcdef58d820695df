"""Pairs Fourfold with its peers: the same arrays, a fresh process each, in turns, on one thread.

A benchmark names its contenders and calls `main`. A contender is a function that imports what it needs and returns a
function of the input arrays; only the latter is measured. What counts is processor time (the least of the rounds,
since a shared machine can only add to it) and the peak of resident memory above what the process held with its inputs
loaded. A contender that cannot be imported is listed with the reason.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

Arrays = dict[str, np.ndarray]
Contender = Callable[[], Callable[[Arrays], object]]

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
ENVIRONMENT = {**ONE_THREAD, "OMP_WAIT_POLICY": "PASSIVE"}


@dataclass(frozen=True)
class Measurement:
    """One run: CPU and wall seconds, GiB above the inputs, and the value by which contenders can be compared."""

    seconds: float
    wall: float
    memory: float
    value: float | None


@dataclass(frozen=True)
class Case:
    """Inputs of a benchmark and its contenders; ours have names that begin with "fourfold".

    `work` is the number of floating-point operations, `limit` the contender that does nothing else.
    """

    title: str
    arrays: Arrays
    contenders: dict[str, Contender]
    work: float | None = None
    limit: str | None = None


def main(description: str, cases: Callable[[bool], list[Case]], names: dict[str, dict[str, Contender]]) -> None:
    """Measure every case and print its table.

    Parameters
    ----------
    description : str
        Shown by ``--help``.
    cases : callable
        Builds the cases; its argument is whether to be quick.
    names : mapping of str to mapping of str to Contender
        Contenders by the title of their case, for the worker.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small inputs: shows that it runs, not how fast")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each contender; the fastest counts")
    parser.add_argument("--only", help="contenders to run, separated by commas")
    parser.add_argument("--worker", nargs=4, metavar=("TITLE", "NAME", "INPUTS", "RESULT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        title, name, inputs, result = arguments.worker
        Path(result).write_text(json.dumps(_work(names[title][name], Path(inputs))))
        return
    for case in cases(arguments.quick):
        chosen = arguments.only.split(",") if arguments.only else list(case.contenders)
        _print(case, _rounds(case, [name for name in case.contenders if name in chosen], arguments.rounds))


def _rounds(case: Case, names: list[str], rounds: int) -> dict[str, list[Measurement] | str]:
    found: dict[str, list[Measurement] | str] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        for name, values in case.arrays.items():
            np.save(Path(folder) / f"{name}.npy", values)
        result = Path(folder) / "result.json"
        for _ in range(rounds):
            for name in names:
                if isinstance(found[name], str):
                    continue
                result.unlink(missing_ok=True)
                command = [sys.executable, sys.argv[0], "--worker", case.title, name, folder, str(result)]
                done = subprocess.run(command, env={**os.environ, **ENVIRONMENT}, capture_output=True, text=True)
                if not result.exists():
                    last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
                    found[name] = f"failed: {last[:160]}"
                    continue
                record = json.loads(result.read_text())
                found[name] = record if isinstance(record, str) else [*found[name], Measurement(**record)]
    return found


def _work(contender: Contender, inputs: Path) -> dict[str, float | None] | str:
    import torch

    torch.set_num_threads(1)
    try:
        _let_torchvision_import()
        function = contender()
    # Packages that do not fit the machine fail at import in many ways.
    except Exception as error:
        return f"cannot be imported: {type(error).__name__}: {str(error).splitlines()[0][:160] if str(error) else ''}"
    arrays = {path.stem: np.load(path, allow_pickle=False) for path in sorted(inputs.glob("*.npy"))}
    _forget_peak()
    before, wall, usage = _resident("VmRSS"), time.perf_counter(), _processor_seconds()
    value = function(arrays)
    seconds, wall = _processor_seconds() - usage, time.perf_counter() - wall
    memory = max(_resident("VmHWM") - before, 0.0)
    return {
        "seconds": seconds,
        "wall": wall,
        "memory": memory,
        "value": None if value is None else float(value),
    }


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _forget_peak() -> None:
    # Linux forgets the highest resident size when asked to; elsewhere the peak of the imports stays in the figure.
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")


def _resident(field: str) -> float:
    """GiB from /proc/self/status, or the peak so far where there is none."""
    status = Path("/proc/self/status")
    if status.exists():
        found = re.search(rf"{field}:\s+(\d+) kB", status.read_text())
        return int(found[1]) / 2**20 if found else 0.0
    unit = 2**30 if sys.platform == "darwin" else 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _let_torchvision_import() -> None:
    """Peers import torchvision, which has no build for the CPU build of torch; none of what is measured calls it."""
    import importlib.util

    if importlib.util.find_spec("torchvision") is None:
        return
    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError):
        import torch

        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        # A library that is collected takes its operators with it.
        globals()["_TORCHVISION"] = library


def _print(case: Case, found: dict[str, list[Measurement] | str]) -> None:
    print(f"\n{case.title}")
    print(f"{'':30}{'CPU s':>9}{'x ours':>8}{'+ GiB':>8}{'x ours':>8}  value")
    best = {name: _best(runs) for name, runs in found.items() if not isinstance(runs, str)}
    ours = next((runs for name, runs in best.items() if name.startswith("fourfold")), None)
    for name, runs in found.items():
        if isinstance(runs, str):
            print(f"{name:30}{runs}")
            continue
        run = best[name]
        times = f"{run.seconds / max(ours.seconds, 1e-9):8.2f}" if ours else f"{'':8}"
        memories = f"{run.memory / max(ours.memory, 1e-9):8.1f}" if ours else f"{'':8}"
        notes = []
        if run.value is not None:
            notes.append(f"{run.value:.12g}")
            if ours and ours is not run and ours.value:
                notes.append(f"({abs(run.value / ours.value - 1):.1e} relative)")
        if case.work:
            rate = case.work / run.seconds / 1e9
            notes.append(f"{rate:.1f} GFLOP/s")
            if case.limit in best:
                notes.append(f"= {best[case.limit].seconds / run.seconds:.0%} of {case.limit}")
        print(f"{name:30}{run.seconds:9.2f}{times}{run.memory:8.3f}{memories}  {' '.join(notes)}")


def _best(runs: list[Measurement]) -> Measurement:
    return Measurement(
        min(run.seconds for run in runs),
        min(run.wall for run in runs),
        min(run.memory for run in runs),
        runs[0].value,
    )
