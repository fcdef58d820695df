"""From predictions to an answer: values, nulls and intervals of the differences between two arms.

The difference D = value(synthetic arm) - value(real arm) moves for two reasons: with other training images (and
seeds), and with other test patients. Fresh real images as synthetic set have an expected difference of 0 on *every*
test set, so for them all of the variance is that of the training images on this test set,

    v = v_real + v_synthetic,    v_arm = mean over splits of (value(half a) - value(half b))^2 / 4.

Otherwise the difference itself depends on who is tested. The paired bootstrap over test patients sees that, together
with the part c of v that comes from the interplay of training and test images; c is known from the same bootstrap of
the half-differences, and counted once:

    Var D = v + max(bootstrap variance of D - c, 0).

The interval is value +- t * sqrt(Var D), with Student's t for the few splits that v rests on (Satterthwaite 1946).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from fourfold.utility.arms import ARMS, Run
from fourfold.utility.roc import area_under_curve, balanced_accuracy, patient_weights
from fourfold.utility.tasks import Labelled

__all__ = ["ArmScore", "Difference", "Outcome", "outcome", "pooled"]

DRAWS = 300
"""Resampled test sets: the standard error of their standard deviation is 4 %."""


@dataclass(frozen=True)
class ArmScore:
    """One arm: mean over seeds, and a 95 % interval of the area under the curve."""

    auc: float
    accuracy: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Difference:
    """An arm against its control, areas under the curve.

    Parameters
    ----------
    value, control : float
        Means over seeds.
    half_width : float
        The 95 % interval of the difference is value - control +- `half_width`.
    null_half_width : float
        The same for a fresh real sample instead of the synthetic set.
    """

    value: float
    control: float
    half_width: float
    null_half_width: float

    @property
    def gain(self) -> float:
        """Value minus control."""
        return self.value - self.control


@dataclass(frozen=True)
class Outcome:
    """What one experiment found.

    Parameters
    ----------
    arms : mapping of str to ArmScore
    substitution : Difference
        Synthetic against real images, n each.
    addition : Difference
        Real and synthetic images against repeated real images.
    half_of_real : float
        Area under the curve of n / 2 real images: where the learning curve comes from.
    size : int
        n.
    """

    arms: dict[str, ArmScore]
    substitution: Difference
    addition: Difference
    half_of_real: float
    size: int


@dataclass(frozen=True)
class _Variance:
    """A variance with the degrees of freedom it is known to."""

    value: float
    freedom: float

    def __mul__(self, factor: float) -> _Variance:
        return _Variance(self.value * factor, self.freedom)


def outcome(run: Run, test: Labelled, available: tuple[int, int], generator: np.random.Generator) -> Outcome:
    """Values and intervals of one experiment.

    Parameters
    ----------
    run : Run
        Predictions of every arm.
    test : Labelled
        The test images.
    available : (int, int)
        N and M.
    generator : numpy.random.Generator
        For the bootstrap over test patients.

    Returns
    -------
    Outcome
    """
    weights = patient_weights(test.groups, DRAWS, generator)

    def area(scores: np.ndarray) -> float:
        return float(area_under_curve(test.targets, scores)[0])

    def resampled(scores: np.ndarray) -> np.ndarray:
        return area_under_curve(test.targets, scores, weights)

    values = {arm: np.array([area(scores) for scores in run.whole[arm]]) for arm in ARMS}
    boots = {arm: np.mean([resampled(scores) for scores in run.whole[arm]], axis=0) for arm in ARMS}
    moves: dict[str, _Variance] = {}
    interplay: dict[str, float] = {}
    for arm, pairs in run.halves.items():
        if pairs:
            differences = np.array([area(a) - area(b) for a, b in pairs])
            moves[arm] = _Variance(float(np.mean(differences**2)) / 4, len(pairs))
            interplay[arm] = float(np.mean([_variance(resampled(a) - resampled(b)) for a, b in pairs])) / 4
    # A mean over r draws of n from N images varies less than one draw.
    fresh = moves["real"]
    factors = []
    for arm, size in zip(("real", "synthetic"), available, strict=True):
        share = run.size / size
        factor = share + (1 - share) / len(run.whole[arm])
        factors.append(factor)
        moves[arm] *= factor
        interplay[arm] *= factor

    def difference(
        arm: str, control: str, training: list[_Variance], shared: float, null: list[_Variance]
    ) -> Difference:
        tested = _Variance(max(_variance(boots[arm] - boots[control]) - shared, 0.0), np.inf)
        return Difference(
            float(values[arm].mean()),
            float(values[control].mean()),
            _half_width([*training, tested]),
            _half_width(null),
        )

    substitution = difference(
        "synthetic",
        "real",
        [moves["real"], moves["synthetic"]],
        interplay["real"] + interplay["synthetic"],
        [fresh * sum(factors)],
    )
    if run.halves["real+synthetic"]:
        gains = [
            (
                area(with_a) - area(a),
                area(with_b) - area(b),
                resampled(with_a) - resampled(a),
                resampled(with_b) - resampled(b),
            )
            for (with_a, with_b), (a, b) in zip(run.halves["real+synthetic"], run.halves["real repeated"], strict=True)
        ]
        moved = _Variance(float(np.mean([(a - b) ** 2 for a, b, _, _ in gains])) / 4, len(gains))
        shared = float(np.mean([_variance(a - b) for _, _, a, b in gains])) / 4
        added = [moved]
    else:
        # The sum of both sets varies as a mean of the two would, and the two arms are not taken to move together.
        added = [moves["real"] * 1.25, moves["synthetic"] * 0.25]
        shared = 1.25 * interplay["real"] + 0.25 * interplay["synthetic"]
    addition = difference("real+synthetic", "real repeated", added, shared, added)

    scored = {}
    for arm in ARMS:
        value = float(values[arm].mean())
        training = moves.get(arm, moves["real"])
        width = _half_width([training, _Variance(_variance(boots[arm]), np.inf)])
        accuracy = float(np.mean([balanced_accuracy(test.targets, s, test.exclusive) for s in run.whole[arm]]))
        scored[arm] = ArmScore(value, accuracy, (max(value - width, 0.0), min(value + width, 1.0)))
    half = float(np.mean([area(scores) for pair in run.halves["real"] for scores in pair]))
    return Outcome(scored, substitution, addition, half, run.size)


def pooled(outcomes: list[Outcome]) -> Outcome:
    """Mean over folds; their widths are averaged too, as if the folds moved together."""
    if len(outcomes) == 1:
        return outcomes[0]

    def mean(pick) -> float:
        return float(np.mean([pick(each) for each in outcomes]))

    def differences(pick) -> Difference:
        fields = ("value", "control", "half_width", "null_half_width")
        return Difference(*(mean(lambda each, name=name: getattr(pick(each), name)) for name in fields))

    arms = {
        arm: ArmScore(
            mean(lambda each, arm=arm: each.arms[arm].auc),
            mean(lambda each, arm=arm: each.arms[arm].accuracy),
            (
                mean(lambda each, arm=arm: each.arms[arm].interval[0]),
                mean(lambda each, arm=arm: each.arms[arm].interval[1]),
            ),
        )
        for arm in ARMS
    }
    return Outcome(
        arms,
        differences(lambda each: each.substitution),
        differences(lambda each: each.addition),
        mean(lambda each: each.half_of_real),
        min(each.size for each in outcomes),
    )


def _variance(values: np.ndarray) -> float:
    """Variance over resampled test sets, those without a class left out."""
    values = values[np.isfinite(values)]
    return float(np.var(values, ddof=1)) if len(values) > 1 else 0.0


def _half_width(parts: list[_Variance]) -> float:
    total = sum(part.value for part in parts)
    if total == 0:
        return 0.0
    freedom = total**2 / max(sum(part.value**2 / part.freedom for part in parts), np.finfo(float).tiny)
    return float(stats.t.ppf(0.975, min(freedom, 1e6)) * np.sqrt(total))
