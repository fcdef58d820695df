"""Radiomics against pyradiomics: processor time, peak memory and agreement, both in one run.

    python benchmarks/radiomics.py --peer-python PATH/TO/ENVIRONMENT/bin/python [--images FOLDER]

The peer lives in an environment of its own (pyradiomics 3.0.1, SimpleITK). Its feature classes are called directly,
without the checks and the cropping of its command line, which is the fastest way to use it. The two take turns, each
in a fresh process on one thread, and the fastest round of each counts. Without a folder of pictures, smoothed noise is
measured.
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

import numpy as np

FAMILIES = ("firstorder", "glcm", "glrlm", "glszm", "ngtdm")
BIN_WIDTH = 8.0
SCALE = 255.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", help="python of an environment with pyradiomics")
    parser.add_argument("--images", type=Path, help="folder of pictures or NIfTI volumes, read recursively")
    parser.add_argument("--count", type=int, default=64, help="images measured")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--worker", nargs=3, metavar=("WHO", "IMAGES", "RESULT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        who, images, result = arguments.worker
        work(who, Path(images), Path(result))
        return
    if not arguments.peer_python:
        parser.error("--peer-python is needed: the python of an environment with pyradiomics")
    interpreters = {"fourfold": sys.executable, "pyradiomics": arguments.peer_python}
    images = pictures(arguments.images, arguments.count) if arguments.images else noise(arguments.count)
    rounds: dict[str, list[dict]] = {who: [] for who in interpreters}
    with tempfile.TemporaryDirectory() as folder:
        stored, result = Path(folder) / "images.npz", Path(folder) / "result.json"
        np.savez(stored, *images)
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "MKL_NUM_THREADS": "1"}
        for _ in range(arguments.rounds):
            for who, python in interpreters.items():
                # -P keeps this file, whose name is that of the peer's package, off the import path.
                command = [python, "-P", str(Path(__file__).resolve()), "--worker", who, str(stored), str(result)]
                subprocess.run(command, check=True, env=environment)
                rounds[who].append(json.loads(result.read_text()))
    report(rounds, images)


def work(who: str, images: Path, result: Path) -> None:
    with np.load(images) as stored:
        arrays = [stored[name] for name in stored.files]
    measure = {"fourfold": ours, "pyradiomics": peers}[who]
    # Libraries load and the allocator settles on the first images; sets have thousands.
    measure(arrays[:16], FAMILIES)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    names, values = measure(arrays, FAMILIES)
    total = time.process_time() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    seconds = {}
    for family in FAMILIES:
        start = time.process_time()
        measure(arrays, (family,))
        seconds[family] = time.process_time() - start
    seconds["all"] = total
    result.write_text(json.dumps({"names": names, "values": values, "seconds": seconds, "mebibytes": memory / 1024}))


def ours(arrays: list[np.ndarray], families: tuple[str, ...]) -> tuple[list[str], list[list[float]]]:
    import torch

    from fourfold.features.radiomics import Radiomics

    torch.set_num_threads(1)
    radiomics = Radiomics(scale=SCALE, bin_width=BIN_WIDTH, families=families)
    if len({array.shape for array in arrays}) == 1:
        values = radiomics(torch.from_numpy(np.stack(arrays))[:, None])
    else:
        values = torch.cat([radiomics(torch.from_numpy(array)[None, None]) for array in arrays])
    return [name.removeprefix("original_") for name in radiomics.feature_names()], values.tolist()


def peers(arrays: list[np.ndarray], families: tuple[str, ...]) -> tuple[list[str], list[list[float]]]:
    import logging

    import SimpleITK
    from radiomics import firstorder, glcm, glrlm, glszm, ngtdm

    logging.getLogger("radiomics").setLevel(logging.CRITICAL)
    classes = {
        "firstorder": firstorder.RadiomicsFirstOrder,
        "glcm": glcm.RadiomicsGLCM,
        "glrlm": glrlm.RadiomicsGLRLM,
        "glszm": glszm.RadiomicsGLSZM,
        "ngtdm": ngtdm.RadiomicsNGTDM,
    }
    rows = []
    for array in arrays:
        image = SimpleITK.GetImageFromArray((array * np.float32(SCALE)).astype(np.float64))
        mask = SimpleITK.GetImageFromArray(np.ones(array.shape, dtype=np.uint8))
        row = {}
        for family in families:
            features = classes[family](image, mask, binWidth=BIN_WIDTH)
            features.enableAllFeatures()
            for name, value in features.execute().items():
                row[f"{family}_{name}"] = float(np.real(np.squeeze(value)))
        rows.append(row)
    names = list(rows[0])
    return names, [[row[name] for name in names] for row in rows]


def report(rounds: dict[str, list[dict]], images: list[np.ndarray]) -> None:
    fastest = {
        who: {key: min(r["seconds"][key] for r in results) for key in (*FAMILIES, "all")}
        for who, results in rounds.items()
    }
    own, peer = rounds["fourfold"][0], rounds["pyradiomics"][0]
    columns = [own["names"].index(name) for name in peer["names"]]
    expected = np.array(peer["values"])
    error = np.abs(np.array(own["values"])[:, columns] - expected) / np.maximum(np.abs(expected), 1e-6)
    shapes = sorted({image.shape for image in images})
    print(
        f"{len(images)} images, shapes {shapes[0]} to {shapes[-1]}, bin width {BIN_WIDTH:g} on 0 to {SCALE:g}, 1 thread"
    )
    print(f"{'':12}{'fourfold':>14}{'pyradiomics':>14}{'ratio':>8}{'largest relative difference':>30}")
    for key in (*FAMILIES, "all"):
        milliseconds = [1000 * fastest[who][key] / len(images) for who in ("fourfold", "pyradiomics")]
        of_family = [key in ("all", name.split("_")[0]) for name in peer["names"]]
        print(
            f"{key:12}{milliseconds[0]:11.2f} ms{milliseconds[1]:11.2f} ms{milliseconds[1] / milliseconds[0]:7.1f}x"
            f"{error[:, of_family].max():30.1e}"
        )
    memory = {who: min(r["mebibytes"] for r in results) for who, results in rounds.items()}
    print(f"{'peak memory':12}{memory['fourfold']:10.0f} MiB{memory['pyradiomics']:10.0f} MiB  above the inputs")


def pictures(folder: Path, count: int) -> list[np.ndarray]:
    import nibabel
    from PIL import Image

    paths = sorted(path for path in folder.rglob("*") if path.name.endswith((".png", ".jpg", ".nii", ".nii.gz")))
    arrays = []
    for place in np.linspace(0, len(paths) - 1, min(count, len(paths))).astype(int):
        path = paths[place]
        if path.suffix in (".png", ".jpg"):
            arrays.append(np.asarray(Image.open(path).convert("L")).astype(np.float32) / np.float32(255))
        else:
            volume = nibabel.load(path).get_fdata(dtype=np.float32)
            low, high = np.percentile(volume, [0.5, 99.5])
            arrays.append(np.clip((volume - low) / (high - low), 0, 1).astype(np.float32))
    return arrays


def noise(count: int, side: int = 96) -> list[np.ndarray]:
    from scipy.ndimage import gaussian_filter

    fields = [gaussian_filter(np.random.default_rng([0, k]).standard_normal((side, side)), 1.0) for k in range(count)]
    codes = [np.clip(np.round(128 + 150 * field), 0, 255).astype(np.float32) for field in fields]
    return [image / np.float32(255) for image in codes]


if __name__ == "__main__":
    main()
