"""Vendi score."""

import numpy as np
import pytest

from fourfold.errors import InputError
from fourfold.variety import vendi_score
from fourfold.variety.vendi import Likeness, vendi_influence


@pytest.fixture
def synthetic() -> np.ndarray:
    rng = np.random.default_rng(0)
    rng.normal(size=(500, 16))
    return 0.8 * rng.normal(size=(250, 16)) + 0.3


@pytest.mark.parametrize(("order", "expected"), [(1, 14.33946782), (2, 12.37814389), (np.inf, 5.44278306)])
def test_the_golden_values_are_reached(synthetic, order, expected):
    assert vendi_score(synthetic, order) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("order", [0.5, 1, 2, np.inf])
def test_the_dual_form_agrees_with_the_kernel_form(synthetic, order):
    unit = synthetic / np.linalg.norm(synthetic, axis=1, keepdims=True)
    values = np.linalg.eigvalsh(unit @ unit.T / 250)
    values = values[values > 1e-12]
    if order == 1:
        expected = np.exp(-values @ np.log(values))
    else:
        expected = 1 / values.max() if np.isinf(order) else np.sum(values**order) ** (1 / (1 - order))
    assert vendi_score(synthetic, order) == pytest.approx(expected, rel=1e-9)


def test_it_counts_different_images_whatever_their_number_of_copies():
    assert vendi_score(np.repeat(np.eye(5), 7, axis=0)) == pytest.approx(5, rel=1e-12)
    assert vendi_score(np.ones((7, 3))) == pytest.approx(1, rel=1e-12)


def test_images_without_features_differ_from_everything_but_are_counted_once():
    assert vendi_score(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]])) == pytest.approx(3 / 2 ** (2 / 3), rel=1e-9)


@pytest.mark.parametrize("n", [12, 250])
def test_the_influence_is_the_derivative_for_more_weight_on_an_image(synthetic, n):
    features = synthetic[:n]
    score, influence = vendi_influence(features)
    copies = 400
    more = vendi_score(np.concatenate([np.tile(features, (copies, 1)), features[:1]]))
    assert score == pytest.approx(vendi_score(features), rel=1e-10)
    assert (more - score) * (copies * n + 1) == pytest.approx(influence[0], rel=0.01)
    assert influence.mean() == pytest.approx(0, abs=1e-9)


def test_similarities_of_parts_add_up_to_those_of_the_set(synthetic):
    features = synthetic.copy()
    features[[3, 200]] = 0.0
    whole = Likeness.of_parts([Likeness.of(features[rows]) for rows in (slice(0, 90), slice(90, 250))])
    # As many columns as rows: the kernel itself is decomposed.
    wide = np.concatenate([features, np.zeros((250, 250))], axis=1)
    for order in (0.5, 1.0, 2.0, np.inf):
        assert whole.score(order) == pytest.approx(vendi_score(features, order), rel=1e-12)
        assert whole.score(order) == pytest.approx(vendi_score(wide, order), rel=1e-9)
    score, influence = vendi_influence(features, whole)
    assert score == pytest.approx(whole.score(1.0), rel=1e-12)
    np.testing.assert_allclose(influence, vendi_influence(wide)[1], rtol=1e-7)


def test_what_has_no_score_is_refused_with_a_sentence():
    with pytest.raises(InputError, match="at least one image"):
        vendi_score(np.zeros((0, 3)))
    with pytest.raises(InputError, match="order of a Vendi score must be at least 0, got -1"):
        vendi_score(np.ones((2, 2)), -1)
