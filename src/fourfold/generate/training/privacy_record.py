"""What a model card says of a private training: the figures, what they promise, and what they do not.

References
----------
P. Kairouz, S. Oh, P. Viswanath, ICML 2015: what (epsilon, delta) allows of an attack, true against false accusations.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["GROUP", "PATIENT", "PrivacyRecord", "not_covered", "sentence"]

PATIENT = "patient"
GROUP = "group of near-duplicate images"
"""The unit where images carry no patient identifiers."""

MEANINGFUL = 0.95
"""An attacker who may be right so often under the promise is not held back by it."""

_FOUND = 0.01


@dataclass(frozen=True)
class PrivacyRecord:
    """The guarantee of one training.

    Parameters
    ----------
    epsilon, delta : float
        Of the steps that were made.
    unit : str
        Whose presence is protected, `PATIENT` or `GROUP`.
    noise_multiplier : float
        Standard deviation of the noise over `clip`.
    sample_rate : float
        Probability of each unit to be in a step.
    steps : int
    clip : float
        Largest norm of a unit's gradient.
    accountant : str
        ``"prv"``, or ``"rdp"`` where its numbers failed.
    not_covered : tuple of str
        What the guarantee leaves open, a sentence each.
    sentence : str
        What it promises, in plain words.
    """

    epsilon: float
    delta: float
    unit: str
    noise_multiplier: float
    sample_rate: float
    steps: int
    clip: float
    accountant: str
    not_covered: tuple[str, ...]
    sentence: str

    def describe(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {**asdict(self), "not_covered": list(self.not_covered)}


def sentence(epsilon: float, delta: float, unit: str = PATIENT) -> str:
    """What (epsilon, delta) promises a patient, and what not.

    Examples
    --------
    >>> print(sentence(1.0, 1e-5).split(". ")[1])
    Someone who held it for even odds that a certain patient took part is right after all in at most 73.2 % of cases
    """
    factor = math.exp(min(epsilon, 700.0))
    odds = f"a factor of at most e^epsilon = {_counted(factor)}"
    right = (factor + delta) / (1 + factor)
    worth = (
        "This holds against every attack, whatever the attacker knows"
        if right <= MEANINGFUL
        else "This is no meaningful protection of a person in the worst case: under this epsilon an attack may exist "
        f"that recognises nearly everyone who took part and wrongly accuses one outsider in {_counted(factor)}"
    )
    return (
        f"With one {unit} more or less among the training data, everything that can be learned from the model, by "
        f"whatever means, is as likely as before up to {odds} (epsilon {epsilon:.3g}), but for a probability of "
        f"{delta:.3g} (delta). Someone who held it for even odds that a certain {unit} took part is right after all in "
        f"at most {_percent(right)} of cases. {worth}. Excluded is any attack that finds more than one in a hundred of "
        f"those who took part while it wrongly accuses fewer than one outsider in {_counted(factor / _FOUND)}. "
        "How far real attacks get is a matter of measurement (fourfold audit) and usually far less than the bound."
    )


def not_covered(unit: str, patients: int) -> tuple[str, ...]:
    """What the guarantee of a training leaves open, a sentence each."""
    group = (
        (
            "Images carry no patient identifiers: the unit is a group of near-duplicate images, found in the data "
            "themselves. A patient with k unlike images is k units, and is protected at k times epsilon only.",
        )
        if unit == GROUP
        else ()
    )
    return (
        *group,
        f"The number of units ({patients}) and of images, what conditions can be (names of classes and findings, "
        "ranges of attributes), and the size and scaling of the images are taken for public; so is every option of "
        "the training.",
        "What holds for people in general, or for patients with the same disease, is learned on purpose, and can be "
        "told of anyone who is like them, whether or not they took part.",
        "Families, twins, and one person under two identifiers are several units: k of them together are protected at "
        "k times epsilon.",
        "Every other model or statistic that is released from the same patients adds its own epsilon to this one.",
        "Choosing options, a stopping time or the best of several models by looking at results on the training data "
        "is not accounted for; a training that is stopped by a loss that is no finite number tells that much.",
        "log.csv, TensorBoard's files and the console show losses and gradient norms of the training images, which "
        "are not private: the folder of the training must not leave with the model. The weights may.",
        "Values given out beside the model, such as scores against the training images, are outside the guarantee.",
        "Random numbers come from the operating system through a cryptographic function, sums of floating-point "
        "numbers are taken for real numbers.",
    )


def _counted(value: float) -> str:
    if value < 100:
        return f"{value:.3g}"
    return f"{value:,.0f}".replace(",", " ") if value < 1e12 else f"{value:.1e}"


def _percent(share: float) -> str:
    # Rounded down it would promise too much.
    digits = 1 if share < 0.99 else 4
    return f"{math.ceil(share * 100 * 10**digits - 1e-9) / 10**digits:.{digits}f} %"
