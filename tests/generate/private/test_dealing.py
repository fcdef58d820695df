"""Who is in a step: patients by independent coins, whatever the number of their images."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from fourfold.generate.denoiser import Preconditioned
from fourfold.generate.diffusion.options import DiffusionOptions
from fourfold.generate.diffusion.trainee import DiffusionTrainee
from fourfold.generate.frameworks import P_MEAN, P_STD, framework
from fourfold.generate.training.private_trainee import PatientDealer
from fourfold.generate.training.secret import Secret
from fourfold.generate.training.trainee import Batch

SHAPE = (1, 8, 8)
KEY = Secret(bytes(range(32)))


def test_levels_of_a_diffusion_model_know_nothing_of_who_else_is_in_the_step():
    law, seen = framework("edm"), []

    class Watching(nn.Module):
        def forward(self, x, sigma, condition=None):
            seen.append(sigma)
            return x

    network = Preconditioned(nn.Conv2d(1, 1, 1), law.parametrisation(0.5))
    trainee = DiffusionTrainee(network, law, SHAPE, DiffusionOptions())
    trainee.modules["denoiser"] = Watching()
    batch = Batch(torch.zeros(4, *SHAPE), np.arange(4))
    for seed in range(1000):
        trainee.independent_losses(batch, torch.Generator().manual_seed(seed))
    positions = stats.norm.cdf((torch.stack(seen).log().numpy() - P_MEAN) / P_STD)
    # Means of 4 independent uniform numbers; of stratified ones they hardly vary.
    assert positions.mean(axis=1).var() == pytest.approx(1 / 48, rel=0.15)
    assert stats.kstest(positions.ravel(), "uniform").pvalue > 1e-3


def test_patients_are_drawn_at_their_rate_whatever_the_number_of_their_images():
    patients = np.repeat(np.arange(10), [1, 1, 1, 1, 1, 1, 1, 1, 1, 40])
    dealer = PatientDealer(patients, 0.3, KEY)
    steps = 3000
    rows = [dealer.rows(step * 3, 3) for step in range(steps)]
    assert all(len(set(patients[one])) == len(one) for one in rows)
    counts = np.bincount(patients[np.concatenate(rows)], minlength=10)
    assert stats.chisquare([counts[9], steps - counts[9]], [0.3 * steps, 0.7 * steps]).pvalue > 1e-3
    assert np.all(np.abs(counts - 0.3 * steps) < 5 * np.sqrt(0.21 * steps))
    # Independent coins: the number of patients in a step is binomial.
    sizes = np.bincount([len(one) for one in rows], minlength=11)[:8]
    law = stats.binom(10, 0.3)
    assert stats.chisquare(sizes, sizes.sum() * law.pmf(range(8)) / law.cdf(7)).pvalue > 1e-3
    images = np.bincount(np.concatenate(rows), minlength=len(patients))[9:]
    assert stats.chisquare(images).pvalue > 1e-3


def test_a_step_may_be_empty_and_rows_follow_from_the_step_alone():
    dealer = PatientDealer(np.arange(4), 0.1, KEY)
    rows = [dealer.rows(step * 2, 2) for step in range(50)]
    assert min(map(len, rows)) == 0
    assert all(np.array_equal(dealer.rows(step * 2, 2), rows[step]) for step in (17, 3))
