"""Extraction of a set of films against the bare forward passes of the extractor.

    python benchmarks/extraction.py [--weights FILE ...] [--images FOLDER] [--count 512] [--threads 1] [--workers N]

Bare: the same batches, decoded and prepared beforehand, go through the extractor. Ours: `fourfold.features.extract`
reads the PNG files, prepares them and does the same, with decoding ahead in a thread. In series: every batch is decoded
first and computed then. The three take turns in one process, and the fastest round of each counts, in wall time: it is
the overlap that is measured. ``--threads`` is what the extractor may use; decoding needs a core beside it to be hidden.
The features must be the same.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch

from fourfold.features import FeatureExtractor, extract, get
from fourfold.images import ImageSet, open_set, prepare

BATCH = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, nargs="*", default=[], help="files of MobileNet")
    parser.add_argument("--images", type=Path, help="a folder of pictures; smoothed noise is drawn otherwise")
    parser.add_argument("--count", type=int, default=512)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--threads", type=int, default=1, help="of the extractor")
    parser.add_argument("--workers", type=int, default=0, help="processes that decode")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    asked = [*(f"mobilenet:{file}" for file in arguments.weights), "radiomics"]
    with tempfile.TemporaryDirectory() as folder:
        films = arguments.images or draw(Path(folder), arguments.count, arguments.side)
        opened = open_set(films, name="training")
        size = arguments.side if arguments.images else None
        images = prepare({"training": opened.take(range(min(arguments.count, len(opened))))}, size=size)["training"]
        print(f"{len(images)} films of {images.shape}, {arguments.threads} threads, {arguments.workers} decoders")
        print(f"{'':26}{'bare':>10}{'in series':>12}{'ours':>10}{'of bare':>10}   images/s")
        for spec in asked:
            measure(images, get(spec), arguments.workers, arguments.rounds)


def measure(images: ImageSet, extractor: FeatureExtractor, workers: int, rounds: int) -> None:
    held = [batch for _, batch in images.batches(BATCH)]
    forward(extractor, held[:1])
    ways: dict[str, Callable[[], np.ndarray]] = {
        "bare": lambda: forward(extractor, held),
        "series": lambda: forward(extractor, (batch for _, batch in images.batches(BATCH, workers))),
        "ours": lambda: extract(images, extractor, batch_size=BATCH, workers=workers),
    }
    seconds, values = dict.fromkeys(ways, np.inf), {}
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.perf_counter()
            values[name] = way()
            seconds[name] = min(seconds[name], time.perf_counter() - start)
    same = np.allclose(values["bare"], values["ours"], rtol=1e-6, atol=1e-6)
    rate = {name: len(images) / taken for name, taken in seconds.items()}
    print(
        f"{extractor.name:26}{rate['bare']:10.1f}{rate['series']:12.1f}{rate['ours']:10.1f}"
        f"{rate['ours'] / rate['bare']:10.2f}   {'the same features' if same else 'THE FEATURES DIFFER'}"
    )


def forward(extractor: FeatureExtractor, batches) -> np.ndarray:
    with torch.inference_mode():
        return np.concatenate([extractor(torch.from_numpy(batch)).numpy().astype(np.float32) for batch in batches])


def draw(folder: Path, count: int, side: int) -> Path:
    from PIL import Image
    from scipy.ndimage import gaussian_filter

    for number in range(count):
        field = gaussian_filter(np.random.default_rng([0, number]).standard_normal((side, side)), 2.0)
        codes = np.clip(128 + 400 * field, 0, 255).astype(np.uint8)
        Image.fromarray(codes).save(folder / f"{number:05d}.png")
    return folder


if __name__ == "__main__":
    main()
