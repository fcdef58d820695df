"""What a plan predicts, and what then happens: processor seconds and peak memory of whole evaluations.

    python benchmarks/plan.py [--sizes 300 600 1200] [--side 64] [--features SPEC ...] [--only NAME ...]
    python benchmarks/plan.py --precomputed [--sizes 2000 5000] [--grid 23]

For each size a process of its own plans an evaluation of phantoms, from their numbers alone, and another does it, on
files, with one thread and without a store; as many training as synthetic images and half as many in the holdout. With
``--precomputed`` the default metrics on features are asked about normal features instead (see ``whole.py``), a fifth of
them in the holdout, and compared with what is planned for a space of as many pixels.
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

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")


def main() -> None:
    """Plan and evaluate, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[300, 600, 1200])
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--features", nargs="+", default=["radiomics", "pixels"])
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--grid", type=int, default=23, help="side of the features that are there already")
    parser.add_argument("--precomputed", action="store_true", help="metrics on features alone")
    parser.add_argument("--part", choices=("plan", "evaluate"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        parts = {"plan": (_planned, _planned_features), "evaluate": (_evaluated, _evaluated_features)}
        print(json.dumps(parts[arguments.part][arguments.precomputed](arguments)))
        return
    print("| images | measured in | predicted | actual | ratio | memory, predicted | actual | ratio |")
    print("|---|---|---|---|---|---|---|---|")
    for size in arguments.sizes:
        plan, done = (_run(part, size) for part in ("plan", "evaluate"))
        print(
            f"| {size} | {plan['measuring']:.0f} s | {plan['seconds']:.1f} s | {done['seconds']:.1f} s "
            f"| {plan['seconds'] / done['seconds']:.2f} | {plan['memory'] / 2**20:.0f} MiB "
            f"| {done['memory'] / 2**20:.0f} MiB | {plan['memory'] / done['memory']:.2f} |",
            flush=True,
        )


def _run(part: str, size: int) -> dict[str, float]:
    given = sys.argv[1:]
    if "--sizes" in given:
        start = given.index("--sizes")
        end = next((i for i in range(start + 1, len(given)) if given[i].startswith("-")), len(given))
        given = given[:start] + given[end:]
    command = [sys.executable, __file__, *given, "--sizes", str(size), "--part", part]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def _planned(arguments: argparse.Namespace) -> dict[str, float]:
    from fourfold.planning import plan

    size, begun = arguments.sizes[0], time.process_time()
    found = plan(size, size, size // 2, features=arguments.features, only=arguments.only, image_size=arguments.side)
    measuring = time.process_time() - begun
    return {"measuring": measuring, "seconds": found.seconds.processor, "memory": found.memory}


def _planned_features(arguments: argparse.Namespace) -> dict[str, float]:
    from whole import asked

    from fourfold.planning import plan

    size, begun = arguments.sizes[0], time.process_time()
    # Labels are not there: the metrics that need them say so at once.
    names = [metric.key for metric in asked() if "labels" not in metric.needs]
    found = plan(size, size, size // 5, features=[f"pixels?size={arguments.grid}"], only=names)
    seconds = sum(step.seconds.processor for step in found.steps if step.name not in ("reading", "features"))
    return {"measuring": time.process_time() - begun, "seconds": seconds, "memory": found.memory}


def _evaluated(arguments: argparse.Namespace) -> dict[str, float]:
    from fourfold import evaluate, phantoms

    size = arguments.sizes[0]
    with tempfile.TemporaryDirectory() as folder:
        parts = {"train": (size, 0), "holdout": (size // 2, size), "synthetic": (size, 2 * size)}
        paths = {role: Path(folder, role) for role in parts}
        for role, (count, first) in parts.items():
            phantoms("chest", count, images_per_patient=1, size=arguments.side, first_patient=first).write(paths[role])
        begun = time.process_time()
        evaluate(**paths, features=arguments.features, only=arguments.only, store=False)
        seconds = time.process_time() - begun
    return {"seconds": seconds, "memory": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}


def _evaluated_features(arguments: argparse.Namespace) -> dict[str, float]:
    from whole import asked, compared

    size = arguments.sizes[0]
    comparison = compared(size, size, size // 5, arguments.grid**2, 0.5)
    begun = time.process_time()
    for metric in asked():
        metric.compute(comparison)
    seconds = time.process_time() - begun
    return {"seconds": seconds, "memory": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}


if __name__ == "__main__":
    main()
