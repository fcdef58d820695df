"""What a certified bound from few components spares a search, by how fast the spectrum of the features decays.

python benchmarks/pruning.py [--quick]        # FOURFOLD_DATA: the folder with kermany_cxr_96

Nearest neighbour of 20 000 vectors among 20 000 at d = 2048, for three spectra: standard deviations that fall as
1 / rank along axes turned at random; rectified features, whose spectrum falls slowly; and the pixels of chest films of
different patients, each film with random shifts and contrasts until there are enough. Contenders: the same search
without the bound, the matrix products alone, faiss-cpu. The value is the sum of the distances, which must agree to the
rounding of float32. Below the tables stands what each search reports of itself.
"""

from __future__ import annotations

import csv
import os
import sys
from pathlib import Path

import numpy as np
from frechet import features

from neighbors import products
from pairing import Arrays, Case, Contender, main

STEEP, SLOW, FILMS = "Spectrum as 1 / rank", "Rectified features, slow spectrum", "Pixels of chest films"
PRODUCTS = "sgemm alone (torch)"
SIDE, SHIFT = 45, 4


def searched(pruning: str) -> Contender:
    def contender() -> object:
        from fourfold.neighbors import nearest

        def run(given: Arrays) -> float:
            return nearest(given["x"], given["y"], 1, pruning=pruning).distances.sum()

        return run

    return contender


def faiss_flat() -> object:
    import faiss

    faiss.omp_set_num_threads(1)

    def run(given: Arrays) -> float:
        index = faiss.IndexFlatL2(given["y"].shape[1])
        index.add(given["y"])
        return np.sqrt(np.maximum(index.search(given["x"], 1)[0], 0)).sum(dtype=np.float64)

    return run


CONTENDERS: dict[str, Contender] = {
    "fourfold": searched("auto"),
    "fourfold without the bound": searched("never"),
    PRODUCTS: products,
    "faiss-cpu (flat)": faiss_flat,
}


def steep(count: int, width: int, seed: int) -> np.ndarray:
    """Rows with standard deviations of 1 / rank along axes that are turned at random."""
    turn = np.linalg.qr(np.random.default_rng(1234).normal(size=(width, width)))[0].astype(np.float32)
    rows = np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)
    return (rows / np.arange(1, width + 1, dtype=np.float32)) @ turn


def films(data: Path, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of two sets of films of different patients, shape (count, SIDE * SIDE)."""
    from PIL import Image

    with (data / "metadata.csv").open(newline="", encoding="utf-8") as file:
        entries = list(csv.DictReader(file))
    rng = np.random.default_rng(0)
    patients = sorted({entry["patient_id"] for entry in entries})
    first = set(rng.permutation(patients)[: len(patients) // 2])
    sets: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for entry in entries:
        with Image.open(data / entry["file"]) as image:
            small = image.convert("L").resize((SIDE + SHIFT, SIDE + SHIFT), Image.Resampling.BOX)
        sets[entry["patient_id"] not in first].append(np.asarray(small, dtype=np.float32) / 255)
    return tuple(np.stack([_varied(own[row % len(own)], rng) for row in range(count)]) for own in sets)


def _varied(film: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    top, left = rng.integers(0, SHIFT + 1, 2)
    return (film[top : top + SIDE, left : left + SIDE] * np.float32(rng.uniform(0.8, 1.2))).ravel()


def cases(quick: bool) -> list[Case]:
    count, width = (3_000, 512) if quick else (20_000, 2048)
    drawn = {
        STEEP: (steep(count, width, 0), steep(count, width, 1)),
        SLOW: (features(count, width, seed=0), features(count, width, seed=1)),
    }
    data = Path(os.environ.get("FOURFOLD_DATA", "../shared/data")) / "kermany_cxr_96"
    if data.exists():
        drawn[FILMS] = films(data, count)
    return [
        Case(title, {"x": x, "y": y}, CONTENDERS, work=2.0 * len(x) * len(y) * x.shape[1], limit=PRODUCTS)
        for title, (x, y) in drawn.items()
    ]


def report(quick: bool) -> None:
    """What each search says of itself."""
    from fourfold.neighbors import nearest

    for case in cases(quick):
        spared = nearest(case.arrays["x"], case.arrays["y"], 1).pruning
        print(
            f"{case.title}: components {spared.components}, {spared.skipped:.1%} of the multiplications skipped, "
            f"{spared.settled:.1%} of the rows settled by the bound"
            + (f"; {spared.reason}" if spared.reason is not None else "")
        )


if __name__ == "__main__":
    main(__doc__, cases, dict.fromkeys((STEEP, SLOW, FILMS), CONTENDERS))
    if "--worker" not in sys.argv:
        report("--quick" in sys.argv)
