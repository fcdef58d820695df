"""What an evaluation will take, from what was counted and what was measured."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import prod

from fourfold.planning.cluster import shared_out
from fourfold.planning.constants import READING, Constants, Step, draws_step, features_step, neighbours_step
from fourfold.planning.draws import HELD, shared_draws
from fourfold.planning.law import Law
from fourfold.planning.memory import copies_bytes, features_bytes, metric_bytes, neighbours_bytes
from fourfold.planning.passes import Pass, kernel_passes, neighbour_passes
from fourfold.planning.results import PlannedStep
from fourfold.planning.separately import COPIES, NETWORKS, PREPARING, SEPARATELY
from fourfold.planning.sizes import Sizes
from fourfold.planning.work import Kind, Work, metric_work
from fourfold.score import Metric

__all__ = ["predicted"]

# Multiplications below which no bound from few components is tried, and the least share of the columns that it needs:
# see `fourfold.neighbors.narrowing`.
_WORTH_A_TRIAL, _COLUMNS, _FEWEST = 1 << 35, 64, 32


def predicted(
    asked: Sequence[Metric],
    sizes: Sizes,
    constants: Constants,
    *,
    memory: int,
    thorough: bool = False,
    workers: int = 1,
    sharded: bool = False,
    seen: Collection[str] = (),
) -> tuple[PlannedStep, ...]:
    """Every step of an evaluation in its order, without those that take nothing.

    Parameters
    ----------
    asked : sequence of Metric
    sizes : Sizes
    constants : Constants
    memory : int
        Bytes that a search may use.
    thorough : bool
    workers : int
        Of a cluster, that share what can be shared.
    sharded : bool
        Whether there is a cluster.
    seen : collection of str
        Spaces in which the kernel distance sees the products of the neighbours.
    """
    depth = max((metric.neighbors for metric in asked), default=1)
    names = [metric.key for metric in asked]
    pixels = prod(constants.shape)
    found = [_step(READING, Work(sizes.images), constants, 0)]
    for space, width in constants.widths.items():
        step = features_step(space)
        work = _step(step, Work(sizes.images), constants, features_bytes(sizes, width, pixels))
        found.append(shared_out(work, workers) if sharded else work)
    for space, width in constants.widths.items():
        passes = neighbour_passes(_in_space(asked, space), sizes, sharded=sharded, seen=space in seen)
        if passes:
            step = _neighbours(space, passes, sizes, constants, neighbours_bytes(sizes, width, depth, memory))
            found.append(shared_out(step, workers) if sharded else step)
        found += _draws(space, _in_space(asked, space), sizes, constants)
    for metric in asked:
        if metric.key in SEPARATELY["networks"]:
            continue
        spaces: list[str | None] = [None] if metric.kind != "features" else _meant(metric, constants)
        for space in spaces:
            if constants.laws and (metric.key, space) not in constants.laws:
                # It says at once that it does not apply, for example to codes.
                continue
            width = 0 if space is None else constants.widths[space]
            work = metric_work(
                metric.key,
                sizes,
                width,
                cells=constants.cells,
                planes=constants.planes,
                thorough=thorough,
                seen=space in seen,
            )
            passes = kernel_passes(sizes) if "kernel" in work.products else ()
            used = metric_bytes(sizes, width)
            if (metric.key, space) == COPIES:
                used = copies_bytes(sizes, constants.cells, memory, thorough)
            elif metric.kind == "images":
                used = 4 * constants.cells * sizes.judged
            step = _step((metric.key, space), work, constants, used, passes)
            if (metric.key, space) == COPIES:
                # Every training image is also seen in every representation, once.
                step = step.longer(constants.laws.get(PREPARING, Law()).at(sizes.training))
            found.append(step)
    if SEPARATELY["networks"].intersection(names):
        found.append(_step(NETWORKS, Work(0.0), constants, min(memory, 4 * pixels * sizes.judged * 2)))
    return tuple(found)


def _in_space(asked: Sequence[Metric], space: str) -> list[str]:
    return [metric.key for metric in asked if metric.spaces is None or space in metric.spaces]


def _meant(metric: Metric, constants: Constants) -> list[str | None]:
    return [space for space in constants.widths if metric.spaces is None or space in metric.spaces]


def _step(step: Step, work: Work, constants: Constants, used: int, passes: Sequence[Pass] = ()) -> PlannedStep:
    name, space = step
    width = 0 if space is None else constants.widths.get(space, 0)
    spent = constants.laws.get(step, Law()).at(work.units)
    for kind, times in work.products.items():
        spent += constants.rate(kind, width or constants.cells) * times
    products = sum(work.products.values())
    return PlannedStep(name, space, sum(one.times for one in passes), products, spent, spent, used)


def _neighbours(space: str, passes: Sequence[Pass], sizes: Sizes, constants: Constants, used: int) -> PlannedStep:
    width = constants.widths[space]
    kind: Kind = "neighbours"
    law, rate = constants.laws.get(neighbours_step(space), Law()), constants.rate(kind, width)
    rows, products = law.at(sizes.judged), sum(one.pairs * width for one in passes)
    whole = rows + rate * products
    spared = rows + rate * sum(_spared(one, width) for one in passes)
    return PlannedStep("neighbours", space, sum(one.times for one in passes), products, whole, spared, used)


def _draws(space: str, asked: Sequence[str], sizes: Sizes, constants: Constants) -> list[PlannedStep]:
    """The parts that several metrics share, where there are such metrics and a holdout."""
    step, width = draws_step(space), constants.widths[space]
    if not sizes.holdout or HELD.isdisjoint(asked) or (constants.laws and step not in constants.laws):
        return []
    searches = shared_draws(sizes)
    work = Work(searches.units, {"search": searches.pairs * width})
    # A part is at most half of each set.
    return [_step(step, work, constants, 4 * width * sizes.judged)]


def _spared(one: Pass, width: int) -> float:
    """What is left at best of a pass where a bound from a few components settles nearly every row."""
    multiplications = one.pairs * width
    # Who takes means over all pairs needs every product.
    if one.purpose == "both" or width < _COLUMNS or multiplications / one.times < _WORTH_A_TRIAL:
        return multiplications
    return multiplications * min(1.0, _FEWEST / width)
