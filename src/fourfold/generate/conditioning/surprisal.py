"""How much the conditions that a model is trained on say about whose image it is.

The surprisal of a condition is ``-log2`` of the share of the training patients that have it: 1 bit for a class of half
of the patients, ``log2(P)`` for a report that only one of P has. Under a condition that nobody shares, a network has
one image to reproduce, and models memorise most where conditions are surprising: text and image features do so, and
classes hardly.

Conditions are the same where a network can hardly tell them apart: words as far as they are in the vocabulary, numbers
within half a standard deviation, masks that agree at a grid of 8 points a side; see `Part.keys`. The grid makes the
conditions discrete, so that shares add up to 1 and equal patients never differ; near the edge of a cell it takes two
neighbours for different, which errs towards a warning.

Everything here is counted on the patients: nothing of it may be written into the record of a differentially private
model.

References
----------
M. Dombrowski, B. Kainz, 2025 (arXiv 2506.17975), and the audit of conditions by the same authors, MELBA 2026: low
surprisal for sensitive data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fourfold.generate.conditioning.aggregates import FEWEST_PATIENTS, holders
from fourfold.generate.conditioning.conditioning import Conditioning
from fourfold.generate.conditioning.part import Conditions

__all__ = ["Surprisal", "surprisal"]

ALARMING = 0.05
"""Share of the images with nearly unique conditions above which there is a warning; a few are the tails of any law."""

_BY_NAME = frozenset({"class"})
"""Kinds of which no nearly unique value goes without a warning: each of them is asked for by its name."""


@dataclass(frozen=True, eq=False)
class Surprisal:
    """Surprisal of the conditions of N training images.

    Parameters
    ----------
    bits : array, shape (N,)
        Of the whole condition of each image; for plots and for the eyes of those who hold the data.
    patients : int
        P.
    rare : float
        Share of the images whose condition belongs to fewer than `FEWEST_PATIENTS` patients.
    alone : int
        Patients who have a condition that no other patient has.
    kinds : mapping of str to float
        `rare` for each kind of condition by itself.
    """

    bits: np.ndarray
    patients: int
    rare: float
    alone: int
    kinds: Mapping[str, float]

    @property
    def median(self) -> float:
        """Bits of the image in the middle."""
        return float(np.median(self.bits))

    @property
    def warning(self) -> str | None:
        """A sentence where conditions are nearly unique, naming their kinds; None where they are not."""
        alarming = {kind: rare for kind, rare in self.kinds.items() if rare > (0.0 if kind in _BY_NAME else ALARMING)}
        if not alarming and self.rare > ALARMING:
            alarming = {" with ".join(self.kinds): self.rare}
        if not alarming:
            return None
        found = ", ".join(f"{kind} for {rare:.1%} of the images" for kind, rare in alarming.items())
        return (
            f"what the model is conditioned on is nearly unique to a patient ({found}: shared by fewer than "
            f"{FEWEST_PATIENTS} of {self.patients} patients), and models memorise most under such conditions; prefer "
            "classes or findings, join rare values, ask for fewer columns or components, or add condition noise"
        )

    def describe(self) -> dict[str, Any]:
        """Aggregates as JSON can hold them, for the record of a model: no row of a patient."""
        return {
            "median_bits": self.median,
            "unique_bits": float(np.log2(self.patients)),
            "patients": self.patients,
            "rare": self.rare,
            "rare_by_kind": dict(self.kinds),
            "patients_alone": self.alone,
        }


def surprisal(conditioning: Conditioning, conditions: Conditions, patients: np.ndarray) -> Surprisal:
    """The surprisal of the conditions of a training set.

    Parameters
    ----------
    conditioning : Conditioning
    conditions : Conditions
        N rows, N at least 1.
    patients : array of int, shape (N,)

    Examples
    --------
    >>> from fourfold.generate.conditioning.classes import ClassPart
    >>> part = ClassPart(("ill", "well"), np.array([0.5, 0.5]))
    >>> column = np.array(["ill", "ill", "well", "well"])
    >>> surprisal(Conditioning([part]), Conditions(4, {"class": column}), np.arange(4)).bits.tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    patients = np.asarray(patients)
    kinds = {part.kind: part.keys(conditions.columns[part.kind]) for part in conditioning.parts}
    words = ["\n".join(row) for row in zip(*kinds.values(), strict=True)] if kinds else [""] * len(conditions)
    there = len(np.unique(patients))
    held = _holders(words, patients)
    return Surprisal(
        bits=np.log2(there) - np.log2(held),
        patients=there,
        rare=_rare(held),
        alone=len(np.unique(patients[held == 1])),
        kinds={kind: _rare(_holders(keys, patients)) for kind, keys in kinds.items()},
    )


def _holders(words: list[str], patients: np.ndarray) -> np.ndarray:
    """For each image the number of patients that have its condition."""
    found = holders(words, patients)
    return np.array([found[word] for word in words])


def _rare(held: np.ndarray) -> float:
    return float((held < FEWEST_PATIENTS).mean())
