"""What stands behind the scores of each axis: the plots that explain them and the images they point at.

Everything here reads what the evaluation already computed (neighbours are shared through `Comparison`).
Figures go into both editions, galleries into the internal one only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from fourfold.report import gallery, plots
from fourfold.report.gallery import Gallery, Pair, Tile
from fourfold.report.wording import count, number
from fourfold.score import Axis
from fourfold.statistics import wilson

if TYPE_CHECKING:
    from fourfold.evaluation import Evaluation

__all__ = ["Plot", "figures", "galleries", "pairs"]

MAP_POINTS = 400
DRIFT_FEATURES = 15
COVERAGE_K = 10
CLASSES = 20
WORST = 8
UNCOVERED = 16
PAIRS = 12
PAIRS_WITHOUT_COPIES = 4

_ARM_ROLES = {"real": "training", "real repeated": "training", "synthetic": "synthetic", "real+synthetic": "accent"}


@dataclass(frozen=True)
class Plot:
    """A drawing, its title and the sentences that say how to read it."""

    title: str
    svg: Markup
    caption: str
    wide: bool = False


def figures(evaluation: Evaluation, axis: Axis, *, individual: bool) -> tuple[Plot, ...]:
    """The plots of one axis.

    Parameters
    ----------
    individual : bool
        Whether a mark may stand for one real image; the shareable edition draws contours instead.
    """
    if axis == "fidelity":
        return (*_map(evaluation, individual), *_drift(evaluation))
    if axis == "variety":
        return (*_coverage(evaluation), *_covered_by_class(evaluation))
    if axis == "privacy":
        return (*_distances(evaluation), *_correlations(evaluation), *_power(evaluation))
    return _arms(evaluation)


def galleries(evaluation: Evaluation, axis: Axis) -> tuple[Gallery, ...]:
    """The images of one axis; internal edition only."""
    if axis == "fidelity":
        return _realism(evaluation)
    return _uncovered(evaluation) if axis == "variety" else ()


# Fidelity


def _map(evaluation: Evaluation, individual: bool) -> tuple[Plot, ...]:
    """Two principal components of the first feature space, fitted on the training set."""
    found = []
    for comparison in list(evaluation.comparisons.values())[:2]:
        training = comparison.training.values
        if len(training) < 3 or training.shape[1] < 2:
            continue
        rng = np.random.default_rng([comparison.seed, 0x6D6170])
        fitted = training[_some(len(training), 5_000, rng)].astype(np.float64)
        mean = fitted.mean(axis=0)
        scale = fitted.std(axis=0)
        scale[scale == 0] = 1
        _, strengths, directions = np.linalg.svd((fitted - mean) / scale, full_matrices=False)
        explained = strengths**2 / max(float((strengths**2).sum()), np.finfo(float).tiny)
        points, shown = {}, []
        for role in ("training", "holdout", "synthetic"):
            features = getattr(comparison, role)
            if features is None or not len(features):
                continue
            rows = _some(len(features), MAP_POINTS if individual else 5_000, rng)
            points[role] = ((features.values[rows] - mean) / scale) @ directions[:2].T
            shown.append(f"{count(len(rows))} of {count(len(features))} {role}")
        axes = tuple(f"component {k + 1} ({100 * explained[k]:.0f} % of the variance)" for k in (0, 1))
        draw = plots.map_of_points if individual else plots.map_of_contours
        marks = "Drawn: " + ", ".join(shown) + " images."
        if not individual:
            marks = (
                "The outlines hold the densest 50 % and 90 % of each set; no mark stands for one patient. "
                "Drawn from " + ", ".join(shown) + " images."
            )
        found.append(
            Plot(
                title=f"Map of the sets, {comparison.space}",
                svg=draw(
                    points,
                    axes,
                    f"Training, holdout and synthetic images on two principal components of {comparison.space}",
                ),
                caption=f"Principal components of the training set in {comparison.space} features. Synthetic images should "
                f"lie where training and holdout images lie, and as widely. {marks}",
            )
        )
    return tuple(found)


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
                    f"The {len(top)} {comparison.space} features that differ most between synthetic and training images",
                ),
                caption=f"The {len(top)} of {len(distance)} features with the largest Kolmogorov-Smirnov distance between "
                f"synthetic and training images (0: same distribution, 1: no overlap), and the shift of the mean in "
                f"pooled standard deviations. {null}",
                wide=True,
            )
        )
    return tuple(found)


def _realism(evaluation: Evaluation) -> tuple[Gallery, ...]:
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
    half = min(WORST, -(-len(ordered) // 2))
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


# Variety


def _coverage(evaluation: Evaluation) -> tuple[Plot, ...]:
    """Share of training images with a synthetic image inside their k-th neighbour radius, by k."""
    found = []
    for comparison in list(evaluation.comparisons.values())[:2]:
        n, m = len(comparison.training), len(comparison.synthetic)
        k = min(COVERAGE_K, n - 1)
        if k < 1 or not m:
            continue
        radii = comparison.neighbors("training", "training", k).distances
        nearest = comparison.neighbors("training", "synthetic", 1).distances[:, :1]
        positions = np.arange(1, k + 1)
        covered = (nearest < radii).mean(axis=0)
        # Naeem et al. 2020, equation 9: expected coverage of a sample from the same distribution.
        null = 1 - np.cumprod((n - positions) / (n + m - positions))
        found.append(
            Plot(
                title=f"Coverage by neighbourhood, {comparison.space}",
                svg=plots.lines(
                    positions,
                    {"synthetic": covered, "holdout": null},
                    ("neighbours k that set the radius", "share of training images covered"),
                    f"Coverage of the training set in {comparison.space} features for k from 1 to {k}, beside its null",
                    {"holdout": "null: a fresh real sample of this size"},
                ),
                caption="A training image is covered when a synthetic image lies nearer than its k-th training neighbour. "
                f"The null is the expected coverage of {count(m)} images of fresh patients (Naeem et al. 2020).",
            )
        )
    return tuple(found)


def _covered_by_class(evaluation: Evaluation) -> tuple[Plot, ...]:
    covered, labels = evaluation.training_images.get("covered"), evaluation.sets.training.labels
    if covered is None or labels is None:
        return ()
    covered = np.asarray(covered, dtype=bool)
    classes, sizes = np.unique(labels, return_counts=True)
    order = np.argsort(-sizes, kind="stable")[:CLASSES]
    hits = np.array([covered[labels == classes[row]].sum() for row in order])
    values = hits / sizes[order]
    intervals = np.array([wilson(int(hit), int(size)) for hit, size in zip(hits, sizes[order], strict=True)])
    null = next((score.null for score in evaluation.axis("variety") if score.name == "coverage"), None)
    left_out = len(classes) - len(order)
    more = f" {left_out} smaller classes are not drawn." if left_out > 0 else ""
    return (
        Plot(
            title="Coverage by class",
            svg=plots.shares(
                [f"{classes[row]} ({count(int(sizes[row]))})" for row in order],
                values,
                intervals,
                null,
                "share of training images covered",
                "Share of covered training images in each class, with 95 % intervals",
                null_name="null of the whole set",
            ),
            caption="A class far below the others is a missing subgroup. Lines are 95 % Wilson intervals; numbers in "
            f"brackets are training images.{more}",
        ),
    )


def _uncovered(evaluation: Evaluation) -> tuple[Gallery, ...]:
    covered = evaluation.training_images.get("covered")
    if covered is None:
        return ()
    covered = np.asarray(covered, dtype=bool)
    images = evaluation.sets.training
    null = next((score.null for score in evaluation.axis("variety") if score.name == "coverage"), None)
    expected = (
        ""
        if null is None
        else f" A fresh real sample would leave about {count(round((1 - null) * len(images)))} uncovered."
    )
    total = int((~covered).sum())
    if not total:
        return (
            Gallery("Real patients that nothing synthetic resembles", "None: every training image is covered.", ()),
        )
    patients = images.patients
    owners = np.arange(len(images)) if patients is None else np.unique(patients, return_inverse=True)[1]
    missing = np.bincount(owners, weights=~covered)
    sizes = np.bincount(owners)
    order = np.lexsort((-missing, -missing / sizes))
    order = order[missing[order] > 0]
    rows = [int(np.flatnonzero((owners == owner) & ~covered)[0]) for owner in order[:UNCOVERED]]
    labels = images.labels
    lines = []
    for row, owner in zip(rows, order, strict=False):
        below = [images.entries[row].path]
        if patients is not None:
            below.insert(0, f"patient {patients[row]}: {int(missing[owner])} of {int(sizes[owner])} images uncovered")
        if labels is not None:
            below.append(str(labels[row]))
        lines.append(below)
    unit = "images" if patients is None else "patients, those with the largest uncovered share first"
    note = f"{count(total)} of {count(len(images))} training images are uncovered.{expected} Shown: {len(rows)} of {count(len(order))} {unit}."
    return (
        Gallery(
            "Real patients that nothing synthetic resembles",
            note,
            gallery.tiles(images, rows, "uncovered training image", lines),
        ),
    )


# Privacy


def _distances(evaluation: Evaluation) -> tuple[Plot, ...]:
    """Distance of synthetic images to their nearest training image, beside that of fresh real patients."""
    copies = _copies(evaluation)
    found = []
    for comparison in list(evaluation.comparisons.values())[:3]:
        if not len(comparison.training) or not len(comparison.synthetic):
            continue
        near = comparison.neighbors("synthetic", "training", 1).distances[:, 0]
        samples, names, null = {}, {}, "There is no null to compare with."
        if comparison.holdout is not None and len(comparison.holdout):
            samples["holdout"] = comparison.neighbors("holdout", "training", 1).distances[:, 0]
            names["holdout"] = "null: holdout to training"
            null = "Fresh patients (the holdout) are the null: a synthetic set that copies nobody keeps their distance."
        elif len(comparison.training) > 1:
            samples["training"] = comparison.neighbors("training", "training", 1).distances[:, 0]
            names["training"] = "null: training to other training patients"
            null = "There is no holdout; training images and their nearest other patient stand in for it."
        samples = {role: values[np.isfinite(values)] for role, values in samples.items()}
        samples = {role: values for role, values in samples.items() if len(values)}
        samples["synthetic"] = near[np.isfinite(near)]
        if not len(samples["synthetic"]):
            continue
        marked = near[copies] if copies is not None else None
        triangles = "" if marked is None or not len(marked) else " Triangles mark the images listed as copies."
        found.append(
            Plot(
                title=f"Distance to the nearest training image, {comparison.space}",
                svg=plots.histograms(
                    samples,
                    f"{comparison.distance} distance in {comparison.space} features",
                    f"Distances from synthetic images to their nearest training image in {comparison.space} features, beside the null",
                    names={"synthetic": "synthetic to training", **names},
                    marked=marked,
                    marked_name="listed as a copy",
                ),
                caption=f"{null}{triangles}",
            )
        )
    return tuple(found)


def _correlations(evaluation: Evaluation) -> tuple[Plot, ...]:
    """Highest pixel correlation with any training image, beside its null where the score brings one."""
    for score in evaluation.axis("privacy"):
        if "correlation" not in score.name:
            continue
        column = next((np.asarray(c) for n, c in score.per_synthetic.items() if "correlation" in n), None)
        if column is None or column.dtype.kind != "f":
            continue
        samples = {}
        null = next((d for n, d in score.details.items() if "null" in n and np.ndim(d) == 1 and len(d) > 1), None)
        if null is not None:
            samples["holdout"] = np.asarray(null, dtype=np.float64)
        samples["synthetic"] = column[np.isfinite(column)]
        if not len(samples["synthetic"]):
            continue
        said = (
            "No null distribution is known, so the shape alone says nothing about copying."
            if null is None
            else "The null is the same for fresh real images."
        )
        return (
            Plot(
                title="Highest correlation with any training image",
                svg=plots.histograms(
                    samples,
                    "Pearson correlation of pixels",
                    "Highest correlation of each synthetic image with any training image, beside the null",
                    names={"synthetic": "synthetic to training", "holdout": "null: fresh real images"},
                ),
                caption=f"Blind to flips, shifts, crops and inversion. {said}",
            ),
        )
    return ()


def _power(evaluation: Evaluation) -> tuple[Plot, ...]:
    """Share of planted copies that the search found on these very data."""
    for score in evaluation.axis("privacy"):
        power = score.details.get("power")
        if not isinstance(power, dict) or not power:
            continue
        names, values, intervals = [], [], []
        for transform, entry in power.items():
            recall, pair = _value_and_interval(entry, "recall")
            if recall is not None:
                names.append(str(transform).replace("_", " "))
                values.append(recall)
                intervals.append(pair)
        if names:
            rate = score.details.get("false_discovery_rate", score.details.get("q"))
            chance = f" at a stated false-discovery rate of {number(rate)}" if isinstance(rate, (int, float)) else ""
            return (
                Plot(
                    title="What this search can see",
                    svg=plots.shares(
                        names,
                        np.array(values),
                        np.array(intervals),
                        None,
                        "share of planted copies found with their right source",
                        "Share of planted copies found, by how they were altered",
                        wide=len(names) > 10,
                    ),
                    caption=f"Known copies of training images, altered as named, were planted into these data and searched for"
                    f"{chance}. Where the share is low, finding no copies says little.",
                    wide=len(names) > 10,
                ),
            )
    return ()


def pairs(evaluation: Evaluation) -> tuple[str, tuple[Pair, ...]]:
    """Synthetic images beside their nearest training image; the note says which and how many of how many.

    The images listed as copies in order of their p-value; where there are none, the nearest pairs, so that a
    reader can see what "no copies" looks like.
    """
    nearest = evaluation.images.get("nearest_training")
    if nearest is None:
        return "No nearest training images are known.", ()
    places = {path: row for row, path in enumerate(evaluation.sets.training.paths)}
    source = np.array([places.get(str(path), -1) for path in nearest])
    rows = evaluation.images.get("nearest_training_row")
    source = source if rows is None else np.asarray(rows)
    copies = _copies(evaluation)
    flags = np.zeros(len(source), dtype=bool) if copies is None else copies
    p = _numbers(evaluation.images.get("copy_p"), len(source))
    order = np.argsort(np.where(np.isnan(p), np.inf, p), kind="stable")
    order = order[source[order] >= 0]
    if not len(order):
        return "No nearest training images are known.", ()
    suspicious = order[flags[order]]
    rows = suspicious[:PAIRS] if len(suspicious) else order[:PAIRS_WITHOUT_COPIES]
    total = int(flags.sum())
    if total:
        note = f"{count(total)} of {count(len(flags))} synthetic images are listed as copies; shown: {len(rows)}, smallest p-value first."
    elif copies is None:
        note = f"Copies were not searched for. The {len(rows)} nearest pairs, for the eye."
    else:
        note = f"No synthetic image is listed as a copy. The {len(rows)} pairs with the smallest p-values, for the eye."
    return note, tuple(_pair(evaluation, int(row), int(source[row]), bool(flags[row])) for row in rows)


def _pair(evaluation: Evaluation, row: int, source: int, suspicious: bool) -> Pair:
    synthetic, training = evaluation.sets.synthetic, evaluation.sets.training
    image = gallery.slice_of(synthetic.load([row])[0])
    match = gallery.slice_of(training.load([source])[0])
    name, other = synthetic.entries[row].path, training.entries[source].path
    facts = []
    p = _numbers(evaluation.images.get("copy_p"), len(synthetic))[row]
    if np.isfinite(p):
        facts.append(("p-value (chance of so near a match without copying)", number(float(p))))
    kind = evaluation.images.get("copy_kind")
    if kind is not None and kind[row]:
        facts.append(("found by", str(kind[row])))
    if (patient := training.entries[source].patient) is not None:
        facts.append(("training patient", patient))
    return Pair(
        title=name,
        tiles=(
            Tile(gallery.data_uri(image), f"synthetic image {name}", ("synthetic", name)),
            Tile(gallery.data_uri(match), f"nearest training image {other}", ("nearest training", other)),
            Tile(
                gallery.data_uri(gallery.difference(image, match)),
                f"difference between {name} and {other}, middle grey where equal",
                ("difference", "grey where equal"),
            ),
        ),
        facts=tuple(facts),
        suspicious=suspicious,
    )


# Utility


def _arms(evaluation: Evaluation) -> tuple[Plot, ...]:
    """What a model learns from real, synthetic and both, tested on real patients."""
    found: dict[str, Plot] = {}
    for score in evaluation.axis("utility"):
        arms = score.details.get("arms")
        title = "Trained on each set, tested on real patients: " + (score.features or "network on the images")
        if not isinstance(arms, Mapping) or not arms or title in found:
            continue
        names = [str(arm) for arm in arms]
        values = np.array([float(arm["auc"]) for arm in arms.values()])
        size = score.details.get("images_per_arm")
        equal = "" if size is None else f" Real and synthetic arms learn from {count(int(size))} images each."
        found[title] = Plot(
            title=title,
            svg=plots.dots(
                names,
                [_ARM_ROLES.get(name, "accent") for name in names],
                values,
                np.array([arm["interval"] for arm in arms.values()], dtype=np.float64),
                values[names.index("real")] if "real" in names else None,
                "area under the ROC curve on real test patients",
                "Area under the curve on real test patients after training on each set, with intervals",
            ),
            caption=f"Lines are 95 % intervals. As many real images are the null of the synthetic arm; repeated real images are "
            f"the null of both together.{equal}",
        )
    return tuple(found.values())


# Small statistics of the plots


def _some(total: int, limit: int, rng: np.random.Generator) -> np.ndarray:
    return np.arange(total) if total <= limit else np.sort(rng.choice(total, limit, replace=False))


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


def _copies(evaluation: Evaluation) -> np.ndarray | None:
    """Which synthetic images are listed as copies; None where nothing searched for copies."""
    column = evaluation.images.get("copy")
    if column is None or not any(score.applies for score in evaluation.axis("privacy") if score.name == "copies"):
        return None
    return np.asarray(column, dtype=bool)


def _numbers(column: np.ndarray | None, length: int) -> np.ndarray:
    return np.full(length, np.nan) if column is None else np.asarray(column, dtype=np.float64)


def _value_and_interval(entry: object, key: str) -> tuple[float | None, tuple[float, float]]:
    """A number, or a mapping with the number and its interval."""
    unknown = (np.nan, np.nan)
    if isinstance(entry, dict):
        value, pair = entry.get(key, entry.get("value")), entry.get("interval") or unknown
        return (None, unknown) if value is None else (float(value), (float(pair[0]), float(pair[1])))
    return (float(entry), unknown) if isinstance(entry, (int, float)) else (None, unknown)
