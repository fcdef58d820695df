"""What the privacy axis concludes from its endpoints, and in which words.

The verdict says what was looked for, what was found and what would have been found; it never says that a set is safe
to share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fourfold.privacy.endpoints import TITLES, Endpoint, Status, endpoints_of
from fourfold.privacy.policy import LIMITS, Policy
from fourfold.score import Score

__all__ = ["Judgement", "conclude", "judge"]

ENOUGH_NULL = 300
"""Fewer real images make a null whose tail is a guess."""

_LISTED_IN_FULL = 4
_SAID = 3
_FURTHER = "Patients may be recognisable in ways that were not looked for."


@dataclass(frozen=True)
class Judgement:
    """The verdict of an audit and what it rests on.

    Parameters
    ----------
    status : {"pass", "fail", "inconclusive"}
    sentence : str
        What was found, what was looked for and what would have been found.
    keys : tuple of str
        The scores that decided, the binding ones first.
    endpoints : tuple of Endpoint
        By stage.
    blockers : tuple of str
        Why no attack can be judged: assumptions that failed, a clause each.
    missing : tuple of (str, str)
        Endpoints that the policy requires and nothing measured, each with the reason.
    unmeasured : tuple of (str, str)
        The same for every endpoint that applies, required or not.
    """

    status: Status
    sentence: str
    keys: tuple[str, ...]
    endpoints: tuple[Endpoint, ...]
    blockers: tuple[str, ...] = ()
    missing: tuple[tuple[str, str], ...] = ()
    unmeasured: tuple[tuple[str, str], ...] = ()


def conclude(scores: Sequence[Score], policy: Policy | None = None) -> tuple[Status, str, tuple[str, ...]]:
    """What the scores of the privacy axis add up to.

    Parameters
    ----------
    scores : sequence of Score
        Of the privacy axis; those of other axes are left out of account.
    policy : Policy or None
        The limits; None for the default ones.

    Returns
    -------
    status : {"pass", "fail", "inconclusive"}
    sentence : str
    keys : tuple of str
        The scores that decided.
    """
    found = judge(scores, Policy() if policy is None else policy)
    return found.status, found.sentence, found.keys


def judge(scores: Sequence[Score], policy: Policy) -> Judgement:
    """The verdict with its endpoints.

    *fail* where copies are listed beyond what the holdout would list, or an attack's lower bound, adjusted for the
    number of endpoints, lies above its limit; *pass* where the upper bound of every endpoint lies below its limit, all
    that the policy requires was measured, and nothing blocks the verdict; else *inconclusive*. A failed assumption
    takes the evidence from every attack that compares with the holdout, but not from images that are listed as copies.

    Parameters
    ----------
    scores : sequence of Score
    policy : Policy

    Returns
    -------
    Judgement
    """
    own = [score for score in scores if score.axis == "privacy"]
    found = endpoints_of(own, policy)
    measured = {endpoint.name for endpoint in found}
    absent = [name for name in LIMITS if policy.applies(name) and name not in measured]
    unmeasured = tuple((name, _why_missing(name, own)) for name in absent)
    missing = tuple(entry for entry in unmeasured if policy.requires(entry[0]))
    copies = next((score for score in own if score.name == "copies" and score.value is not None), None)
    blockers = (*_blockers(own), *_weak_null(copies))
    listed = next((endpoint for endpoint in found if endpoint.name == "copies"), None)
    failed = sorted((one for one in found if one.status == "fail"), key=lambda one: one.adjusted)
    open_ones = sorted((one for one in found if one.status == "inconclusive"), key=lambda one: one.headroom)

    def judgement(status: Status, sentence: str, binding: Sequence[Endpoint]) -> Judgement:
        rest = sorted(found, key=lambda one: one.headroom)
        keys = tuple(dict.fromkeys(one.score for one in (*binding, *rest)))
        return Judgement(status, sentence, keys, found, blockers, missing, unmeasured)

    if listed is not None and listed.status == "fail":
        return judgement("fail", _copied(copies, listed), [listed])
    searched = _search(copies, listed)
    if blockers:
        but = ": " if listed is None else ", but this shows little: "
        return judgement("inconclusive", f"{searched}{but}{'; '.join(blockers)}.", open_ones)
    if failed:
        reached = "; ".join(f"{one.title} at least {one.written(one.lower)}, {_limit(one)}" for one in failed[:_SAID])
        sentence = f"Attacks reach more than the policy allows: {reached}. {searched}."
        return judgement("fail", sentence, failed)
    if missing or open_ones or not found:
        gaps = [_gap(one, copies) for one in open_ones]
        for why in dict.fromkeys(why for _, why in missing):
            names = " and ".join(TITLES[name] for name, other in missing if other == why)
            gaps.append(f"not measured: {names} ({why})")
        if len(gaps) > _SAID:
            gaps = [*gaps[:_SAID], f"{len(gaps) - _SAID} more endpoints are open"]
        but = ": " if listed is None else ", but this does not settle it: "
        sentence = f"{searched}{but}{'; '.join(gaps) or 'no endpoint was measured'}. {_power(copies)}"
        return judgement("inconclusive", sentence.rstrip(), open_ones)
    closest = min(found, key=lambda one: one.headroom)
    sentence = (
        f"{searched}, and every attack stays below its limit; closest to it: {closest.title} at most "
        f"{closest.written(closest.upper)}, {_limit(closest)}. {_power(copies)}"
    )
    return judgement("pass", f"{sentence.rstrip()} {_FURTHER}", [closest])


def _blockers(scores: Sequence[Score]) -> tuple[str, ...]:
    found = [str(score.details["blocker"]).rstrip(". ") for score in scores if score.details.get("blocker")]
    return tuple(dict.fromkeys(found))


def _weak_null(copies: Score | None) -> tuple[str, ...]:
    """What takes the ground from the search for copies."""
    if copies is None:
        return ()
    found = []
    if not copies.details.get("holdout_images", 1):
        found.append("there is no holdout")
    if copies.details.get("null_images", ENOUGH_NULL) < ENOUGH_NULL:
        found.append(f"{copies.details['null_images']} real images make a weak null")
    return tuple(found)


def _why_missing(name: str, scores: Sequence[Score]) -> str:
    """The reason that a score of that question gives, first of those without a value."""
    stem = "copies" if name == "copy_rate" else name.rsplit("_", 1)[0]
    own = sorted((score for score in scores if score.name.startswith(stem)), key=lambda score: score.applies)
    if not own:
        return "not asked for"
    return next((score.reason for score in own if score.reason), "no score reports it").rstrip(".")


def _search(copies: Score | None, listed: Endpoint | None) -> str:
    """The opening clause: how the search for copies went."""
    if copies is None or listed is None:
        return "Whether training images were copied was not determined"
    images = copies.details.get("images", len(copies.per_synthetic.get("copy", ())))
    if not listed.estimate:
        return f"No copy of a training image was found among {images:,d} synthetic images"
    listing = "is listed as a copy" if listed.estimate == 1 else "are listed as copies"
    accepted = ", which the policy accepts" if listed.status == "pass" else ""
    return f"{listed.estimate:,.0f} of {images:,d} synthetic images {listing}{accepted}"


def _copied(copies: Score, listed: Endpoint) -> str:
    facts, count = copies.details, int(listed.estimate)
    one, patients = count == 1, facts.get("patients")
    what = "is a copy of a training image" if one else "are copies of training images"
    whose = "" if patients is None else f"{patients} {'patient' if patients == 1 else 'patients'}; "
    level = 100 * facts.get("false_discovery_rate", 0.05)
    return (
        f"{count:,d} of {facts['images']:,d} synthetic images {what} ({whose}at most {level:g} % of the list is "
        f"expected to be false): {'it' if one else 'they'} must not be shared, nor should the generator be."
    )


def _gap(endpoint: Endpoint, copies: Score | None) -> str:
    if endpoint.name == "copies":
        null = 0.0 if copies is None or copies.null is None else copies.null
        return f"of the holdout {100 * null:.2g} % would be listed as well"
    remedy = f"; {endpoint.remedy}" if endpoint.remedy else ""
    return f"{endpoint.title} may reach {endpoint.written(endpoint.upper)} ({_limit(endpoint)}{remedy})"


def _limit(endpoint: Endpoint) -> str:
    return f"limit {endpoint.written(endpoint.limit)}"


def _power(copies: Score | None) -> str:
    """What the search would have found: each disguise, or the least visible ones where there are many."""
    if copies is None:
        return ""
    power = copies.details.get("power", {})
    if not power:
        return "No copies were planted to test the search."
    recall = sorted((float(one["recall"]), str(name).replace("_", " ")) for name, one in power.items())
    if len(recall) <= _LISTED_IN_FULL:
        return f"Planted copies that were found, by disguise: {_shares(recall)}."
    return f"Planted copies that were found in the least visible of {len(recall)} disguises: {_shares(recall[:3])}."


def _shares(recall: Sequence[tuple[float, str]]) -> str:
    return ", ".join(f"{name} {100 * share:.0f} %" for share, name in recall)
