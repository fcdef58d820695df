"""Ways to choose the images of a release from a pool of imperfect candidates: what they gain, and what they give away.

    python benchmarks/selection.py [--set kermany_cxr_96/metadata.csv] [--pool mixed] [--seeds 5] [--labels]

Real images are divided by patient into training, holdout, calibration and fresh ones; without --set they are phantoms.
Pools of candidates: `mixed` holds as many fresh real images as draws of a mixture model fitted to the training set;
`lopsided` fresh real images of which one kind (a subgroup of the phantoms, viral pneumonia of the radiographs) is kept
in one case of ten only. 300 are chosen with each method and judged against the holdout in spaces that selection does
not see: coverage, recall and Frechet distance of radiomics, and the area under the curve of a probe of the pixels that
is trained on the chosen and tested on the holdout. The share of chosen images whose nearest person is a training
person (in radiomics) or a calibration person (in the features of selection, as an attacker would), less the share among
all persons, says what became of privacy: 0 is chance. Intervals are of Student's t over the seeds.

--labels asks about the label gate instead: a pool with wrong labels in one case of eight, drawn from at random, through
the gate, and by the most certain label.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import stats

import fourfold as ff
from fourfold.features import extract, get
from fourfold.fidelity import frechet_distance
from fourfold.images import ImageSet, open_set, prepare, split_by_patient
from fourfold.images.phantoms import phantoms
from fourfold.privacy import isolation_test
from fourfold.releasing.selection import METHODS, label_gate, select, selection_features
from fourfold.releasing.selection.cross_fitting import cross_fit
from fourfold.utility.network import SmallNetwork
from fourfold.utility.probe import LinearProbe
from fourfold.utility.roc import area_under_curve
from fourfold.utility.tasks import Labelled
from fourfold.variety import coverage, recall

SIZE = 32
CHOSEN = 300
FRACTIONS = {"training": 0.2, "holdout": 0.2, "calibration": 0.12, "fresh": 0.48}
POOLS = ("mixed", "lopsided")
COLUMNS = ("coverage", "recall", "frechet", "probe", "real", "kind", "near training", "near calibration")
WRONG = 8


def real_sets(table: Path | None, seed: int) -> dict[str, ImageSet]:
    """Training, holdout, calibration and fresh images, prepared."""
    if table is None:
        everyone = phantoms("chest", 1500, size=SIZE, seed=seed, images_per_patient=(1, 3)).to_image_set("set")
    else:
        columns = {"path": "file", "label": "class", "patient": "patient_id", "split": None}
        everyone = open_set(table, name="set", columns=columns)
    return prepare(split_by_patient(everyone, FRACTIONS, seed), size=SIZE)


def kinds(images: ImageSet) -> np.ndarray:
    """Whether each image is of the kind that the lopsided pool lacks."""
    return np.array(
        [entry.columns.get("sex") == "F" or entry.columns.get("subtype") == "virus" for entry in images.entries]
    )


def in_memory(parts: list[tuple[np.ndarray, np.ndarray]], like: ImageSet) -> ImageSet:
    """Arrays of images and labels as one prepared set, without patients."""
    images, labels = (np.concatenate(column) for column in zip(*parts, strict=True))
    return replace(ImageSet.from_array(images, name="candidates", labels=list(labels)), preparation=_as_is(like))


def _as_is(like: ImageSet):
    return replace(like.preparation, rule="range", low=0.0, high=1.0, resized=False, converted=False)


def pool(name: str, sets: Mapping[str, ImageSet], seed: int) -> tuple[ImageSet, np.ndarray, np.ndarray]:
    """Candidates, which of them are real, and which are of the scarce kind."""
    rng = np.random.default_rng([seed, 61])
    fresh = sets["fresh"]
    if name == "lopsided":
        kept = np.flatnonzero(~kinds(fresh) | (rng.random(len(fresh)) < 0.1))
        chosen = fresh.take(kept)
        return in_memory([(chosen.load(), chosen.labels)], fresh), np.ones(len(kept), dtype=bool), kinds(chosen)
    rows = rng.permutation(len(fresh))[:700]
    real = fresh.take(rows)
    drawn = []
    with tempfile.TemporaryDirectory() as folder:
        model = ff.train(
            sets["training"], recipe="mixture", condition="class", output=Path(folder) / "model", seed=seed, size=SIZE
        )
        for number, label in enumerate(np.unique(real.labels)):
            count = int(np.sum(real.labels == label))
            images = model.draw(count, seed=seed * 10 + number, condition_value={"class": str(label)})
            drawn.append((images, np.full(count, label)))
    candidates = in_memory([(real.load(), real.labels), *drawn], fresh)
    from_patients = np.arange(len(candidates)) < len(real)
    scarce = np.zeros(len(candidates), dtype=bool)
    scarce[: len(real)] = kinds(real)
    return candidates, from_patients, scarce


@dataclass(frozen=True)
class Seen:
    """A set in the spaces in which it is chosen and judged."""

    radiomics: np.ndarray
    pixels: np.ndarray
    selection: np.ndarray
    task: Labelled
    people: np.ndarray

    @classmethod
    def of(cls, images: ImageSet) -> Seen:
        """Every space of a prepared set."""
        task = Labelled.from_images(images.name, images)
        pixels = images.load().reshape(len(images), -1)
        return cls(extract(images, get("radiomics")), pixels, selection_features(images), task, task.groups)

    def take(self, rows: np.ndarray) -> Seen:
        """The chosen images."""
        return Seen(
            self.radiomics[rows], self.pixels[rows], self.selection[rows], self.task.take(rows), self.people[rows]
        )


def judged(chosen: Seen, training: Seen, holdout: Seen, calibration: Seen) -> dict[str, float]:
    """Scores of the chosen images."""
    ours, real, held = (scaled(one.radiomics, training.radiomics) for one in (chosen, training, holdout))
    scores = LinearProbe()(
        scaled(chosen.pixels, training.pixels), chosen.task, 1.0, scaled(holdout.pixels, training.pixels), 0
    )
    near = isolation_test(
        ours, real, held, training_persons=training.people, holdout_persons=holdout.people, labels=199
    ).nearest
    beside = isolation_test(
        chosen.selection,
        calibration.selection,
        holdout.selection,
        training_persons=calibration.people,
        holdout_persons=holdout.people,
        labels=199,
    ).nearest
    return {
        "coverage": coverage(held, ours, groups=holdout.people),
        "recall": recall(held, ours),
        "frechet": frechet_distance(held, ours),
        "probe": float(area_under_curve(holdout.task.targets, scores)[0]),
        "near training": near.share - near.null,
        "near calibration": beside.share - beside.null,
        # Either tail at half the level.
        "called": 2 * min(near.p_upper, near.p_lower) <= 0.05,
        "called calibration": 2 * min(beside.p_upper, beside.p_lower) <= 0.05,
    }


def scaled(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """In units of the spread of the training set."""
    spread = known.std(axis=0)
    return (values - known.mean(axis=0)) / np.where(spread > 1e-6, spread, 1.0)


def interval(values: list[float]) -> str:
    """Mean and half the width of its 95 % interval."""
    if len(values) < 2:
        return f"{np.mean(values):7.3f}          "
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{np.mean(values):7.3f} ± {half:5.3f}  "


def methods_table(table: Path | None, name: str, seeds: int) -> None:
    found: dict[str, list[dict[str, float]]] = {method: [] for method in ("fresh real", *METHODS)}
    for seed in range(seeds):
        sets = real_sets(table, seed)
        candidates, real, scarce = pool(name, sets, seed)
        fresh = sets["fresh"].take(np.random.default_rng(seed).permutation(len(sets["fresh"]))[:CHOSEN])
        beside = [Seen.of(sets[role]) for role in ("training", "holdout", "calibration")]
        scores = {"real": 1.0, "kind": float(kinds(fresh).mean())}
        found["fresh real"].append({**judged(Seen.of(fresh), *beside), **scores})
        seen = Seen.of(candidates)
        for method in METHODS:
            rows = select(
                candidates,
                np.ones(len(candidates), dtype=bool),
                sets["training"],
                sets["calibration"],
                count=CHOSEN,
                method=method,
                seed=seed,
            ).rows
            scores = {"real": float(real[rows].mean()), "kind": float(scarce[rows].mean())}
            found[method].append({**judged(seen.take(rows), *beside), **scores})
    print(f"\n{'phantoms' if table is None else table.parent.name}, {name} pool, {seeds} seeds, {CHOSEN} chosen")
    print(f"{'':14s}" + "".join(f"{column:>17s}" for column in COLUMNS) + "   called: training, calibration")
    for method, rows in found.items():
        cells = "".join(interval([row[column] for row in rows]) for column in COLUMNS)
        called = [sum(row[key] for row in rows) for key in ("called", "called calibration")]
        print(f"{method:14s}{cells}   {called[0]} {called[1]} of {seeds}", flush=True)


def labels_table(table: Path | None, seeds: int) -> None:
    """Utility of what the gate lets through, beside chance and the most certain label."""
    found: dict[str, list[tuple[float, ...]]] = {}
    for seed in range(seeds):
        sets = real_sets(table, seed)
        fresh, training, holdout = sets["fresh"], sets["training"], sets["holdout"]
        rng = np.random.default_rng([seed, 62])
        classes = np.unique(fresh.labels)
        wrong = rng.random(len(fresh)) < 1 / WRONG
        labels = np.where(wrong, classes[(fresh.labels == classes[0]).astype(int)], fresh.labels)
        candidates = in_memory([(fresh.load(), labels)], fresh)
        values, known = selection_features(candidates), selection_features(training)
        task, real = Labelled.from_images("candidates", candidates), Labelled.from_images("training", training)
        beside = Labelled.from_images("calibration", sets["calibration"])
        gate = label_gate(values, task, known, real, selection_features(sets["calibration"]), beside, seed=seed)
        certain = (cross_fit(known, real, [values], seed=seed).others[0].mean(axis=0) * task.targets).sum(axis=1)
        order = rng.permutation(len(candidates))
        images, test = candidates.load(), Labelled.from_images("holdout", holdout)
        held = holdout.load()
        choices = {
            "true labels": order[~wrong[order]],
            "no gate": order,
            "gate": order[gate.passed[order]],
            "most certain": np.argsort(-certain),
        }
        for name, ranked in choices.items():
            rows = np.concatenate(
                [ranked[labels[ranked] == one][: round(CHOSEN * np.mean(training.labels == one))] for one in classes]
            )
            network = SmallNetwork.suited(candidates.shape)(images[rows], task.take(rows), 1.0, held, seed)
            ours, theirs, pixels = (part.reshape(len(part), -1) for part in (images[rows], held, training.load()))
            probe = LinearProbe()(scaled(ours, pixels), task.take(rows), 1.0, scaled(theirs, pixels), 0)
            aucs = [float(area_under_curve(test.targets, scores)[0]) for scores in (network, probe)]
            found.setdefault(name, []).append((*aucs, float(wrong[rows].mean()), float(np.mean(~gate.passed[~wrong]))))
    print(f"\n{'phantoms' if table is None else table.parent.name}, one label in {WRONG} wrong, {seeds} seeds")
    print(f"{'':14s}{'network':>16s}{'pixel probe':>16s}{'wrong chosen':>16s}{'true rejected':>16s}")
    for name, rows in found.items():
        print(f"{name:14s}" + "".join(interval([row[column] for row in rows]) for column in range(4)), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", type=Path, help="a table with class, patient_id and subtype, as kermany_cxr_96 has")
    parser.add_argument("--pool", choices=POOLS, default="mixed")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--labels", action="store_true", help="the label gate instead of the methods")
    options = parser.parse_args()
    started = time.perf_counter()
    if options.labels:
        labels_table(options.set, options.seeds)
    else:
        methods_table(options.set, options.pool, options.seeds)
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
