"""The primary endpoints of an audit: what each attack achieved, against the limit that the policy sets.

Metrics report facts (``Score.details["endpoints"]``); here they become bounds, p-values and a status. A set passes on
all endpoints or not at all (an intersection-union test, which needs no correction); a failure of any of them is
adjusted for their number by Holm's procedure. Scores without such facts, and those marked as diagnostics, do not
enter.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fourfold.privacy.policy import Policy
from fourfold.privacy.proof import Proof, proof_of
from fourfold.score import Score
from fourfold.statistics import holm

__all__ = ["STAGES", "TITLES", "Endpoint", "Status", "endpoints_of"]

Status = Literal["pass", "fail", "inconclusive"]

STAGES = {
    0: "validity",
    1: "copies",
    2: "membership",
    3: "worst case",
    4: "singling out, linkage, inference",
    5: "model",
}
"""What an audit goes through, in this order; validity has no endpoint, it can only block the verdict."""

_LEVEL = 0.05
_STAGE_OF = {"copies": 1, "copy": 1, "membership": 2, "epsilon": 2, "worst": 3, "model": 5}
TITLES = {
    "copies": "images listed as copies",
    "copy_rate": "share of copies",
    "membership_auc": "membership attack, area under the curve",
    "membership_tpr": "membership attack, patients named at 1 % false alarms",
    "worst_case_auc": "most exposed patients, area under the curve",
    "worst_case_tpr": "most exposed patients, named at 1 % false alarms",
    "singling_out_excess": "singling out beyond chance",
    "linkage_excess": "linkage beyond that of other patients",
    "inference_excess": "inference of attributes beyond that of other patients",
    "model_auc": "attack on the model, area under the curve",
    "model_tpr": "attack on the model, patients named at 1 % false alarms",
    "epsilon": "privacy loss (epsilon), lower bound",
}
"""What each endpoint is called on a page."""

_UNITS = {
    "copies": "images",
    "copy": "different synthetic images",
    "singling": "attempts",
    "linkage": "patients",
    "inference": "patients",
}


@dataclass(frozen=True)
class Endpoint:
    """One primary endpoint, judged.

    Parameters
    ----------
    name : str
        As in `LIMITS`.
    stage : int
        1 copies, 2 membership, 3 worst case, 4 singling out, linkage and inference, 5 model.
    score : str
        The score it comes from, ``"axis/name"`` or ``"axis/name@features"``.
    proof : Proof
        The facts.
    estimate, lower, upper : float
        What was observed, and its one-sided 95 % bounds.
    limit : float
        From the policy.
    p, adjusted : float
        p-value of "at or below the limit", as it is and adjusted for the number of endpoints.
    status : {"pass", "fail", "inconclusive"}
        *pass*: the upper bound lies below the limit (copies: no more than it). *fail*: the adjusted p-value is at most
        5 %. Else *inconclusive*.
    needed : int or None
        Where inconclusive: the size that would settle it if what was observed held on.
    unit : str
        What `needed` counts.
    of : str
        Which of several endpoints of that name it is: a feature space, a group of patients, a secret; may be empty.
    """

    name: str
    stage: int
    score: str
    proof: Proof
    estimate: float
    lower: float
    upper: float
    limit: float
    p: float
    adjusted: float
    status: Status
    needed: int | None
    unit: str
    of: str = ""

    @property
    def title(self) -> str:
        """The endpoint in words, with what tells it from others of its name."""
        return TITLES[self.name] + (f" ({self.of})" if self.of else "")

    @property
    def headroom(self) -> float:
        """How far the upper bound lies below the limit, as a share of the way from chance to the limit.

        Infinity for a count, of which every accepted value is as good.
        """
        if self.name == "copies":
            return math.inf if self.status == "pass" else -math.inf
        chance = 0.5 if self.name.endswith("_auc") else 0.01 if self.name.endswith("_tpr") else 0.0
        return (self.limit - self.upper) / ((self.limit - chance) or 1.0)

    @property
    def remedy(self) -> str:
        """What would settle an inconclusive endpoint, a clause; empty for the others."""
        if self.status != "inconclusive":
            return ""
        if self.needed is not None:
            none = " without a copy" if self.name == "copy_rate" and self.estimate == 0 else ""
            return f"about {self.needed:,d} {self.unit}{none} would settle it"
        if self.name == "copies":
            return "fresh patients would be listed as well"
        if self.estimate >= self.limit:
            return "the estimate itself lies above the limit, so that more data would not make it pass"
        return "no number of images would settle it"

    def written(self, value: float) -> str:
        """A value in the unit of the endpoint: a count, an area, an epsilon or per cent.

        Examples
        --------
        >>> from fourfold.privacy.policy import Policy
        >>> score = Score("privacy", "m", 0.5, details={"endpoints": [
        ...     {"name": "membership_tpr", "stage": 2, "kind": "proportion", "count": 1, "size": 100}]})
        >>> endpoint, = endpoints_of([score], Policy())
        >>> endpoint.written(endpoint.upper)
        '4.7 %'
        """
        if self.name == "copies":
            text = f"{value:.0f}"
        elif self.name.endswith("_auc") or self.name == "epsilon":
            text = f"{value:.2f}"
        else:
            text = f"{100 * value:.2g} %" if abs(value) < 0.095 else f"{100 * value:.0f} %"
        return text.replace("-", "−") if not text.startswith("-0 ") else text[1:]


def endpoints_of(scores: Sequence[Score], policy: Policy) -> tuple[Endpoint, ...]:
    """Every endpoint that the scores report and the policy's scope asks for, by stage.

    Parameters
    ----------
    scores : sequence of Score
        Of the privacy axis.
    policy : Policy

    Returns
    -------
    tuple of Endpoint

    Raises
    ------
    ValueError
        Where a score reports an endpoint of an unknown name or kind, or without its facts.

    References
    ----------
    R. L. Berger, Technometrics 24 (1982) 295 (intersection-union tests); S. Holm, Scand. J. Stat. 6 (1979) 65.
    """
    found = []
    for score in scores:
        if score.details.get("diagnostic"):
            continue
        for facts in _facts(score):
            name = str(facts.get("name"))
            limit = policy.limit(name)
            if policy.applies(name):
                proof = proof_of(facts, null=score.null or 0.0, beyond=score.departs() == "worse")
                found.append((score, facts, name, proof, limit))
    p = [proof.p(limit) for _, _, _, proof, limit in found]
    rejected, adjusted = holm(p, _LEVEL)
    # A count and a floor bring the error rate of their own procedure; in Holm's they count as one test like the others.
    judged = [
        _judged(score, facts, name, proof, limit, own, float(after), bool(fails))
        for (score, facts, name, proof, limit), own, after, fails in zip(found, p, adjusted, rejected, strict=True)
    ]
    order = list(TITLES)
    return tuple(sorted(judged, key=lambda endpoint: (endpoint.stage, order.index(endpoint.name))))


def _judged(
    score: Score,
    facts: Mapping[str, Any],
    name: str,
    proof: Proof,
    limit: float,
    p: float,
    adjusted: float,
    fails: bool,
) -> Endpoint:
    lower, upper = proof.bounds()
    within = upper <= limit if name in ("copies", "epsilon") else upper < limit
    status: Status = "fail" if fails else "pass" if within else "inconclusive"
    first = name.split("_")[0]
    return Endpoint(
        name=name,
        stage=int(facts.get("stage", _STAGE_OF.get(first, 4))),
        score=f"{score.key}@{score.features}" if score.features else score.key,
        proof=proof,
        estimate=proof.estimate,
        lower=lower,
        upper=upper,
        limit=limit,
        p=p,
        adjusted=adjusted,
        status=status,
        needed=proof.needed(limit) if status == "inconclusive" else None,
        unit=str(facts.get("unit", _UNITS.get(first, "patients on each side"))),
        of=_of(score, facts, name),
    )


def _of(score: Score, facts: Mapping[str, Any], name: str) -> str:
    if name in ("copies", "copy_rate"):
        return ""
    told = [str(facts[key]).replace("_", " ") for key in ("group", "secret", "by", "space") if facts.get(key)]
    return ", ".join(dict.fromkeys(told or filter(None, [score.features])))


def _facts(score: Score) -> Sequence[Mapping[str, Any]]:
    """The entries of a score; those of the copies score without any are read from its other details."""
    entries = score.details.get("endpoints")
    if entries is not None or score.name != "copies" or score.value is None or "images" not in score.details:
        return [_with_kind(facts, score) for facts in entries or ()]
    details = score.details
    listed, distinct = int(details["copies"]), int(details.get("distinct_images", details["images"]))
    recall = min((float(one["recall"]) for one in details.get("power", {}).values()), default=0.0)
    return [
        {"name": "copies", "stage": 1, "kind": "count", "count": listed},
        # Repeated images are one draw of the generator as far as a bound on its rate of copies goes.
        {
            "name": "copy_rate",
            "stage": 1,
            "kind": "rate",
            "count": min(listed, distinct),
            "size": distinct,
            "recall": recall,
        },
    ]


def _with_kind(facts: Mapping[str, Any], score: Score) -> Mapping[str, Any]:
    """The number of listed copies is a count, whatever else its entry says."""
    if facts.get("name") != "copies":
        return facts
    return {**facts, "kind": "count", "count": facts.get("count", score.details.get("copies"))}
