"""The variety scores of an evaluation in a feature space: each with its null, its interval and its images."""

from __future__ import annotations

import math

import numpy as np

from fourfold.comparison import Comparison, Features
from fourfold.comparison.parts import held_by_parts
from fourfold.errors import InputError
from fourfold.neighbors import nearest
from fourfold.resampling import Estimate, calibrate, chunk_rows, deal, leave_out, normal_interval, too_few
from fourfold.score import Metric, Score, register
from fourfold.statistics import variance_of_mean
from fourfold.variety.manifold import coverage, expected_coverage, recall
from fourfold.variety.retrieval import occupancy_estimate, retrieval_score
from fourfold.variety.vendi import Likeness, vendi_influence

__all__ = ["NEIGHBORS"]

# Balls reach to this many neighbours: the value in use with density and coverage.
NEIGHBORS = 5
# Parts of a set that the jackknife leaves out in turn.
_PARTS = 20

_NO_HOLDOUT = "no holdout: the null comes from the training set"


def _score(metric: Metric, comparison: Comparison, estimate: Estimate, **fields: object) -> Score:
    return Score(
        axis="variety",
        name=metric.name,
        **vars(estimate),
        better=metric.better,
        features=comparison.space,
        source=metric.source,
        **fields,
    )


def _recall(comparison: Comparison) -> Score:
    def statistic(training: Features, other: Features) -> float:
        return recall(
            training.values,
            other.values,
            NEIGHBORS,
            metric=comparison.distance,
            groups=other.patients,
            memory=comparison.memory,
        )

    def observed(role: str) -> float:
        _require_neighbors(comparison, role)
        return float((comparison.balls("training", role, NEIGHBORS).containing > 0).mean())

    def of_chunks(role: str, chunks: list[np.ndarray]) -> list[float]:
        held = held_by_parts(comparison, role, chunks, NEIGHBORS)
        if held is None:
            one = comparison.set(role)
            return [statistic(comparison.training, one.take(rows)) for rows in chunks]
        return [float(one.mean()) for one in held]

    estimate = calibrate(
        statistic, comparison, observed=observed, of_chunks=of_chunks, equal_sizes=True, limits=(0.0, 1.0)
    )
    details: dict[str, object] = {"k": NEIGHBORS}
    if estimate.value is not None:
        details |= {"all_synthetic_images": observed("synthetic"), "images_compared": _equal_size(comparison)}
    return _score(RECALL, comparison, estimate, details=details)


def _coverage(comparison: Comparison) -> Score:
    def statistic(training: Features, other: Features) -> float:
        return coverage(
            training.values,
            other.values,
            NEIGHBORS,
            metric=comparison.distance,
            groups=training.patients,
            memory=comparison.memory,
        )

    def observed(role: str) -> float:
        return float(_covered(comparison, role).mean())

    estimate = calibrate(
        statistic,
        comparison,
        observed=observed,
        of_held=lambda part: float((part.inside > 0).mean()),
        analytic=_expected,
        resized=_resized_coverage,
        limits=(0.0, 1.0),
    )
    columns = {}
    if estimate.value is not None:
        columns = {
            "covered": _covered(comparison, "synthetic"),
            "nearest_synthetic_distance": comparison.neighbors("training", "synthetic", 1).distances[:, 0],
        }
    return _score(COVERAGE, comparison, estimate, per_training=columns, details={"k": NEIGHBORS})


def _expected(n: int, m: int) -> float:
    return expected_coverage(n, m, NEIGHBORS)


def _resized_coverage(null: float, n: int, h: int, m: int) -> float:
    """Coverage by `h` real images as `m` would have reached it.

    The logarithm of the share left uncovered grows with the number of images as it does for independent ones.
    """
    growth = math.log1p(-_expected(n, m)) / math.log1p(-_expected(n, h))
    return 1.0 - (1.0 - null) ** growth


def _covered(comparison: Comparison, role: str) -> np.ndarray:
    _require_neighbors(comparison, "training")
    return comparison.balls(role, "training", NEIGHBORS).inside > 0


def _require_neighbors(comparison: Comparison, role: str) -> None:
    """InputError where an image of a set has too few others for a ball."""
    if not np.isfinite(comparison.radii(role, NEIGHBORS)).all():
        chosen = comparison.set(role)
        others = "images" if chosen.patients is None else "images of other patients"
        raise InputError(
            f"each {role} image needs more than {NEIGHBORS} other {others} around it, got a set of {len(chosen)}"
        )


def _reference(comparison: Comparison) -> Features:
    """The real images that a set is compared with where only its own members matter."""
    return comparison.training if comparison.holdout is None else comparison.holdout


def _equal_size(comparison: Comparison) -> int:
    real = len(comparison.training) // 2 if comparison.holdout is None else len(comparison.holdout)
    return min(len(comparison.synthetic), real)


def _vendi(comparison: Comparison) -> Score:
    synthetic, real = comparison.synthetic, _reference(comparison)
    size = min(len(synthetic), len(real))
    if size < 2:
        return _score(VENDI, comparison, Estimate(None, reason=f"variety needs at least 2 images in a set, got {size}"))
    rng = np.random.default_rng([comparison.seed, len(synthetic), len(real)])
    found, variances, wholes = [], [], []
    for one in (synthetic, real):
        chunks = chunk_rows(one, size, rng)
        parts = [Likeness.of(one.values if len(chunks) == 1 else one.values[rows]) for rows in chunks]
        summed = all(part.dual for part in parts) and sum(part.count for part in parts) == len(one)
        wholes.append(Likeness.of_parts(parts) if summed else Likeness.of(one.values))
        whole, influence = vendi_influence(one.values, wholes[-1])
        found.append(whole if len(chunks) == 1 else float(np.mean([part.score(1.0) for part in parts])))
        variances.append(variance_of_mean(influence, one.patients))
    value, null = found
    limits = (1.0, float(size))
    # A fresh sample of the synthetic set's size varies as the real one does, by the number of images.
    fresh = variances[1] * len(real) / len(synthetic)
    scarce = too_few(synthetic, real)
    estimate = Estimate(
        value,
        null,
        interval=normal_interval(value, *variances, limits=limits) if scarce is None else None,
        null_interval=normal_interval(null, fresh, variances[1], limits=limits) if scarce is None else None,
        null_source="training" if comparison.holdout is None else "holdout",
        reason=_NO_HOLDOUT if comparison.holdout is None else None,
    )
    estimate = estimate if scarce is None else estimate.because(scarce)
    first, second, last = (wholes[0].score(order) for order in (1.0, 2.0, math.inf))
    details = {"order": 1, "images_compared": size, "all_synthetic_images": first}
    details |= {"order_2": second, "order_infinity": last}
    return _score(VENDI, comparison, estimate, details=details)


def _retrieval(comparison: Comparison) -> Score:
    synthetic, real, gallery = comparison.synthetic, comparison.holdout, len(comparison.training)
    rng = np.random.default_rng([comparison.seed, gallery, len(synthetic)])
    try:
        if real is not None:
            found = comparison.neighbors("synthetic", "training", 1).indices[:, 0]
            expected = comparison.neighbors("holdout", "training", 1).indices[:, 0]
        else:
            first, second = deal(comparison.training, (0.5, 0.5), rng)
            base, real, gallery = comparison.training.values[first], comparison.training.take(second), len(first)
            found, expected = (
                nearest(one.values, base, 1, metric=comparison.distance, memory=comparison.memory).indices[:, 0]
                for one in (synthetic, real)
            )
    except InputError as problem:
        return _score(RETRIEVAL, comparison, Estimate(None, reason=str(problem)))
    size = min(len(synthetic), len(real))
    scarce = too_few(synthetic, real)
    if scarce is not None:
        return _score(RETRIEVAL, comparison, Estimate(None, reason=scarce.replace("no interval", "no ratio")))
    cells, spreads = [], []
    for one, retrieved in ((synthetic, found), (real, expected)):
        chunks = [_cells(retrieved[rows], gallery) for rows in chunk_rows(one, size, rng)]
        cells.append(float(np.mean(chunks)))
        left_out = [math.log(_cells(retrieved[rows], gallery)) for rows in leave_out(one, _PARTS, rng)]
        spreads.append((len(left_out) - 1) * float(np.var(left_out)))
    whole = retrieval_score(found, gallery)
    details = {
        "retrieved": whole.retrieved,
        "gallery": gallery,
        "alpha": whole.alpha,
        "infinity": whole.infinity,
        "infinity_limits": list(whole.limits),
        "images_compared": size,
        "infinity_equal_size": cells[0] / gallery,
        "infinity_real": cells[1] / gallery,
    }
    if whole.retrieved == len(synthetic):
        reason = f"{len(synthetic)} synthetic images retrieved as many different training images: too few to tell"
        return _score(RETRIEVAL, comparison, Estimate(None, reason=reason), details=details)
    value = cells[0] / cells[1]
    fresh = spreads[1] * (1 + len(real) / len(synthetic))
    limits = (0.0, math.inf)
    estimate = Estimate(
        value,
        1.0,
        interval=normal_interval(value, value**2 * sum(spreads), limits=limits),
        null_interval=normal_interval(1.0, fresh, limits=limits),
        null_source="training halves" if comparison.holdout is None else "holdout",
        reason=_NO_HOLDOUT if comparison.holdout is None else None,
    )
    return _score(RETRIEVAL, comparison, estimate, details=details)


def _cells(retrieved: np.ndarray, gallery: int) -> int:
    return occupancy_estimate(len(np.unique(retrieved)), len(retrieved), gallery)


RECALL = register(
    Metric(
        axis="variety",
        name="recall",
        kind="features",
        better="higher",
        summary="share of training images within the manifold of synthetic ones",
        null="the holdout set scored as if it were synthetic, in equal number",
        cost="O((N + M) M d + (N + H) H d)",
        source="Kynkaanniemi et al. 2019",
        compute=_recall,
    )
)
COVERAGE = register(
    Metric(
        axis="variety",
        name="coverage",
        kind="features",
        better="higher",
        summary="share of training images with a synthetic image in their neighbourhood",
        null="analytic for independent images; with patients, the holdout set scored as if it were synthetic",
        cost="O((N + M + H) N d)",
        source="Naeem et al. 2020",
        compute=_coverage,
    )
)
VENDI = register(
    Metric(
        axis="variety",
        name="vendi_score",
        kind="features",
        better="higher",
        summary="effective number of different images",
        null="the same for holdout images in equal number",
        cost="O((M + H) min(M, d)^2)",
        source="Friedman & Dieng 2023",
        compute=_vendi,
    )
)
RETRIEVAL = register(
    Metric(
        axis="variety",
        name="image_retrieval_score",
        kind="features",
        better="higher",
        summary="share of training images that a synthetic image retrieves, extrapolated, over that of real images",
        null="1: holdout images in equal number, which the score is divided by",
        cost="O((M + H) N d)",
        source="Dombrowski et al. 2025",
        compute=_retrieval,
    )
)
