"""Where each released image comes from; this stays in the ledger, and the package holds nothing of it."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np

from fourfold.generate.provenance import write_atomically
from fourfold.images import ImageSet, open_set
from fourfold.releasing.candidates import Pool, joined
from fourfold.releasing.choice import Choice
from fourfold.releasing.work import Work

__all__ = ["chosen_before", "keep_choice", "write_provenance"]

_STEP = "choice"


def keep_choice(work: Work, choice: Choice) -> None:
    """Keep what was chosen, and why, for a release that goes on."""
    screened = choice.screened
    arrays = {
        "rows": choice.rows,
        "sources": choice.pool.sources,
        "rounds": choice.pool.rounds,
        "vetoed": screened.vetoed,
        "veto_p": screened.veto_p,
        "veto_kind": screened.veto_kind.astype(str),
        "accepted": screened.accepted,
        "nearest": screened.nearest,
        **{f"weight {name}": values for name, values in screened.weights.items()},
    }
    work.keep(_STEP, dict(choice.figures), arrays)


def chosen_before(work: Work, candidates: ImageSet | None, folder: Path) -> tuple[ImageSet, dict[str, object]] | None:
    """The chosen images in order, and the figures, where this step was finished; None where it was not.

    Parameters
    ----------
    work : Work
    candidates : ImageSet or None
        The pool, where somebody else made it; None where its rounds lie in `folder`.
    folder : Path
    """
    kept = work.kept(_STEP)
    if kept is None:
        return None
    facts, arrays = kept
    if candidates is None:
        turns = np.unique(arrays["rounds"])
        pools = [_round(folder / f"round-{turn}", int(np.sum(arrays["rounds"] == turn))) for turn in turns]
        candidates = joined(pools).images
    return candidates.take(arrays["rows"]), facts


def write_provenance(work: Work, images: ImageSet, training: ImageSet) -> Path:
    """Write ``provenance.csv``: each released image, its candidate, and the training images that speak of it.

    Parameters
    ----------
    work : Work
        With the choice kept.
    images : ImageSet
        The chosen images, in order.
    training : ImageSet

    Returns
    -------
    Path
    """
    kept = work.kept(_STEP)
    if kept is None:
        raise ValueError("nothing was chosen yet")
    _, arrays = kept
    stream = io.StringIO()
    weights = [name for name in arrays if name.startswith("weight ")]
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["number", "candidate", "round", "condition_of", "nearest_training", "veto_p", *weights])
    paths = training.paths
    for number, (row, entry) in enumerate(zip(arrays["rows"], images.entries, strict=True), start=1):
        source, nearest = int(arrays["sources"][row]), int(arrays["nearest"][row])
        writer.writerow(
            [
                number,
                entry.path,
                int(arrays["rounds"][row]),
                paths[source] if source >= 0 else "",
                paths[nearest] if nearest >= 0 else "",
                f"{arrays['veto_p'][row]:.6g}",
                *(f"{arrays[name][row]:.6g}" for name in weights),
            ]
        )
    file = work.folder / "provenance.csv"
    write_atomically(file, lambda partial: partial.write_text(stream.getvalue(), encoding="utf-8"))
    return file


def _round(folder: Path, size: int) -> Pool:
    images = open_set(folder, name="synthetic")
    return Pool(images, np.full(size, -1), np.zeros(size, dtype=np.int64))
