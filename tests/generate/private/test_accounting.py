"""What is spent."""

from __future__ import annotations

import math

import pytest
from scipy import optimize, stats

from fourfold.errors import InputError
from fourfold.generate.training.accounting import delta_for, epsilon_of, noise_for


@pytest.mark.parametrize(("noise", "rate", "steps"), [(1.1, 0.05, 400), (0.8, 0.01, 1000)])
def test_epsilon_agrees_with_the_accountant_of_opacus(noise, rate, steps):
    from opacus.accountants import PRVAccountant

    accountant = PRVAccountant()
    for _ in range(steps):
        accountant.step(noise_multiplier=noise, sample_rate=rate)
    found, name = epsilon_of(noise, rate, steps, 1e-5)
    assert (name, found) == ("prv", pytest.approx(accountant.get_epsilon(1e-5), rel=0.006))


def test_without_sampling_epsilon_is_that_of_the_gaussian_mechanism():
    # Balle and Wang 2018, theorem 8, with the noise of 25 steps together.
    scale, delta = 10 / 5, 1e-5
    law = stats.norm.cdf

    def excess(epsilon: float) -> float:
        tails = law(1 / (2 * scale) - epsilon * scale), law(-1 / (2 * scale) - epsilon * scale)
        return tails[0] - math.exp(epsilon) * tails[1] - delta

    exact = optimize.brentq(excess, 0.1, 20)
    found = epsilon_of(10.0, 1.0, 25, delta)[0]
    assert exact <= found <= 1.01 * exact


def test_epsilon_grows_with_steps_and_rate_and_falls_with_noise():
    middle = epsilon_of(1.0, 0.05, 200, 1e-5)[0]
    assert epsilon_of(1.0, 0.05, 400, 1e-5)[0] > middle
    assert epsilon_of(1.0, 0.1, 200, 1e-5)[0] > middle
    assert epsilon_of(2.0, 0.05, 200, 1e-5)[0] < middle
    assert epsilon_of(1.0, 0.05, 0, 1e-5)[0] == 0
    assert epsilon_of(0.0, 0.05, 200, 1e-5)[0] == math.inf


@pytest.mark.parametrize(("epsilon", "rate", "steps"), [(0.5, 0.05, 300), (10.0, 0.1, 300), (2.0, 1.0, 40)])
def test_a_target_is_reached_and_not_exceeded(epsilon, rate, steps):
    spent = epsilon_of(noise_for(epsilon, rate, steps, 1e-5), rate, steps, 1e-5)[0]
    assert 0.97 * epsilon <= spent <= epsilon


def test_the_older_accountant_stands_in_where_the_numbers_of_the_other_fail(monkeypatch):
    from opacus.accountants import PRVAccountant

    # Its results are kept, and these must not be.
    uncached = epsilon_of.__wrapped__
    exact = uncached(1.0, 0.05, 200, 1e-5)[0]

    def fail(self, delta, **options):
        raise RuntimeError("Discrete mean differs significantly from continuous mean.")

    monkeypatch.setattr(PRVAccountant, "get_epsilon", fail)
    found, name = uncached(1.0, 0.05, 200, 1e-5)
    assert name == "rdp"
    assert found > exact
    assert uncached(noise_for(3.0, 0.05, 211, 1e-5), 0.05, 211, 1e-5)[0] <= 3.0


def test_delta_is_below_a_tenth_of_one_over_the_patients_and_refused_from_one_over_them():
    assert delta_for(20) == 1e-5
    assert delta_for(10**6) == pytest.approx(1e-7)
    assert delta_for(50, 1e-3) == 1e-3
    with pytest.raises(InputError, match=r"below 1 / patients = 0\.02, got 0\.02"):
        delta_for(50, 0.02)
