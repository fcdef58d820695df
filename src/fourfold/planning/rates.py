"""Times the products: among subsamples, between whole sets, in float64, decompositions, and changes of images."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from fourfold.comparison import Comparison, Features
from fourfold.fidelity.frechet import FrechetReference
from fourfold.fidelity.kernel import cubic, kernel_distance
from fourfold.fidelity.kernel_seen import KernelOnlooker
from fourfold.fidelity.moments import Moments
from fourfold.neighbors import Frame, nearest
from fourfold.planning.draws import HELD
from fourfold.planning.frechet import DEALT_WIDTH
from fourfold.planning.law import Law, Seconds, timed
from fourfold.planning.passes import neighbour_passes
from fourfold.planning.sizes import Sizes
from fourfold.planning.work import Kind, metric_work
from fourfold.score import Metric

__all__ = ["kinds_of", "neighbours_law", "rate_of"]

# Multiplications of a measurement: about a hundredth of a second to a tenth.
_ENOUGH = 1e9
# Rows of a search that is timed, at least and at most; and of one among subsamples.
_ROWS, _SHORT = (256, 1500), 150
# Width beyond which a matrix is decomposed at this one: the time grows with the cube.
_WIDEST = 640
_LENGTH = 200
# Rows and columns of the products that a kernel is taken from.
_SEEN = 1024


def kinds_of(asked: Sequence[Metric], width: int) -> set[Kind]:
    """The kinds of products that metrics need in a space of that width."""
    features = [metric.key for metric in asked if metric.kind == "features"]
    found = {kind for key in features for kind in metric_work(key, Sizes(9, 9, 9), width).products}
    if "fidelity/kernel_distance" in features:
        found.add("cubes")
    return found if HELD.isdisjoint(features) else found | {"search"}


def rate_of(kind: Kind, width: int) -> Seconds:
    """Time of one multiplication."""
    return _MEASURES[kind](max(width, 1))


def neighbours_law(width: int, sizes: Sizes, distance: str, depth: int) -> tuple[Law, Seconds]:
    """Time of neighbours between whole sets: by image, and by multiplication.

    Parameters
    ----------
    width : int
    sizes : Sizes
        Planned for: the sets that are timed have the same proportions.
    distance : str
    depth : int
        Neighbours that are asked for.
    """
    rows = int(np.clip((_ENOUGH / width) ** 0.5, *_ROWS))
    points = []
    for most in (rows // 3, rows):
        small = sizes.at_most(most, least=24)
        comparison = _normal(small, width, distance, depth)
        _, seconds = timed(lambda one=comparison: one.neighbors("synthetic", "training", 1))
        pairs = sum(one.pairs for one in neighbour_passes(["fidelity/precision"], small))
        points.append((small.judged, pairs * width, seconds))
    (few, less, short), (many, more, long) = points
    # Time a rows + b multiplications; the few rows of a measurement may hide b, which is no less than a bare product's.
    scale, rate = few / many, _plain(width)
    if more > less:
        rate = _between(rate, (short - long * scale) * (1.0 / (less - more * scale)), long * (1.0 / more))
    return Law(unit=((long - rate * more) * (1.0 / many)).at_least_nothing()), rate


def _between(least: Seconds, found: Seconds, most: Seconds) -> Seconds:
    """What was found, but for what chance made smaller or larger than it can be."""
    return Seconds(
        min(max(found.processor, least.processor), most.processor), min(max(found.wall, least.wall), most.wall)
    )


def _normal(sizes: Sizes, width: int, distance: str, depth: int) -> Comparison:
    rng = np.random.default_rng(width)
    spread = (np.arange(1, width + 1) ** -0.5).astype(np.float32)

    def drawn(size: int, first: int) -> Features:
        return Features(rng.standard_normal((size, width), dtype=np.float32) * spread, first + np.arange(size))

    holdout = drawn(sizes.holdout, sizes.training) if sizes.holdout else None
    synthetic = Features(drawn(sizes.synthetic, 0).values)
    return Comparison("measured", drawn(sizes.training, 0), synthetic, holdout, distance=distance, depth=depth)


def _search(width: int) -> Seconds:
    """Of the searches among subsamples, which are short: the difference between two sizes."""
    rng = np.random.default_rng(0)
    times = []
    for rows in (_SHORT, 4 * _SHORT):
        values = rng.standard_normal((rows, width), dtype=np.float32)
        times.append(_repeated(lambda one=values: nearest(one, one.copy(), 5), 3))
    short, long = times
    pairs = _SHORT * _SHORT * width
    return _between(_plain(width), (long - short * 4.0) * (1.0 / (12 * pairs)), long * (1.0 / (16 * pairs)))


def _plain(width: int) -> Seconds:
    """Of a bare product, than which none that is searched takes less."""
    left, right = np.random.default_rng(0).standard_normal((2, 512, width), dtype=np.float32)
    return _repeated(lambda: left @ right.T, 3) * (1.0 / (512 * 512 * width))


def _kernel(width: int) -> Seconds:
    values = np.random.default_rng(0).standard_normal((1024, width), dtype=np.float32)
    seconds = _repeated(lambda: kernel_distance(values[:512], values[512:]), 2)
    return seconds * (1.0 / (2 * 512**2 * width))


def _cubes(width: int) -> Seconds:
    """Of a pair, whatever the width: its kernel from a product that is there, and the sums that it is added to."""
    values = np.random.default_rng(0).standard_normal((_SEEN, _SEEN), dtype=np.float32)
    left, right = values[:, :8], values[:, 8:16]
    onlooker, frame, whole = KernelOnlooker(left, right, cubic), Frame.around(right, "euclidean", left), slice(0, _SEEN)
    return _repeated(lambda: onlooker.look(frame, whole, whole, values), 3) * (1.0 / _SEEN**2)


def _moments(width: int) -> Seconds:
    own = min(width, _WIDEST)
    values = np.random.default_rng(0).standard_normal((1024, own), dtype=np.float32)
    return _repeated(lambda: Moments.of(values), 3) * (1.0 / (1024 * own * own))


def _roots(width: int) -> Seconds:
    own = min(width, _WIDEST)
    values = np.random.default_rng(0).standard_normal((2, 2 * own, own), dtype=np.float32)
    reference, other = FrechetReference(values[0]), Moments.of(values[1])
    seconds = _repeated(lambda: reference.distance_to_moments(other), 2 if own > DEALT_WIDTH else 8)
    return seconds * (1.0 / own**3)


def _changes(width: int) -> Seconds:
    """A correlation under one change, and the better of it and those before."""
    rng = np.random.default_rng(0)
    left, right = (rng.standard_normal((512, _LENGTH), dtype=np.float32) for _ in range(2))
    best, product = np.zeros((512, 512), np.float32), np.zeros((512, 512), np.float32)

    def compare() -> None:
        np.matmul(left, right.T, out=product)
        np.maximum(best, product, out=best)

    return _repeated(compare, 8) * (1.0 / (512 * 512 * _LENGTH))


def _repeated(task: Callable[[], object], times: int) -> Seconds:
    """Time of a task: the shortest of several turns, after one that is not counted."""
    task()
    turns = [timed(task)[1] for _ in range(times)]
    return Seconds(min(one.processor for one in turns), min(one.wall for one in turns))


_MEASURES: dict[str, Callable[[int], Seconds]] = {
    "search": _search,
    "kernel": _kernel,
    "cubes": _cubes,
    "moments": _moments,
    "roots": _roots,
    "dealt moments": lambda width: _moments(min(width, DEALT_WIDTH)),
    "dealt roots": lambda width: _roots(min(width, DEALT_WIDTH)),
    "changes": _changes,
}
