"""The two kinds of model: trained once a size and seed, watched at equal distances for the onset of memorisation."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fourfold.comparison import Progress
from fourfold.generate.models import MODEL, Model, open_model
from fourfold.generate.train import train
from fourfold.images import ImageSet
from fourfold.studies.study import Cell, Scale

__all__ = ["DIFFUSION", "GAN", "RECIPES", "options_of", "trained"]

DIFFUSION, GAN = "diffusion", "gan"
RECIPES = (DIFFUSION, GAN)


def options_of(recipe: str, scale: Scale) -> dict[str, Any]:
    """Options of a recipe at a scale; every image is drawn as often as any other."""
    common = {name: int(scale[f"{recipe}_{name}"]) for name in ("steps", "batch")} | {"balance": "none"}
    if recipe == GAN:
        return {**common, "channels": int(scale["gan_channels"]), "latent": int(scale["latent"])}
    return {
        **common,
        "channels": (int(scale["width"]),) * 2,
        "patch": int(scale["patch"]),
        "learning_rate": float(scale["learning_rate"]),
    }


def trained(
    cell: Cell, scale: Scale, sets: Mapping[str, ImageSet], digest: str, work: Path, progress: Progress
) -> Model:
    """The model of a cell, without a condition; kept in `work`.

    Parameters
    ----------
    cell : Cell
        Its ``"recipe"`` and ``"size"``.
    scale : Scale
    sets : mapping of str to ImageSet
        ``"training"``, and ``"holdout"`` for the watch.
    digest : str
        Of the source.
    work : Path
    progress : callable
    """
    recipe = str(cell.settings["recipe"])
    options = options_of(recipe, scale)
    every = -(-options["steps"] // int(scale["snapshots"]))
    decided = [options, every, digest, dict(cell.settings), [len(one) for one in sets.values()]]
    name = hashlib.sha256(json.dumps(decided, sort_keys=True).encode()).hexdigest()[:16]
    folder = work / f"{cell.key}-{name}"
    if (folder / MODEL).exists():
        return open_model(folder)
    return train(
        sets["training"],
        holdout=sets["holdout"],
        recipe=recipe,
        output=folder,
        condition="none",
        options=options,
        scaling="0:1",
        seed=cell.seed,
        snapshots=every,
        progress=progress,
    )
