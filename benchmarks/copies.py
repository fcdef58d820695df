"""The search for copies: false alarms, power, planted copies by disguise, and cost.

    python benchmarks/copies.py table --data ../shared/data        # planted copies by disguise
    python benchmarks/copies.py rates --data ../shared/data        # 200 null sets a row, and 4 copies among 2 000
    python benchmarks/copies.py cost --images 10000                # the default search, timed

Real sets: chest films by patient (NIH, Kermany) and brain slices (Cheng), whose patients come in long runs of slices
and stand in for patients as blocks. What is found for an image does not depend on the other synthetic images, so one
search of a large pool serves every null set: holdout and synthetic set are drawn from the pool by patient.
"""

from __future__ import annotations

import argparse
import csv
import re
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from fourfold.images.phantoms import phantoms
from fourfold.privacy import (
    DISGUISES,
    FURTHER,
    REPRESENTATIONS,
    TwoNearest,
    combined_p_values,
    find_copies,
    search,
)
from fourfold.privacy.bank import View
from fourfold.privacy.patients import join_near_duplicates
from fourfold.privacy.warps import area_matrix
from fourfold.statistics import benjamini_hochberg, wilson

# Kermany: one film filed under two identifiers, and one child under two; as fresh patients they would be copies.
FILED_TWICE = ("NORMAL2-IM-0095", "NORMAL2-IM-0096", "person302_virus", "person303_virus")
SIDE = 64
# Slices at the ends of a block may show the patient of the next one.
ENDS = 8


@dataclass(frozen=True)
class Cohort:
    """Working images of 64 x 64 pixels with their patients."""

    images: np.ndarray
    patients: np.ndarray

    def take(self, rows: np.ndarray) -> Cohort:
        """The chosen rows."""
        return Cohort(self.images[rows], self.patients[rows])


def phantom_cohort(kind: str, patients: int, seed: int) -> Cohort:
    found = phantoms(kind, patients, size=SIDE, seed=seed)
    return Cohort(found.images, np.unique(found.patients, return_inverse=True)[1])


def real_cohort(folder: Path) -> Cohort:
    with (folder / "metadata.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if not any(name in row["file"] for name in FILED_TWICE)]
    if any(row["patient_id"] for row in rows):
        names = [row["patient_id"] for row in rows]
    else:
        rows.sort(key=lambda row: [int(number) for number in re.findall(r"\d+", row["file"])])
        blocks = [[row for row in rows if row["block"] == block] for block in sorted({row["block"] for row in rows})]
        rows = [row for block in blocks for row in block[ENDS:-ENDS]]
        names = [row["block"] for row in rows]
    images = np.stack([working(folder / row["file"]) for row in rows])
    return Cohort(images[:, None], np.unique(names, return_inverse=True)[1])


def working(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("L"), dtype=np.float32) / 255
    return area_matrix(pixels.shape[0], SIDE) @ pixels @ area_matrix(pixels.shape[1], SIDE).T


def cohorts(data: Path | None, names: list[str], patients: int) -> Iterator[tuple[str, Cohort]]:
    for name in names:
        if name in ("chest", "brain"):
            yield f"{name} phantoms", phantom_cohort(name, patients, seed=100)
        elif data is not None:
            folder = {"nih": "nih_cxr_224", "kermany": "kermany_cxr_96", "cheng": "cheng_brain_128"}[name]
            yield name, real_cohort(data / folder)


def parted(cohort: Cohort, shares: tuple[float, ...], rng: np.random.Generator) -> list[Cohort]:
    """The cohort divided by patient."""
    order = rng.permutation(np.unique(cohort.patients))
    cuts = np.round(np.cumsum(shares) * len(order)).astype(int)[:-1]
    return [cohort.take(np.flatnonzero(np.isin(cohort.patients, part))) for part in np.split(order, cuts)]


def table(options: argparse.Namespace) -> None:
    """Share of planted copies found with their source at p <= 0.01, and what that does to fresh patients."""
    columns, checks = {}, {}
    for name, cohort in cohorts(options.data, options.sets, options.patients):
        rng = np.random.default_rng(options.seed)
        training, holdout, hosts = parted(cohort, (0.5, 0.25, 0.25), rng)
        sources = [rng.choice(len(training.images), options.plants) for _ in DISGUISES]
        planted = [
            one.apply(training.images[rows], hosts.images[rng.choice(len(hosts.images), len(rows))], rng)
            for one, rows in zip(DISGUISES, sources, strict=True)
        ]
        found = find_copies(
            training.images,
            np.concatenate([hosts.images, *planted]),
            holdout.images,
            groups=training.patients,
            holdout_groups=holdout.patients,
            representations=(*REPRESENTATIONS, *FURTHER) if options.further else REPRESENTATIONS,
            plants=0,
            seed=options.seed,
        )
        fresh = found.p[: len(hosts.images)]
        parts = np.split(np.arange(len(found.p) - len(fresh)) + len(fresh), len(DISGUISES))
        columns[name] = [
            np.mean((found.p[part] <= options.rate) & (found.groups[found.nearest[part]] == found.groups[rows]))
            for part, rows in zip(parts, sources, strict=True)
        ]
        low, high = wilson(int(np.sum(fresh <= options.rate)), len(fresh))
        checks[name] = f"{np.mean(fresh <= options.rate):.3f} ({low:.3f} to {high:.3f})"
        print(
            f"{name}: {len(training.images)} training, {len(holdout.images)} holdout, {len(fresh)} fresh images; "
            f"training {'serves' if found.trusted else 'does not serve'} as null",
            file=sys.stderr,
        )
    print(f"| disguise | {' | '.join(columns)} |\n| --- |{' --- |' * len(columns)}")
    for place, disguise in enumerate(DISGUISES):
        print(f"| {disguise.name} | {' | '.join(f'{column[place]:.2f}' for column in columns.values())} |")
    print(f"| false alarms on fresh patients (95 % interval) | {' | '.join(checks.values())} |")


def rates(options: argparse.Namespace) -> None:
    """False discoveries of null sets, and power for four copies among the images of a set."""
    print(
        "| set | synthetic images | runs | any false entry | false-discovery proportion | s.e. | power | right source |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, cohort in cohorts(options.data, options.sets, options.patients):
        rng = np.random.default_rng(options.seed)
        training, pool = parted(cohort, (0.4, 0.6), rng)
        joined, _, _ = join_near_duplicates(View(SIDE, SIDE).of(training.images), training.patients)
        ordinary = [one for one in DISGUISES if one.name in ("none", "noise", "brightness", "rotation")]
        sources = np.concatenate([rng.choice(len(training.images), 60, replace=False) for _ in ordinary])
        copies = np.concatenate(
            [
                one.apply(training.images[part], pool.images[: len(part)], rng)
                for one, part in zip(ordinary, np.split(sources, len(ordinary)), strict=True)
            ]
        )
        kinds = {
            "as they are": pool.images,
            "blurred": ndimage.gaussian_filter(pool.images, (0, 0, 1.0, 1.0)),
            # Half of the way to the mean of the five nearest training images would copy; to that of all does not.
            "too smooth": 0.85 * pool.images + 0.15 * pool.images.mean(axis=0),
        }
        queries = np.concatenate([training.images, *kinds.values(), copies])
        own = np.concatenate([joined, np.full(len(queries) - len(joined), -1)])
        found = search(REPRESENTATIONS, training.images, queries, joined, own)
        start = len(training.images)
        for place, kind in enumerate(kinds):
            there = start + place * len(pool.images) + np.arange(len(pool.images))
            rows = one_row(found, joined, sources, pool, start, there, copies, options, rng)
            print(f"| {name}, {kind} | {rows} |", flush=True)


def one_row(
    found: dict[str, TwoNearest],
    joined: np.ndarray,
    sources: np.ndarray,
    pool: Cohort,
    start: int,
    there: np.ndarray,
    copies: np.ndarray,
    options: argparse.Namespace,
    rng: np.random.Generator,
) -> str:
    """Half of the pool's patients as holdout, images of the others as synthetic set, with and without copies."""
    alarms, proportions, caught, right, sizes = [], [], [], [], []
    last = len(next(iter(found.values())).first) - len(copies)
    for _ in range(options.runs):
        patients = rng.permutation(np.unique(pool.patients))
        holdout = np.isin(pool.patients, patients[: len(patients) // 2])
        null = np.concatenate([np.arange(start), start + np.flatnonzero(holdout)])
        fresh = there[rng.permutation(np.flatnonzero(~holdout))[:2000]]
        chosen = rng.choice(len(copies), 4, replace=False)
        rows = np.concatenate([null, fresh, last + chosen])
        taken = {name: one.take(rows) for name, one in found.items()}
        p, each, _ = combined_p_values(taken, {name: np.arange(len(null)) for name in taken})
        alarms.append(benjamini_hochberg(p[len(null) : -4])[0].any())
        listed = benjamini_hochberg(p[len(null) :])[0]
        proportions.append(listed[:-4].sum() / max(1, listed.sum()))
        caught.append(listed[-4:].sum())
        nearest = np.stack([one.first for one in taken.values()], axis=1)[np.arange(len(rows)), each.argmin(axis=1)]
        right.append(np.sum(listed[-4:] & (joined[nearest[-4:]] == joined[sources[chosen]])))
        sizes.append(len(fresh) + 4)
    mean, error = np.mean(proportions), np.std(proportions) / np.sqrt(len(proportions))
    return (
        f"{int(np.mean(sizes))} | {options.runs} | {np.mean(alarms):.3f} | {mean:.3f} | {error:.3f} | "
        f"{np.mean(caught) / 4:.3f} | {np.mean(right) / 4:.3f}"
    )


def cost(options: argparse.Namespace) -> None:
    """Seconds and memory of the default search, self-test included."""
    size = options.images
    drawn = phantoms("chest", 3 * size, images_per_patient=1, size=SIDE, seed=1).images
    started, steps = time.perf_counter(), {}

    def tell(task: str, done: int, total: int) -> None:
        first = steps.setdefault(task, time.perf_counter())
        if done == total:
            print(f"{task}: {time.perf_counter() - first:.1f} s after its first block", file=sys.stderr)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    find_copies(drawn[:size], drawn[size : 2 * size], drawn[2 * size :], progress=tell)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"{size} training, {size} synthetic, {size} holdout images: {time.perf_counter() - started:.0f} s, "
        f"{(after - before) / 2**20:.2f} GiB above the {before / 2**20:.2f} GiB of the images"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("table", "rates", "cost"))
    parser.add_argument("--data", type=Path, help="the folder of real images; phantoms only without it")
    parser.add_argument("--sets", nargs="+", default=["chest", "brain", "nih", "kermany", "cheng"])
    parser.add_argument("--patients", type=int, default=1000, help="phantom patients (1000)")
    parser.add_argument("--plants", type=int, default=60, help="copies planted by disguise (60)")
    parser.add_argument("--rate", type=float, default=0.01, help="largest p-value that counts in the table (0.01)")
    parser.add_argument("--runs", type=int, default=200, help="null sets a row (200)")
    parser.add_argument("--further", action="store_true", help="with the representations of a full audit")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    {"table": table, "rates": rates, "cost": cost}[options.what](options)


if __name__ == "__main__":
    main()
