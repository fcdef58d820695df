"""What moves which metric: every metric against known distortions of fresh real images, in three or four doses.

python benchmarks/ladders.py [--quick] [--images 400] [--sets chest kermany cheng] [--metrics variety ...] [--out DIR]

A set is dealt by patient into training, holdout and a pool of fresh images, from which each rung is made: as they are
(the null), collapsed to few prototypes, blurred, noisy, truncated (the most typical of many), with copies of training
images, brighter, or without a class. A metric rises or falls where its null lies outside of its 95 % interval, the sign
being that of value minus null; privacy scores are one-sided, and only their bad direction shows.

Every cell (set, distortion, dose) is kept as a file, so that a run that was interrupted goes on where it stopped, and
metrics that are asked later are added. `--minutes` ends a run early. `ladders.csv` has every score, `ladders.md` the
table of directions.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from fourfold import evaluation  # noqa: F401 - fills the register
from fourfold.comparison import Comparison, Features, Sets, Spaces
from fourfold.features import extract
from fourfold.features import get as extractor_named
from fourfold.images import ImageSet, open_set, prepare
from fourfold.images.phantoms import phantoms
from fourfold.score import Metric, Score, metrics

SIDE = 32
# Few enough components for a covariance from a few hundred images.
COMPONENTS = 16
SPACES = ("radiomics", "pixels")
# Slices of a run of file names stand in for a patient where there are no identifiers.
RUN = 15
# Left out unless named: minutes a cell, or they need more than a set of a few hundred small images.
SLOW = (
    "privacy/copies",
    "privacy/linkage",
    "privacy/singling_out",
    "privacy/worst_case_membership",
    "privacy/holdout_independence",
    "privacy/exchangeability",
    "privacy/effective_patients",
    "utility/train_synthetic_test_real_cnn",
    "utility/real_plus_synthetic_gain_cnn",
)


@dataclass(frozen=True)
class Sample:
    """Images, shape (n, 1, side, side), with class and patient."""

    images: np.ndarray
    labels: np.ndarray
    patients: np.ndarray

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: np.ndarray) -> Sample:
        """The chosen rows."""
        return Sample(self.images[rows], self.labels[rows], self.patients[rows])

    def image_set(self, name: str) -> ImageSet:
        """The same as an image set; nobody knows the patients of synthetic images."""
        patients = None if name == "synthetic" else list(self.patients)
        found = ImageSet.from_array(self.images, name=name, labels=list(self.labels), patients=patients)
        return prepare({"training": found}, scaling="0:1")["training"]


@dataclass(frozen=True)
class Ground:
    """What a ladder stands on: training and holdout set, and fresh images of yet other patients."""

    training: Sample
    holdout: Sample
    pool: Sample
    size: int


Rung = Callable[[Ground, float, np.random.Generator], Sample]


def fresh(ground: Ground, dose: float, rng: np.random.Generator) -> Sample:
    """Images as they are; the dose counts draws."""
    return ground.pool.take(np.sort(rng.permutation(len(ground.pool))[: ground.size]))


def altered(change: Callable[[np.ndarray, float, np.random.Generator], np.ndarray]) -> Rung:
    """A rung that changes every image."""

    def rung(ground: Ground, dose: float, rng: np.random.Generator) -> Sample:
        drawn = fresh(ground, 0.0, rng)
        return replace(drawn, images=np.clip(change(drawn.images, dose, rng), 0.0, 1.0).astype(np.float32))

    return rung


def collapsed(ground: Ground, dose: float, rng: np.random.Generator) -> Sample:
    """Only `dose` different images, each many times with a little noise."""
    drawn = fresh(ground, 0.0, rng)
    kept = rng.permutation(len(drawn))[: int(dose)]
    sources = kept[np.arange(len(drawn)) % len(kept)]
    repeated = drawn.take(sources)
    grain = 0.02 * rng.standard_normal(repeated.images.shape)
    numbers = np.array([f"made-{row}" for row in range(len(repeated))])
    return Sample(np.clip(repeated.images + grain, 0, 1).astype(np.float32), repeated.labels, numbers)


def truncated(ground: Ground, dose: float, rng: np.random.Generator) -> Sample:
    """The most typical share `dose` of the fresh images: those nearest to the mean of their class."""
    rows = rng.permutation(len(ground.pool))[: int(ground.size / dose)]
    drawn = ground.pool.take(rows)
    distance = np.empty(len(drawn))
    for label in np.unique(drawn.labels):
        own = drawn.labels == label
        flat = drawn.images[own].reshape(own.sum(), -1)
        distance[own] = np.linalg.norm(flat - flat.mean(axis=0), axis=1)
    return drawn.take(np.sort(np.argsort(distance)[: ground.size]))


def copied(ground: Ground, dose: float, rng: np.random.Generator) -> Sample:
    """A share `dose` of the images are training images with a little noise."""
    drawn, count = fresh(ground, 0.0, rng), round(dose * ground.size)
    sources = rng.permutation(len(ground.training))[:count]
    places = rng.permutation(len(drawn))[:count]
    images, labels, patients = drawn.images.copy(), drawn.labels.copy(), drawn.patients.astype(object)
    noise = 0.01 * rng.standard_normal(images[places].shape)
    images[places] = np.clip(ground.training.images[sources] + noise, 0, 1)
    labels[places] = ground.training.labels[sources]
    patients[places] = [f"copy-{place}" for place in places]
    return Sample(images, labels, patients.astype(str))


def without_class(ground: Ground, dose: float, rng: np.random.Generator) -> Sample:
    """A share `dose` of the second class is missing, the others in its place."""
    missing = np.unique(ground.pool.labels)[1]
    members = ground.pool.labels == missing
    share = members.mean()
    rare = rng.permutation(np.flatnonzero(members))[: round((1 - dose) * share * ground.size)]
    rest = rng.permutation(np.flatnonzero(~members))[: ground.size - len(rare)]
    return ground.pool.take(np.sort(np.concatenate([rare, rest])))


def blurred(images: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    return ndimage.gaussian_filter(images, (0, 0, sigma, sigma), mode="nearest")


def noisy(images: np.ndarray, spread: float, rng: np.random.Generator) -> np.ndarray:
    return images + spread * rng.standard_normal(images.shape)


def brighter(images: np.ndarray, offset: float, rng: np.random.Generator) -> np.ndarray:
    return images + offset


LADDERS: dict[str, tuple[Rung, tuple[float, ...]]] = {
    "fresh": (fresh, (1, 2, 3)),
    "collapse": (collapsed, (50, 15, 4)),
    "blur": (altered(blurred), (0.4, 0.8, 1.6)),
    "noise": (altered(noisy), (0.02, 0.06, 0.2)),
    "truncation": (truncated, (0.75, 0.5, 0.25)),
    "copies": (copied, (0.05, 0.2, 0.5)),
    "shift": (altered(brighter), (0.02, 0.06, 0.2)),
    "class drop": (without_class, (0.3, 0.6, 1.0)),
}


def main() -> None:
    """Run the cells that are missing, then print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="150 images a set and one feature space")
    parser.add_argument("--images", type=int, default=400, help="images in training, holdout and synthetic set")
    parser.add_argument("--sets", nargs="+", default=["chest", "kermany", "cheng"])
    parser.add_argument("--metrics", nargs="+", help="axes or metrics; all but the slowest where left out")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("FOURFOLD_DATA", "../shared/data")))
    parser.add_argument("--out", type=Path, default=Path("ladders"))
    parser.add_argument("--minutes", type=float, default=float("inf"))
    options = parser.parse_args()
    size = 150 if options.quick else options.images
    spaces = SPACES[:1] if options.quick else SPACES
    asked = [one for one in metrics() if _is_asked(one, options.metrics)]
    options.out.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + 60 * options.minutes
    for name in options.sets:
        missing = [
            (distortion, dose, lacking)
            for distortion, dose in strongest_first()
            if (lacking := _lacking(_file(options.out, name, distortion, dose, size), asked))
        ]
        if not missing or time.monotonic() > until:
            continue
        ground = grounds(name, options.data, size)
        base = {space: _Space(space, ground) for space in spaces}
        for distortion, dose, lacking in missing:
            if time.monotonic() > until:
                break
            made = LADDERS[distortion][0](ground, dose, np.random.default_rng([7, len(distortion), round(1000 * dose)]))
            file = _file(options.out, name, distortion, dose, size)
            _write(file, _known(file) + scores(ground, made, base, lacking))
            print(f"{name} {distortion} {dose:g}", flush=True)
    found = collected(options.out, options.sets, size)
    write_csv(options.out / "ladders.csv", found)
    (options.out / "ladders.md").write_text(table(found, options.sets), encoding="utf-8")
    print(table(found, options.sets))


def cells() -> list[tuple[str, float]]:
    """Every distortion at every dose."""
    return [(name, dose) for name, (_, doses) in LADDERS.items() for dose in doses]


def strongest_first() -> list[tuple[str, float]]:
    """The cells in the order in which they tell most where a run ends early."""
    place = {name: doses[::-1] for name, (_, doses) in LADDERS.items()}
    return sorted(cells(), key=lambda cell: place[cell[0]].index(cell[1]))


def grounds(name: str, data: Path, size: int) -> Ground:
    """A set, dealt by patient: `size` images of training and holdout each, and up to four times as many fresh ones."""
    whole = phantom_sample(6 * size) if name == "chest" else real_sample(name, data)
    patients = np.random.default_rng([3, len(whole)]).permutation(np.unique(whole.patients))
    order = np.argsort(np.argsort(patients)[np.searchsorted(np.sort(patients), whole.patients)], kind="stable")
    parts = np.split(order, [size, 2 * size, 6 * size])[:3]
    # A patient who was cut in two stays with the first part.
    kept = list(parts)
    for later in (1, 2):
        seen = np.concatenate([whole.patients[part] for part in kept[:later]])
        kept[later] = kept[later][~np.isin(whole.patients[kept[later]], seen)]
    return Ground(*(whole.take(np.sort(part)) for part in kept), size=size)


def phantom_sample(images: int) -> Sample:
    """Chest phantoms, one to three films a patient."""
    drawn = phantoms("chest", images // 2 + 20, size=SIDE, seed=11)
    return Sample(drawn.images.astype(np.float32), drawn.labels, drawn.patients)


def real_sample(name: str, data: Path) -> Sample:
    """A real set at `SIDE` pixels."""
    folder = {"kermany": "kermany_cxr_96", "cheng": "cheng_brain_128"}[name]
    columns = {"patient": "patient_id"} if name == "kermany" else {}
    found = prepare({"training": open_set(data / folder / "metadata.csv", name=name, columns=columns)}, size=SIDE)
    image_set = found["training"]
    if image_set.patients is None:
        order = np.argsort(np.argsort(image_set.paths))
        people = np.array([f"run-{place // RUN}" for place in order])
    else:
        people = np.asarray(image_set.patients)
    images = image_set.load(np.arange(len(image_set)))
    return Sample(images[:, :1].astype(np.float32), np.asarray(image_set.labels), people)


class _Space:
    """A feature space on one ground: standardised by the training set, then its leading principal components."""

    def __init__(self, name: str, ground: Ground) -> None:
        self.extractor = extractor_named(name)
        training = extract(ground.training.image_set("training"), self.extractor).astype(np.float64)
        self.mean, spread = training.mean(axis=0), training.std(axis=0)
        self.spread = spread if self.extractor.standardise else np.ones_like(spread)
        self.kept = spread > 1e-6 * np.maximum(np.abs(self.mean), 1e-6)
        self.training, self.holdout = self.wide(ground.training), self.wide(ground.holdout)
        self.axes = np.linalg.svd(self.training.values, full_matrices=False)[2][:COMPONENTS].T

    def wide(self, sample: Sample) -> Features:
        values = extract(sample.image_set("set"), self.extractor).astype(np.float64)
        scaled = (values - self.mean)[:, self.kept] / self.spread[self.kept]
        # Numbering of patients is shared between the sets, so names are hashed to numbers.
        people = np.unique(sample.patients, return_inverse=True)[1]
        return Features(scaled.astype(np.float32), people, sample.labels)

    def comparison(self, synthetic: Features, *, narrow: bool) -> Comparison:
        sets = {"training": self.training, "synthetic": synthetic, "holdout": self.holdout}
        if narrow:
            sets = {role: replace(one, values=one.values @ self.axes.astype(np.float32)) for role, one in sets.items()}
        sets["holdout"] = replace(sets["holdout"], patients=sets["holdout"].patients + len(self.training))
        # Nobody knows the patients of synthetic images.
        sets["synthetic"] = replace(sets["synthetic"], patients=None)
        return Comparison(self.extractor.name, **sets)


def scores(ground: Ground, made: Sample, base: dict[str, _Space], asked: Sequence[Metric]) -> list[dict[str, object]]:
    """Every metric on one rung."""
    wide = {name: space.comparison(space.wide(made), narrow=False) for name, space in base.items()}
    narrow = {name: space.comparison(wide[name].synthetic, narrow=True) for name, space in base.items()}
    sets = Sets(ground.training.image_set("training"), made.image_set("synthetic"), ground.holdout.image_set("holdout"))
    rows = []
    for metric in asked:
        if metric.kind == "images":
            found = [metric.compute(sets)]
        elif metric.kind == "spaces":
            found = [metric.compute(Spaces(sets, narrow))]
        else:
            own = wide if metric.spaces else narrow
            found = [metric.compute(one) for name, one in own.items() if metric.spaces is None or name in metric.spaces]
        for answer in found:
            rows += [_row(one) for one in (answer if isinstance(answer, list | tuple) else [answer])]
    return rows


def _row(score: Score) -> dict[str, object]:
    low, high = score.interval or (None, None)
    return {
        "metric": score.key,
        "features": score.features or "",
        "value": score.value,
        "null": score.null,
        "low": low,
        "high": high,
        "moves": _direction(score),
    }


def _direction(score: Score) -> str:
    if score.value is None or score.null is None or score.interval is None:
        return "?"
    low, high = score.interval
    if low <= score.null <= high:
        return "no"
    return "rises" if score.value > score.null else "falls"


def collected(folder: Path, sets: Sequence[str], size: int) -> list[dict[str, object]]:
    """All rows of all finished cells."""
    rows = []
    for name in sets:
        for distortion, dose in cells():
            file = _file(folder, name, distortion, dose, size)
            rows += [{"set": name, "distortion": distortion, "dose": dose, **row} for row in _known(file)]
    return rows


def write_csv(file: Path, rows: Sequence[dict[str, object]]) -> None:
    """Every score, a line each."""
    if not rows:
        return
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.DictWriter(opened, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def table(rows: Sequence[dict[str, object]], sets: Sequence[str]) -> str:
    """Markdown: by metric and distortion, rises (+), falls (-), not told from its null (.), not run (_)."""
    signs = {"rises": "+", "falls": "-", "no": ".", "?": "?"}
    spaces: dict[str, list[str]] = {}
    for row in rows:
        found = spaces.setdefault(str(row["metric"]), [])
        if row["features"] and row["features"] not in found:
            found.append(str(row["features"]))
    lines = ["| metric | " + " | ".join(LADDERS) + " |", "|---|" + "---|" * len(LADDERS)]
    for metric, found in spaces.items():
        for features in found or [""]:
            columns = []
            for distortion, (_, doses) in LADDERS.items():
                marks = {
                    (row["set"], row["dose"]): signs[str(row["moves"])]
                    for row in rows
                    # A score that does not apply names no space.
                    if row["metric"] == metric and row["distortion"] == distortion and row["features"] in (features, "")
                }
                groups = ["".join(marks.get((name, dose), "_") for dose in doses) for name in sets]
                columns.append("`" + " ".join(groups) + "`")
            title = f"{metric} ({features})" if len(found) > 1 else metric
            lines.append(f"| {title} | " + " | ".join(columns) + " |")
    return "\n".join(lines) + "\n"


def _is_asked(metric: Metric, wanted: Sequence[str] | None) -> bool:
    if wanted is None:
        return metric.key not in SLOW
    return bool({metric.axis, metric.name, metric.key} & set(wanted)) and (
        metric.key not in SLOW or {metric.name, metric.key} & set(wanted)
    )


def _file(folder: Path, name: str, distortion: str, dose: float, size: int) -> Path:
    return folder / f"{name}-{distortion.replace(' ', '-')}-{dose:g}-{size}.json"


def _known(file: Path) -> list[dict[str, object]]:
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else []


def _lacking(file: Path, asked: Sequence[Metric]) -> list[Metric]:
    known = {row["metric"] for row in _known(file)}
    return [metric for metric in asked if metric.key not in known]


def _write(file: Path, rows: list[dict[str, object]]) -> None:
    temporary = file.with_suffix(".part")
    temporary.write_text(json.dumps(rows), encoding="utf-8")
    temporary.replace(file)


if __name__ == "__main__":
    main()
