"""The sets that are held side by side: real ones, those of two diffusion models as they come, and a screened one.

The diversity-aware model is asked for several candidates under the condition of each training image. The first of each
are its set as published; leaving out those nearest to training images is the plain way to make it private; the release
is chosen from what the screen lets through, as `fourfold release` does it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from fourfold.errors import InputError
from fourfold.generate.models import Model
from fourfold.images import ImageSet, open_set
from fourfold.neighbors import nearest
from fourfold.privacy import FURTHER, REPRESENTATIONS
from fourfold.releasing.screen import NearDuplicates, ScreenOptions, generated_near_duplicates, screen
from fourfold.releasing.screen.embeddings import CONTRAST, OUTLINES
from fourfold.releasing.selection import select
from fourfold.studies.seeds import Asked, in_memory, trained
from fourfold.utility.network import SmallNetwork
from fourfold.utility.tasks import Labelled

__all__ = ["ARMS", "FRESH", "LEFT_OUT", "ORDINARY", "REAL", "RELEASED", "UNSCREENED", "Patients", "arm", "patients"]

REAL, FRESH = "training patients", "fresh patients"
ORDINARY, UNSCREENED = "unconditional diffusion", "diversity-aware"
LEFT_OUT, RELEASED = "nearest left out", "released"
ARMS = (REAL, FRESH, ORDINARY, UNSCREENED, LEFT_OUT, RELEASED)

_KEPT = 0.5
"""Share of the candidates that stay where the nearest are left out."""

_SAMPLER = "dpm++2m"
"""Clean images from a score of evaluations, where Heun's method leaves grain."""

_SMALL = ("correlation", "coarse local contrast", "turned, mirrored or inverted", "motions", "large motions")


@dataclass(frozen=True)
class Patients:
    """Whom a seed has, all different people.

    Parameters
    ----------
    training, holdout : ImageSet
        Whom the generators saw; who judges every set and took part in nothing.
    calibration : ImageSet
        Whom the screen and the choice of images are calibrated on.
    fresh : ImageSet
        As many again as in the training set: what a perfect generator that copies nobody would draw.
    """

    training: ImageSet
    holdout: ImageSet
    calibration: ImageSet
    fresh: ImageSet


@lru_cache(maxsize=1)
def patients(asked: Asked) -> Patients:
    """The patients of a seed.

    Raises
    ------
    InputError
        Where the images have no classes, or there are too few.
    """
    images = int(asked["images"])
    sizes = {"training": images, "holdout": images, "calibration": int(asked["calibration"]), "fresh": images}
    sets = in_memory(asked.source.deal(asked.seed, sizes))
    labels = sets["training"].labels
    if labels is None or len(np.unique(labels)) < 2:
        raise InputError(
            "the images have no classes, and this study asks what a classifier learns from each set; give images with "
            "a label column, or one folder a class"
        )
    return Patients(**sets)


def arm(asked: Asked, name: str) -> ImageSet:
    """One of the `ARMS`, prepared as the patients are, with classes; a release may be empty."""
    real = patients(asked)
    if name == REAL:
        return real.training
    if name == FRESH:
        return real.fresh
    if name == ORDINARY:
        return _ordinary(asked, real)
    candidates, model = _candidates(asked)
    if name == UNSCREENED:
        return candidates.take(np.arange(len(real.training)))
    if name == LEFT_OUT:
        return _nearest_left_out(candidates, real, asked.seed)
    return _released(candidates, model, real, asked)


def _options(asked: Asked) -> dict[str, object]:
    options: dict[str, object] = {"steps": int(asked["steps"])}
    if not asked["thorough"]:
        options |= {"channels": "32,32", "patch": 2, "batch": 32, "warmup": 10}
    return options


def _ordinary(asked: Asked, real: Patients) -> ImageSet:
    """Images without a condition, with the class that a network trained on the training images sees in each."""
    model = trained(asked, real.training, "diffusion", condition="none", options=_options(asked))
    images = _drawn(asked, model, "unconditional-set", len(real.training), None, real)
    task = Labelled.from_images("training", real.training)
    network = replace(SmallNetwork.suited(real.training.shape), batch_size=32, learning_rate=1e-2)
    seen = network(real.training.load(), task, 1, images.load(), seed=asked.seed)
    entries = (
        replace(entry, label=task.names[best]) for entry, best in zip(images.entries, seen.argmax(axis=1), strict=True)
    )
    return replace(images, entries=tuple(entries))


@lru_cache(maxsize=1)
def _candidates(asked: Asked) -> tuple[ImageSet, Model]:
    """Several for each training image: all of them once, then all once more, in shuffled order."""
    real = patients(asked)
    model = trained(asked, real.training, "diversity-aware", condition="class,features", options=_options(asked))
    count = int(asked["per_condition"]) * len(real.training)
    return _drawn(asked, model, "candidates", count, real.training, real), model


def _drawn(asked: Asked, model: Model, name: str, count: int, conditions: ImageSet | None, real: Patients) -> ImageSet:
    folder = asked.folder(name, model=model.digest)
    model.generate(
        count,
        folder,
        seed=asked.seed,
        conditions=conditions,
        sampler=_SAMPLER,
        evaluations=int(asked["evaluations"]),
        progress=asked.progress,
    )
    return replace(open_set(folder, name="candidates"), preparation=real.training.preparation)


def _nearest_left_out(candidates: ImageSet, real: Patients, seed: int) -> ImageSet:
    flat = [one.load().reshape(len(one), -1) for one in (candidates, real.training)]
    distances = nearest(*flat, 1).distances[:, 0]
    far = np.argsort(-distances)[: round(_KEPT * len(candidates))]
    rows = np.random.default_rng([seed, 61]).permutation(far)[: len(real.training)]
    return candidates.take(np.sort(rows))


def _released(candidates: ImageSet, model: Model, real: Patients, asked: Asked) -> ImageSet:
    found = screen(
        candidates,
        real.training,
        real.calibration,
        near_duplicates=_generated(model, real.training, asked.seed),
        options=ScreenOptions() if asked["thorough"] else _small_screen(),
        seed=asked.seed,
        progress=asked.progress,
    )
    if not found.accepted.any():
        return candidates.take(np.arange(0))
    chosen = select(
        candidates,
        found.accepted,
        real.training,
        real.calibration,
        count=len(real.training),
        seed=asked.seed,
        progress=asked.progress,
    )
    return candidates.take(chosen.rows)


def _generated(model: Model, training: ImageSet, seed: int) -> NearDuplicates:
    return generated_near_duplicates(training, model.denoiser(), seed=seed)


def _small_screen() -> ScreenOptions:
    """Five of the twelve representations, no registration and no networks."""
    # Registration, which follows from what leads propose, takes most of the time of a search.
    few = tuple(replace(one, leads=0) for one in (*REPRESENTATIONS, *FURTHER) if one.name in _SMALL)
    return ScreenOptions(representations=few, networks=(), embeddings=(*OUTLINES, CONTRAST), sources=8)
