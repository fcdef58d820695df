"""What an attack achieves on training patients beyond what it achieves on patients whom the generator never saw.

One attempt a patient, on both sides by the same rule. The control holds everything that an attack owes to what people
have in common, so the difference alone is evidence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from fourfold.privacy.contrast import one_sided
from fourfold.score import Score
from fourfold.statistics import miettinen_nurminen, residual_risk, wilson

__all__ = ["Excess", "one_image_each"]


@dataclass(frozen=True)
class Excess:
    """Successes of an attack on training and on holdout patients.

    Parameters
    ----------
    main, control : (int, int)
        Successes and attempts that were made, at least one each; an attempt a patient.

    Examples
    --------
    >>> found = Excess.of(np.array([1, 1, 1, 0], bool), np.array([0, 0, 1, 0, 0], bool))
    >>> found.main, found.control, round(found.value, 3), round(found.p, 3)
    ((3, 4), (1, 5), 0.55, 0.167)
    """

    main: tuple[int, int]
    control: tuple[int, int]

    @classmethod
    def of(cls, training: np.ndarray, holdout: np.ndarray) -> Excess:
        """From the outcome of each attempt, arrays of bool."""
        return cls((int(np.sum(training)), len(training)), (int(np.sum(holdout)), len(holdout)))

    @property
    def rates(self) -> tuple[float, float]:
        """Share of attempts that succeeded, training and holdout."""
        return self.main[0] / self.main[1], self.control[0] / self.control[1]

    @property
    def value(self) -> float:
        """The difference of the rates, in [-1, 1]."""
        return self.rates[0] - self.rates[1]

    @property
    def p(self) -> float:
        """Chance of as many successes among training patients, were the labels of patients dealt at random.

        Fisher's exact test, upper tail: every label-blind attack has exchangeable outcomes where nothing leaks.
        """
        total, successes = self.main[1] + self.control[1], self.main[0] + self.control[0]
        return float(stats.hypergeom.sf(self.main[0] - 1, total, successes, self.main[1]))

    @property
    def band(self) -> tuple[float, float]:
        """Where the difference lies in 95 % of the ways to deal the labels."""
        total, successes = self.main[1] + self.control[1], self.main[0] + self.control[0]
        edges = stats.hypergeom.ppf([0.025, 0.975], total, successes, self.main[1])
        low, high = (float(k / self.main[1] - (successes - k) / self.control[1]) for k in edges)
        return low, high

    @property
    def residual(self) -> tuple[float, float]:
        """Risk beyond the control as a share of what it leaves, from Wilson's intervals, with its 95 % error."""
        centred = []
        for successes, trials in (self.main, self.control):
            low, high = wilson(successes, trials)
            centred.append(((low + high) / 2, (high - low) / 2))
        return residual_risk(centred[0], centred[1])

    def endpoint(self, name: str, **facts: Any) -> dict[str, Any]:
        """The entry for ``Score.details["endpoints"]``."""
        return {
            "name": name,
            "stage": 4,
            "kind": "difference",
            "main": list(self.main),
            "control": list(self.control),
            **facts,
        }

    def described(self) -> dict[str, Any]:
        """Rates, counts and p-value as JSON can hold them."""
        risk, error = self.residual
        return {
            "training": self.rates[0],
            "holdout": self.rates[1],
            "attempts": {"training": self.main[1], "holdout": self.control[1]},
            "successes": {"training": self.main[0], "holdout": self.control[0]},
            "p": self.p,
            "residual_risk": risk,
            "residual_error": error,
        }

    def score(self, name: str, space: str, source: str, level: float = 0.95, **fields: Any) -> Score:
        """The difference as a one-sided privacy score; `fields` as for `Score`."""
        low, high = miettinen_nurminen(self.main, self.control, level)
        details = {"one_sided": True, **self.described(), **fields.pop("details", {})}
        return Score(
            "privacy",
            name,
            self.value,
            null=0.0,
            interval=one_sided((low, high), 0.0, "lower"),
            null_interval=self.band,
            better="lower",
            features=space,
            source=source,
            null_source="holdout",
            details=details,
            **fields,
        )


def one_image_each(patients: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One image of each patient, drawn at random, so that a patient is one attempt.

    Parameters
    ----------
    patients : array, shape (N,)
    rng : Generator

    Returns
    -------
    array of int64, shape (patients,)
        Rows, in the order of the patients' numbers.
    """
    order = rng.permutation(len(patients))
    return order[np.unique(np.asarray(patients)[order], return_index=True)[1]]
