"""Membership and worst-case membership: what the attacks achieve, on patients they were not chosen on.

`membership` asks whether somebody who holds an image of a patient could tell from the synthetic set that the patient
was in the training set. `worst_case_membership` asks the same of the patients who are most exposed. Both are read
against 0.5, which holds whatever the sizes of the sets: without leakage training and holdout patients are exchangeable.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from scipy.stats import norm

from fourfold.comparison import Spaces
from fourfold.privacy.contrast import clipped, one_sided
from fourfold.privacy.membership.battery import Battery, all_attacks
from fourfold.privacy.membership.choice import (
    area_on,
    best_attack,
    epsilon_on_halves,
    first_half,
    operating_point,
    patient_scores,
)
from fourfold.privacy.membership.groups import exposed_groups
from fourfold.score import Metric, Score, does_not_apply, register
from fourfold.statistics import RankedArea

__all__ = ["membership", "worst_case_membership"]

SOURCE = (
    "attacks of GAN-Leaks (Chen et al. 2020), Hilprecht et al. 2019, DOMIAS (van Breugel et al. 2023), LOGAN (Hayes et "
    "al. 2019), Carlini et al. 2023; area with patients as clusters (Obuchowski 1997)"
)

LEAST_PATIENTS = 20
"""Patients in training and holdout set each (and in each group), below which a standard error means nothing."""

LEAST_IMAGES = 10
"""Synthetic images, below which there is nothing to attack with."""

RATES = (0.1, 0.01, 0.001)
_HALVES = "patients in each half of either set"
"""False-positive rates at which the attacker is asked; 0.001 with 5 000 holdout patients and more."""

ENOUGH_FOR_RARE = 5000
"""A threshold at the empirical 0.1 % of n patients has a true rate of 0.003-0.37 % for n = 1 000, and 0.03-0.21 % for
5 000."""


def membership(spaces: Spaces) -> Score:
    """Area under the curve of the best attack, chosen on half of the patients and measured on the other half.

    Parameters
    ----------
    spaces : Spaces
        Sets with a holdout, in one or more feature spaces.

    Returns
    -------
    Score
        Value between 0 and 1, null 0.5, one-sided. Per training image: ``membership``, the share of holdout images
        that look less like a member (under the chosen attack). Details: the endpoints ``membership_auc`` and
        ``membership_tpr``, all attacks with their area on half A, operating points and epsilon.
    """
    fields: dict[str, Any] = {"better": "lower", "source": SOURCE}
    refusal = _refusal(spaces)
    if refusal is not None:
        return does_not_apply("privacy", "membership", refusal, **fields)
    given = all_attacks(spaces)
    if not given.scores:
        return does_not_apply("privacy", "membership", "no attack tells any two real images apart", **fields)
    seed = next(iter(spaces.comparisons.values())).seed
    patients, members = given.patients, given.members
    in_first = first_half(patients, members, seed)
    chosen, areas = best_attack(given.scores, patients, members, in_first)
    scores = given.scores[chosen]
    area = area_on(scores, patients, members, ~in_first)
    facts, endpoint, lacking = _named(scores, given, in_first, seed)
    reach = float(norm.ppf(0.975)) * area.null_standard_error
    return Score(
        "privacy",
        "membership",
        area.value,
        null=0.5,
        interval=one_sided(_interval(area, 0.95), 0.5, "lower"),
        null_interval=clipped((0.5 - reach, 0.5 + reach), (0.0, 1.0)),
        null_source="analytic",
        features=chosen[0],
        reason=lacking,
        per_training={"membership": _share_below(scores[members], scores[~members])},
        details={
            "one_sided": True,
            "endpoints": [_area_endpoint("membership_auc", 2, area) | {"unit": _HALVES}, *endpoint],
            "attack": {"space": chosen[0], "name": chosen[1], "area_first_half": areas[chosen]},
            "attacks": [{"space": one[0], "name": one[1], "area_first_half": areas[one]} for one in areas],
            "calibrated_by": given.reference,
            "reported_on": "the half of the patients that the attack was not chosen on",
            "standard_error": area.standard_error,
            "patients": _sizes(given, in_first),
            **facts,
        },
        **fields,
    )


def worst_case_membership(spaces: Spaces) -> Score:
    """The same for the patients who are most exposed; the worst of the groups.

    For each group the attack is chosen on the patients of half A who are not in it, so that all of its patients can
    be measured.

    Parameters
    ----------
    spaces : Spaces
        Sets with a holdout, in one or more feature spaces; the groups are read from the leading one.

    Returns
    -------
    Score
        Value, null and direction as for `membership`; interval and band hold all groups together (Bonferroni).
        Details: an endpoint ``worst_case_auc`` a group, and the groups that are too small.
    """
    name = "worst_case_membership"
    fields: dict[str, Any] = {"better": "lower", "source": SOURCE}
    refusal = _refusal(spaces)
    if refusal is not None:
        return does_not_apply("privacy", name, refusal, **fields)
    given = all_attacks(spaces)
    if not given.scores:
        return does_not_apply("privacy", name, "no attack tells any two real images apart", **fields)
    leading = next(iter(spaces.comparisons.values()))
    patients, members = given.patients, given.members
    in_first = first_half(patients, members, leading.seed)
    groups = exposed_groups(leading)
    found: dict[str, tuple[tuple[str, str], RankedArea]] = {}
    described = []
    for group, inside in groups.items():
        sizes = [len(np.unique(patients[inside & side])) for side in (members, ~members)]
        left = [len(np.unique(patients[in_first & ~inside & side])) for side in (members, ~members)]
        facts: dict[str, Any] = {"group": group, "training": sizes[0], "holdout": sizes[1]}
        if min(sizes) < LEAST_PATIENTS or min(left) < LEAST_PATIENTS // 2:
            facts["reason"] = f"needs {LEAST_PATIENTS} training and {LEAST_PATIENTS} holdout patients"
        else:
            chosen, _ = best_attack(given.scores, patients, members, in_first & ~inside)
            area = area_on(given.scores[chosen], patients, members, inside)
            found[group] = (chosen, area)
            facts |= {"space": chosen[0], "attack": chosen[1], "area": area.value, "interval": _interval(area, 0.95)}
        described.append(facts)
    if not found:
        reason = (
            f"no group of exposed patients has {LEAST_PATIENTS} training and {LEAST_PATIENTS} holdout patients; "
            f"the most isolated 5 % do with {20 * LEAST_PATIENTS} of each"
        )
        return does_not_apply("privacy", name, reason, details={"groups": described}, **fields)
    worst = max(found, key=lambda group: found[group][1].value)
    chosen, area = found[worst]
    level = 1 - 0.05 / len(found)
    reach = float(norm.ppf((1 + level) / 2)) * area.null_standard_error
    small = [facts["group"] for facts in described if "reason" in facts]
    return Score(
        "privacy",
        name,
        area.value,
        null=0.5,
        interval=one_sided(_interval(area, level), 0.5, "lower"),
        null_interval=clipped((0.5 - reach, 0.5 + reach), (0.0, 1.0)),
        null_source="analytic",
        features=chosen[0],
        reason=f"too few patients to tell: {', '.join(small)}" if small else None,
        details={
            "one_sided": True,
            "endpoints": [
                _area_endpoint("worst_case_auc", 3, one) | {"group": group} for group, (_, one) in found.items()
            ],
            "worst": worst,
            "groups": described,
            "calibrated_by": given.reference,
        },
        **fields,
    )


def _refusal(spaces: Spaces) -> str | None:
    leading = next(iter(spaces.comparisons.values()), None)
    if leading is None:
        return "needs a feature space"
    if leading.holdout is None or not len(leading.holdout):
        return "needs a holdout: without patients who were not in the training set nobody can be taken for one"
    if len(leading.synthetic) < LEAST_IMAGES:
        return f"needs {LEAST_IMAGES} synthetic images"
    for role in ("training", "holdout"):
        features = leading.set(role)
        count = len(features) if features.patients is None else len(np.unique(features.patients))
        if count < LEAST_PATIENTS:
            return f"needs {LEAST_PATIENTS} {role} patients, got {count}"
    return None


def _named(
    scores: np.ndarray, given: Battery, in_first: np.ndarray, seed: int
) -> tuple[dict[str, Any], list[dict[str, Any]], str | None]:
    """Whom an attacker would name: facts for the details, the endpoint, and why there is none."""
    values, names, members, rule = patient_scores(scores, given.patients, given.members, seed)
    half = np.isin(names, given.patients[in_first])
    others = int((~members).sum())
    points = []
    endpoint: list[dict[str, Any]] = []
    lacking = None
    for rate in RATES:
        point = operating_point(values, members, half, rate)
        if rate < 0.01 and others < ENOUGH_FOR_RARE:
            point = None
        if point is None:
            need = ENOUGH_FOR_RARE if rate < 0.01 else 2 * (round(1 / rate) - 1)
            reason = f"{100 * rate:g} % false alarms cannot be set with {others} holdout patients; it takes {need}"
            points.append({"rate": rate, "reason": reason})
            lacking = reason if rate == 0.01 else lacking
            continue
        points.append(asdict(point) | {"named_of_1000": point.named_of_1000, "by_chance": round(1000 * rate)})
        if rate == 0.01:
            endpoint = [
                {
                    "name": "membership_tpr",
                    "stage": 2,
                    "kind": "proportion",
                    "count": point.named,
                    "size": point.members,
                    "unit": _HALVES,
                    "controls": point.controls,
                    "achieved_rate": point.accused / point.others,
                }
            ]
    facts = {
        "operating_points": points,
        "patient_score": rule,
        "epsilon": asdict(epsilon_on_halves(values, members, half)),
    }
    return facts, endpoint, lacking


def _interval(area: RankedArea, level: float) -> tuple[float, float]:
    reach = float(norm.ppf((1 + level) / 2)) * _error(area)
    return clipped((area.value - reach, area.value + reach), (0.0, 1.0))


def _error(area: RankedArea) -> float:
    # Perfect order has no spread of its own; half a patient of the smaller set is what it leaves open.
    return max(area.standard_error, 0.5 / min(area.positives, area.negatives) ** 1.5)


def _area_endpoint(name: str, stage: int, area: RankedArea) -> dict[str, Any]:
    return {
        "name": name,
        "stage": stage,
        "kind": "normal",
        "estimate": area.value,
        "standard_error": _error(area),
        "size": min(area.positives, area.negatives),
    }


def _share_below(scores: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Share of `others` below each score, ties counting half; in [0, 1]."""
    ordered = np.sort(others)
    below, reached = np.searchsorted(ordered, scores, "left"), np.searchsorted(ordered, scores, "right")
    return (below + reached) / (2 * len(ordered))


def _sizes(given: Battery, in_first: np.ndarray) -> dict[str, int]:
    return {
        f"{role}_{half}_half": len(np.unique(given.patients[side & chosen]))
        for role, side in (("training", given.members), ("holdout", ~given.members))
        for half, chosen in (("first", in_first), ("second", ~in_first))
    }


_NULL = "0.5, whatever the sizes: without leakage training and holdout patients are exchangeable"
_COST = "O((N + H) (N + M + H) d) in each feature space"

register(
    Metric(
        axis="privacy",
        name="membership",
        kind="spaces",
        better="lower",
        summary="how well the best of the attacks tells training patients from others by the synthetic images alone",
        null=_NULL,
        cost=_COST,
        source=SOURCE,
        compute=membership,
        needs=("holdout",),
    )
)

register(
    Metric(
        axis="privacy",
        name="worst_case_membership",
        kind="spaces",
        better="lower",
        summary="the same for the most isolated patients, those with rare classes and those with duplicated images",
        null=_NULL,
        cost=_COST,
        source=SOURCE,
        compute=worst_case_membership,
        needs=("holdout",),
    )
)
