"""Do they show the range of real patients: coverage by neighbourhood and class, and who is not covered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fourfold.comparison import Comparison
from fourfold.neighbors import nearest
from fourfold.report import gallery, plots
from fourfold.report.evidence.plot import Plot, some
from fourfold.report.gallery import Gallery
from fourfold.report.shares import Bars, shares
from fourfold.report.wording import count
from fourfold.statistics import wilson

if TYPE_CHECKING:
    from fourfold.evaluation import Evaluation

__all__ = ["figures", "galleries"]

COVERAGE_K = 10
CLASSES = 20
SHOWN = 16


def figures(evaluation: Evaluation) -> tuple[Plot, ...]:
    """Coverage by neighbourhood in the first two feature spaces, and by class where there are classes."""
    return (*_coverage(evaluation), *_covered_by_class(evaluation))


def galleries(evaluation: Evaluation) -> tuple[Gallery, ...]:
    """Training images that no synthetic image covers, one a patient."""
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
    rows = [int(np.flatnonzero((owners == owner) & ~covered)[0]) for owner in order[:SHOWN]]
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
    note = (
        f"{count(total)} of {count(len(images))} training images are uncovered.{expected} "
        f"Shown: {len(rows)} of {count(len(order))} {unit}."
    )
    return (
        Gallery(
            "Real patients that nothing synthetic resembles",
            note,
            gallery.tiles(images, rows, "uncovered training image", lines),
        ),
    )


def _coverage(evaluation: Evaluation) -> tuple[Plot, ...]:
    """Share of training images with a synthetic image inside their k-th neighbour radius, by k."""
    found = []
    for comparison in list(evaluation.comparisons.values())[:2]:
        n, m = len(comparison.training), len(comparison.synthetic)
        k = min(COVERAGE_K, n - 1)
        if k < 1 or not m:
            continue
        radii = comparison.neighbors("training", "training", k).distances
        curves, said = _coverage_curves(comparison, radii)
        found.append(
            Plot(
                title=f"Coverage by neighbourhood, {comparison.space}",
                svg=plots.lines(
                    np.arange(1, k + 1),
                    curves,
                    ("neighbours k that set the radius", "share of training images covered"),
                    f"Coverage of the training set in {comparison.space} features for k from 1 to {k}, beside its null",
                    {"holdout": "null: fresh real images"},
                ),
                caption="A training image is covered when a synthetic image lies nearer than its k-th neighbour "
                f"among the other training patients. {said}",
            )
        )
    return tuple(found)


def _coverage_curves(comparison: Comparison, radii: np.ndarray) -> tuple[dict[str, np.ndarray], str]:
    """Coverage of the synthetic set by k beside its null, and what the null is."""
    training, holdout = comparison.training.values, comparison.holdout
    if holdout is None or not len(holdout):
        m, n, k = len(comparison.synthetic), *radii.shape
        nearest_synthetic = comparison.neighbors("training", "synthetic", 1).distances[:, :1]
        j = np.arange(1, k + 1)
        null = 1 - np.cumprod((n - j) / (n + m - j))
        said = f"The null is what {count(m)} independent fresh images would cover (Naeem et al. 2020, lemma 2)."
        return {"synthetic": (nearest_synthetic < radii).mean(axis=0), "holdout": null}, said
    rng = np.random.default_rng([comparison.seed, 0x636F76])
    size = min(len(comparison.synthetic), len(holdout))
    curves = {}
    for role in ("synthetic", "holdout"):
        values = comparison.set(role).values
        chosen = values[some(len(values), size, rng)]
        found = nearest(training, chosen, 1, metric=comparison.distance, memory=comparison.memory)
        curves[role] = (found.distances[:, :1] < radii).mean(axis=0)
    return curves, f"The null is the holdout; each curve uses {count(size)} images, so that they can be compared."


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
            svg=shares(
                Bars([f"{classes[row]} ({count(int(sizes[row]))})" for row in order], values, intervals),
                null,
                "share of training images covered",
                "Share of covered training images in each class, with 95 % intervals",
                null_name="null of the whole set",
            ),
            caption="A class far below the others is a missing subgroup. Lines are 95 % Wilson intervals; numbers in "
            f"brackets are training images.{more}",
        ),
    )
