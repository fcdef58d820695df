"""The products that a plan counts beside its passes are those that an evaluation multiplies."""

import numpy as np
import pytest

from fourfold import evaluation  # noqa: F401 - fills the register
from fourfold.comparison import Comparison, Features
from fourfold.fidelity import frechet
from fourfold.neighbors import blocks
from fourfold.planning import Sizes
from fourfold.planning.draws import DRAWS, HELD, own_draws, part_share, shared_draws
from fourfold.planning.frechet import FRECHET, actual, dealt
from fourfold.resampling.held import held_parts
from fourfold.score import metrics
from fourfold.statistics.scatter import Scatter

THREE, TWO = Sizes(training=150, synthetic=131, holdout=40), Sizes(training=150, synthetic=131)


def metric_of(name):
    return next(metric for metric in metrics() if metric.key == name)


def comparison_of(sizes, width, space="normal"):
    rng = np.random.default_rng(0)

    def drawn(role):
        return Features(rng.normal(size=(sizes.of(role), width)).astype(np.float32), None)

    return Comparison(space, drawn("training"), drawn("synthetic"), drawn("holdout") if sizes.holdout else None)


@pytest.fixture
def multiplied(monkeypatch):
    """Pairs of every search, in turn."""
    found, original = [], blocks.Blocks.__iter__

    def noted(self):
        found.append(self.queries.count * self.points.count * (0.5 if self.same else 1.0))
        yield from original(self)

    monkeypatch.setattr(blocks.Blocks, "__iter__", noted)
    return found


@pytest.fixture
def decomposed(monkeypatch):
    """Multiplications of sums (rows by width squared), and cubes of the widths that are decomposed."""
    found, add, root = {"moments": 0.0, "roots": 0.0}, Scatter.add, frechet._trace_of_root

    def summed(self, rows):
        found["moments"] += len(rows) * rows.shape[1] ** 2
        add(self, rows)

    def rooted(left, *rest):
        found["roots"] += float(len(left)) ** 3
        return root(left, *rest)

    def of_rows(matrix, **options):
        # Singular values take twice as long as eigenvalues.
        found["roots"] += 2.0 * min(matrix.shape) ** 2 * max(matrix.shape)
        return singular(matrix, **options)

    singular = frechet.linalg.svdvals
    monkeypatch.setattr(frechet.linalg, "svdvals", of_rows)
    monkeypatch.setattr(Scatter, "add", summed)
    monkeypatch.setattr(frechet, "_trace_of_root", rooted)
    return found


def test_parts_are_met_once_for_all_metrics_that_share_them(multiplied):
    comparison = comparison_of(THREE, 6)
    held_parts(comparison, part_share(THREE), DRAWS)
    assert sum(multiplied) == pytest.approx(shared_draws(THREE).pairs, rel=0.05)
    comparison.neighbors("synthetic", "training", 1)
    multiplied.clear()
    for name in HELD:
        metric_of(name).compute(comparison)
    assert multiplied == []


@pytest.mark.parametrize("name", ["variety/recall", "fidelity/precision", "fidelity/realism"])
@pytest.mark.parametrize("sizes", [THREE, TWO], ids=["holdout", "none"])
def test_a_metric_searches_the_parts_of_its_own_that_are_counted(name, sizes, multiplied):
    comparison = comparison_of(sizes, 6)
    comparison.neighbors("synthetic", "training", 1)
    if sizes.holdout:
        held_parts(comparison, part_share(sizes), DRAWS)
    multiplied.clear()
    metric_of(name).compute(comparison)
    assert sum(multiplied) == pytest.approx(own_draws(name, sizes).pairs, rel=0.05)


@pytest.mark.parametrize("name", sorted(FRECHET))
@pytest.mark.parametrize("sizes", [Sizes(150, 131, 107), Sizes(150, 131)], ids=["holdout", "none"])
def test_what_a_frechet_distance_sums_and_decomposes_is_counted(name, sizes, decomposed):
    width = 9
    metric_of(name).compute(comparison_of(sizes, width, "radiomics"))
    counted = actual(name, sizes, width) + dealt(name, sizes, width)
    assert counted.moments == pytest.approx(decomposed["moments"], rel=0.1)
    assert counted.roots == pytest.approx(decomposed["roots"], rel=0.1)


@pytest.mark.parametrize("sizes", [Sizes(420, 400, 300), Sizes(640, 400)], ids=["holdout", "none"])
def test_beyond_some_width_only_whole_sets_are_decomposed_in_full(sizes, decomposed):
    width, narrow = 140, 128
    comparison, roots = comparison_of(sizes, width), 0.0
    for name in ("fidelity/frechet_distance", "fidelity/frechet_distance_infinity"):
        metric_of(name).compute(comparison)
        roots += dealt(name, sizes, narrow).roots + actual(name, sizes, width).roots
    # The components of the deals are the others.
    assert decomposed["roots"] == pytest.approx(roots, rel=0.1)


@pytest.mark.parametrize("name", ["fidelity/frechet_distance", "fidelity/frechet_distance_infinity"])
def test_rows_are_decomposed_where_they_are_too_few_for_a_covariance(name, decomposed):
    sizes, width = Sizes(60, 40, 50), 70
    metric_of(name).compute(comparison_of(sizes, width))
    counted = actual(name, sizes, width) + dealt(name, sizes, width)
    # Sets without a part of their patients are reckoned as whole ones.
    assert counted.roots == pytest.approx(decomposed["roots"], rel=0.3)
