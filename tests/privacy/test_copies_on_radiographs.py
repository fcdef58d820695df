"""The acceptance of the search for copies, on real chest radiographs with patient identifiers."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from fourfold.privacy import CopyList, find_copies
from fourfold.privacy.warps import area_matrix

# One radiograph is filed under two identifiers, and two films of what is plainly one child under two:
# as fresh patients they would be copies, and rightly listed.
FILED_TWICE = ("NORMAL2-IM-0095", "NORMAL2-IM-0096", "person302_virus", "person303_virus")


class Radiographs:
    """A split of the paediatric radiographs by patient; images of 96 x 96 pixels."""

    def __init__(self, folder: Path, seed: int, sizes: tuple[int, int, int]) -> None:
        with (folder / "metadata.csv").open() as stream:
            rows = [row for row in csv.DictReader(stream) if not any(name in row["file"] for name in FILED_TWICE)]
        rng = np.random.default_rng(seed)
        patients = np.array([row["patient_id"] for row in rows])
        self.sets, self.groups = [], []
        order = iter(rng.permutation(np.unique(patients)).tolist())
        numbers = {patient: number for number, patient in enumerate(np.unique(patients).tolist())}
        for size in sizes:
            chosen: list[int] = []
            while len(chosen) < size:
                chosen += np.flatnonzero(patients == next(order)).tolist()
            self.sets.append(np.stack([_read(folder / rows[row]["file"]) for row in chosen]))
            self.groups.append(np.array([numbers[patients[row]] for row in chosen]))
        self.rng = rng

    def search(self, synthetic: np.ndarray) -> CopyList:
        training, holdout, _ = self.sets
        return find_copies(
            _working(training),
            _working(synthetic),
            _working(holdout),
            groups=self.groups[0],
            holdout_groups=self.groups[1],
            plants=0,
        )


def _read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("L"), dtype=np.float32) / 255


def _working(images: np.ndarray) -> np.ndarray:
    matrix = area_matrix(96, 64)
    return np.matmul(np.matmul(matrix, images), matrix.T)[:, None]


def _disguised(image: np.ndarray, rng: np.random.Generator, noise: float, bright: bool, turned: bool) -> np.ndarray:
    if turned:
        filling = ("nearest", "constant")[rng.integers(2)]
        image = ndimage.rotate(image, rng.choice([-5.0, 5.0]), reshape=False, order=1, mode=filling)
    if bright:
        image = image * rng.uniform(0.8, 1.2) + rng.uniform(-0.1, 0.1)
    return np.clip(image + noise * rng.normal(size=image.shape), 0, 1)


@pytest.fixture(scope="module")
def radiographs(data_folder: Path) -> Radiographs:
    return Radiographs(data_folder / "kermany_cxr_96", 0, (600, 330, 400))


def test_fresh_patients_are_not_listed_sharp_or_blurred(radiographs: Radiographs) -> None:
    fresh = radiographs.sets[2]
    blurred = [ndimage.gaussian_filter(fresh[start::2], (0, sigma, sigma)) for start, sigma in ((0, 1.0), (1, 3.0))]
    found = radiographs.search(np.concatenate([fresh, *blurred]))
    assert found.listed.sum() == 0
    assert found.null_share == 0.0


def test_two_percent_of_disguised_copies_are_listed_with_their_source(radiographs: Radiographs) -> None:
    rng, training = radiographs.rng, radiographs.sets[0]
    disguises = [
        (0.02, False, False),
        (0.05, False, False),
        (0.0, True, False),
        (0.0, False, True),
        (0.05, True, True),
    ]
    synthetic = radiographs.sets[2][:400].copy()
    rows, sources = np.arange(0, 400, 40), rng.choice(len(training), 10, replace=False)
    for place, (row, source) in enumerate(zip(rows, sources)):
        synthetic[row] = _disguised(training[source], rng, *disguises[place % len(disguises)])
    found = radiographs.search(synthetic)
    assert found.listed[rows].all()
    assert (found.groups[found.nearest[rows]] == found.groups[sources]).all()
    assert (found.nearest[rows] == sources).mean() >= 0.9
    assert found.listed.sum() <= len(rows) + 1  # one in twenty may be false


def test_three_prototypes_repeated_are_copies_only_where_they_are_training_images(radiographs: Radiographs) -> None:
    training, _, fresh = radiographs.sets
    found = radiographs.search(np.concatenate([np.repeat(fresh[[3, 70, 200]], 50, axis=0), training[[8, 8, 8, 90]]]))
    assert not found.listed[:150].any()
    assert found.listed[150:].all()
    assert found.nearest[150:].tolist() == [8, 8, 8, 90]
