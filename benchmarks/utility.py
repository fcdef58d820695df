"""Every recipe on four tasks of real images: a model learned from what it draws, beside one learned from real images.

    python benchmarks/utility.py ../shared/data -o runs/utility [--tasks chest,tumour,outline,hippocampus]
        [--recipes diffusion,vae] [--steps 1200] [--seeds 5] [--halvings 2] [--precision bf16-mixed]

- chest: pneumonia on films (Kermany, 32 pixels). tumour: three kinds (Cheng, 64 pixels).
- outline: the outline of those tumours (64 pixels). hippocampus: its two parts, in volumes of 32 x 48 x 32 voxels.

A part of the patients trains the generators, the others test; a third part of real images stands for a perfect
generator. Recipes that take no masks cannot draw an image with its outline, so segmentation asks those that do; they
draw under the masks of the training set, one image a mask. Slices of tumours have no patient numbers: whole blocks of
neighbouring slices go to one part, and runs of a dozen slices stand in for patients in the intervals. Volumes are
divided by blocks of twenty neighbours in number, since neighbours are alike.

Everything finished is kept in the folder and not done again. The report of `fourfold utility` of each task is written
beside it. Aim: real-trained scores near what is published at these sizes (area .94 to .96 for pneumonia at 28 pixels,
MedMNIST v2; Dice .89 to .90 for the hippocampus, nnU-Net), and 80 to 90 % of the real-trained Dice from synthetic
images alone.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import fourfold as ff
from fourfold.report.utility_study import sentences, write_utility_study
from fourfold.utility.study import Effort, Reading, UtilityStudy, utility_study

ALL = ("gaussian", "mixture", "smote", "kde", "vae", "gan", "diffusion", "latent-diffusion", "diversity-aware")
BASELINES = ALL[:4]
UNDER_MASKS = ("diffusion", "latent-diffusion")
SHARES = {"training": 0.55, "holdout": 0.3, "fresh": 0.15}
RUN = 12
NEIGHBOURS = 20


@dataclass(frozen=True)
class Problem:
    """A task on one set.

    Parameters
    ----------
    folder : str
    task : {"classification", "segmentation"}
    size : int or tuple of int
    unit : callable
        Row of the metadata to what may not be divided between parts, and the patient of the intervals.
    recipes : tuple of str
    scaling : str
    batch : int
        Images of a training step of the generators.
    patch : int
        Pixels a side that a diffusion network takes as one, 0 for its own choice.
    network : str or None
        Of the study; the full-resolution one where regions are small.
    """

    folder: str
    task: str
    size: int | tuple[int, ...]
    unit: Callable[[dict[str, str]], tuple[str, str]]
    recipes: tuple[str, ...]
    scaling: str = "auto"
    batch: int = 64
    patch: int = 0
    network: str | None = None


def _patient(row: dict[str, str]) -> tuple[str, str]:
    return row["patient_id"], row["patient_id"]


def _block(row: dict[str, str]) -> tuple[str, str]:
    return row["block"], f"{row['class']}-{row['block']}-{int(row['index']) // RUN}"


def _neighbours(row: dict[str, str]) -> tuple[str, str]:
    number = int(Path(row["file"]).name.split("_")[1].split(".")[0])
    return str(number // NEIGHBOURS), str(number)


PROBLEMS = {
    "chest": Problem("kermany_cxr_96", "classification", 32, _patient, ALL),
    "tumour": Problem("cheng_brain_128", "classification", 64, _block, ALL),
    "outline": Problem("cheng_brain_128", "segmentation", 64, _block, UNDER_MASKS, network="dynunet"),
    "hippocampus": Problem(
        "hippocampus_3d", "segmentation", (32, 48, 32), _neighbours, UNDER_MASKS, "per-image", batch=16, patch=4
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--tasks", default=",".join(PROBLEMS))
    parser.add_argument("--recipes", default=",".join(ALL))
    parser.add_argument("--steps", type=int, default=1200, help="of each generator, baselines aside (1200)")
    parser.add_argument("--images", type=int, default=1000, help="drawn from each, at most the real ones (1000)")
    parser.add_argument("--study-steps", type=int, default=300, help="of each training of the study (300)")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--halvings", type=int, default=2)
    parser.add_argument("--precision", default="bf16-mixed")
    parser.add_argument("--real-only", action="store_true", help="no generator: what real images give")
    options = parser.parse_args()
    for name in options.tasks.split(","):
        print(f"\n## {name}", flush=True)
        _print(_studied(name, PROBLEMS[name], options))


def _studied(name: str, problem: Problem, options: argparse.Namespace) -> UtilityStudy:
    folder = options.output / name
    folder.mkdir(parents=True, exist_ok=True)
    root = options.data / problem.folder
    tables = _tables(root, problem, folder)
    asked = [one for one in problem.recipes if one in options.recipes.split(",") and not options.real_only]
    sets = {one: _drawn(one, problem, tables["training"], root, folder, options) for one in asked}
    study = utility_study(
        # Fresh real images take the place of a set where only real ones are asked about.
        sets or {"other-real": tables["fresh"]},
        tables["training"],
        tables["holdout"],
        tables["fresh"] if sets and problem.task == "classification" else None,
        task=problem.task,
        network=problem.network,
        questions=("substitution",),
        effort=Effort(options.seeds, options.halvings, options.study_steps),
        reading=Reading(root=root, size=problem.size, scaling=problem.scaling),
        units=folder / "units",
    )
    if sets:
        write_utility_study(study, folder / "report")
    return study


def _tables(root: Path, problem: Problem, folder: Path) -> dict[str, Path]:
    """A table of each part, made once."""
    tables = {part: folder / f"{part}.csv" for part in SHARES}
    if all(table.exists() for table in tables.values()):
        return tables
    with (root / "metadata.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    strata: dict[str, list[str]] = {}
    for row in rows:
        strata.setdefault(row["class"], []).append(problem.unit(row)[0])
    part_of = {}
    for units in strata.values():
        # A unit with images of two classes stays where its first class put it.
        part_of |= {unit: part for unit, part in _dealt(sorted(set(units))) if unit not in part_of}
    for part, table in tables.items():
        with table.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(("path", "label", "patient", "mask"))
            for row in rows:
                unit, patient = problem.unit(row)
                if part_of[unit] == part:
                    writer.writerow((row["file"], row["class"], patient, row.get("mask", "")))
    return tables


def _dealt(units: list[str]) -> Iterator[tuple[str, str]]:
    order = np.random.default_rng(0).permutation(len(units))
    ends = np.cumsum([round(len(units) * share) for share in SHARES.values()])
    for place, number in enumerate(order):
        yield units[number], list(SHARES)[min(int(np.searchsorted(ends, place, side="right")), len(SHARES) - 1)]


def _drawn(name: str, problem: Problem, training: Path, root: Path, folder: Path, options: argparse.Namespace) -> Path:
    """A set drawn from a recipe; training and drawing are done where they are missing."""
    model_folder, drawn = folder / f"{name}-model", folder / f"{name}-images"
    if drawn.exists():
        return drawn
    begun = time.perf_counter()
    given: dict[str, Any] = {}
    if name not in BASELINES:
        given = {"steps": options.steps, "batch": problem.batch}
    if name == "diffusion":
        given["patch"] = problem.patch
    if name == "latent-diffusion":
        given["autoencoder_steps"] = options.steps // 2
    model = ff.train(
        training,
        recipe=name,
        output=model_folder,
        condition=_condition(name, problem),
        root=root,
        size=problem.size,
        scaling=problem.scaling,
        precision=options.precision,
        **given,
    )
    trained = time.perf_counter() - begun
    with training.open(encoding="utf-8") as file:
        real = sum(1 for _ in file) - 1
    count = min(options.images, real)
    # Under masks one image is drawn for each of so many masks of the training set, in its order.
    conditions = _some(training, count, root, problem) if problem.task == "segmentation" else None
    model.generate(count, drawn, conditions=conditions)
    facts = {"training": round(trained, 1), "drawing": round(time.perf_counter() - begun - trained, 1)}
    (folder / f"{name}.json").write_text(json.dumps(facts))
    print(f"  {name}: trained {facts['training']:.0f} s, drawn {facts['drawing']:.0f} s", flush=True)
    return drawn


def _condition(name: str, problem: Problem) -> str:
    if problem.task == "segmentation":
        return "mask"
    return "class,features" if name == "diversity-aware" else "class"


def _some(training: Path, count: int, root: Path, problem: Problem) -> Any:
    found = ff.open_set(training, name="conditions", root=root)
    rows = np.sort(np.random.default_rng(0).permutation(len(found))[:count])
    return ff.images.prepare({"training": found}, size=problem.size, scaling=problem.scaling)["training"].take(
        rows.tolist()
    )


def _print(study: UtilityStudy) -> None:
    for findings in study.findings:
        for arm in findings.arms:
            shown = ", ".join(
                f"{key} {one.value:.3f} ({one.interval[0]:.3f} to {one.interval[1]:.3f})"
                if one.interval is not None
                else f"{key} {one.value}"
                for key, one in arm.values.items()
            )
            print(f"{arm.name} [{', '.join(f'{count} {source}' for source, count in arm.images.items())}]: {shown}")
    for line in sentences(study):
        print(line)
    print(flush=True)


if __name__ == "__main__":
    main()
