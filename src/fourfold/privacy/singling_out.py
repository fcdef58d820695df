"""Predicate singling out: whether a synthetic image points to exactly one training person.

The predicate of a synthetic image is "a person has an image within r of it". It singles out where it isolates one
person of the training set although its weight is so low that it should isolate hardly anybody, and more often than it
isolates persons whom the generator never saw. Security against it is necessary for anonymity and not sufficient, and
it does not add up: two releases that are secure each may single out together.

How radii get their weight. Where a reference set of a hundred persons or more is given, on it. Otherwise each person
is judged by a radius read from all other persons of training and holdout, which treats both sets alike, so that the
permutation test stays exact. Weights of less than five calibration persons are continued downwards along the local
dimension: with a few hundred persons, cohorts small enough to need no continuation would hold two or three, and
nearly every copied person would be missing from them. How heavy the predicates came out is measured on the holdout.
"""

from __future__ import annotations

import numpy as np

from fourfold.comparison import Comparison, Features
from fourfold.neighbors import Neighbors, nearest
from fourfold.neighbors.exact import merged
from fourfold.privacy.contrast import one_sided
from fourfold.privacy.detectable import Detectable, detectable_share, noisy_copies
from fourfold.privacy.isolation import LABELLINGS, Cell, adjusted, labellings
from fourfold.privacy.person_labels import SinglingOut, deciding_hits, isolation_test, person_numbers
from fourfold.privacy.predicates import ANCHOR
from fourfold.privacy.reach import synthetic_draws
from fourfold.score import Metric, Score, does_not_apply, register
from fourfold.statistics import clopper_pearson, miettinen_nurminen

__all__ = ["singling_out"]

SOURCE = "predicate singling out (Cohen, Nissim, PNAS 117, 2020), tested by permuting persons"

LEAST_PERSONS = 20
"""Persons that each of training and holdout needs."""

LEAST_REFERENCE = 100
"""Persons of a reference set from which radii are read from it."""

_PLANTED = 200
# Images nearest to a synthetic one that hold as many persons as are asked for, where persons have one image or two.
_NEAREST = 32
_PLANTED_LABELLINGS = 199


def singling_out(comparison: Comparison) -> Score:
    """Isolations of training persons in excess of those of holdout persons, by predicates of weight 0.1 / n.

    Returns
    -------
    Score
        One-sided. Per training image: ``singled_out``, the synthetic images that single out its person at n w <= 0.1
        (chance makes some: compare ``worst_person`` in the details). Per synthetic image: ``singles_out``.
    """
    fields = {"better": "lower", "features": comparison.space, "source": SOURCE}
    if (reason := _lacking(comparison)) is not None:
        return does_not_apply("privacy", "singling_out", reason, **fields)
    training, holdout, draws = comparison.training, comparison.set("holdout"), synthetic_draws(comparison)
    reference = _calibrating(comparison.reference)
    known = comparison.nearest_real("synthetic")
    found = _asked(comparison, comparison.synthetic.values, holdout, reference, draws=draws, known=known)
    cell, n = found.deciding, found.hits[0].training
    main, control = (
        _counts(share, size) for share, size in zip((cell.training, cell.holdout), found.sizes, strict=True)
    )
    value = cell.training - cell.holdout
    low, high = miettinen_nurminen(main, control)
    upper, lower = adjusted(found.cells)
    detectable = _planted(comparison, found, holdout, reference)
    persons = person_numbers(training.patients, len(training))
    deciding = found.hits[deciding_hits(found.hits)]
    return Score(
        "privacy",
        "singling_out",
        value,
        null=0.0,
        # Counts are rounded to effective sizes, so the value may lie a hair outside.
        interval=one_sided((min(low, value), max(high, value)), 0.0, "lower"),
        null_interval=cell.band,
        null_source="holdout",
        reason=None if reference is not None else "without a reference set radii are read from the other real persons",
        per_synthetic={"singles_out": deciding.isolations(deciding.truth())[0][:, 0] > 0},
        per_training={"singled_out": found.isolated[:n][persons]},
        details={
            "one_sided": True,
            "endpoints": [
                {
                    "name": "singling_out_excess",
                    "stage": 4,
                    "kind": "difference",
                    "main": list(main),
                    "control": list(control),
                    "space": comparison.space,
                }
            ],
            "persons": {"training": n, "holdout": found.hits[0].holdout},
            "images": len(comparison.synthetic),
            "effective_predicates": list(found.sizes),
            "p": float(upper.min()),
            "p_avoidance": float(lower.min()),
            "grid": [
                {**_described(one, main[1]), "p_adjusted": float(high_p), "p_avoidance_adjusted": float(low_p)}
                for one, high_p, low_p in zip(found.cells, upper, lower, strict=True)
            ],
            "nearest_person": {
                "share": found.nearest.share,
                "null": found.nearest.null,
                "p": found.nearest.p_upper,
                "p_avoidance": found.nearest.p_lower,
                "precision": found.nearest.precision,
            },
            "worst_person": {
                "training": int(found.isolated[:n].max()),
                "holdout": int(found.isolated[n:].max()),
            },
            "singled_out_persons": {
                "training": int(np.sum(found.isolated[:n] > 0)),
                "holdout": int(np.sum(found.isolated[n:] > 0)),
            },
            "calibration": {
                "set": "reference" if reference is not None else "training and holdout, without the person judged",
                "persons": found.calibration.persons,
                "dimension": 1 / found.calibration.inverse_dimension if found.calibration.inverse_dimension else None,
                "continued_below": ANCHOR / (found.calibration.persons + 1),
            },
            "positive_control": {"detectable_share": detectable.share, "power": detectable.power},
            "negative_control": _fresh(comparison, holdout, reference),
            "sentence": _sentence(found, float(upper.min()), detectable),
        },
        **fields,
    )


def _asked(
    comparison: Comparison,
    synthetic: np.ndarray,
    holdout: Features,
    reference: Features | None,
    labels: int = LABELLINGS,
    draws: np.ndarray | None = None,
    known: Neighbors | None = None,
) -> SinglingOut:
    training = comparison.training
    return isolation_test(
        synthetic,
        training.values,
        holdout.values,
        training_persons=training.patients,
        holdout_persons=holdout.patients,
        reference=None if reference is None else reference.values,
        reference_persons=None if reference is None else reference.patients,
        draws=draws,
        known=known,
        labels=labels,
        metric=comparison.distance,
        seed=comparison.seed,
        memory=comparison.memory,
    )


def _planted(comparison: Comparison, release: SinglingOut, holdout: Features, reference: Features | None) -> Detectable:
    """The positive control: what share of noisy copies would have been seen."""
    rng = np.random.default_rng([comparison.seed, 22])
    training = comparison.training
    images = np.concatenate([training.values, holdout.values])
    mine = person_numbers(training.patients, len(training))
    persons = np.concatenate([mine, person_numbers(holdout.patients, len(holdout)) + mine.max() + 1])
    rows = rng.permutation(len(training))[:_PLANTED]
    copies = noisy_copies(images, persons, rows, rng, comparison.distance, comparison.memory)
    found = _asked(comparison, copies, holdout, reference, labels=1)
    table = labellings(release.hits[0].training, release.hits[0].holdout, _PLANTED_LABELLINGS, rng)
    return detectable_share(release.hits, found.hits, table, rng)


def _fresh(comparison: Comparison, holdout: Features, reference: Features | None) -> dict[str, object] | None:
    """The negative control: real persons as if synthetic, the reference set or half of the holdout."""
    if reference is not None:
        fresh, left, calibrating, name = reference, holdout, None, "reference"
        known = None
    else:
        persons = person_numbers(holdout.patients, len(holdout))
        chosen = np.random.default_rng([comparison.seed, 23]).permutation(int(persons.max()) + 1)
        if len(chosen) < 2 * LEAST_PERSONS:
            return None
        first = np.isin(persons, chosen[: len(chosen) // 2])
        fresh, left = holdout.take(np.flatnonzero(first)), holdout.take(np.flatnonzero(~first))
        calibrating, name = None, "half of the holdout"
        known = _nearest_real(comparison, np.flatnonzero(first), fresh, left)
    found = _asked(comparison, fresh.values, left, calibrating, labels=_PLANTED_LABELLINGS, known=known)
    cell = found.deciding
    upper, lower = adjusted(found.cells)
    return {
        "set": name,
        "images": len(fresh),
        "excess": cell.training - cell.holdout,
        "p": float(upper.min()),
        "p_avoidance": float(lower.min()),
    }


def _nearest_real(comparison: Comparison, rows: np.ndarray, fresh: Features, left: Features) -> Neighbors:
    """The nearest training and other holdout images of some holdout images, from those training images known."""
    training = comparison.neighbors("holdout", "training", min(_NEAREST, len(comparison.training)))
    others = nearest(
        fresh.values, left.values, min(_NEAREST, len(left)), metric=comparison.distance, memory=comparison.memory
    )
    return merged(Neighbors(training.distances[rows], training.indices[rows]), others, len(comparison.training))


def _counts(share: float, size: float) -> tuple[int, int]:
    """A share as counts of a whole number of independent predicates."""
    whole = max(1, int(size))
    return min(round(share * whole), whole), whole


def _described(cell: Cell, size: int) -> dict[str, float | None]:
    left = 1 - cell.holdout
    bound = clopper_pearson(round(cell.training * size), size)[1]
    return {
        "nw": cell.nw,
        "weight": cell.weight,
        "measured_weight": cell.measured_weight,
        "baseline": cell.baseline,
        "training": cell.training,
        "holdout": cell.holdout,
        "excess_over_baseline": cell.training - cell.baseline,
        "residual_risk": (cell.training - cell.holdout) / left if left else None,
        "epsilon_upper": float(np.log(bound / cell.baseline)) if cell.baseline else None,
        "p": cell.p_upper,
        "p_avoidance": cell.p_lower,
    }


def _sentence(found: SinglingOut, p: float, detectable: Detectable) -> str:
    lowest = min(found.cells, key=lambda cell: cell.nw)
    power = (
        "not even half of the images being noisy copies would have been seen"
        if detectable.share is None
        else f"a share of noisy copies of {100 * detectable.share:.2g} % would have been seen"
    )
    if p <= 0.05:
        return (
            f"Synthetic images single out training persons more often than persons never seen (p = {p:.2g}); {power}."
        )
    return f"No singling out found by these predicates at weights from {lowest.weight:.2g} up; {power}."


def _calibrating(reference: Features | None) -> Features | None:
    if (
        reference is None
        or int(person_numbers(reference.patients, len(reference)).max(initial=-1)) + 1 < LEAST_REFERENCE
    ):
        return None
    return reference


def _lacking(comparison: Comparison) -> str | None:
    if comparison.holdout is None or not len(comparison.holdout):
        return "without a holdout isolation by chance cannot be told from singling out"
    if not len(comparison.synthetic):
        return "needs synthetic images"
    for name, one in (("training", comparison.training), ("holdout", comparison.holdout)):
        persons = int(person_numbers(one.patients, len(one)).max(initial=-1)) + 1
        if persons < LEAST_PERSONS:
            return f"needs {LEAST_PERSONS} patients in the {name} set, there are {persons}"
    return None


register(
    Metric(
        axis="privacy",
        name="singling_out",
        kind="features",
        better="lower",
        summary="training persons isolated by predicates of low weight, in excess of persons never seen",
        null="0: training and holdout persons are exchangeable where nobody is singled out",
        cost="O((M + H) (N + H) d)",
        source=SOURCE,
        compute=singling_out,
        needs=("holdout",),
        neighbors=_NEAREST,
    )
)
