"""What the one page says about an audit, in the words of a reader who is no statistician."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fourfold.privacy import DISGUISES, TITLES, Endpoint
from fourfold.report import Compared, Criterion, EndpointRow, Fact, Power, Powers, Redaction, Statement, endpoint_row
from fourfold.report.wording import count
from fourfold.score import Score

if TYPE_CHECKING:
    from fourfold.auditing.audit import Audit

__all__ = ["CRITERIA", "assumptions", "statement_of", "untested"]

CRITERIA: dict[str, tuple[str, ...]] = {
    "Singling out": ("copies", "copy_rate", "singling_out_excess"),
    "Linkability": ("linkage_excess",),
    "Inference": ("inference_excess",),
    "Membership": (
        "membership_auc",
        "membership_tpr",
        "worst_case_auc",
        "worst_case_tpr",
        "model_auc",
        "model_tpr",
        "epsilon",
    ),
}
"""Which endpoint speaks to which criterion of WP216; membership is what EDPB Opinion 28/2024 asks beside them."""

_OUTSIDERS = 1000
_WRONGLY = 10
_BARS = 12
_LONGEST = 200
_MOST = 4
_GROUPS = 3
_UNTESTED = {
    "copies": "copies of training images",
    "copy": "the share of copies that the generator makes",
    "membership": "attacks on membership",
    "worst": "attacks on the membership of the most exposed patients",
    "singling": "singling out",
    "linkage": "linkage of records",
    "inference": "inference of attributes",
    "model": "attacks on the model",
    "epsilon": "the privacy loss (epsilon), which needs patients assigned to training and holdout at random",
}
_COMPARED = {"singling_out_excess": "Singling out", "linkage_excess": "Linkage", "inference_excess": "Inference"}
_ALWAYS_UNTESTED = (
    "What several data sources together would reveal.",
    "Scans of the same patients that do not exist yet, and attacks that are not known yet.",
    "Text burnt into images and metadata of files, beyond what reading them shows.",
)


def statement_of(audit: Audit, made: Sequence[str] = ()) -> Statement:
    """The records of the statement; free text has lost its paths, file names and identifiers.

    Parameters
    ----------
    audit : Audit
    made : sequence of str
        How the set was made and chosen; empty where it is not known.
    """
    said = Redaction.of(audit.evaluation).text
    judgement = audit.judgement
    score = _copies(audit)
    binding = {name: _binding(audit, name) for name in _COMPARED}
    compared = tuple(_compared(endpoint, said) for endpoint in binding.values() if endpoint is not None)
    absent = [_COMPARED[name] for name, endpoint in binding.items() if endpoint is None]
    return Statement(
        status=judgement.status,
        sentence=said(judgement.sentence),
        scope=_scope(audit, said),
        made=tuple(said(entry) for entry in made),
        copies=_about_copies(audit, score),
        power=_power(score),
        membership=tuple(map(said, _about_membership(audit, "membership", "members"))),
        exposed=tuple(
            map(said, _about_membership(audit, "worst_case", "of the most isolated patients and rare groups"))
        ),
        compared=compared,
        uncompared=f"Not measured: {', '.join(absent).lower()}." if absent else "",
        criteria=_criteria(audit, said),
        untested=tuple(_short(said(entry)) for entry in untested(audit)),
        failed=_few([_short(said(entry)) for entry in assumptions(audit)]),
        settling=_few([said(f"{_upper(one.title)}: {one.remedy}.") for one in audit.endpoints if one.remedy]),
        expires=f"This statement holds until {audit.expires.isoformat()}; then the audit must be repeated.",
    )


def untested(audit: Audit) -> tuple[str, ...]:
    """What the audit did not look at, a sentence each."""
    stems = {_stem(endpoint.name) for endpoint in audit.endpoints}
    found: dict[str, str] = {}
    for name, reason in audit.judgement.unmeasured:
        what = TITLES[name] if _stem(name) in stems else _UNTESTED[_stem(name)]
        why = "" if name == "epsilon" else f" ({reason})"
        found.setdefault(what, f"{_upper(what)}{why}.")
    entries = list(found.values())
    if audit.policy.scope == "images":
        entries.append("Attacks with access to the generator: the images are shared, the model is not.")
    return (*entries, *_ALWAYS_UNTESTED)


def assumptions(audit: Audit) -> tuple[str, ...]:
    """Which assumptions failed, and what else limits every result, a sentence each."""
    notes = [f"{_upper(blocker)}." for blocker in audit.judgement.blockers]
    if not any("blocker" in score.details for score in audit.evaluation.axis("privacy")):
        notes.append("Whether training and holdout patients are exchangeable was not tested.")
    if audit.split is not None and not audit.randomised:
        notes.append("The record of the split does not fit these sets.")
    elif not audit.randomised:
        notes.append(
            "Nothing shows that chance divided the patients into training and holdout; the evidence is observational."
        )
    return (*notes, *(note if note.endswith(".") else f"{note}." for note in audit.evaluation.notes))


def _scope(audit: Audit, said: Callable[[str], str]) -> tuple[Fact, ...]:
    sets = audit.evaluation.summaries

    def size(role: Any) -> str:
        summary = sets[role]
        patients = "" if summary.patients is None else f" of {count(summary.patients)} patients"
        return f"{count(summary.images)} images{patients}"

    training = f"{size('training')}; control: {size('holdout')}"
    if "reference" in sets:
        training += f"; reference: {size('reference')}"
    return (
        Fact("Date", audit.day.isoformat()),
        Fact("Valid until", audit.expires.isoformat()),
        Fact("Shared are", "the images" if audit.policy.scope == "images" else "the images and the model"),
        Fact("Limits signed by", said(audit.policy.signed_by) or "nobody yet"),
        Fact("Synthetic set", size("synthetic")),
        Fact("Split made by", _split(audit, said)),
        Fact("Training set", training),
        Fact("Synthetic set, SHA-256", audit.dataset),
    )


def _split(audit: Audit, said: Callable[[str], str]) -> str:
    """Who divided the patients, and whether chance did."""
    by = said(audit.split_by) or "not stated"
    if audit.split is None or not audit.randomised:
        return by
    drawn = f"at random by fourfold split (seed {audit.split.seed})"
    return f"{by}, {drawn}" if audit.split_by else drawn


def _about_copies(audit: Audit, score: Score | None) -> tuple[str, ...]:
    of = {endpoint.name: endpoint for endpoint in audit.endpoints}
    if score is None or "copies" not in of:
        return ("Not measured.",)
    listed, rate = of["copies"], of.get("copy_rate")
    images, patients = score.details.get("images", 0), score.details.get("patients", 0)
    found = int(listed.estimate)
    whose = f"{count(patients)} {'patient' if patients == 1 else 'patients'}"
    said = f"{count(found)} {'is listed as a copy' if found == 1 else 'are listed as copies'}, of {whose}."
    first = (
        f"Each of {count(images)} synthetic images was compared with every training image, as it is and in disguise. "
        f"{said if found else 'None is listed as a copy.'}"
    )
    if rate is not None:
        first += (
            f" Of further images by this generator, at most {rate.written(rate.upper)} would be copies (95 % "
            "confidence, corrected for copies that the search does not see)."
        )
    if score.null is not None and score.null_source == "holdout":
        level = 100 * score.details.get("false_discovery_rate", 0.05)
        second = (
            f"False alarms: of real images of patients who were never used, the same search lists "
            f"{100 * score.null:.2g} %. At most {level:g} % of the list is expected to be false."
        )
        return first, second
    return (first,)


def _power(score: Score | None) -> tuple[Powers, ...]:
    """What became of planted copies: all those that generators are known to make, and the least visible others."""
    power: Mapping[str, Any] = {} if score is None else score.details.get("power", {})
    plain = {disguise.name for disguise in DISGUISES if disguise.ordinary}
    ordinary = _bars({name: entry for name, entry in power.items() if name in plain})
    hidden = _bars({name: entry for name, entry in power.items() if name not in plain})
    recall = None if score is None else score.details.get("recall")
    found = "" if recall is None else f": {100 * recall:.0f} % found, by which the bound above is corrected"
    least = f" (the {_BARS} least visible of {len(hidden)})" if len(hidden) > _BARS else ""
    groups = (
        Powers(f"Copies as generators are known to make them, planted into these very data{found}", ordinary),
        Powers(f"Copies in disguise, planted likewise, and the share of them that was found{least}", hidden[:_BARS]),
    )
    return tuple(group for group in groups if group.bars)


def _bars(power: Mapping[str, Any]) -> tuple[Power, ...]:
    bars = []
    for name, entry in power.items():
        share, title = float(entry["recall"]), str(name).replace("_", " ")
        planted = entry.get("planted")
        of = "" if planted is None else f" of {planted}"
        bars.append(Power(title, min(1.0, max(0.0, share)), f"{title}: {100 * share:.0f} %{of} planted copies found"))
    return tuple(sorted(bars, key=lambda bar: bar.share))


def _about_membership(audit: Audit, stem: str, whom: str) -> tuple[str, ...]:
    """The share of members named at 1 % false alarms, as numbers of people, and the area under the curve."""
    own = sorted((one for one in audit.endpoints if one.name.startswith(stem)), key=lambda one: one.headroom)
    paragraphs = []
    for endpoint in [one for one in own if one.name.endswith("_tpr")][:1]:
        named = round(_OUTSIDERS * endpoint.upper)
        paragraphs.append(
            f"Of {_OUTSIDERS:,d} outsiders wrongly accused by at most {_WRONGLY}, the attacker would correctly "
            f"name at most {named:,d} of {_OUTSIDERS:,d} {whom} (chance: {_WRONGLY})."
        )
    for endpoint in [one for one in own if one.name.endswith("_auc")][:_GROUPS]:
        written = endpoint.written
        who = f"{_upper(endpoint.of)}: area" if endpoint.of and stem != "membership" else "Area"
        paragraphs.append(
            f"{who} under the curve {written(endpoint.estimate)}, between {written(endpoint.lower)} and "
            f"{written(endpoint.upper)} (0.50 is chance; limit {written(endpoint.limit)})."
        )
    reasons = dict(audit.judgement.unmeasured)
    return tuple(paragraphs) or (f"Not measured: {_short(reasons[f'{stem}_auc'])}.",)


def _compared(endpoint: Endpoint, said: Callable[[str], str]) -> Compared:
    written, proof = endpoint.written, endpoint.proof
    main, control = getattr(proof, "main", None), getattr(proof, "control", None)

    def share(counts: Sequence[int] | None) -> str:
        return "–" if counts is None else f"{counts[0]:,d} of {counts[1]:,d}"

    return Compared(
        name=said(f"{_COMPARED[endpoint.name]}{f' ({endpoint.of})' if endpoint.of else ''}"),
        main=share(main),
        control=share(control),
        difference=written(endpoint.estimate),
        bounds=f"{written(endpoint.lower)} to {written(endpoint.upper)}",
        status=endpoint.status,
    )


def _criteria(audit: Audit, said: Callable[[str], str]) -> tuple[Criterion, ...]:
    """The criteria, a row an endpoint."""
    found = []
    for criterion, names in CRITERIA.items():
        rows = []
        for name in names:
            binding = _binding(audit, name)
            if binding is not None:
                rows.append(endpoint_row(binding, said))
            elif audit.policy.applies(name) and name != "epsilon":
                rows.append(EndpointRow(_upper(TITLES[name]), "", "–", "–", "–", "not tested", ""))
        found.append(Criterion(criterion, tuple(rows)))
    return tuple(found)


def _binding(audit: Audit, name: str) -> Endpoint | None:
    """The endpoint of that name; of several feature spaces the one that decides."""
    own = [endpoint for endpoint in audit.endpoints if endpoint.name == name]
    return min(own, key=lambda endpoint: endpoint.headroom, default=None)


def _copies(audit: Audit) -> Score | None:
    scores = audit.evaluation.axis("privacy")
    return next((score for score in scores if score.name == "copies" and score.applies), None)


def _stem(name: str) -> str:
    return name.split("_")[0]


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _short(text: str) -> str:
    """A long note cut at a word, so that the page stays one page."""
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST].rsplit(' ', 1)[0]} … (whole in audit.json)"


def _few(entries: Sequence[str]) -> tuple[str, ...]:
    """The first entries, and how many more there are."""
    more = len(entries) - _MOST
    if more <= 1:
        return tuple(entries)
    return (*entries[:_MOST], f"{more} more are in audit.json.")
