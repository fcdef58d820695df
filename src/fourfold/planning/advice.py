"""What dominates a plan, and what would make it cheaper."""

from __future__ import annotations

from collections.abc import Sequence

from fourfold.planning.results import PlannedStep
from fourfold.planning.sizes import Sizes

__all__ = ["advised"]

# Share of the whole from which a step is named, and images from which an approximate search is worth its error.
_NAMED, _LARGE = 0.1, 10_000_000
_TO_DO = {
    "features": "more --workers or a faster --device would; features in the --store are not computed twice",
    "neighbours": "fewer images would, by the square; so would the workers of --engine ray, and features whose spread "
    "falls off, since a bound from a few components then spares most of it",
    "privacy/copies": "fewer synthetic images would, or leaving privacy out with --only while a generator is being "
    "tuned",
    "utility/train_synthetic_test_real_cnn": "leaving utility out with --only would; its time hardly grows with the "
    "sets",
}


def advised(steps: Sequence[PlannedStep], sizes: Sizes, timed: bool, sharded: bool) -> tuple[str, ...]:
    """Sentences about the steps that take the most."""
    total = sum(_cost(step, timed) for step in steps)
    found = []
    if total > 0:
        ranked = sorted(steps, key=lambda step: -_cost(step, timed))
        first = ranked[0]
        word = "time" if timed else "products"
        found.append(f"{first.title} takes {_cost(first, timed) / total:.0%} of the {word}.")
        for step in ranked[:3]:
            if step.name in _TO_DO and _cost(step, timed) > _NAMED * total:
                found.append(f"To make {step.title} cheaper: {_TO_DO[step.name]}.")
    if max(sizes.training, sizes.synthetic) >= _LARGE:
        found.append(
            "Beyond ten million images an approximate search (--search ivf, the extra faiss) takes minutes where the "
            "exact one takes days; its recall is measured and reported."
        )
    if sharded:
        found.append(
            "That workers start in 8 s and that each adds 85 % of one is assumed from runs on one machine; what is not "
            "shared out runs on the first."
        )
    return tuple(found)


def _cost(step: PlannedStep, timed: bool) -> float:
    return step.seconds.wall if timed else step.multiplications
