"""Steps of a private training: who is in them, and what the optimiser gets to see of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fourfold.generate.condition import Condition
from fourfold.generate.training.patient_gradients import PatientGradients, PatientOptimizer
from fourfold.generate.training.schedule import Schedule
from fourfold.generate.training.secret import Secret
from fourfold.generate.training.trainee import Batch, Trainee

__all__ = ["PatientDealer", "PrivateTrainee"]

GRADIENT_BYTES = 1 << 29
"""Memory for the gradients of single patients; a batch is cut into parts that keep to it."""


class PatientDealer:
    """The rows of a step: a Poisson sample of patients, and one image of each.

    Parameters
    ----------
    patients : array of int, shape (N,)
    rate : float
        Probability of each patient.
    secret : Secret
    """

    def __init__(self, patients: np.ndarray, rate: float, secret: Secret) -> None:
        self._order = np.argsort(patients, kind="stable")
        _, self._first, self._sizes = np.unique(patients[self._order], return_index=True, return_counts=True)
        self._rate, self._secret = rate, secret

    def rows(self, start: int, count: int) -> np.ndarray:
        """The rows of step ``start // count``; how many there are is chance, and may be none."""
        coins, picks = self._secret.uniform(2 * len(self._sizes), "rows", start // count).reshape(2, -1)
        chosen = np.flatnonzero(coins < self._rate)
        return self._order[self._first[chosen] + (picks[chosen] * self._sizes[chosen]).astype(np.intp)]


class PrivateTrainee(Trainee):
    """A trainee whose optimiser sees nothing but the clipped and noised sum over patients.

    Parameters
    ----------
    trainee : Trainee
        With one phase, and a method ``independent_losses(batch, generator)``.
    schedule : Schedule
        A part of a batch is no larger than `batch` over `accumulate`.
    noise_multiplier, clip, expected, secret
        As for `PatientOptimizer`.
    draws : int
        Noise draws an image, whose losses are averaged.
    """

    def __init__(
        self,
        trainee: Trainee,
        schedule: Schedule,
        *,
        noise_multiplier: float,
        clip: float,
        expected: float,
        secret: Secret,
        draws: int = 1,
    ) -> None:
        (phase,) = trainee.phases
        self.trainee, self.draws = trainee, draws
        self.phases, self.modules, self.averaged = trainee.phases, trainee.modules, trainee.averaged
        self.optimizer = PatientOptimizer(
            trainee.optimizers[phase],
            noise_multiplier=noise_multiplier,
            clip=clip,
            expected=expected,
            secret=secret,
        )
        self.optimizers = {phase: self.optimizer}
        self._networks = [one for one in trainee.modules.values() if any(p.requires_grad for p in one.parameters())]
        self._hooks: list[Any] = []
        gradient = 4 * sum(p.numel() for p in self.optimizer.params)
        self._at_once = max(1, min(-(-schedule.batch // schedule.accumulate), GRADIENT_BYTES // gradient))

    def loss(self, phase: str, batch: Batch, generator: torch.Generator) -> Tensor:
        """The mean loss of the patients of a step, whose gradient is that of the sum over the last part of them.

        Gradients of the parts before it are clipped and added up here. Without a patient the loss is 0.
        """
        self._attach()
        self.optimizer.begin(generator.initial_seed())
        if not len(batch):
            return torch.zeros((), device=batch.images.device, requires_grad=True)
        *parts, last = (
            batch.take(slice(start, start + self._at_once)) for start in range(0, len(batch), self._at_once)
        )
        total = torch.zeros((), device=batch.images.device)
        for part in parts:
            loss = self._sum(part, generator)
            loss.backward()
            self.optimizer.gather()
            total += loss.detach()
        loss = self._sum(last, generator)
        mean = (total + loss.detach()) / len(batch)
        return loss + (mean - loss).detach()

    def describe(self) -> dict[str, Any]:
        """As the trainee's, and what the gradients of patients depend on."""
        return {**self.trainee.describe(), "clip": self.optimizer.max_grad_norm, "draws": self.draws}

    def after_step(self, step: int) -> Mapping[str, float]:
        """As the trainee's."""
        return self.trainee.after_step(step)

    def draw(self, modules: Mapping[str, nn.Module], seeds: list[int], condition: Condition | None) -> Tensor:
        """As the trainee's."""
        return self.trainee.draw(modules, seeds, condition)

    def close(self) -> None:
        """Take Opacus' hooks off the networks."""
        while self._hooks:
            self._hooks.pop().to_standard_module()

    def _sum(self, part: Batch, generator: torch.Generator) -> Tensor:
        losses = [self.trainee.independent_losses(part, generator).sum() for _ in range(self.draws)]
        return torch.stack(losses).sum() / self.draws

    def _attach(self) -> None:
        # Not before the first step: the loop copies networks for averaging, and copies must not carry hooks.
        if not self._hooks:
            self._hooks = [PatientGradients(network) for network in self._networks]
