"""Is anyone's image in them: distances beside their null, the power of the search, and each suspicious pair."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fourfold.privacy import DISGUISES
from fourfold.report import gallery, plots
from fourfold.report.evidence.plot import Plot
from fourfold.report.gallery import Pair, Tile
from fourfold.report.shares import Bars, shares_side_by_side
from fourfold.report.wording import count, number
from fourfold.statistics import wilson

if TYPE_CHECKING:
    from fourfold.evaluation import Evaluation

__all__ = ["figures", "pairs"]

PAIRS = 12
PAIRS_WITHOUT_COPIES = 4


def figures(evaluation: Evaluation) -> tuple[Plot, ...]:
    """What the search for copies can see, neighbour distances, and highest correlations."""
    return (*_power(evaluation), *_distances(evaluation), *_correlations(evaluation))


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
        note = (
            f"{count(total)} of {count(len(flags))} synthetic images are listed as copies; "
            f"shown: {len(rows)}, smallest p-value first."
        )
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
                    f"Distances from synthetic to nearest training images in {comparison.space}, beside the null",
                    names={"synthetic": "synthetic to training", **names},
                    marked=marked,
                    marked_name="listed as a copy",
                ),
                caption=f"{null}{triangles}",
            )
        )
    return tuple(found)


def _correlations(evaluation: Evaluation) -> tuple[Plot, ...]:
    """Highest pixel correlation with any training image, beside quantiles of the holdout's."""
    score = next((score for score in evaluation.axis("privacy") if score.name == "highest_correlation"), None)
    if score is None or "highest_correlation" not in score.per_synthetic:
        return ()
    values = np.asarray(score.per_synthetic["highest_correlation"], dtype=np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        return ()
    quantiles = {
        "null: median of the holdout": score.details.get("holdout_quantile_0.5"),
        "null: 99 % of the holdout lies below": score.details.get("holdout_quantile_0.99"),
    }
    known = {name: float(place) for name, place in quantiles.items() if place is not None}
    said = "Lines are the null: where fresh real images lie."
    if not known:
        said = "Without a holdout there is no null: anatomy alone makes correlations high."
    return (
        Plot(
            title="Highest correlation with any training image",
            svg=plots.histograms(
                {"synthetic": values},
                "Pearson correlation of pixels",
                "Highest correlation of each synthetic image with any training image, beside the null",
                names={"synthetic": "synthetic to training"},
                lines_at=known,
            ),
            caption=f"{said} Pixel correlation is blind to flips, shifts, crops and inversion.",
        ),
    )


def _power(evaluation: Evaluation) -> tuple[Plot, ...]:
    """Share of planted copies that the search found on these very data."""
    score = next((score for score in evaluation.axis("privacy") if score.name == "copies"), None)
    power: Mapping[str, Any] = {} if score is None else score.details.get("power", {})
    planted = {str(name): entry for name, entry in power.items() if entry["planted"]}
    plain = {disguise.name for disguise in DISGUISES if disguise.ordinary}
    kinds = {
        "copies as generators are known to make them": {name: planted[name] for name in planted if name in plain},
        "copies in disguise": {name: planted[name] for name in planted if name not in plain},
    }
    groups = {kind: _bars(entries) for kind, entries in kinds.items() if entries}
    if not groups:
        return ()
    return (
        Plot(
            title="What the search for copies can see",
            svg=shares_side_by_side(
                groups, "share of planted copies found", "Share of planted copies found, by how they were altered"
            ),
            caption="Training images, altered as named, were planted into these data and searched for like any "
            "synthetic image; lines are 95 % intervals. Where the share is low, finding no copies says little. The "
            "bound on the share of copies is corrected for the ordinary ones that the search does not see.",
            wide=True,
        ),
    )


def _bars(planted: Mapping[str, Any]) -> Bars:
    """What became of each disguise, the least visible first."""
    ranked = sorted(planted.items(), key=lambda item: item[1]["found"] / item[1]["planted"])
    return Bars(
        [name.replace("_", " ") for name, _ in ranked],
        np.array([entry["found"] / entry["planted"] for _, entry in ranked]),
        np.array([wilson(int(entry["found"]), int(entry["planted"])) for _, entry in ranked]),
    )


def _copies(evaluation: Evaluation) -> np.ndarray | None:
    """Which synthetic images are listed as copies; None where nothing searched for copies."""
    column = evaluation.images.get("copy")
    if column is None or not any(score.applies for score in evaluation.axis("privacy") if score.name == "copies"):
        return None
    return np.asarray(column, dtype=bool)


def _numbers(column: np.ndarray | None, length: int) -> np.ndarray:
    return np.full(length, np.nan) if column is None else np.asarray(column, dtype=np.float64)
