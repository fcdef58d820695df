"""Do the images look real: a map of the sets, the features that moved, the least and most realistic images."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import numpy as np

from fourfold.comparison import Comparison, Role
from fourfold.report import gallery, plots
from fourfold.report.evidence.plot import Plot, some
from fourfold.report.gallery import Gallery
from fourfold.report.wording import count, number

if TYPE_CHECKING:
    from fourfold.evaluation import Evaluation

__all__ = ["figures", "galleries"]

MAP_POINTS = 400
CONTOUR_POINTS = 5_000
DRIFT_FEATURES = 15
SHOWN = 8


def figures(evaluation: Evaluation) -> tuple[Plot, ...]:
    """Maps in the first two feature spaces, and drift wherever features have names."""
    return (*_map(evaluation), *_drift(evaluation))


def _map(evaluation: Evaluation) -> tuple[Plot, ...]:
    """Two principal components of the training set: a mark an image, and contours for the shareable edition."""
    found = []
    # Codes have no components.
    spaces = [comparison for comparison in evaluation.comparisons.values() if comparison.distance != "hamming"]
    for comparison in spaces[:2]:
        if len(comparison.training) < 3 or np.count_nonzero(np.ptp(comparison.training.values, axis=0)) < 2:
            continue
        points, axes = _components(comparison)
        title = f"Training, holdout and synthetic images on two principal components of {comparison.space}"
        caption = (
            f"Principal components of the training set in {comparison.space} features. Synthetic images should lie "
            "where training and holdout images lie, and as widely."
        )
        drawn = {role: place[:MAP_POINTS] for role, place in points.items()}
        shown = ", ".join(
            f"{count(len(place))} of {count(len(comparison.set(role)))} {role}" for role, place in drawn.items()
        )
        outlines = "The outlines hold the densest 50 % and 90 % of each set; no mark stands for one patient."
        name = f"Map of the sets, {comparison.space}"
        found += [
            Plot(
                name,
                plots.map_of_points(drawn, axes, title),
                f"{caption} Drawn: {shown} images.",
                shareable=False,
            ),
            Plot(
                name,
                plots.map_of_contours(points, axes, f"Outlines of {title.lower()}"),
                f"{caption} {outlines}",
                internal=False,
            ),
        ]
    return tuple(found)


def _components(comparison: Comparison) -> tuple[dict[Role, np.ndarray], tuple[str, str]]:
    """Places of at most `CONTOUR_POINTS` images a set in random order, shape (n, 2), and what the axes are called."""
    from sklearn.decomposition import PCA

    rng = np.random.default_rng([comparison.seed, 0x6D6170])
    # Wide features are fitted on fewer images, so that the copies made here stay below 100 MB.
    limit = int(np.clip(20_000_000 // comparison.training.values.shape[1], 200, CONTOUR_POINTS))
    fitted = comparison.training.values[some(len(comparison.training), limit, rng)]
    mean, scale = fitted.mean(axis=0), fitted.std(axis=0)
    scale[scale == 0] = 1
    components = PCA(2, svd_solver="randomized", random_state=comparison.seed).fit((fitted - mean) / scale)
    places: dict[Role, np.ndarray] = {}
    for role in get_args(Role):
        features = getattr(comparison, role)
        if features is not None and len(features):
            rows = rng.permutation(len(features))[:limit]
            places[role] = components.transform((features.values[rows] - mean) / scale)
    shares = components.explained_variance_ratio_
    first, second = (f"component {k + 1} ({100 * shares[k]:.0f} % of the variance)" for k in (0, 1))
    return places, (first, second)


def _drift(evaluation: Evaluation) -> tuple[Plot, ...]:
    """The features with names that moved most."""
    found = []
    for comparison in evaluation.comparisons.values():
        if comparison.names is None or len(comparison.training) < 2 or len(comparison.synthetic) < 2:
            continue
        training, synthetic = comparison.training.values, comparison.synthetic.values
        distance, effect = _kolmogorov_smirnov(synthetic, training), _cohen_d(synthetic, training)
        missing = np.full(len(distance), np.nan)
        holdout = comparison.holdout.values if comparison.holdout is not None and len(comparison.holdout) > 1 else None
        distance_null = missing if holdout is None else _kolmogorov_smirnov(holdout, training)
        effect_null = missing if holdout is None else _cohen_d(holdout, training)
        top = np.argsort(-distance, kind="stable")[:DRIFT_FEATURES]
        null = (
            "There is no holdout, so the null is unknown."
            if holdout is None
            else "Squares are the null: holdout patients against training patients."
        )
        found.append(
            Plot(
                title=f"Which {comparison.space} features moved",
                svg=plots.drift(
                    [comparison.names[row] for row in top],
                    distance[top],
                    distance_null[top],
                    effect[top],
                    effect_null[top],
                    f"The {len(top)} {comparison.space} features that differ most between synthetic and training set",
                ),
                caption=f"The {len(top)} of {len(distance)} features with the largest Kolmogorov-Smirnov distance "
                f"between synthetic and training images (0: same distribution, 1: no overlap), and the shift of the "
                f"mean in pooled standard deviations. {null}",
                wide=True,
            )
        )
    return tuple(found)


def galleries(evaluation: Evaluation) -> tuple[Gallery, ...]:
    """The least and the most realistic synthetic images."""
    realism = evaluation.images.get("realism")
    if realism is None:
        return ()
    realism = np.asarray(realism, dtype=np.float64)
    known = np.flatnonzero(np.isfinite(realism))
    if not len(known):
        return ()
    ordered = known[np.argsort(realism[known], kind="stable")]
    median = number(float(np.median(realism[known])))
    images = evaluation.sets.synthetic
    found = []
    half = min(SHOWN, -(-len(ordered) // 2))
    for title, rows in (("Least realistic", ordered[:half]), ("Most realistic", ordered[::-1][:half])):
        lines = [(f"realism {number(realism[row])}", images.entries[row].path) for row in rows]
        found.append(
            Gallery(
                title=f"{title} synthetic images",
                note=f"{len(rows)} of {count(len(images))}; the median realism is {median}.",
                tiles=gallery.tiles(images, rows, "synthetic image", lines),
            )
        )
    return tuple(found)


def _kolmogorov_smirnov(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Largest distance between the empirical distributions of each column, shape (d,)."""
    found = np.empty(x.shape[1])
    for column in range(x.shape[1]):
        a, b = np.sort(x[:, column]), np.sort(y[:, column])
        places = np.concatenate([a, b])
        below = np.searchsorted(a, places, "right") / len(a) - np.searchsorted(b, places, "right") / len(b)
        found[column] = np.abs(below).max()
    return found


def _cohen_d(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Difference of means in pooled standard deviations (Cohen 1988), 0 where both columns are constant."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    freedom = len(x) + len(y) - 2
    pooled = np.sqrt(((len(x) - 1) * x.var(axis=0, ddof=1) + (len(y) - 1) * y.var(axis=0, ddof=1)) / freedom)
    shift = x.mean(axis=0) - y.mean(axis=0)
    return np.divide(shift, pooled, out=np.zeros_like(shift), where=pooled > 0)
