from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def run(name: str, *arguments: str) -> str:
    """Standard output of an example."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(_EXAMPLES / name), *arguments],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_metrics_on_arrays_tells_the_two_generators_apart():
    lines = run("metrics_on_arrays.py", "--patients", "120").splitlines()[1:]
    scores = {line[:20].strip(): [float(number) for number in line[20:].split()] for line in lines}
    distance, precision, coverage = scores["fresh real images"]
    assert scores["out of focus"][0] > 10 * distance
    assert scores["out of focus"][1] < precision - 0.5
    assert scores["three prototypes"][2] < coverage - 0.5
