"""What the cells say: is there a set that is at once this and that, and who wins?"""

from __future__ import annotations

import numpy as np

from fourfold.privacy import Policy
from fourfold.report import wording
from fourfold.studies.study import Finding, Table, Verdict
from fourfold.studies.trade_off.existence import Best, best_duel, best_of, ordered_pairs, reach, wins
from fourfold.studies.trade_off.ladders import FRESH
from fourfold.studies.trade_off.readings import (
    ADDED,
    CALIBRATED,
    IN_PLACE,
    OTHERS,
    PUBLISHED,
    SPACES,
    OfSets,
    Reading,
    by_seed,
    gaps,
    of_images,
    of_sets,
    sets_of,
    usefulness,
)
from fourfold.studies.trade_off.related import related
from fourfold.studies.trade_off.relations import side_of

__all__ = ["beast", "findings", "imperfect", "private"]

# Published privacy that is lower than that of fresh patients by no more than this counts as theirs.
_AS_PRIVATE = 0.05
# Accepted upper end of the share of images that single out one training patient; 0.01 by construction.
_SINGLING_OUT = 0.05
_LIMIT = Policy().membership_auc
_TOO_FEW = "No two sets differ in fidelity in every feature space, or there is one seed only."


def findings(table: Table) -> list[Finding]:
    """All findings, by claim."""
    if not len(table):
        return []
    images = of_images(table)
    return [*related(table), *imperfect(images), *beast(images), *private(table)]


def imperfect(table: Table) -> list[Finding]:
    """Of the claim of that name: a set told to be worse than fresh patients, and told to be useful."""
    sets = sets_of(table)
    made = sets.families != FRESH
    gain = usefulness(table, ADDED)
    found = []
    for reading in (OTHERS["fid"], CALIBRATED["fidelity"], PUBLISHED["variety"], CALIBRATED["variety"]):
        worse = np.all([_told_below(gaps(table, reading, space), int(made.sum())) for space in SPACES], axis=0)
        best = best_of(gain, made & worse, int(made.sum()))
        quantity = f"gain of the best set of low {reading.axis} ({reading.words})"
        if best is None:
            sentence = f"No set is told to be of lower {reading.axis} than fresh patients in every feature space."
            found.append(Finding("imperfect", quantity, None, None, "not asked", sentence, 0.0))
            continue
        standing = _standing(table, reading, sets.names[best.place])
        found.append(
            _existing(
                "imperfect",
                quantity,
                best,
                f"The set “{sets.names[best.place]}” ({standing}) adds to a few real images what repeating them does "
                f"not{_of_fresh(gain, sets.families)}.",
                f"No set of low {reading.axis} adds anything to a few real images.",
                f"Whether any of the {best.eligible} sets of low {reading.axis} is useful is not told; nearest to it "
                f"is “{sets.names[best.place]}” ({standing}).",
            )
        )
    return found


def beast(table: Table) -> list[Finding]:
    """Of the claim of that name: pairs of sets in which fidelity and usefulness point in opposite directions."""
    sets = sets_of(table)
    useful = by_seed(table, table.column(ADDED))
    found = []
    for reading in (OTHERS["fid"], PUBLISHED["fidelity"], CALIBRATED["fidelity"]):
        pairs = ordered_pairs([of_sets(table, reading, space) for space in SPACES])
        duel, won = best_duel(pairs, useful), wins(pairs, useful, sets.families)
        quantity = f"gain of the lower over the higher {reading.words}"
        if duel is None:
            found.append(Finding("beast", quantity, None, None, "not asked", _TOO_FEW, 0.0))
        else:
            best = Best(duel.worse, duel.value, duel.interval, duel.hopeless, duel.pairs)
            names = f"“{sets.names[duel.worse]}” over “{sets.names[duel.better]}”"
            found.append(
                _existing(
                    "beast",
                    quantity,
                    best,
                    f"The surest of {duel.pairs} pairs, with all of them allowed for: {names}.",
                    f"In all {duel.pairs} pairs the set of higher fidelity is the more useful one.",
                    f"In none of {duel.pairs} pairs does the set of lower fidelity win beyond doubt; nearest: {names}.",
                )
            )
        quantity = f"share of pairs won by the lower {reading.words}"
        if won is None:
            sentence = "Too few sets that differ in fidelity are told apart in usefulness."
            found.append(Finding("beast", quantity, None, None, "not asked", sentence, 0.5))
            continue
        side = side_of([won.interval], 0.5)
        verdict: Verdict = "holds" if side == "above" else "contradicted" if side == "below" else "not told apart"
        said = {
            "above": "The set of lower fidelity is mostly the more useful one",
            "below": "Contradicted as a rule: the set of higher fidelity is mostly the more useful one",
            "neither": "Neither the lower nor the higher fidelity wins more often",
        }[side]
        sentence = f"{said}, among {won.pairs} pairs that differ in both."
        found.append(Finding("beast", quantity, won.share, won.interval, verdict, sentence, 0.5))
    return found


def private(table: Table) -> list[Finding]:
    """Of the claim of that name: a trained generator whose images are useful and give nobody away."""
    sets = sets_of(table)
    trained = sets.kinds == "trained"
    statements = int(trained.sum())
    gain, in_place = (usefulness(table, column) for column in (ADDED, IN_PLACE))
    as_real = in_place.upper(reach(1)) >= 0
    published = np.all(
        [gaps(table, PUBLISHED["privacy"], space).lower(reach(statements)) > -_AS_PRIVATE for space in SPACES], axis=0
    )
    ways = (
        ("published", "as the published privacy score has it", published),
        ("calibrated", "by membership and by singling out", _nobody_given_away(table, statements)),
    )
    found = []
    for kind, how, safe in ways:
        best = best_of(gain, trained & safe & as_real, statements)
        quantity = f"gain of the best generator that is private, {kind}"
        if best is None:
            count = int((trained & safe).sum())
            sentence = f"{count} of {statements} sets of trained generators are told to be private {how}"
            sentence += ", and none of them serves as well as real images." if count else "."
            found.append(Finding("private", quantity, None, None, "not told apart", sentence, 0.0))
            continue
        name = sets.names[best.place]
        found.append(
            _existing(
                "private",
                quantity,
                best,
                f"“{name}” adds to a few real images, is not told from real ones in their place, and is private {how}.",
                f"No generator that is private {how} adds anything to a few real images.",
                f"“{name}” is private {how}; whether it adds to a few real images is not told.",
            )
        )
    return found


def _nobody_given_away(table: Table, statements: int) -> np.ndarray:
    """Sets whose attack on membership stays below the limit of the default policy, and that single nobody out."""
    attack = gaps(table, CALIBRATED["privacy"], SPACES[0])
    safe = -attack.lower(reach(statements)) <= _LIMIT - 0.5
    for space in SPACES:
        ratio = gaps(
            table, Reading("privacy", "calibrated", "singling out", "nearest_neighbour_ratio", higher=False), space
        )
        safe &= -ratio.lower(reach(statements)) <= _SINGLING_OUT
    return safe


def _existing(claim: str, quantity: str, best: Best, told: str, refuted: str, open_question: str) -> Finding:
    verdict: Verdict = "holds" if best.interval[0] > 0 else "contradicted" if best.hopeless else "not told apart"
    sentence = told if verdict == "holds" else refuted if verdict == "contradicted" else open_question
    return Finding(claim, quantity, best.value, best.interval, verdict, sentence, 0.0)


def _told_below(figures: OfSets, statements: int) -> np.ndarray:
    return figures.upper(reach(statements)) < 0


def _standing(table: Table, reading: Reading, name: str) -> str:
    own = table.where(set=name)
    column = reading.name(SPACES[0])
    value, null = (float(np.nanmean(own.column(column + end))) for end in ("", "_null"))
    return f"{reading.words} {wording.number(value)}, of fresh patients {wording.number(null)}"


def _of_fresh(gain: OfSets, families: np.ndarray) -> str:
    fresh = gain.values[families == FRESH]
    return f"; fresh patients add {wording.number(float(fresh[0]))}" if len(fresh) and np.isfinite(fresh[0]) else ""
