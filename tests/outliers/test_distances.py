import numpy as np
import pytest
import torch

from fourfold.errors import InputError
from fourfold.outliers.distances import fit_mahalanobis, fit_nearest
from fourfold.outliers.histogram import IntensityHistogram


def test_mahalanobis_agrees_with_the_formula_where_nothing_is_cut():
    values = np.random.default_rng(0).standard_normal((4000, 3)) @ np.diag([3.0, 2.0, 1.0])
    centred = values - values.mean(axis=0)
    expected = np.einsum("ij,jk,ik->i", centred, np.linalg.inv(centred.T @ centred / len(values)), centred)
    np.testing.assert_allclose(fit_mahalanobis(values, explained=1.0).score(values), expected, rtol=0.02)


def test_units_do_not_matter_once_standardised():
    rng = np.random.default_rng(0)
    values, fresh = rng.standard_normal((200, 6)), rng.standard_normal((50, 6))
    units = 10.0 ** np.arange(6)
    one, other = fit_mahalanobis(values, standardise=True), fit_mahalanobis(values * units, standardise=True)
    np.testing.assert_allclose(one.score(fresh), other.score(fresh * units), rtol=1e-6)


def test_components_are_at_most_an_eighth_of_the_images():
    values = np.random.default_rng(0).standard_normal((200, 150))
    assert fit_mahalanobis(values).components == 25


def test_as_many_components_as_the_source_keeps_describe_the_fitted_images_only(real_brains):
    """A threshold from fitted images would reject nearly everyone; with an eighth of them it would not."""
    images = torch.from_numpy(real_brains.load())
    density = IntensityHistogram()(images).square().numpy()
    fitted, fresh = density[:200], density[200:]
    source = fit_mahalanobis(fitted, explained=0.9999, components=200)
    ours = fit_mahalanobis(fitted)
    assert source.components > 100
    assert ours.components <= 25
    rejected = [float(np.mean(gate.score(fresh) > np.quantile(gate.score(fitted), 0.95))) for gate in (source, ours)]
    assert source.score(fresh).mean() > 1.4 * source.score(fitted).mean()
    assert rejected[0] > 0.3 > 0.2 > rejected[1]


def test_a_verbatim_copy_is_at_distance_zero():
    values = np.random.default_rng(0).standard_normal((30, 5)).astype(np.float32)
    for standardise in (False, True):
        gate = fit_nearest(values, standardise=standardise)
        assert np.all(gate.score(values) == 0)
        assert np.all(fit_nearest(values, standardise=standardise, rank=2).score(values) > 0)


def test_a_column_that_never_varied_does_not_overflow():
    values = np.random.default_rng(0).standard_normal((30, 3))
    values[:, 1] = 5.0
    fresh = np.full((1, 3), 1e30)
    for fit in (fit_mahalanobis, fit_nearest):
        assert np.isfinite(fit(values, standardise=True).score(fresh)).all()


def test_too_few_or_equal_images_are_refused():
    with pytest.raises(InputError, match="at least 16 real images, got 15"):
        fit_mahalanobis(np.zeros((15, 3)))
    with pytest.raises(InputError, match="the same features"):
        fit_nearest(np.full((20, 3), 0.1))
