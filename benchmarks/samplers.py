"""Quality against network calls, for every sampler.

    python benchmarks/samplers.py [--quick] [--seeds 3] [--samples 8000]
    python benchmarks/samplers.py --model M --training T --holdout H [--images 512] [--samplers dpm++2m,ddpm]

Without a model: the exact denoiser of a mixture of four modes in two dimensions, one of them narrow and of 5 % weight.
Tables of the sliced Wasserstein and Frechet distances to the law, of the mass in the rare mode (0.05 is right), and of
processor seconds; mean and standard deviation over seeds. Each sampler visits the levels of the framework in brackets.
The first row is what perfect draws score.

With a model: images are drawn with each sampler on the model's own framework and compared with its training set: the
Frechet distance and coverage in features (32 principal components of pixels or radiomics), the ratio of the distance
to the nearest training image and to the nearest of as many holdout images (1 where nothing is memorised), seconds.
The first row scores the holdout itself.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from fourfold.errors import InputError
from fourfold.features import get
from fourfold.fidelity import frechet_distance, frechet_distance_from_moments
from fourfold.generate.analytic import MixtureLaw, reference_mixture, sliced_wasserstein
from fourfold.generate.frameworks import framework
from fourfold.generate.generator import Drawing
from fourfold.generate.models import Model, open_model
from fourfold.generate.sampling import SAMPLERS
from fourfold.images import open_set
from fourfold.neighbors import nearest
from fourfold.variety import coverage, expected_coverage

BUDGETS = (5, 10, 18, 35, 79, 200, 1000)
MODEL_BUDGETS = (5, 10, 18, 35, 79, 200)
QUICK_BUDGETS = (5, 18, 35)
HOME = {
    "ddpm": "ddpm",
    "ddim": "ddpm",
    "euler": "edm",
    "heun": "edm",
    "dpm++2m": "ddpm",
    "sde-dpm++2m": "ddpm",
    "euler-maruyama": "vp",
    "predictor-corrector": "ve",
    "langevin": "ncsn",
}
AIM = (("dpm++2m", 18), ("ddpm", 1000))
COLUMNS = {
    "Sliced Wasserstein distance": "distance",
    "Frechet distance, thousandths": "frechet",
    "Mass in the mode of 5 %": "rare",
    "Processor seconds": "seconds",
}
COMPONENTS = 32
COVERAGE_K = 5


@dataclass(frozen=True)
class Mixed:
    """What one run on the mixture gave."""

    distance: float
    frechet: float
    rare: float
    seconds: float


@dataclass(frozen=True)
class Drawn:
    """What the images of one sampler scored."""

    frechet: float
    coverage: float
    ratio: float
    seconds: float


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few budgets, one seed, few images: shows that it runs")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each sampler (3)")
    parser.add_argument("--samples", type=int, default=8000, help="points of each run on the mixture (8000)")
    parser.add_argument("--samplers", default=",".join(SAMPLERS), help="names, with commas between")
    parser.add_argument("--budgets", help="network calls, with commas between")
    parser.add_argument("--model", type=Path, help="folder of a trained diffusion model")
    parser.add_argument("--training", "--train", type=Path, help="the set it was trained on")
    parser.add_argument("--holdout", type=Path, help="a set of other patients")
    parser.add_argument("--root", type=Path, help="folder that the paths of the tables start from")
    parser.add_argument("--images", type=int, default=512, help="drawn with each sampler of a model (512)")
    parser.add_argument("--features", default="pixels", help="pixels or radiomics (pixels)")
    parser.add_argument("--batch", type=int, default=64, help="images of a model that are drawn at once (64)")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    names = [name for name in options.samplers.split(",") if name in SAMPLERS]
    if options.model is None:
        mixture(names, options)
    elif options.training is None or options.holdout is None:
        parser.error("--model needs --training and --holdout")
    else:
        trained(names, options)


def mixture(names: list[str], options: argparse.Namespace) -> None:
    """The tables on the mixture."""
    budgets = chosen(options, BUDGETS)
    seeds, count = (1, 1000) if options.quick else (options.seeds, options.samples)
    law = reference_mixture()
    found: dict[tuple[str, int], list[Mixed]] = {}
    for name in names:
        for budget in budgets:
            if budget >= SAMPLERS[name].evaluations(SAMPLERS[name].fewest):
                found[name, budget] = [mixed(law, name, budget, count, seed) for seed in range(seeds)]
    perfect = [scored(law, law.draw(count, np.random.default_rng(seed)), 0.0) for seed in range(max(seeds, 8))]
    print(f"Four modes in two dimensions, {count} points, {seeds} seed{'s' * (seeds > 1)}, torch {torch.__version__}")
    for title, field in COLUMNS.items():
        print(f"\n{title}\n\n| sampler (levels) | " + " | ".join(map(str, budgets)) + " |")
        print("|---" * (len(budgets) + 1) + "|")
        if field != "seconds":
            print("| perfect draws | " + " | ".join([spread(perfect, field)] * len(budgets)) + " |")
        for name in names:
            cells = [spread(found[name, n], field) if (name, n) in found else "too few" for n in budgets]
            print(f"| {name} ({HOME[name]}) | " + " | ".join(cells) + " |")
    if all(key in found for key in AIM):
        print(f"\n{AIM[0][0]} at {AIM[0][1]}, {AIM[1][0]} at {AIM[1][1]}, perfect draws:")
        for title, field in COLUMNS.items():
            print(f"- {title}: " + "; ".join(spread(rows, field) for rows in (*(found[key] for key in AIM), perfect)))


def mixed(law: MixtureLaw, name: str, budget: int, count: int, seed: int) -> Mixed:
    """One run; every sampler of a seed starts from the same noise."""
    stream = torch.Generator().manual_seed(seed)

    def noise() -> Tensor:
        return torch.randn((count, *law.shape), generator=stream, dtype=torch.float64)

    levels = SAMPLERS[name].levels(framework(HOME[name]), budget)
    start = noise()
    begun = time.process_time()
    drawn = SAMPLERS[name].function(law, levels[0] * start, levels, noise)
    return scored(law, drawn, time.process_time() - begun)


def scored(law: MixtureLaw, drawn: Tensor, seconds: float) -> Mixed:
    """The distances of points to their law, and their mass in its rare mode."""
    flat, centres = drawn.flatten(1).numpy(), law.means.flatten(1)
    mean = law.weights @ centres
    within = torch.diag(law.weights @ law.variances.flatten(1))
    covariance = within + (law.weights * (centres - mean).T) @ (centres - mean)
    frechet = frechet_distance_from_moments(mean.numpy(), covariance.numpy(), flat.mean(axis=0), np.cov(flat.T))
    return Mixed(sliced_wasserstein(drawn, law), 1000 * frechet, float(law.membership(drawn)[:, 3].mean()), seconds)


def spread(rows: Sequence[Mixed | Drawn], field: str) -> str:
    """Mean and standard deviation of one quantity."""
    values = [getattr(row, field) for row in rows]
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{np.mean(values):.3f} +- {np.std(values, ddof=1):.3f}"


def trained(names: list[str], options: argparse.Namespace) -> None:
    """The table of a trained model."""
    model = open_model(options.model)
    model.generator.to(options.device)
    training, holdout = (pixels(model, path, options.root) for path in (options.training, options.holdout))
    # Tables are often sorted by class; a part of the holdout must hold all of them.
    holdout = holdout[np.random.default_rng(0).permutation(len(holdout))]
    count = min(64 if options.quick else options.images, len(training), 1 << 20)
    space = Space(training, options.features)
    real, unseen = space(training), space(holdout)
    fresh = space(holdout[:count])
    print(
        f"{options.model.name}: {count} images a row against {len(training)} training images; {options.features}; "
        f"coverage of fresh images {expected_coverage(len(training), count, COVERAGE_K):.3f} by formula\n"
    )
    print("| sampler | calls | Frechet distance | coverage | nearest training : holdout | seconds a run |")
    print("|---|---|---|---|---|---|")
    half = len(unseen) // 2
    alone = ratio(unseen[:half], real, unseen[half:])
    print(
        f"| holdout | | {frechet_distance(real, fresh):.3f} | {coverage(real, fresh, COVERAGE_K):.3f} | {alone:.3f} | |"
    )
    rows: dict[tuple[str, int], list[Drawn]] = {}
    for name, budget in wanted(names, chosen(options, MODEL_BUDGETS)):
        found = []
        try:
            for turn in range(1 if options.quick else options.seeds):
                begun = time.perf_counter()
                images = draw(model, name, budget, range(turn * count, (turn + 1) * count), options.batch)
                seconds, features = time.perf_counter() - begun, space(images)
                scores = frechet_distance(real, features), coverage(real, features, COVERAGE_K)
                found.append(Drawn(*scores, ratio(features, real, unseen), seconds))
        except InputError as error:
            print(f"| {name} | {budget} | {error} | | | |", flush=True)
            continue
        rows[name, budget] = found
        cells = [spread(found, field) for field in ("frechet", "coverage", "ratio")]
        seconds = np.mean([one.seconds for one in found])
        print(f"| {name} | {budget} | {' | '.join(cells)} | {seconds:.1f} |", flush=True)
    if all(key in rows for key in AIM):
        fast, slow = (np.array([one.frechet for one in rows[key]]) for key in AIM)
        said = f"{fast.mean() / slow.mean():.3f}"
        if len(fast) > 1:
            # The same seeds in both: chance that they share drops out of their ratio.
            logs = np.log(fast / slow)
            reach = stats.t.ppf(0.975, len(logs) - 1) * logs.std(ddof=1) / len(logs) ** 0.5
            low, high = np.exp(logs.mean() - reach), np.exp(logs.mean() + reach)
            said = f"{np.exp(logs.mean()):.3f} (95 % {low:.3f} to {high:.3f})"
        print(f"\n{AIM[0][0]} at {AIM[0][1]} over {AIM[1][0]} at {AIM[1][1]}: {said} (aim: at most 1.1)")


def chosen(options: argparse.Namespace, usual: tuple[int, ...]) -> tuple[int, ...]:
    """The budgets that were asked for."""
    if options.budgets is not None:
        return tuple(map(int, options.budgets.split(",")))
    return QUICK_BUDGETS if options.quick else usual


def wanted(names: list[str], budgets: tuple[int, ...]) -> Iterator[tuple[str, int]]:
    """Samplers and budgets that they can do with, the thousand steps of DDPM, which they are compared with, last."""
    for name in names:
        for budget in budgets:
            if budget >= SAMPLERS[name].evaluations(SAMPLERS[name].fewest) and (name, budget) != AIM[1]:
                yield name, budget
    if AIM[1][0] in names and max(budgets) >= MODEL_BUDGETS[-1]:
        yield AIM[1]


def draw(model: Model, name: str, budget: int, rows: range, batch: int) -> np.ndarray:
    """Images of these seeds, the same ones for every sampler."""
    parts = []
    for first in range(rows.start, rows.stop, batch):
        seeds = range(first, min(first + batch, rows.stop))
        conditions = model.generator.conditioning.draw(seeds)
        parts.append(model.generator.draw(seeds, conditions, Drawing(sampler=name, evaluations=budget)))
    return np.concatenate(parts)


def pixels(model: Model, path: Path, root: Path | None) -> np.ndarray:
    """A set as the model saw its training images."""
    images = open_set(path, name=path.stem, root=root)
    return replace(images, preparation=replace(model.preparation, resized=True, converted=True)).load()


class Space:
    """Principal components of the features of the training set."""

    def __init__(self, training: np.ndarray, name: str) -> None:
        self._extractor = None if name == "pixels" else get(name)
        raw = self._raw(training)
        self._mean = raw.mean(axis=0)
        # Radiomics have units of all kinds; pixels have one.
        self._scale = np.ones(raw.shape[1]) if self._extractor is None else raw.std(axis=0).clip(1e-6)
        _, _, axes = np.linalg.svd((raw - self._mean) / self._scale, full_matrices=False)
        self._axes = axes[:COMPONENTS].T

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Features, shape (n, 32)."""
        return (((self._raw(images) - self._mean) / self._scale) @ self._axes).astype(np.float32)

    def _raw(self, images: np.ndarray) -> np.ndarray:
        if self._extractor is None:
            return images.reshape(len(images), -1).astype(np.float64)
        parts = [self._extractor(torch.from_numpy(images[i : i + 256])) for i in range(0, len(images), 256)]
        return torch.cat(parts).double().numpy()


def ratio(features: np.ndarray, training: np.ndarray, holdout: np.ndarray) -> float:
    """Median of the distance to the nearest training image over that to the nearest of as many holdout images."""
    count = min(len(training), len(holdout))
    rng = np.random.default_rng(0)
    sides = (side[rng.permutation(len(side))[:count]] for side in (training, holdout))
    near, far = (nearest(features, side, 1).distances[:, 0] for side in sides)
    return float(np.median(near / np.maximum(far, 1e-12)))


if __name__ == "__main__":
    main()
