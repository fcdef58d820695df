"""A million vectors among a million at d = 512, from files, in bounded memory.

python benchmarks/million.py FOLDER [--rows 1000000] [--width 512] [--share 0.05] [--memory 1073741824] [--workers 1]
                             [--k 5] [--decay 0.5] [--pruning auto] [--peak 2147483648]

Two files of features with a decaying spectrum (the j-th column has the standard deviation j to the power of -decay)
are written to FOLDER, a block at a time, where they are not there already. The search runs over the first `--share`
of the queries and all points; the time of the whole is that divided by the share, and is said to be an extrapolation
where the share is below 1. Peak memory is the largest resident set of the search's process, mapped pages of the files
included, and of its workers. A few queries are compared with brute force in float64. The machine's own rate of matrix
products is measured before and after.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

BLOCK, CHECKED = 8192, 8


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--memory", type=int, default=1 << 30, help="bytes for a worker")
    parser.add_argument("--peak", type=int, default=1 << 31, help="bytes that no process may exceed")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--k", type=int, default=5)
    parser.add_argument("--decay", type=float, default=0.5)
    parser.add_argument("--pruning", choices=("auto", "always", "never"), default="auto")
    parser.add_argument("--only-search", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only_search:
        print(json.dumps(searched(given)))
        return 0
    given.folder.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(("queries", "points")):
        write(given.folder / f"{name}.npy", given.rows, given.width, given.decay, seed)
    # The process that draws the files would count with its own memory.
    command = [sys.executable, __file__, *sys.argv[1:], "--only-search"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    found = json.loads(done.stdout)
    print(text(found, given))
    return 0 if found["peak"] <= given.peak and found["equal"] else 1


def write(path: Path, rows: int, width: int, decay: float, seed: int) -> None:
    """Draw a file of features, unless one of that shape is there."""
    if path.exists() and np.load(path, mmap_mode="r").shape == (rows, width):
        return
    scale = np.arange(1, width + 1, dtype=np.float32) ** np.float32(-decay)
    unfinished = path.with_suffix(".part.npy")
    made = np.lib.format.open_memmap(unfinished, "w+", np.float32, (rows, width))
    for block, start in enumerate(range(0, rows, BLOCK)):
        rng = np.random.default_rng([seed, block])
        part = made[start : start + BLOCK]
        part[:] = rng.standard_normal(part.shape, dtype=np.float32) * scale
    made.flush()
    unfinished.rename(path)


def searched(given: argparse.Namespace) -> dict[str, float]:
    """Search, in this process or the workers of this process, and measure."""
    from fourfold.engine import LocalEngine
    from fourfold.neighbors.distances import pair_distances
    from fourfold.neighbors.sharded import nearest_sharded

    before = products(given.width)
    count = max(1, round(given.share * given.rows))
    asked = np.load(given.folder / "queries.npy", mmap_mode="r")[:count]
    points = given.folder / "points.npy"
    start, cpu = time.perf_counter(), cpu_seconds()
    with LocalEngine(given.workers if given.workers > 1 else 0) as engine:
        found = nearest_sharded(asked, points, given.k, engine=engine, memory=given.memory, pruning=given.pruning)
    wall, cpu = time.perf_counter() - start, cpu_seconds() - cpu
    peak = largest_memory()
    rate = 2.0 * count * given.rows * given.width / wall
    after = products(given.width)
    rows = np.random.default_rng(0).choice(count, min(CHECKED, count), replace=False)
    best = np.full((len(rows), given.k), np.inf)
    for first in range(0, given.rows, BLOCK):
        # Mapped anew each time, so that the pages of the blocks before are let go.
        part = np.load(points, mmap_mode="r")[first : first + BLOCK]
        distances = np.stack(
            [pair_distances(np.repeat(asked[row][None], len(part), 0), part, "euclidean") for row in rows]
        )
        best = np.sort(np.concatenate([best, distances], axis=1), axis=1)[:, : given.k]
    return {
        "count": count,
        "wall": wall,
        "cpu": cpu,
        "peak": peak,
        "rate": rate,
        "products": (before + after) / 2,
        "skipped": found.pruning.skipped,
        "settled": found.pruning.settled,
        "equal": bool(np.array_equal(best, found.distances[rows])),
    }


def cpu_seconds() -> float:
    """Of this process and its finished children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def largest_memory() -> int:
    """Bytes of the largest resident set of this process, or of a child that has ended."""
    status = Path("/proc/self/status")
    if status.exists():
        # What getrusage says of a new process begins with what its parent had.
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        own = int(lines["VmHWM"].split()[0])
    else:
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return 1024 * max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)


def products(width: int, size: int = 4096) -> float:
    """Operations a second of a float32 matrix product, by NumPy as it is set."""
    left = np.random.default_rng(0).standard_normal((size, width), dtype=np.float32)
    left @ left.T
    start, repeated = time.perf_counter(), 3
    for _ in range(repeated):
        left @ left.T
    return 2.0 * size * size * width * repeated / (time.perf_counter() - start)


def text(found: dict[str, float], given: argparse.Namespace) -> str:
    """What was measured, and what was extrapolated."""
    share = found["count"] / given.rows
    mebibytes = [number / 2**20 for number in (found["peak"], given.peak)]
    lines = [
        f"{found['count']:,} queries x {given.rows:,} points x {given.width}, k = {given.k}, "
        f"{given.workers} worker(s), {os.cpu_count()} processors",
        f"measured   wall {found['wall']:.1f} s, CPU {found['cpu']:.1f} s, {found['rate'] / 1e9:.1f} GFLOP/s of the "
        f"whole work, {100 * found['rate'] / found['products']:.0f} % of sgemm alone "
        f"({found['products'] / 1e9:.1f} GFLOP/s)",
        f"pruning    {100 * found['settled']:.1f} % of queries settled, "
        f"{100 * found['skipped']:.1f} % of products skipped",
        f"peak       {mebibytes[0]:.0f} MiB resident, mapped pages included; allowed {mebibytes[1]:.0f} MiB",
        f"checked    {min(CHECKED, int(found['count']))} queries against brute force in float64: "
        f"{'equal' if found['equal'] else 'NOT EQUAL'}",
    ]
    if share < 1:
        lines.insert(
            2,
            f"EXTRAPOLATED to all queries by dividing by {share:.4g}: wall {found['wall'] / share:,.0f} s, "
            f"CPU {found['cpu'] / share:,.0f} s",
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
