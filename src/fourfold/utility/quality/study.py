"""Does what helps a model trained on real images also help one trained on synthetic images?

A factorial study. Knobs of data quality are crossed with the source of the training images; every cell is trained from
the same seeds for the same number of steps and tested on the same real patients. For every knob and source the effect
is the score with the knob less the score without it, the mean over all settings of the other knobs; the *interaction*
is the effect on the other source less the effect on the first one, and the answer rests on it, since an effect that is
found on one source and missed on the other need not differ.

What an interval covers: other patients to be tested, and other seeds. A seed gives first weights, noise and a draw of
training images, with as little overlap between seeds as a pool allows. Where a pool holds as many images as all seeds
together draw, no image is seen under two seeds, and the interval speaks of other training sets too; where every seed
sees the whole pool, it speaks of this pool only. It never speaks of another generator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path

import numpy as np

from fourfold import __version__
from fourfold.errors import InputError
from fourfold.utility.arms import draw
from fourfold.utility.learning.contract import Examples, Task
from fourfold.utility.quality.conclusion import QualityStudy, conclude
from fourfold.utility.quality.design import Cell, Design
from fourfold.utility.quality.knobs import Balance, Noise, strata
from fourfold.utility.quality.units import Unit, digest_of_settings, kept
from fourfold.utility.roc import patient_weights
from fourfold.utility.tasks import Labelled

__all__ = ["quality_study"]


def quality_study(
    task: Task,
    sources: Mapping[str, Examples],
    test: Examples,
    design: Design,
    *,
    device: str = "cpu",
    units: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> QualityStudy:
    """Run a factorial study of data quality.

    Parameters
    ----------
    task : Task
    sources : mapping of str to Examples
        Pools of training images, ``"real"`` first, then ``"synthetic"`` and any others, such as a mixture.
    test : Examples
        Real patients, none of whom is in a pool or was seen by the generator.
    design : Design
    device : str
    units : Path or None
        A folder in which each trained network leaves its scores, so that a study that was killed goes on.
    progress : callable or None
        Called with (trained, total).

    Raises
    ------
    InputError
        Where there is one source only, a pool is smaller than the design asks for or cannot be balanced, or the test
        patients allow no score.
    """
    size = _size(sources, design)
    groups = np.unique(test.patients, return_inverse=True)[1]
    weights = patient_weights(groups, design.samples, np.random.default_rng([design.seed, 1]))
    data = {name: examples.digest() for name, examples in {**sources, "": test}.items()}
    places = list(product(range(len(sources)), range(len(design.cells)), range(design.seeds)))
    found: dict[tuple[int, int, int], Unit] = {}
    for source, cell, seed in places:
        name, pool = list(sources.items())[source]
        settings = {
            "fourfold": __version__,
            "task": f"{type(task).__module__}.{type(task).__qualname__} {sorted(vars(task).items())!r}",
            "data": [data[name], data[""]],
            "cell": [knob.name for knob in design.cells[cell]],
            "numbers": [source, seed, size, design.steps, design.samples, design.seed, device],
        }

        def make(
            pool: Examples = pool, cell: Cell = design.cells[cell], source: int = source, seed: int = seed
        ) -> Unit:
            examples = _training(pool, cell, size, (design.seed, 2, source), seed)
            predictor = task.fit(examples, seed=design.seed + seed, steps=design.steps, device=device)
            outcomes = task.outcomes(predictor(test.images), test)
            return Unit(task.headline(outcomes, weights), task.metric(outcomes))

        found[source, cell, seed] = kept(units, digest_of_settings(settings), make)
        if progress is not None:
            progress(len(found), len(places))
    return conclude(tuple(sources), design, found, int(groups.max()) + 1)


def _size(sources: Mapping[str, Examples], design: Design) -> int:
    if len(sources) < 2:
        raise InputError("a study of quality compares two sources of training images; give real and synthetic ones")
    smallest = min(sources, key=lambda name: len(sources[name]))
    size = len(sources[smallest]) if design.size is None else design.size
    if not 1 <= size <= len(sources[smallest]):
        raise InputError(
            f"the {smallest} set has {len(sources[smallest])} images and {size} are drawn from each; draw fewer"
        )
    return size


def _training(pool: Examples, cell: Cell, size: int, key: tuple[int, ...], seed: int) -> Examples:
    """The examples of one unit: drawn by patient, made worse and balanced as the cell says.

    The draw and the noise depend on the source and the seed alone, so that cells differ in their knobs only.
    """
    numbers = strata(pool)
    shares = np.eye(int(numbers.max()) + 1, dtype=np.float32)[numbers]
    patients = np.unique(pool.patients, return_inverse=True)[1]
    whole = Labelled(tuple(map(str, range(shares.shape[1]))), True, shares, patients)
    order = np.concatenate(draw(whole, size, np.random.default_rng(key)))
    rows = order[(np.arange(size) + seed * size) % len(order)]
    # Errors come with the images, balance is what somebody does about the set as it is.
    for knob in sorted(cell, key=lambda knob: isinstance(knob, Balance)):
        generator = np.random.default_rng([*key, seed, *knob.name.encode()])
        if isinstance(knob, Noise):
            pool = knob.alter(pool, generator)
        else:
            rows = knob.choose(pool, rows, generator)
    return pool.take(rows)
