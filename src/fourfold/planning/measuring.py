"""Times every part of an evaluation on small sets, of the images and in the feature spaces that are planned for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from fourfold.answers import BY_DISTANCE_ALONE
from fourfold.comparison import Comparison, Progress, Role, Sets, Spaces
from fourfold.errors import InputError
from fourfold.feature_spaces import compared_in
from fourfold.features import FeatureExtractor
from fourfold.images.sets import ImageSet
from fourfold.opening import Opened, open_sets
from fourfold.planning.constants import READING, Constants, Step, draws_step, features_step, neighbours_step
from fourfold.planning.draws import DRAWS, HELD, part_share, shared_draws
from fourfold.planning.law import Law, Seconds, timed
from fourfold.planning.memory import resident
from fourfold.planning.passes import neighbour_passes
from fourfold.planning.rates import kinds_of, neighbours_law, rate_of
from fourfold.planning.separately import SEPARATELY, copies_laws, networks_laws
from fourfold.planning.sizes import Sizes
from fourfold.planning.work import ONCE, Kind, metric_work
from fourfold.privacy.working import working_images
from fourfold.resampling.held import held_parts
from fourfold.score import Metric

__all__ = ["LARGEST_PILOT", "measured"]

# Images of the largest set in the two pilots, and of the others at least: below it, too few for most nulls.
_SMALL, LARGEST_PILOT, _LEAST = 56, 168, 24

Opener = Callable[[Mapping[Role, ImageSet]], Opened]


def measured(
    asked: Sequence[Metric],
    extractors: Sequence[FeatureExtractor],
    pilot: Mapping[Role, ImageSet],
    sizes: Sizes,
    *,
    preparation: Mapping[str, Any],
    timing: bool = True,
    device: str = "cpu",
    memory: int = 1 << 30,
    thorough: bool = False,
    progress: Progress,
) -> Constants:
    """Time the steps of an evaluation.

    Parameters
    ----------
    asked : sequence of Metric
    extractors : sequence of FeatureExtractor
    pilot : mapping of role to ImageSet
        Images to measure on, `LARGEST_PILOT` of the largest set.
    sizes : Sizes
        Planned for.
    preparation : mapping of str to Any
        Size, channels and scaling, as `fourfold.opening.open_sets` takes them.
    timing : bool
        False for the shapes alone.
    device, memory, thorough, progress
        As for `fourfold.evaluate`.
    """
    base = resident()
    held = Sizes(**{role: len(images) for role, images in pilot.items()})
    depth = max((metric.neighbors for metric in asked), default=1)

    def opened_of(size: Sizes) -> Opened:
        chosen = {role: pilot[role].take(range(size.of(role))) for role in size.roles}
        reference = chosen.get("reference")
        return open_sets(
            chosen["synthetic"],
            chosen["training"],
            chosen.get("holdout"),
            reference,
            thorough=thorough,
            memory=memory,
            **preparation,
        )

    small = held.at_most(_SMALL, _LEAST)
    turns = ([small] if small != held else []) + [held] if timing else [small]
    clock = _Clock(asked, extractors, device, depth, progress, len(turns))
    for size in turns:
        clock.turn(size, opened_of, last=size == turns[-1], timing=timing)
    comparisons, sets = clock.comparisons, clock.sets
    widths = {space: comparison.training.values.shape[1] for space, comparison in comparisons.items()}
    working = working_images(sets.training.take([0]))
    constants = Constants(sets.training.shape, working[0].size, working.shape[1], widths, base)
    if not timing:
        return constants
    progress("measuring products", 0, 1)
    rates: dict[tuple[Kind, int], Seconds] = {}
    laws: dict[Step, Law] = {}
    for space, width in widths.items():
        for kind in kinds_of(asked, width):
            if (kind, width) not in rates:
                rates[kind, width] = rate_of(kind, width)
        law, rates["neighbours", width] = neighbours_law(width, sizes, comparisons[space].distance, depth)
        laws[neighbours_step(space)] = law
    names = {metric.key for metric in asked}
    if "privacy/highest_correlation" in names:
        rates["search", constants.cells] = rate_of("search", constants.cells)
    if "privacy/copies" in names:
        rates["changes", 0] = rate_of("changes", 0)
        both = (working_images(one) for one in (sets.training, sets.synthetic))
        laws |= copies_laws(*both, rates["changes", 0], thorough)
    if names & SEPARATELY["networks"] and sets.training.labels is not None:
        laws |= networks_laws(sets.training.shape, sizes)
    progress("measuring products", 1, 1)
    constants = replace(constants, rates=rates, laws=laws)
    return replace(constants, laws={**laws, **clock.laws(asked, constants)})


class _Clock:
    """Times of every step in every pilot."""

    def __init__(
        self,
        asked: Sequence[Metric],
        extractors: Sequence[FeatureExtractor],
        device: str,
        depth: int,
        progress: Progress,
        turns: int,
    ) -> None:
        self._asked, self._extractors = asked, extractors
        self._device, self._depth, self._progress, self._turns = device, depth, progress, turns
        self._taken: dict[Step, list[tuple[Sizes, Seconds]]] = {}
        self._turn = 0
        self.comparisons: dict[str, Comparison] = {}
        self.sets: Sets

    def turn(self, size: Sizes, opening: Callable[[Sizes], Opened], *, last: bool, timing: bool) -> None:
        """Do everything once, on sets of one size."""
        opened = self._time(READING, size, lambda: opening(size))
        self.sets = opened.sets
        for extractor in self._extractors:
            step = features_step(extractor.name)
            found = self._time(
                step,
                size,
                lambda one=extractor: compared_in(opened, one, None, device=self._device, depth=self._depth),
            )
            self.comparisons[extractor.name] = found
        apart = set().union(*SEPARATELY.values())
        for place, metric in enumerate(self._asked if timing else ()):
            self._progress("measuring", self._turn * len(self._asked) + place, self._turns * len(self._asked))
            if metric.key in apart or (metric.key in ONCE and not last):
                continue
            for space, subject in self._subjects(metric):
                if metric.key in HELD and size.holdout:
                    self._draw(space, size)
                self._time((metric.key, space), size, lambda what=subject, one=metric: one.compute(what))
        self._turn += 1

    def _draw(self, space: str, size: Sizes) -> None:
        """Time the parts that several metrics share, before the first of them."""
        comparison, step = self.comparisons[space], draws_step(space)
        if any(done == size for done, _ in self._taken.get(step, ())):
            return
        # Where so few patients have no balls, the metrics will say so.
        with suppress(InputError):
            self._time(step, size, lambda: held_parts(comparison, part_share(size), DRAWS))

    def laws(self, asked: Sequence[Metric], constants: Constants) -> dict[Step, Law]:
        """The lines through what was timed, the products taken off."""
        found: dict[Step, Law] = {}
        for step, taken in self._taken.items():
            points = []
            for size, seconds in taken:
                units, spent = self._counted(step, size, constants)
                points.append((units, (seconds - spent).at_least_nothing()))
            (few, less), (many, more) = points[0], points[-1]
            found[step] = Law(once=more) if step[0] in ONCE else Law.through(few, less, many, more)
        return found

    def _counted(self, step: Step, size: Sizes, constants: Constants) -> tuple[float, Seconds]:
        """Units of a step, and the time of its products."""
        name, space = step
        width = 0 if space is None else constants.widths[space]
        if name == "draws":
            searches = shared_draws(size)
            return searches.units, constants.rate("search", width) * (searches.pairs * width)
        if "/" not in name:
            return float(size.images), Seconds()
        work = metric_work(
            name, size, width, cells=constants.cells, planes=constants.planes, thorough=self.sets.thorough
        )
        spent = Seconds()
        for kind, times in work.products.items():
            spent += constants.rate(kind, width or constants.cells) * times
        return work.units, spent

    def _time(self, step: Step, size: Sizes, task: Callable[[], Any]) -> Any:
        found, seconds = timed(task)
        self._taken.setdefault(step, []).append((size, seconds))
        return found

    def _subjects(self, metric: Metric) -> list[tuple[str | None, Any]]:
        """What a metric is asked about, as in an evaluation; the neighbours that it shares are known beforehand."""
        if metric.kind == "images":
            return [(None, self.sets)]
        if metric.kind == "spaces":
            plain = {space: one for space, one in self.comparisons.items() if one.distance != "hamming"}
            return [(None, Spaces(self.sets, plain))] if plain else []
        spaces = [
            space
            for space, one in self.comparisons.items()
            if (metric.spaces is None or space in metric.spaces)
            and (one.distance != "hamming" or metric.key in BY_DISTANCE_ALONE)
        ]
        # The kernel distance would see them, and be timed with them.
        if neighbour_passes([metric.key], Sizes(9, 9, 9)) or metric.key == "fidelity/kernel_distance":
            for space in spaces:
                self.comparisons[space].neighbors("synthetic", "training", 1)
        return [(space, self.comparisons[space]) for space in spaces]
