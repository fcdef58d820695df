"""Gates fitted to real images: does this image belong to the population that those were drawn from?

Several gates look at every image, and together they may accuse a fresh image no more often than one of them. Their
scores are put on one scale, and the largest is calibrated as a single score: its false-alarm rate is at most alpha for
any number of gates. (Bonferroni's and Holm's rules hold as well but need gates / alpha calibration patients before they
can accuse anybody: nine gates at 5 % would take 179, one score takes 19.) Holm's rule then names the gates that an
image fails.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from fourfold.errors import InputError
from fourfold.images import ImageSet, Preparation
from fourfold.outliers.conformal import threshold
from fourfold.outliers.distances import Distance
from fourfold.outliers.surprise import Surprise
from fourfold.outliers.views import Progress, View, embed
from fourfold.statistics import empirical_p_values, holm

if TYPE_CHECKING:
    from fourfold.outliers.controls import ControlResult

__all__ = ["Gate", "Gates", "Judgement", "judge_by_gates"]


@dataclass(frozen=True, eq=False)
class Gate:
    """One fitted and calibrated gate.

    Parameters
    ----------
    name : str
        For example ``"nearest:histogram"``.
    view : str
        What it looks at.
    distance : Distance
    surprise : Surprise
        Its scale beside the other gates.
    calibration : array, shape (n,)
        Scores of the calibration images.
    """

    name: str
    view: str
    distance: Distance = field(repr=False)
    surprise: Surprise
    calibration: np.ndarray = field(repr=False)


@dataclass(frozen=True, eq=False)
class Judgement:
    """What the gates say about n images.

    Parameters
    ----------
    alpha : float
    p : array, shape (n,)
        Of all gates together: under exchangeability at most alpha with a probability of at most alpha.
    outside : array of bool, shape (n,)
        Whether the image lies outside at alpha.
    surprise : array, shape (n,)
        The largest over the gates, the score behind `p`; minus infinity where the image is a copy in all of them.
    p_values : mapping of str to array, shape (n,)
        Of each gate on its own.
    adjusted : mapping of str to array, shape (n,)
        The same after Holm's correction for the number of gates.
    nearness : mapping of str to array, shape (n,)
        For each gate that measures the distance to the nearest fitted image, the p-value from below: small for what is
        nearer to one of them than fresh patients are. It knows the fitted part of the real images only.
    leading : array of str, shape (n,)
        The gate in which the image lies furthest out.
    """

    alpha: float
    p: np.ndarray
    outside: np.ndarray
    surprise: np.ndarray
    p_values: Mapping[str, np.ndarray]
    adjusted: Mapping[str, np.ndarray]
    nearness: Mapping[str, np.ndarray]
    leading: np.ndarray

    def caught_by(self, row: int) -> tuple[str, ...]:
        """Gates that the image fails, the leading one first; none where it lies inside."""
        if not self.outside[row]:
            return ()
        first = str(self.leading[row])
        others = [name for name, p in self.adjusted.items() if p[row] <= self.alpha and name != first]
        return (first, *sorted(others, key=lambda name: self.p_values[name][row]))


@dataclass(frozen=True, eq=False)
class Gates:
    """Fitted gates. They may hold features of real images: nothing of them but `shareable` may leave the building.

    Parameters
    ----------
    alpha : float
        Accepted share of false alarms among fresh images.
    gates : tuple of Gate
    views : mapping of str to View
        What the gates look at.
    preparation : Preparation
        Of the real images; images to be judged must share it.
    fitted, held : ImageSet
        The real images that were fitted, and those that were calibrated on, one a patient.
    fitted_patients : int
    calibration : array, shape (n,)
        The largest surprise of each calibration image.
    memory : int
        Bytes for searches.
    device : str
    """

    alpha: float
    gates: tuple[Gate, ...]
    views: Mapping[str, View] = field(repr=False)
    preparation: Preparation
    fitted: ImageSet = field(repr=False)
    held: ImageSet = field(repr=False)
    fitted_patients: int
    calibration: np.ndarray = field(repr=False)
    memory: int = 1 << 30
    device: str = "cpu"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the gates."""
        return tuple(gate.name for gate in self.gates)

    @property
    def threshold(self) -> float:
        """Surprise above which an image lies outside."""
        return threshold(self.calibration, self.alpha)

    def outside(self, images: ImageSet, *, progress: Progress | None = None) -> np.ndarray:
        """Whether each image lies outside at alpha, bool of shape (n,); errors as in `judge`."""
        return self.judge(images, progress=progress).outside

    def p_values(self, images: ImageSet, *, progress: Progress | None = None) -> dict[str, np.ndarray]:
        """The p-value of each image in each gate on its own, by gate, shape (n,); errors as in `judge`."""
        return dict(self.judge(images, progress=progress).p_values)

    def judge(self, images: ImageSet, *, progress: Progress | None = None) -> Judgement:
        """Everything the gates say about images.

        Parameters
        ----------
        images : ImageSet
            Prepared together with the real images.
        progress : callable or None
            Called with (task, done, total).

        Raises
        ------
        InputError
            Where the images were prepared otherwise than the real ones.
        """
        if images.preparation is None or _scale(images.preparation) != _scale(self.preparation):
            raise InputError(
                f"the {images.name} set was not prepared together with the real images that the gates were fitted to; "
                "a difference in scaling or size would be all they see: prepare the sets together "
                "(fourfold.images.prepare)"
            )
        return self.judge_features(embed(images, self.views, self.memory, self.device, progress))

    def judge_features(self, features: Mapping[str, np.ndarray]) -> Judgement:
        """The same for features by view, as `fourfold.outliers.views.embed` gives them."""
        return judge_by_gates(self.gates, self.calibration, features, self.alpha, self.memory)

    def shareable(self, controls: Sequence[ControlResult] = ()) -> dict[str, Any]:
        """What may be published: names, numbers of patients, thresholds and controls, and nothing of any image.

        Parameters
        ----------
        controls : sequence of ControlResult
            As `fourfold.outliers.measure_controls` gives them.
        """
        return {
            "alpha": self.alpha,
            "patients": {"fitted": self.fitted_patients, "calibration": len(self.calibration)},
            "threshold": _rounded(self.threshold),
            "gates": [
                {
                    "name": gate.name,
                    "sees": self.views[gate.view].extractor.name,
                    "trained_on": self.views[gate.view].extractor.trained_on,
                    "components": gate.distance.components,
                    "threshold": _rounded(threshold(gate.calibration, self.alpha)),
                }
                for gate in self.gates
            ],
            "controls": [control.to_json() for control in controls],
        }


def judge_by_gates(
    gates: Sequence[Gate],
    calibration: np.ndarray,
    features: Mapping[str, np.ndarray],
    alpha: float,
    memory: int = 1 << 30,
) -> Judgement:
    """What calibrated gates say about images, from their features.

    Parameters
    ----------
    gates : sequence of Gate
    calibration : array, shape (n,)
        The largest surprise of each calibration image.
    features : mapping of str to array, shape (m, d)
        By view.
    alpha : float
    memory : int
        Bytes for searches.
    """
    scores = {gate.name: gate.distance.score(features[gate.view], memory) for gate in gates}
    p = {gate.name: empirical_p_values(scores[gate.name], gate.calibration) for gate in gates}
    surprises = np.stack([gate.surprise.of(scores[gate.name]) for gate in gates], axis=1)
    corrected = np.stack([holm(row)[1] for row in np.stack(list(p.values()), axis=1)])
    largest = surprises.max(axis=1)
    return Judgement(
        alpha=alpha,
        p=empirical_p_values(largest, calibration),
        outside=largest > threshold(calibration, alpha),
        surprise=largest,
        p_values=MappingProxyType(p),
        adjusted=MappingProxyType({name: corrected[:, place] for place, name in enumerate(p)}),
        nearness=MappingProxyType(
            {
                gate.name: empirical_p_values(-scores[gate.name], -gate.calibration)
                for gate in gates
                if gate.name.startswith("nearest:")
            }
        ),
        leading=np.array([gate.name for gate in gates])[surprises.argmax(axis=1)],
    )


def _scale(preparation: Preparation) -> tuple[Any, ...]:
    return preparation.rule, preparation.low, preparation.high, preparation.shape, preparation.channels


def _rounded(value: float) -> float:
    """Four digits: no more is needed, and an exact score of one patient would be one more fact about them."""
    return float(f"{value:.4g}")
