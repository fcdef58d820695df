"""What a release says about itself: how its images were chosen, and why it was refused, in plain sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fourfold.releasing.decision import Trials

__all__ = ["how_it_was_made", "outcome", "what_was_counted"]


def how_it_was_made(
    figures: Mapping[str, Any], tests: Trials | None, roles: Mapping[str, Mapping[str, int]], earlier: int
) -> tuple[str, ...]:
    """For the statement: candidates, screen, choice and tests, a few sentences.

    Parameters
    ----------
    figures : mapping
        As `Choice.figures`.
    tests : Trials or None
        None while they are not made.
    roles : mapping
        As `Roles.describe`.
    earlier : int
        Releases from some of the same patients before.
    """
    candidates, screen, selection = figures["candidates"], figures["screen"], figures["selection"]
    veto = screen["veto"]
    conditions = candidates.get("conditions")
    given_up = ""
    if conditions:
        given_up = f" {candidates['given_up']:,d} of {conditions:,d} conditions were given up."
    first = (
        f"Of {candidates['drawn']:,d} candidates, each compared with all {roles['training']['patients']:,d} training "
        f"patients, {veto['vetoed']:,d} were vetoed as too near to one of them, {screen['accepted']:,d} were accepted "
        f"and {selection['images']:,d} chosen.{given_up} {_rates(veto)}"
    )
    found = [first, *_shortage(selection)]
    if screen["embeddings"]:
        parts = [
            f"{name}: {_number(one['mean_before'])} before, {_number(one['mean_after'])} after"
            for name, one in screen["embeddings"].items()
        ]
        found.append(
            "Mean predicate weight of the nearest training person (0.50 where images know nothing of the training "
            f"set): {'; '.join(parts)}."
        )
    judged = (
        f"Choice calibrated on {roles['calibration']['patients']:,d} patients; everything below was measured on "
        f"{roles['judging']['patients']:,d} others, who took part in no decision."
    )
    if earlier:
        judged += (
            f" {earlier} earlier {'release was' if earlier == 1 else 'releases were'} made from some of the same "
            "patients; what several releases tell together was not tested."
        )
    found.append(judged)
    if tests is not None:
        found.extend(_tested(tests))
    return tuple(found)


def outcome(released: bool, reasons: Sequence[str], images: int, sentence: str) -> tuple[str, ...]:
    """What the command says at its end.

    Parameters
    ----------
    released : bool
    reasons : sequence of str
        Why not.
    images : int
    sentence : str
        Of the audit.
    """
    if released:
        return (f"{images:,d} images. {sentence}",)
    return tuple(f"{reason[:1].upper()}{reason[1:]}." for reason in reasons)


def what_was_counted(figures: Mapping[str, Any]) -> dict[str, int]:
    """Candidates on their way, by what became of them."""
    screen, selection = figures["screen"], figures["selection"]
    counts = {
        "candidates": figures["candidates"]["drawn"],
        "vetoed as too near to a patient": screen["veto"]["vetoed"],
        "accepted by the screen": screen["accepted"],
    }
    if figures["candidates"].get("conditions"):
        counts["conditions given up"] = figures["candidates"]["given_up"]
    if selection.get("outside") is not None:
        counts["outside the real distribution"] = selection["outside"]
    if "available" in selection:
        counts["available to choose from"] = selection["available"]
    counts["chosen"] = selection["images"]
    return counts


def _shortage(selection: Mapping[str, Any]) -> list[str]:
    """Classes of which fewer images were left than were asked for; nobody should have to find that out."""
    balance = selection.get("balance", {})
    short = {name: int(count) for name, count in balance.get("short", {}).items()}
    missing = [str(name) for name in balance.get("missing", ())]
    found = []
    if short:
        told = ", ".join(f"{count:,d} of {name}" for name, count in short.items())
        found.append(f"Fewer images than asked for were left: {told} are lacking.")
    if missing:
        found.append(f"No image was left of: {', '.join(missing)}.")
    return found


def _rates(veto: Mapping[str, Any]) -> str:
    missed, false = veto["miss_rate"], veto["false_veto"]
    said = []
    if missed is not None:
        said.append(
            f"Of {missed['of']:,d} near-duplicates made to test it the veto missed {_share(missed['value'])} "
            f"({_span(missed['interval'])})"
        )
    if false is not None:
        said.append(
            f"{'of' if said else 'Of'} images of fresh patients it vetoed {_share(false['value'])} "
            f"({_span(false['interval'])})"
        )
    return f"{'; '.join(said)}." if said else ""


def _tested(tests: Trials) -> list[str]:
    found = []
    if tests.singling_out_p is not None:
        seen = [share for share in tests.detectable.values() if share is not None]
        power = f" Noisy copies of {_share(max(seen))} of the images would have been seen." if seen else ""
        avoided = "" if tests.avoidance_p is None else f", holes around them p = {tests.avoidance_p:.2g}"
        found.append(
            f"Predicate singling out of training patients beyond others, over all weights and feature spaces: p = "
            f"{tests.singling_out_p:.2g}{avoided}.{power}"
        )
    loss = tests.utility.get("loss")
    if loss is not None:
        found.append(
            f"A model trained on these images reaches an area under the curve of {tests.utility['value']:.3f} on real "
            f"patients, one trained on as many real images {tests.utility['real']:.3f} (difference "
            f"{-loss['value']:+.3f}, 95 % {-loss['upper']:+.3f} to {-loss['lower']:+.3f})."
        )
    return found


def _share(value: float) -> str:
    return f"{100 * value:.2g} %"


def _span(interval: Sequence[float]) -> str:
    return f"95 % {100 * interval[0]:.2g} to {100 * interval[1]:.2g} %"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
