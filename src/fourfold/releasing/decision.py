"""Whether a release may leave: the policy held against what the screen, the audit and the tests found.

Every reason against it is a sentence. No reason is a statement that the images are safe: it says that what was looked
for was not found, and the statement beside them says what would have been.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fourfold.auditing import Audit
from fourfold.releasing.policy import ReleasePolicy
from fourfold.score import Score

__all__ = ["Trials", "reasons_against", "tests_of"]


@dataclass(frozen=True)
class Trials:
    """What decides beside the endpoints of the audit.

    Parameters
    ----------
    singling_out_p, avoidance_p : float or None
        Of the test of predicate singling out and of its lower tail, over all weights (Holm) and feature spaces
        (Bonferroni); None where it was not possible.
    detectable : mapping of str to float or None
        By feature space, the share of noisy copies that the test would have seen (its positive control).
    fresh_p : mapping of str to float or None
        By feature space, the p-value when fresh real patients are tested as if released (its negative control).
    utility : mapping
        ``value``, ``null``, ``interval``, ``score`` of the score that judges utility, and ``loss`` with its
        interval; empty where no model could be trained.
    """

    singling_out_p: float | None
    avoidance_p: float | None
    detectable: Mapping[str, float | None]
    fresh_p: Mapping[str, float | None]
    utility: Mapping[str, Any]

    def describe(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "singling_out": {
                "p": self.singling_out_p,
                "p_avoidance": self.avoidance_p,
                "detectable_share": dict(self.detectable),
                "fresh_p": dict(self.fresh_p),
            },
            "utility": dict(self.utility),
        }


def tests_of(audit: Audit) -> Trials:
    """Read the tests from an audit that asked for utility as well."""
    own = [one for one in audit.evaluation.axis("privacy") if one.name == "singling_out" and one.applies]
    upper = [float(one.details["p"]) for one in own]
    lower = [float(one.details["p_avoidance"]) for one in own]
    return Trials(
        min(1.0, len(own) * min(upper)) if own else None,
        min(1.0, len(own) * min(lower)) if own else None,
        {str(one.features): one.details["positive_control"]["detectable_share"] for one in own},
        {str(one.features): None if (held := one.details["negative_control"]) is None else held["p"] for one in own},
        _utility(audit),
    )


def reasons_against(
    audit: Audit,
    tests: Trials,
    policy: ReleasePolicy,
    *,
    missed: float | None,
    given_up: float,
    earlier: int,
    images: int,
) -> tuple[str, ...]:
    """Why a release is refused; empty where nothing speaks against it.

    Parameters
    ----------
    audit : Audit
        Of the images that would be released.
    tests : Trials
    policy : ReleasePolicy
    missed : float or None
        Share of near-duplicates that the screen misses; None where it was not measured.
    given_up : float
        Share of the conditions for which no image could be given.
    earlier : int
        Releases made from any of the same patients before.
    images : int
        How many would be released.
    """
    found = []
    if not images:
        return ("no candidate was left after screen and selection",)
    if earlier > policy.earlier_releases:
        found.append(
            f"{earlier} earlier {'release' if earlier == 1 else 'releases'} from some of the same patients; the policy "
            f"accepts {policy.earlier_releases}, because what several releases tell together is not the sum"
        )
    if missed is None and policy.shortfall == "refuse":
        found.append("how many near-duplicates the screen misses could not be measured")
    elif missed is not None and missed > policy.miss_rate and policy.shortfall == "refuse":
        found.append(
            f"the screen misses {100 * missed:.1f} % of near-duplicates; the policy accepts "
            f"{100 * policy.miss_rate:g} % (more patients to calibrate on see better, --reference, and so does a "
            "larger false_veto)"
        )
    if given_up > policy.given_up:
        found.append(
            f"no image could be given for {100 * given_up:.0f} % of the conditions; the policy accepts "
            f"{100 * policy.given_up:g} %"
        )
    if audit.status == "fail" or (audit.status == "inconclusive" and policy.inconclusive == "refuse"):
        found.append(f"the audit is {audit.status}: {audit.sentence.rstrip('.')}")
    for name, p, level in (
        ("released images single out training patients", tests.singling_out_p, policy.singling_out_p),
        ("released images leave holes around training patients", tests.avoidance_p, policy.avoidance_p),
    ):
        if p is None and name.startswith("released images single") and "singling_out_excess" in policy.audit.required:
            found.append("predicate singling out could not be tested")
        elif p is not None and p <= level:
            found.append(f"{name} (p = {p:.2g}, level {level:g})")
    loss = tests.utility.get("loss")
    if policy.utility_loss is not None:
        if loss is None:
            found.append("utility could not be measured, and the policy limits its loss")
        elif loss["upper"] > policy.utility_loss:
            found.append(
                f"a model trained on the released images may lose {loss['upper']:.3f} of area under the curve on real "
                f"patients; the policy accepts {policy.utility_loss:g}"
            )
    return tuple(found)


def _utility(audit: Audit) -> dict[str, Any]:
    own = [
        one
        for one in audit.evaluation.axis("utility")
        if one.applies and one.name.startswith("train_synthetic_test_real")
    ]
    # Networks on pixels before classifiers on features: the screen and the choice saw features.
    score = next((one for one in own if one.features is None), own[0] if own else None)
    if score is None or score.null is None:
        return {}
    low, high = score.interval if score.interval is not None else (score.value, score.value)
    return {
        "score": score.key,
        "features": score.features,
        "value": score.value,
        "interval": [low, high],
        "real": score.null,
        "real_interval": None if score.null_interval is None else list(score.null_interval),
        "loss": _loss(score, low, high),
    }


def _loss(score: Score, low: float, high: float) -> dict[str, float]:
    """The loss against as many real images, with the half-width of the paired comparison."""
    return {"value": score.null - score.value, "lower": score.null - high, "upper": score.null - low}
