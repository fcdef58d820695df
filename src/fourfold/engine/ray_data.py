"""Pieces as a Ray Data set: a pool of actors, each of which makes the work once.

Reading and computing are one step, in the same actor, rather than two: decoded images are far larger than features
and would otherwise fill the object store.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from fourfold.engine.outcome import Outcome
from fourfold.errors import FourfoldError

__all__ = ["streamed"]

BLOCKS = 4096
"""Most blocks that a set is cut into; beyond that a block holds several pieces."""
ATTEMPTS = 4
"""How often a piece is begun in one round; Ray itself would begin one that always kills its actor without end."""
FRUITLESS_ROUNDS = 3
"""How often what is missing is tried again without a single result."""


def streamed(
    make: Callable[[], Callable[[Any], Any]], pieces: Sequence[Any], workers: int, accelerated: bool
) -> Iterator[tuple[int, Any]]:
    """Yield (place, result) as results come; see `fourfold.engine.Engine.stream`.

    Ray starts an actor that died anew, where there is room, and gives it what it was doing again. Blocks that are lost
    in spite of that are missing at the end, and go through another pool.
    """
    from ray.exceptions import RayError

    left, fruitless = dict(enumerate(pieces)), 0
    while left:
        before, cause = len(left), None
        try:
            for place, outcome in _round(make, left, workers, accelerated):
                if place in left:
                    # Taken out of what is left once it is there: work that lost what it shares is done again.
                    result = outcome.get()
                    del left[place]
                    yield place, result
        except RayError as error:
            cause = error
        fruitless = fruitless + 1 if len(left) == before else 0
        if fruitless == FRUITLESS_ROUNDS:
            raise FourfoldError(
                f"the workers of the Ray cluster died {fruitless} times without a result, which is mostly for want of "
                "memory; use fewer workers or smaller pieces"
            ) from cause


def _round(
    make: Callable[[], Callable[[Any], Any]], pieces: dict[int, Any], workers: int, accelerated: bool
) -> Iterator[tuple[int, Outcome]]:
    """What one pool of actors gets done, in no particular order."""
    import ray
    from ray import data

    with _quiet(data.DataContext.get_current()):
        items = [{"place": place, "piece": piece} for place, piece in pieces.items()]
        blocks = data.from_items(items, override_num_blocks=min(len(items), BLOCKS))
        processors = max(int(ray.cluster_resources().get("CPU", 1)), 1)
        actors = min(workers, len(items), processors)
        done = blocks.map_batches(
            _Worker,
            fn_constructor_args=(make, _count_here()),
            batch_size=1,
            batch_format="numpy",
            # One that may shrink: the last actor of a machine that is gone needs a place that another has left.
            compute=data.ActorPoolStrategy(min_size=1, max_size=actors, initial_size=actors),
            num_cpus=1,
            num_gpus=1 if accelerated else None,
        )
        for row in done.iter_rows():
            yield int(row["place"]), row["outcome"]


def _count_here() -> Any:
    """The actor that counts beginnings, on this machine, which no worker's death takes away."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    place = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
    return ray.remote(num_cpus=0, scheduling_strategy=place)(_Beginnings).remote()


@contextmanager
def _quiet(context: Any) -> Iterator[None]:
    """Without the bars and plans of Ray Data, and past blocks that died: the next round does them."""
    wanted = {"enable_progress_bars": False, "print_on_execution_start": False, "max_errored_blocks": -1}
    before = {name: getattr(context, name) for name in wanted}
    logger = logging.getLogger("ray.data")
    level = logger.level
    for name, value in wanted.items():
        setattr(context, name, value)
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(context, name, value)
        logger.setLevel(level)


class _Beginnings:
    """Counts how often each piece was begun."""

    def __init__(self) -> None:
        self._counted: Counter[int] = Counter()

    def another(self, place: int) -> int:
        self._counted[place] += 1
        return self._counted[place]


class _Worker:
    """An actor of the pool."""

    def __init__(self, make: Callable[[], Callable[[Any], Any]], beginnings: Any) -> None:
        self._work: Callable[[Any], Any] | None = None
        self._make, self._beginnings = make, beginnings

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        outcomes = np.empty(len(batch["piece"]), dtype=object)
        for row, (place, piece) in enumerate(zip(batch["place"], batch["piece"], strict=True)):
            outcomes[row] = Outcome.of(lambda place=int(place), piece=piece: self._do(place, piece))
        return {"place": batch["place"], "outcome": outcomes}

    def _do(self, place: int, piece: Any) -> Any:
        import ray

        if ray.get(self._beginnings.another.remote(place)) > ATTEMPTS:
            raise FourfoldError(
                f"a worker of the Ray cluster died {ATTEMPTS} times at the same piece, which is mostly for want of "
                "memory; use fewer workers or smaller pieces"
            )
        # Made here rather than at the start, so that what goes wrong in it is told like everything else.
        if self._work is None:
            self._work = self._make()
        return self._work(piece)
