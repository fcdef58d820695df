"""Predicts passes, time and memory of an evaluation before it is begun."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from fourfold.comparison import Progress, Role, no_progress
from fourfold.errors import InputError
from fourfold.evaluation import DEFAULT_FEATURES, asked_metrics
from fourfold.features import FeatureExtractor
from fourfold.features import get as get_extractor
from fourfold.images.sets import ImageSet
from fourfold.images.sources import open_set
from fourfold.planning.advice import advised
from fourfold.planning.constants import Constants
from fourfold.planning.measuring import LARGEST_PILOT, measured
from fourfold.planning.memory import held_bytes
from fourfold.planning.passes import kernel_sees
from fourfold.planning.pilot import drawn, phantom_sets
from fourfold.planning.predict import predicted
from fourfold.planning.results import Plan
from fourfold.planning.sizes import Sizes

__all__ = ["plan"]

# Images of the smaller sets of a pilot, at least.
_LEAST = 24


def plan(
    synthetic: Any,
    train: Any,
    holdout: Any | None = None,
    reference: Any | None = None,
    *,
    features: Sequence[str | FeatureExtractor] = DEFAULT_FEATURES,
    only: Iterable[str] | None = None,
    thorough: bool = False,
    image_size: int | tuple[int, ...] = 64,
    splits: Mapping[Role, str] | None = None,
    reading: Mapping[str, Any] | None = None,
    preparation: Mapping[str, Any] | None = None,
    engine: str = "local",
    workers: int = 1,
    measure: bool = True,
    constants: Constants | None = None,
    memory: int = 1 << 30,
    device: str = "cpu",
    progress: Progress = no_progress,
) -> Plan:
    """Predict what `fourfold.evaluate` will take.

    Products are counted; how long they and everything else take is measured first, in about half a minute, on small
    sets of the same images in the same feature spaces.

    Parameters
    ----------
    synthetic, train, holdout, reference : int, or a set
        Numbers of images, all of them, or sets as `fourfold.evaluate` takes them; the holdout and the reference may
        be None. Of sets, some images are read.
    features, only, thorough, memory, device
        As for `fourfold.evaluate`.
    image_size : int or tuple of int
        Side of a square, (H, W) or (D, H, W): of the images, where only their numbers are given. They are taken to
        have one channel and two classes.
    splits : mapping of role to str or None
        The split of each set, as for `fourfold.evaluate`.
    reading, preparation : mapping of str to Any, or None
        How sets are opened (``columns``, ``root``, ``volumes``, ``slices``) and prepared (``size``, ``channels``,
        ``scaling``), as for `fourfold.evaluate`.
    engine : {"local", "ray"}
        Where the evaluation is to run. Everything is measured here in any case.
    workers : int
        Of a cluster.
    measure : bool
        False counts and measures no time.
    constants : Constants or None
        Of an earlier plan of the same images and spaces on this machine, in the place of a measurement.
    progress : callable
        Called with (task, done, total).

    Returns
    -------
    Plan

    Raises
    ------
    InputError
        Where numbers and sets are mixed, an option is out of range, or a set, a metric or a feature extractor cannot
        be found.
    """
    if engine not in ("local", "ray"):
        raise InputError(f"a plan knows the engines local and ray, got {engine!r}")
    if workers < 1:
        raise InputError(f"--workers must be at least 1, got {workers}")
    asked = asked_metrics(only, thorough)
    given = {"training": train, "synthetic": synthetic, "holdout": holdout, "reference": reference}
    sources = {role: source for role, source in given.items() if source is not None}
    extractors = [get_extractor(one) if isinstance(one, str) else one for one in features]
    with _opened(sources, image_size, splits or {}, reading or {}) as (sizes, alone, pilot):
        found = constants or measured(
            asked,
            extractors,
            pilot,
            sizes,
            preparation=preparation or {},
            timing=measure,
            device=device,
            memory=memory,
            thorough=thorough,
            progress=progress,
        )
    missing = [extractor.name for extractor in extractors if extractor.name not in found.widths]
    if missing:
        raise InputError(f"the constants do not cover the feature space {missing[0]!r}; measure them again")
    sharded = engine == "ray"
    depth = max((metric.neighbors for metric in asked), default=1)
    seen = [
        extractor.name
        for extractor in extractors
        if not sharded
        and "fidelity/kernel_distance" in {metric.key for metric in asked}
        and kernel_sees(sizes, found.widths[extractor.name], depth, alone=alone, distance=extractor.distance)
    ]
    options = {"memory": memory, "thorough": thorough, "workers": workers, "sharded": sharded, "seen": seen}
    steps = predicted(asked, sizes, found, **options)
    timing = bool(found.laws)
    return Plan(
        sizes=sizes,
        constants=found,
        steps=steps,
        held=found.base + held_bytes(sizes, list(found.widths.values())),
        engine=engine,
        workers=workers,
        timed=timing,
        advice=advised(steps, sizes, timing, sharded),
        settings={
            "only": None if only is None else sorted(only),
            "thorough": thorough,
            "memory": memory,
            "device": device,
            "processors": os.cpu_count() or 1,
            "machine": platform.machine(),
        },
    )


@contextmanager
def _opened(
    sources: Mapping[Role, Any],
    image_size: int | tuple[int, ...],
    splits: Mapping[Role, str],
    reading: Mapping[str, Any],
) -> Iterator[tuple[Sizes, bool, dict[Role, ImageSet]]]:
    """The sizes that are planned for, whether each image is a patient of its own, and images to measure on."""
    numbers = {role: source for role, source in sources.items() if isinstance(source, int)}
    if numbers and len(numbers) < len(sources):
        raise InputError("give either the sizes of all sets or the sets themselves")
    if numbers:
        sizes = Sizes(**numbers)
        side = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
        with phantom_sets(sizes.at_most(LARGEST_PILOT, _LEAST), side) as pilot:
            yield sizes, True, pilot
        return
    sets = {role: open_set(source, name=role, split=splits.get(role), **reading) for role, source in sources.items()}
    sizes = Sizes(**{role: len(images) for role, images in sets.items()})
    patients = [one.patients for one in (sets["training"], sets["synthetic"])]
    alone = all(one is None or len(np.unique(one)) == len(one) for one in patients)
    yield sizes, alone, drawn(sets, sizes.at_most(LARGEST_PILOT, _LEAST))
