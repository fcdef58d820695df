"""Privacy rules side by side on the same planted data: what each says of generators that copy and of ones that do not.

Features are Gaussian with standard deviations k^(-1/2) in 64 dimensions. A copy is a training image plus isotropic
noise of 0.3 of the median distance between a training image and its nearest one of another patient. A faithful
generator draws from the distribution of the patients, a smooth one with 0.72 of its variance. In the patient sets each
patient has ten images, nine tenths of whose variance are the patient's; the slice-level holdout consists of other
images of training patients.

Every rule is applied as published (`peer`) or as Fourfold computes it (`ours`):

- *threshold* (peer): share of training / synthetic images that Dar et al. call memorised;
- *authentic* (peer): share of authentic images, and that of the holdout; *less than holdout* (ours): runs in which the
  interval of the difference lies below 0;
- *C_T < -3* (peer) and *C_T, p < 5 %* (ours, standardised): runs with such a statistic;
- *distance share*, binomial (peer) and by patients (ours): runs with z > 1.645;
- *residual risk* (peer): runs with a lower bound above 0 for linking the two halves of the features, 500 attacks on
  training and 500 on holdout images, Wilson intervals added in quadrature;
- *membership* (peer): runs in which Mann-Whitney's test on the distance to the nearest synthetic image has p < 5 %;
- *likelihood gap* (ours): runs with an interval below 0 (every sixth run, 500 of the synthetic images);
- *list* (ours): the list of copies at a false-discovery rate of 5 %: runs with any entry, share of planted copies on
  it, share of its entries that are no copies.

Without copies, everything but the two shares in front should be at most 5 %.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from fourfold.comparison import Comparison, Features
from fourfold.neighbors import nearest
from fourfold.privacy import RatioNull, authenticity
from fourfold.privacy.data_copying import data_copying_score
from fourfold.privacy.distance_share import distance_share_score
from fourfold.privacy.likelihood import likelihood_gap_score
from fourfold.privacy.neighbour_ratio import two_nearest_features
from fourfold.privacy.threshold_copies import threshold_copies
from fourfold.statistics import benjamini_hochberg, residual_risk, wilson

DIMENSION = 64
SCALES = np.arange(1, DIMENSION + 1) ** -0.5
NOISE = 0.3
SMOOTH = 0.72
VIEWS = 10
OWN = 0.9
ATTACKS = 500
GAP_EVERY, GAP_IMAGES = 6, 500
Draw = Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Case:
    """A row of the table: sizes in images, the share of copies, and what else is special."""

    sizes: tuple[int, int, int]
    copies: float
    kind: str = "faithful"

    @property
    def name(self) -> str:
        """What the first column says."""
        return f"{' / '.join(map(str, self.sizes))}, {self.kind}"


COPIES = (0.0, 0.002, 0.02, 0.1)
CASES = (
    *(
        Case(sizes, copies)
        for sizes in ((1000, 1000, 1000), (1000, 1000, 10_000), (904, 226, 904))
        for copies in COPIES
    ),
    *(Case((1000, 1000, 1000), copies, "smooth") for copies in (0.0, 0.02)),
    *(Case((3000, 1000, 2000), copies, "patients") for copies in (0.0, 0.002, 0.02)),
    *(Case((3000, 1000, 2000), copies, "slice-level holdout") for copies in (0.0, 0.02)),
)


def _images(rng: np.random.Generator, anatomies: np.ndarray) -> np.ndarray:
    """Images of patients."""
    return (np.sqrt(OWN) * anatomies + np.sqrt(1 - OWN) * rng.normal(size=anatomies.shape)) * SCALES


def planted(case: Case, rng: np.random.Generator) -> tuple[Comparison, np.ndarray]:
    """The three sets, and which synthetic images are copies, shape (M,)."""
    n_t, n_h, m = case.sizes
    if case.kind in ("patients", "slice-level holdout"):
        anatomies = rng.normal(size=(n_t // VIEWS + n_h // VIEWS + m, DIMENSION))
        known, others, fresh = np.split(anatomies, np.cumsum([n_t // VIEWS, n_h // VIEWS]))
        shown = known[: n_h // VIEWS] if case.kind == "slice-level holdout" else others
        training, holdout = _images(rng, np.repeat(known, VIEWS, axis=0)), _images(rng, np.repeat(shown, VIEWS, axis=0))
        synthetic = _images(rng, fresh)
        owners, others_owners = np.arange(n_t) // VIEWS, n_t + np.arange(n_h) // VIEWS
    else:
        training, holdout, synthetic = (rng.normal(size=(size, DIMENSION)) * SCALES for size in case.sizes)
        if case.kind == "smooth":
            synthetic = synthetic * np.sqrt(SMOOTH)
        owners, others_owners = np.arange(n_t), n_t + np.arange(n_h)
    copied = np.arange(m) < round(case.copies * m)
    if copied.any():
        apart = np.median(nearest(training, training, 1, query_groups=owners, point_groups=owners).distances)
        rows = rng.permutation(n_t)[np.arange(copied.sum()) % n_t]
        noise = rng.normal(size=(len(rows), DIMENSION)) * NOISE * apart / np.sqrt(DIMENSION)
        synthetic[copied] = training[rows] + noise
    sets = (
        Features(np.asarray(values, dtype=np.float32), patients)
        for values, patients in ((training, owners), (synthetic, None), (holdout, others_owners))
    )
    return Comparison("gaussian", *sets), copied


def measure(case: Case, run: int, seed: int) -> dict[str, float]:
    """Every rule on one draw; keys are columns."""
    rng = np.random.default_rng([seed, CASES.index(case), run])
    comparison, copied = planted(case, rng)
    found: dict[str, float] = {}

    rule = threshold_copies(
        *(
            comparison.neighbors(*roles, 1).distances[:, 0]
            for roles in (("training", "holdout"), ("training", "synthetic"), ("synthetic", "training"))
        )
    )
    found["threshold, training"], found["threshold, synthetic"] = rule.training_share, rule.synthetic_share

    authentic = authenticity(comparison)
    found["authentic"], found["authentic, holdout"] = authentic.value, authentic.null
    found["less than holdout"] = authentic.departs() == "worse"

    copying = data_copying_score(comparison)
    found["C_T < -3"], found["C_T, p < 5 %"] = copying.details["statistic"] < -3, copying.details["p"] < 0.05

    share = distance_share_score(comparison)
    found["distance share, binomial"] = (share.value - share.null) / share.details["naive_standard_error"] > 1.645
    found["distance share, patients"] = share.details["z"] > 1.645

    found["residual risk"] = linkage_risk(comparison, rng) > 0
    near = [-comparison.neighbors(role, "synthetic", 1).distances[:, 0] for role in ("training", "holdout")]
    found["membership"] = stats.mannwhitneyu(*near, alternative="greater").pvalue < 0.05

    if run % GAP_EVERY == 0:
        rows = np.sort(rng.permutation(len(copied))[:GAP_IMAGES])
        part = Comparison("part", comparison.training, comparison.synthetic.take(rows), comparison.holdout)
        found["likelihood gap"] = likelihood_gap_score(part).departs() == "worse"

    listed = list_of_copies(comparison)
    found["list, any"] = listed.any()
    if copied.any():
        found["list, found"] = listed[copied].mean()
        found["list, false"] = (listed & ~copied).sum() / max(1, listed.sum())
    return {name: float(value) for name, value in found.items()}


def list_of_copies(comparison: Comparison) -> np.ndarray:
    """The patient-aware log-ratio against holdout and training images without their own patient, shape (M,)."""
    groups = comparison.training.patients
    null = [two_nearest_features(comparison, role, groups).log_ratio for role in ("training", "holdout")]
    p = RatioNull.fit(np.concatenate(null)).p_values(two_nearest_features(comparison, "synthetic", groups))
    return benjamini_hochberg(p, 0.05)[0]


def linkage_risk(comparison: Comparison, rng: np.random.Generator) -> float:
    """Lower bound of the residual risk that both halves of the features have the same nearest synthetic image."""
    rates = []
    for role in ("training", "holdout"):
        own = comparison.set(role).values
        chosen = own[rng.permutation(len(own))[:ATTACKS]]
        first, second = (
            nearest(
                np.ascontiguousarray(chosen[:, side::2]),
                np.ascontiguousarray(comparison.synthetic.values[:, side::2]),
                1,
            ).indices[:, 0]
            for side in (0, 1)
        )
        low, high = wilson(int((first == second).sum()), len(chosen))
        rates.append(((low + high) / 2, (high - low) / 2))
    risk, error = residual_risk(*rates)
    return risk - error


def row(case: Case, runs: int, seed: int) -> list[str]:
    """One row of the table."""
    draws = [measure(case, run, seed) for run in range(runs)]
    mean = {name: 100 * np.mean([draw[name] for draw in draws if name in draw]) for draw in draws for name in draw}
    cells = [
        case.name,
        f"{100 * case.copies:g}",
        f"{mean['threshold, training']:.1f} / {mean['threshold, synthetic']:.1f}",
        f"{mean['authentic']:.1f} ({mean['authentic, holdout']:.1f})",
        *(f"{mean[name]:.0f}" for name in DECISIONS),
    ]
    return [*cells, *(f"{mean[name]:.0f}" if name in mean else "" for name in ("list, found", "list, false"))]


DECISIONS = (
    "less than holdout",
    "C_T < -3",
    "C_T, p < 5 %",
    "distance share, binomial",
    "distance share, patients",
    "residual risk",
    "membership",
    "likelihood gap",
    "list, any",
)
HEADER = (
    "training / holdout / synthetic images",
    "copies",
    "threshold, training / synthetic",
    "authentic (holdout)",
    *DECISIONS,
    "list, found",
    "list, false",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=60, help="draws of each row")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="rows whose name contains this")
    arguments = parser.parse_args()
    started = time.process_time()
    print(f"| {' | '.join(HEADER)} |")
    print(f"|{'---|' * len(HEADER)}")
    for case in CASES:
        if arguments.only in case.name:
            print(f"| {' | '.join(row(case, arguments.runs, arguments.seed))} |", flush=True)
    seconds = time.process_time() - started
    print(f"\nPercent; {arguments.runs} runs a row, seed {arguments.seed}, {seconds:.0f} s of one core.")


if __name__ == "__main__":
    main()
