"""Steps that would take too long to be done whole in a pilot: the search for copies, and the training of networks."""

from __future__ import annotations

import numpy as np

from fourfold.planning.constants import Step
from fourfold.planning.law import Law, Seconds, timed
from fourfold.planning.sizes import Sizes
from fourfold.planning.work import changes
from fourfold.privacy.representations import FURTHER, REPRESENTATIONS
from fourfold.privacy.search import search
from fourfold.utility.network import SIDES, SmallNetwork
from fourfold.utility.tasks import Labelled
from fourfold.utility.training import MOST_TESTED, REPEATS, SPLITS

__all__ = ["COPIES", "NETWORKS", "PREPARING", "SEPARATELY", "copies_laws", "networks_laws"]

COPIES: Step = ("privacy/copies", None)
PREPARING: Step = ("privacy/copies of training images", None)
"""What the search for copies does by training image, beside what it does by query."""

NETWORKS: Step = ("utility/train_synthetic_test_real_cnn", None)
SEPARATELY = {
    "copies": frozenset({"privacy/copies"}),
    "networks": frozenset({"utility/train_synthetic_test_real_cnn", "utility/real_plus_synthetic_gain_cnn"}),
}

# Training images and queries of the searches that are timed.
_IMAGES, _FEW, _MANY = 72, 8, 32
# Steps of the trainings that are timed, and images that are looked at for a step of them.
_SHORT, _LONG, _FORWARD = 1, 4, 3


def copies_laws(working: np.ndarray, asking: np.ndarray, change: Seconds, thorough: bool) -> dict[Step, Law]:
    """Time of the search for copies by query, and by training image.

    Parameters
    ----------
    working, asking : arrays, shapes (n, planes, side, side) and (m, planes, side, side)
        Working images to search among, and other ones to search for: what is found at once is registered once.
    change : Seconds
        Of one multiplication.
    thorough : bool
        Whether the representations of a full audit are searched as well.
    """
    asked = (*REPRESENTATIONS, *FURTHER) if thorough else REPRESENTATIONS
    cells = sum(changes(one, working.shape[-1]) for one in asked) * working.shape[1]

    def spent(images: int, queries: int) -> Seconds:
        training, wanted = (
            np.resize(one, (size, *one.shape[1:])) for one, size in ((working, images), (asking, queries))
        )
        seconds = timed(lambda: search(asked, training, wanted, np.arange(images)))[1]
        return (seconds - change * (cells * images * queries)).at_least_nothing()

    few, many, more = spent(_IMAGES, _FEW), spent(_IMAGES, _MANY), spent(2 * _IMAGES, _FEW)
    by_query = Law.through(_FEW, few, _MANY, many)
    by_image = ((more - few) * (1.0 / _IMAGES)).at_least_nothing()
    once = (by_query.once - by_image * _IMAGES).at_least_nothing()
    return {COPIES: Law(once, by_query.unit), PREPARING: Law(unit=by_image)}


def networks_laws(shape: tuple[int, ...], sizes: Sizes) -> dict[Step, Law]:
    """Time of the small networks that are trained, whose steps are counted, and of the images that they are tested on.

    Parameters
    ----------
    shape : tuple of int
        Of a prepared image.
    sizes : Sizes
    """
    whole = SmallNetwork.suited(shape)
    longest = SIDES[len(shape) - 1]
    side = [min(one, max(round(one * longest / max(shape[1:])), 1)) for one in shape[1:]]
    rng = np.random.default_rng(0)
    images = rng.standard_normal((whole.batch_size, shape[0], *side), dtype=np.float32)
    labels = np.array(["a", "b"])[np.arange(len(images)) % 2]
    task = Labelled.from_arrays("training", labels, None, len(labels))
    # The first one in a process waits for what is imported.
    first = timed(lambda: _train(SmallNetwork(steps=_SHORT, batch_size=whole.batch_size), images, task))[1]
    short, long = (
        timed(lambda steps=steps: _train(SmallNetwork(steps=steps, batch_size=whole.batch_size), images, task))[1]
        for steps in (_SHORT, _LONG)
    )
    step = ((long - short) * (1.0 / (_LONG - _SHORT))).at_least_nothing()
    # Real, synthetic and both together, and real ones repeated where there are more of them; halves of either.
    trainings = REPEATS * (4 if sizes.training > sizes.synthetic else 3) + 4 * SPLITS
    folds = 1 if sizes.holdout else 2
    tested = min(sizes.holdout, MOST_TESTED) if sizes.holdout else sizes.training // 2
    forward = step * (trainings * folds * tested / (_FORWARD * whole.batch_size))
    total = step * (trainings * folds * whole.steps) + forward
    # They are trained side by side, a thread each.
    beside = Seconds(total.processor, total.wall / min(whole.workers, trainings))
    return {NETWORKS: Law(once=(first - short).at_least_nothing() + beside)}


def _train(network: SmallNetwork, images: np.ndarray, task: Labelled) -> None:
    network(images, task, 1.0, images[:1], 0)
