"""What a study of utility found, a sentence an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fourfold.report.redaction import Redaction
from fourfold.report.wording import count, figures, name, number
from fourfold.score import Score

if TYPE_CHECKING:
    from fourfold.utility.study import Contrast, Estimate, Findings, UtilityStudy

__all__ = ["as_score", "measure", "sentence", "sentences", "standing", "title"]

_FRESH = "fresh real"
_TITLES = {
    "substitution": "In place of real images",
    "addition": "Added to real images, beside real images repeated to the same number",
    "beyond augmentation": "Added to real images, beside classical augmentation of the real images",
    "augmentation": "Classical augmentation of the real images",
    "learning curve": "Added to few real images, beside these repeated to the same number",
    "transfer": "Learned from before a second task, beside as many real images",
}
_MEASURES = {"auc": "area under the ROC curve", "dice": "Dice"}


def title(question: str) -> str:
    """A question as the heading of its answers."""
    return _TITLES[question]


def measure(key: str) -> str:
    """A value of the metric as a reader says it."""
    own, _, part = key.partition("/")
    words = _MEASURES.get(own, name(own))
    return f"{words}, {part}" if part else words


def as_score(found: Estimate, null_interval: tuple[float, float] | None = None) -> Score:
    """A difference as a score whose null is no difference, so that it is written and drawn like any other."""
    return Score("utility", "difference", found.value, 0.0, found.interval, null_interval, reason="no value")


def standing(contrast: Contrast) -> str:
    """How an arm stands to its control, with what the study could not have missed."""
    found = contrast.difference
    if found.value is None or found.interval is None:
        return "cannot be told on these test images"
    written, (low, high) = figures(as_score(found)), found.interval
    if contrast.standing == "worse":
        return f"{written(-found.value)} lower ({written(max(-high, 0.0))} to {written(-low)})"
    if contrast.standing == "better":
        return f"{written(found.value)} higher ({written(max(low, 0.0))} to {written(high)})"
    between = f"difference between {written(low)} and {written(high)}"
    if low > 0 or high < 0:
        return f"told apart by itself ({between}) but not after the correction for all sets that were asked about"
    return f"not told apart ({between})"


def sentence(contrast: Contrast, findings: Findings) -> str:
    """One answer in words."""
    values = {arm.name: arm.values[findings.headline].value for arm in findings.arms}
    own, base = values[contrast.arm], values[contrast.control]
    if contrast.question == "substitution":
        done = f"{count(contrast.added)} images of it in place of as many real ones"
    elif contrast.question == "augmentation":
        done = f"classical augmentation of {count(contrast.real)} real images"
    elif contrast.question == "transfer":
        done = (
            f"a second task, learned after the first one of {count(contrast.added)} images of it instead of real ones"
        )
    else:
        against = "classical augmentation" if contrast.question == "beyond augmentation" else "repeating these"
        done = f"{count(contrast.added)} images of it added to {count(contrast.real)} real ones, against {against}"
    # The name of a set stays as its owner writes it.
    subject = "Fresh real" if contrast.subject == _FRESH else contrast.subject
    start = f"{subject}: {done}" if contrast.question != "augmentation" else done[:1].upper() + done[1:]
    chance = "" if contrast.adjusted is None else f", p {number(contrast.adjusted, 2)}"
    corrected = " after Holm" if chance and contrast.subject not in (_FRESH, "augmentation") else ""
    written = number if contrast.difference.value is None else figures(as_score(contrast.difference))
    found = (
        f"{measure(findings.headline)} {written(own)} beside {written(base)}, {standing(contrast)}{chance}{corrected}"
    )
    return f"{start}: {found}."


def sentences(study: UtilityStudy) -> tuple[str, ...]:
    """The leading answers: for each set what it is in place of real images, added to them, and before a second task.

    Where several numbers of images were added, the one nearest to that of the real images speaks.
    """
    said = []
    for findings in study.findings:
        subjects = dict.fromkeys(one.subject for one in findings.contrasts if one.subject != "augmentation")
        for subject in subjects:
            for question in ("substitution", "addition", "transfer"):
                found = findings.of(question, subject)
                if found:
                    leading = min(found, key=lambda one: (abs(one.added - one.real) if one.real else 0, -one.added))
                    said.append(sentence(leading, findings))
    if not said and study.findings:
        said = [sentence(one, study.findings[0]) for one in study.findings[0].contrasts[:3]]
    return tuple(Redaction().text(text) for text in said)
