"""Trained generators of the study, and what is drawn from them.

A model is trained once a seed and lies in ``work/`` under a name made of everything that decides it; a training that
was interrupted goes on from its last checkpoint.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fourfold.comparison import Progress
from fourfold.generate import open_model
from fourfold.generate.models import MODEL, Model
from fourfold.generate.train import train
from fourfold.images import ImageSet
from fourfold.studies.study import Scale
from fourfold.studies.trade_off.dealing import SCALING
from fourfold.studies.trade_off.ladders import Pictures

__all__ = ["GENERATORS", "Trained", "asked_generators", "drawn"]


@dataclass(frozen=True)
class Trained:
    """A recipe, and the knob by which several sets are drawn from one model.

    Parameters
    ----------
    options : mapping
        Of the recipe.
    knob : str or None
        Of a `fourfold.generate.generator.Drawing`.
    settings : tuple of float
        Of the knob, from the least to the greatest change; a single 1 is the law that was learned.
    steps : str or None
        The setting of the scale that says how long a network is trained; 0 leaves the recipe out.
    drawing : mapping
        Further knobs, the same for all sets.
    """

    options: Mapping[str, object] = field(default_factory=dict)
    knob: str | None = None
    settings: tuple[float, ...] = (1.0,)
    steps: str | None = None
    drawing: Mapping[str, object] = field(default_factory=dict)


GENERATORS: Mapping[str, Trained] = {
    "gaussian": Trained(knob="truncation", settings=(1.0, 0.8, 0.5, 0.2)),
    "mixture": Trained(),
    "smote": Trained(),
    "kde": Trained(knob="temperature", settings=(1.0, 0.6, 0.3, 0.1)),
    "vae": Trained(
        {"channels": (16, 32), "latent": 16, "batch": 32},
        "temperature",
        (1.0, 0.75, 0.5, 0.25),
        steps="vae_steps",
    ),
    "gan": Trained(knob="truncation", settings=(1.0, 0.8, 0.6, 0.3), steps="gan_steps"),
    "diffusion": Trained(
        {"channels": (32, 64), "batch": 32}, steps="diffusion_steps", drawing={"sampler": "heun", "evaluations": 35}
    ),
}
"""By recipe."""


def asked_generators(scale: Scale) -> dict[str, Trained]:
    """The generators that are trained at this scale."""
    return {name: one for name, one in GENERATORS.items() if one.steps is None or scale[one.steps]}


def drawn(
    recipe: str, setting: float, training: ImageSet, scale: Scale, work: Path, identity: str, seed: int, note: Progress
) -> Pictures:
    """As many images of each class as the training set has.

    Parameters
    ----------
    recipe : str
        A name of `GENERATORS`.
    setting : float
        Of the knob of the recipe.
    training : ImageSet
        With classes.
    scale : Scale
    work : Path
        Where the model lies.
    identity : str
        Of the source of the images.
    seed : int
        Of patients, training and drawing.
    note : callable
        Progress.

    Returns
    -------
    Pictures
    """
    model = _model(recipe, training, scale, work, identity, seed, note)
    chosen = GENERATORS[recipe]
    knobs = dict(chosen.drawing)
    if chosen.knob is not None:
        knobs[chosen.knob] = setting
    names, counts = np.unique(np.asarray(training.labels), return_counts=True)
    parts = [
        model.draw(int(count), seed=seed * 100 + place, condition_value={"class": str(name)}, **knobs)
        for place, (name, count) in enumerate(zip(names, counts, strict=True))
    ]
    return Pictures(np.concatenate(parts).astype(np.float32), np.repeat(names, counts))


def _model(
    recipe: str, training: ImageSet, scale: Scale, work: Path, identity: str, seed: int, note: Progress
) -> Model:
    chosen = GENERATORS[recipe]
    options = dict(chosen.options)
    if chosen.steps is not None:
        options["steps"] = int(scale[chosen.steps])
    decisive = json.dumps([identity, recipe, options, seed, len(training)], sort_keys=True)
    folder = work / f"{recipe}-{seed}-{hashlib.sha256(decisive.encode()).hexdigest()[:12]}"
    if (folder / MODEL).exists():
        return open_model(folder)
    return train(
        training,
        recipe=recipe,
        output=folder,
        condition="class",
        options=options,
        scaling=SCALING,
        seed=seed,
        progress=note,
    )
