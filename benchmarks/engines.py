"""Extraction on engines: two workers of one thread against one.

    python benchmarks/engines.py [--weights FILE] [--count 2048] [--engines local ray]

Each run is a process of its own that starts its engine, warms every worker with a few images (imports and, for Ray, the
start of the actors are the same for one image and for a million), and then extracts films from PNG files. What counts
is the wall time of the latter, with the start of the actors of that run in it; the fastest of the rounds. One worker
of the local engine is the process itself. Features must agree to 1e-6. Two workers need two idle cores.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from extraction import draw

from pairing import ENVIRONMENT


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, help="a file of MobileNet; radiomics is computed otherwise")
    parser.add_argument("--count", type=int, default=2048)
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--engines", nargs="+", default=["local", "ray"], choices=("local", "ray"))
    parser.add_argument("--worker", nargs=5, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        engine, workers, spec, films, result = arguments.worker
        work(engine, int(workers), spec, Path(films), Path(result))
        return
    spec = f"mobilenet:{arguments.weights}" if arguments.weights else "radiomics"
    runs = [(engine, workers) for engine in arguments.engines for workers in (1, 2)]
    with tempfile.TemporaryDirectory() as folder:
        films = Path(folder) / "films"
        films.mkdir()
        draw(films, arguments.count, arguments.side)
        seconds = dict.fromkeys(runs, np.inf)
        for _ in range(arguments.rounds):
            for run in runs:
                seconds[run] = min(seconds[run], timed(run, spec, films, Path(folder)))
        print(f"{arguments.count} films of {arguments.side} pixels, {spec.partition(':')[0]}")
        print(f"{'engine':12}{'workers':>8}{'images/s':>10}{'of one':>8}{'largest relative difference':>30}")
        expected = np.load(Path(folder) / f"{arguments.engines[0]}-1.npy")
        for engine, workers in runs:
            found = np.load(Path(folder) / f"{engine}-{workers}.npy")
            error = (np.abs(found - expected) / np.maximum(np.abs(expected), 1e-6)).max()
            ratio = seconds[engine, 1] / seconds[engine, workers]
            print(f"{engine:12}{workers:8}{arguments.count / seconds[engine, workers]:10.1f}{ratio:8.2f}{error:30.1e}")


def timed(run: tuple[str, int], spec: str, films: Path, folder: Path) -> float:
    result = folder / f"{run[0]}-{run[1]}.npy"
    command = [sys.executable, str(Path(__file__).resolve())]
    subprocess.run(
        [*command, "--worker", run[0], str(run[1]), spec, str(films), str(result)],
        env={**os.environ, **ENVIRONMENT},
        check=True,
    )
    return json.loads(result.with_suffix(".json").read_text())


def work(name: str, workers: int, spec: str, films: Path, result: Path) -> None:
    import torch

    from fourfold.engine import LocalEngine
    from fourfold.features import extract, get
    from fourfold.images import open_set, prepare

    torch.set_num_threads(1)
    images = prepare({"training": open_set(films, name="training")})["training"]
    extractor = get(spec)
    if name == "ray":
        from fourfold.engine.ray import RayEngine

        engine = RayEngine(workers=workers, object_store=200_000_000)
    else:
        engine = LocalEngine(workers)
    with engine:
        extract(images.take(range(32)), extractor, batch_size=8, engine=engine)
        start = time.perf_counter()
        features = extract(images, extractor, engine=engine)
        seconds = time.perf_counter() - start
    np.save(result, features)
    result.with_suffix(".json").write_text(json.dumps(seconds))


if __name__ == "__main__":
    main()
