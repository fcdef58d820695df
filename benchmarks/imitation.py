"""Networks that imitate radiomics: how well they do, and whether a task learns better that starts from one.

    python benchmarks/imitation.py ../shared/data -o runs/imitation [--parts agreement,chest,tumour,segmentation]
        [--seeds 0,1,2,3,4] [--images 30,100,300] [--size 32] [--steps N] [--quick]

- agreement: R squared and correlation of each imitated radiomic on unseen textures and on real films.
- chest: pneumonia on films (Kermany). tumour: three kinds (Cheng). segmentation: the tumour's outline (Cheng).

Each task is learned from few images, drawn by seed, by the same network with the same number of steps from random
weights (the control) and from first layers that imitated radiomics on textures. Classification is also done by
logistic regression on the radiomics themselves and on the imitated ones, since a network that starts from features is
of little use where the features alone do better. Test patients are the same for all seeds.

Aim: started from imitation, every task scores higher than from random weights at the smallest number of images, the
95 % interval of the difference over patients and at least five seeds above 0, and no number of images has an interval
below 0. Every unit (task, images, seed, start) is kept in the folder and not done again, so that a run may be ended at
any time; tables are printed from whatever seeds are complete. Tumour slices have no patient numbers; the blocks of
neighbouring slices stand in for them.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save

from fourfold.features.imitation import Imitation, ImitationNetwork, Stages, Tapped, imitate, initial_weights
from fourfold.features.imitation.targets import measured
from fourfold.features.radiomics import Radiomics
from fourfold.features.store import write_atomically
from fourfold.images import ImageSet, open_set, prepare, split_by_patient
from fourfold.utility.learning.classification import Classification
from fourfold.utility.learning.contract import Examples, Outcomes, Task
from fourfold.utility.learning.networks import SEGMENTERS, build
from fourfold.utility.learning.segmentation import Segmentation
from fourfold.utility.network import stem
from fourfold.utility.roc import patient_weights
from fourfold.utility.study.differences import difference, level
from fourfold.utility.study.samples import Sample, Samples

SETS = {
    "chest": ("kermany_cxr_96", None),
    "tumour": ("cheng_brain_128", {"patient": "block"}),
    "segmentation": ("cheng_brain_128", {"patient": "block"}),
}
STARTS = {
    "chest": ("random", "imitation", "radiomics", "imitated radiomics"),
    "tumour": ("random", "imitation", "radiomics", "imitated radiomics"),
    "segmentation": ("random", "imitation"),
}
ENCODER = ("model.0", "model.1.submodule.0", "model.1.submodule.1.submodule.0")
"""The layers of the segmenting network on its way down that can be reached at every size."""
MOST_TESTED = 800
DRAWS = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--parts", default=",".join(("agreement", *SETS)))
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--seeds", default="0,1,2,3,4")
    parser.add_argument("--images", default="30,100,300")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--imitation-steps", type=int, default=600)
    parser.add_argument("--quick", action="store_true", help="one seed, 60 images, few steps: shows that it runs")
    options = parser.parse_args()
    if options.quick:
        options.seeds, options.images, options.steps, options.imitation_steps = "0", "60", 60, 100
        options.output = options.output / "quick"
    options.output.mkdir(parents=True, exist_ok=True)
    for part in options.parts.split(","):
        if part == "agreement":
            report_agreement(options)
        else:
            compare(part, options)


def report_agreement(options: argparse.Namespace) -> None:
    network = Imitation().network
    print(f"{'':46}{'textures':>10}" + "".join(f"{name:>20}" for name in ("chest", "chest, small", "brain")))
    columns = []
    for name, size in (("kermany_cxr_96", 96), ("kermany_cxr_96", options.size), ("cheng_brain_128", options.size)):
        films = _prepared(open_set(options.data / name, name=name), size).load(range(0, 2000, 10))
        wanted = network.scale(measured(films, network.features)).double().numpy()
        with torch.inference_mode():
            found = network(torch.from_numpy(films)).double().numpy()
        columns.append(_agreement(wanted, found))
    for row, feature in enumerate(network.features):
        films = "".join(f"{explained[row]:12.2f} ({related[row]:5.2f})" for explained, related in columns)
        print(f"{feature.removeprefix('original_'):46}{float(network.agreement[row]):10.2f}{films}")
    medians = "".join(f"{np.nanmedian(one):12.2f} ({np.nanmedian(other):5.2f})" for one, other in columns)
    print(f"{'median: R squared (correlation)':46}{float(network.agreement.nanmedian()):10.2f}{medians}", flush=True)


def _agreement(wanted: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """R squared and correlation of each column; NaN where it hardly varies among the films."""
    around = wanted - wanted.mean(axis=0)
    varies = np.where(around.std(axis=0) > 1e-3, 1.0, np.nan)
    explained = 1 - ((found - wanted) ** 2).sum(axis=0) / (varies * (around**2).sum(axis=0))
    own = found - found.mean(axis=0)
    together = (around * own).sum(axis=0)
    return explained, together / (varies * np.linalg.norm(around, axis=0) * (np.linalg.norm(own, axis=0) + 1e-12))


def compare(part: str, options: argparse.Namespace) -> None:
    name, columns = SETS[part]
    images = open_set(options.data / name, name=name, columns=columns)
    parts = split_by_patient(images, {"training": 0.6, "test": 0.4}, seed=0)
    ready = {role: _prepared(found, options.size) for role, found in parts.items()}
    kind = Segmentation if part == "segmentation" else Classification
    task = kind.of(ready["training"])
    test = ready["test"]
    chosen = np.sort(np.random.default_rng(0).permutation(len(test))[:MOST_TESTED])
    training, test = task.examples(ready["training"]), task.examples(test.take(chosen.tolist()))
    folder = options.output / f"{part}-{options.size}-{options.steps}"
    folder.mkdir(exist_ok=True)
    for count in map(int, options.images.split(",")):
        outcomes: dict[str, list[Outcomes]] = {start: [] for start in STARTS[part]}
        for seed in map(int, options.seeds.split(",")):
            rows = np.random.default_rng([seed, count]).permutation(len(training))[:count]
            for start in STARTS[part]:
                unit = folder / f"{count}-{seed}-{start.replace(' ', '-')}.npz"
                if not unit.exists():
                    begun = time.perf_counter()
                    predicted = _predicted(start, part, task, training.take(rows), test.images, seed, options)
                    _keep(unit, task.outcomes(predicted, test))
                    print(f"  {unit.stem}: {time.perf_counter() - begun:.0f} s", flush=True)
                outcomes[start].append(_kept(unit))
        _print(part, count, task, outcomes)


def _predicted(
    start: str, part: str, task: Task, examples: Examples, test: np.ndarray, seed: int, options: argparse.Namespace
) -> np.ndarray:
    if start in ("random", "imitation"):
        shape = examples.images.shape[1:]
        initial = _initial(part, shape, seed, options) if start == "imitation" else None
        return task.fit(examples, seed=seed, steps=options.steps, initial=initial)(test)
    extractor = Radiomics() if start == "radiomics" else Imitation()
    with torch.inference_mode():
        learned, asked = (extractor(torch.from_numpy(images)).double().numpy() for images in (examples.images, test))
    return _logistic(np.arcsinh(learned), np.arcsinh(asked), examples.targets)


def _logistic(learned: np.ndarray, asked: np.ndarray, targets: np.ndarray) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression

    centre, spread = learned.mean(axis=0), learned.std(axis=0)
    learned, asked = ((values - centre) / np.where(spread > 1e-9, spread, 1) for values in (learned, asked))
    model = LogisticRegression(C=10 / learned.shape[1], class_weight="balanced", max_iter=2000)
    model.fit(learned, targets.argmax(axis=1))
    found = np.full((len(asked), targets.shape[1]), 1e-12)
    found[:, model.classes_] = model.predict_proba(asked)
    return found / found.sum(axis=1, keepdims=True)


def _initial(part: str, shape: tuple[int, ...], seed: int, options: argparse.Namespace) -> Mapping[str, torch.Tensor]:
    """First layers of the task's own network after imitation; trained once for each seed and size, and kept."""
    kind = "unet" if part == "segmentation" else "resnet"
    file = options.output / f"{kind}-{options.size}-{options.imitation_steps}-{seed}.safetensors"
    if not file.exists():
        stride, pooled = stem(min(shape[1:]), 2)

        def body() -> Stages | Tapped:
            if kind == "resnet":
                return Stages((16, 32, 64), stride=stride, pooled=pooled)
            return Tapped(build(SEGMENTERS, "unet", (1, *shape[1:]), 2, seed), ENCODER)

        begun = time.perf_counter()
        sides = tuple(sorted({24, 32, max(options.size // 8 * 8, 24)}))
        network: ImitationNetwork = imitate(body=body, sides=sides, steps=options.imitation_steps, seed=seed)
        facts = {
            "median R squared": round(float(network.agreement.nanmedian()), 3),
            "seconds": round(time.perf_counter() - begun),
        }
        print(f"  {file.stem}: {facts}", flush=True)
        written = save(initial_weights(network), metadata={"facts": json.dumps(facts)})
        write_atomically(file, lambda stream: stream.write(written))
    initial = load_file(file)
    if shape[0] == 1:
        return initial
    raise SystemExit("the images of these tasks are grey; prepare them with one channel")


def _prepared(images: ImageSet, size: int) -> ImageSet:
    return prepare({"training": images}, size=size, channels=1, scaling="0:255")["training"]


def _keep(unit: Path, outcomes: Outcomes) -> None:
    def write(stream: object) -> None:
        np.savez_compressed(stream, patients=outcomes.patients, **outcomes.facts)

    write_atomically(unit, write)


def _kept(unit: Path) -> Outcomes:
    with np.load(unit, allow_pickle=False) as stored:
        facts = {name: stored[name] for name in stored.files}
    return Outcomes({name: fact for name, fact in facts.items() if name != "patients"}, facts["patients"])


def _print(part: str, count: int, task: Task, outcomes: Mapping[str, list[Outcomes]]) -> None:
    patients = next(iter(outcomes.values()))[0].patients
    weights = patient_weights(np.unique(patients, return_inverse=True)[1], DRAWS, np.random.default_rng(0))
    samples, key = {}, ""
    for start, found in outcomes.items():
        values = [task.metric(one) for one in found]
        key = next(iter(values[0]))
        draws = [{key: np.asarray(task.headline(one, weights))} for one in found]
        samples[start] = Samples(tuple(map(Sample, values, draws)), ())
    seeds = len(outcomes["random"])
    print(f"\n{part}, {count} images, {len(patients)} tested, {seeds} seeds, {key}")
    for start, found in samples.items():
        if seeds < 2:
            print(f"  {start:24}{found.whole[0].values[key]:7.3f}")
            continue
        own, against = level(found, key), difference(found, samples["random"], key)
        print(
            f"  {start:24}{own.value:7.3f} [{own.interval[0]:.3f}, {own.interval[1]:.3f}]"
            f"   against random {against.value:+.3f} [{against.interval[0]:+.3f}, {against.interval[1]:+.3f}]"
        )


if __name__ == "__main__":
    main()
