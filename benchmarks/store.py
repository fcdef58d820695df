"""A second `fourfold evaluate` of the same images against the first.

python benchmarks/store.py [--quick] [--sets TRAINING HOLDOUT SYNTHETIC] [options of evaluate]

Each run is the whole command in a fresh process, from its start to the written report, with an empty feature store
before the first run. The third line is what no store can save: a process that imports the same packages, opens the
same sets and writes no report. Without folders, phantoms are drawn. The scores of both runs must be the same.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pairing import ENVIRONMENT

COMMAND = "import sys; from fourfold.cli.main import main; sys.exit(main())"
OPENING = (
    "import sys; from fourfold import evaluation, report; from fourfold.opening import open_sets; "
    "opened = open_sets(sys.argv[3], sys.argv[1], sys.argv[2]); "
    "[image_set.digests() for image_set in (opened.sets.training, opened.sets.holdout, opened.sets.synthetic)]"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="40 patients rather than 300")
    parser.add_argument("--sets", nargs=3, metavar=("TRAINING", "HOLDOUT", "SYNTHETIC"))
    arguments, options = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        training, holdout, synthetic = arguments.sets or _phantoms(
            Path(folder) / "sets", 40 if arguments.quick else 300
        )
        store = ["--store", f"{folder}/store", "--quiet"]
        sets = [str(synthetic), "--train", str(training), "--holdout", str(holdout)]
        print(f"{'':26}{'CPU s':>9}{'wall s':>9}{'first is':>10}")
        first = None
        for name in ("first", "second"):
            report = Path(folder) / name
            used = _timed([COMMAND, "evaluate", *sets, *store, "-o", str(report), *options])
            first = first or used
            print(f"{name:26}{used[0]:9.1f}{used[1]:9.1f}{first[0] / used[0]:9.1f}x")
        used = _timed([OPENING, str(training), str(holdout), str(synthetic)])
        print(f"{'imports and opening alone':26}{used[0]:9.1f}{used[1]:9.1f}{first[0] / used[0]:9.1f}x")
        same = _scores(Path(folder) / "first") == _scores(Path(folder) / "second")
        print("the scores are the same" if same else "THE SCORES DIFFER")


def _timed(arguments: list[str]) -> tuple[float, float]:
    """CPU and wall seconds of a child process."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", *arguments], env={**os.environ, **ENVIRONMENT}, capture_output=True, text=True
    )
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"the command failed:\n{done.stderr[-2000:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def _phantoms(folder: Path, patients: int) -> tuple[Path, Path, Path]:
    from fourfold.images.phantoms.demonstration import write_demonstration

    write_demonstration(folder, patients=patients)
    return folder / "training", folder / "holdout", folder / "synthetic"


def _scores(report: Path) -> list[dict]:
    return json.loads((report / "scores.json").read_text())["scores"]


if __name__ == "__main__":
    main()
