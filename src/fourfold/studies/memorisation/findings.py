"""What the cells say about each claim: Student's intervals over seeds, no narrower than the drawing of images allows.

Findings by size hold one at a time; those over all sizes are what a claim is judged by.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fourfold.comparing.association import associations, too_few_sets
from fourfold.report import wording
from fourfold.statistics import clopper_pearson
from fourfold.studies.judging import Judge, Question, above, at_most, below, judged, within
from fourfold.studies.memorisation.contrasts import (
    Weights,
    averaged,
    by_seed,
    chance_of_shares,
    difference,
    one,
    per_doubling,
    sizes_of,
    sum_of,
    watched_sizes,
)
from fourfold.studies.memorisation.models import DIFFUSION, GAN, RECIPES
from fourfold.studies.study import Finding, Table, Verdict

__all__ = ["NAMES", "findings_of"]

NAMES = {DIFFUSION: "diffusion model", GAN: "GAN"}

FALSE_ALARMS = 0.05
"""Trainings that copy nobody in which the watch sees an onset, at most."""

EQUAL = 1.25
"""Ratio of Frechet distances up to which two models count as equally good."""

_SHARES = {"copies": "drawn", "nearer": "watched"}
"""Figures that are shares of images, with the column of how many."""

Says = dict[Verdict, str]


def findings_of(table: Table) -> list[Finding]:
    """One finding a question, claim by claim."""
    claims = (_more, _equals, _small, _correlation, _onset, _later)
    derived = _derived(table)
    return [finding for claim in claims for finding in claim(derived)]


def _asked(
    table: Table, claim: str, quantity: str, figure: str, weights: Weights, judge: Judge, says: Says, null: float = 0.0
) -> Finding:
    """The finding about a weighted sum of a figure."""
    count = _SHARES.get(figure.partition("_")[0])
    least = chance_of_shares(table, figure, weights, count) if count else 0.0
    return judged(Question(claim, quantity, judge, says, null, least=least), by_seed(table, figure, weights))


def _more(table: Table) -> Iterator[Finding]:
    """Diffusion less GAN: listed copies, draws nearer to training, highest correlation calibrated and as published."""
    sizes, last = sizes_of(table), _last_look(table)
    figures = (
        ("copies", "share listed as copies"),
        (last, "share of draws nearer to training than to holdout patients"),
        ("correlation_beyond", "highest correlation beyond the holdout's"),
        ("correlation", "highest correlation as it is"),
    )
    for figure, what in figures:
        some = watched_sizes(table) or sizes if figure == last else sizes
        every = sum_of(averaged(DIFFUSION, some), averaged(GAN, some), -1.0)
        whole = "all sizes" if some == sizes else "all sizes that were watched"
        for where, weights in [(whole, every), *((f"{size:,d} images", difference(size)) for size in some)]:
            says: Says = {
                "holds": f"with {where} the diffusion model is ahead by the {what}",
                "contradicted": f"with {where} the GAN is ahead by the {what}",
                "not told apart": f"with {where} the two are not told apart by the {what}",
            }
            yield _asked(table, "more", f"diffusion less GAN, {where}: {what}", figure, weights, above(0.0), says)
    for recipe in RECIPES:
        name = NAMES[recipe]
        says = {
            "holds": f"with {sizes[0]:,d} images the {name} copies more than chance allows",
            "contradicted": f"with {sizes[0]:,d} images fewer draws of the {name} than holdout images would be listed",
            "not told apart": f"with {sizes[0]:,d} images no copying by the {name} is shown",
        }
        quantity = f"{name}, {sizes[0]:,d} images: share listed beyond that of the holdout"
        yield _asked(table, "more", quantity, "copies_beyond", one(recipe, sizes[0]), above(0.0), says)


def _equals(table: Table) -> Iterator[Finding]:
    sizes = sizes_of(table)
    for where, some in [("all sizes", sizes), *((f"{size:,d} images", [size]) for size in sizes)]:
        says: Says = {
            "holds": f"with {where} the two are equally far from fresh images, within a quarter",
            "contradicted": f"with {where} one draws better images than the other, and poor images are no copies; "
            "Fréchet distance of diffusion over that of the GAN",
            "not told apart": f"with {where} it is open whether the two draw equally good images",
        }
        weights = sum_of(averaged(DIFFUSION, some), averaged(GAN, some), -1.0)
        quantity = f"diffusion over GAN, {where}: ratio of Fréchet distances of radiomics"
        question = Question("equals", quantity, within(1 / EQUAL, EQUAL), says, 1.0, ratio=True)
        yield judged(question, by_seed(table, "log_frechet", weights))


def _small(table: Table) -> Iterator[Finding]:
    sizes = sizes_of(table)
    if len(sizes) < 2:
        yield Finding("small", "slope over sizes", None, None, "not asked", "Not asked: there is one size only.")
        return
    gap = sum_of(per_doubling(DIFFUSION, sizes), per_doubling(GAN, sizes), -1.0)
    asked = (
        ("diffusion less GAN", "copies", "share listed as copies", gap),
        ("diffusion", "copies", "share listed as copies", per_doubling(DIFFUSION, sizes)),
        ("GAN", "copies", "share listed as copies", per_doubling(GAN, sizes)),
        ("diffusion less GAN", "correlation_beyond", "highest correlation beyond the holdout's", gap),
    )
    watched = watched_sizes(table)
    if len(watched) > 1:
        slope = per_doubling(DIFFUSION, watched)
        asked = (*asked, ("diffusion", _last_look(table), "share of draws nearer to training", slope))
    for who, figure, what, weights in asked:
        says: Says = {
            "holds": f"each doubling of the training set lowers the {what} ({who})",
            "contradicted": f"each doubling of the training set raises the {what} ({who})",
            "not told apart": f"no change of the {what} with the size is seen ({who})",
        }
        yield _asked(table, "small", f"{who}, per doubling: {what}", figure, weights, below(0.0), says)


def _correlation(table: Table) -> Iterator[Finding]:
    """Whether the published score goes with the list of copies, and what else moves it."""
    sizes = sizes_of(table)
    says: Says = {
        "holds": "blurred images of patients whom nobody was trained on are no nearer than sharp ones",
        "contradicted": "blurred images of patients whom nobody was trained on correlate higher than sharp ones, "
        "and copy nobody",
        "not told apart": "whether blur alone raises the highest correlation is open",
    }
    quantity = "blurred holdout less holdout: highest correlation with a training image"
    blurred = averaged(DIFFUSION, sizes)
    yield _asked(table, "correlation", quantity, "excess_correlation_blurred", blurred, at_most(0.0), says)
    if len(sizes) > 1:
        yield from _slopes_of_correlation(table, sizes)
    yield from _agreements(table)


def _slopes_of_correlation(table: Table, sizes: list[int]) -> Iterator[Finding]:
    """As copies get fewer with the size, a score that shows them falls."""
    figures = (
        ("correlation_null", "of holdout images, which copy nobody"),
        ("correlation", "of the diffusion model's images, as it is"),
        ("excess_correlation", "of the diffusion model's images, beyond the holdout's"),
    )
    for figure, whose in figures:
        copies = figure != "correlation_null"
        says: Says = {
            "holds": f"the highest correlation {whose}, {'falls' if copies else 'does not rise'} with the size",
            "contradicted": f"the highest correlation {whose}, rises with the size",
            "not told apart": f"no change with the size of the highest correlation {whose}, is seen",
        }
        quantity = f"per doubling of the training set: highest correlation {whose}"
        judge = below(0.0) if copies else at_most(0.0)
        yield _asked(table, "correlation", quantity, figure, per_doubling(DIFFUSION, sizes), judge, says)


def _agreements(table: Table) -> Iterator[Finding]:
    """Whether scores rank models as the list of copies does; models of one recipe and size count as one family."""
    readings = {
        "correlation": "highest correlation as it is",
        "excess_correlation": "highest correlation beyond the holdout's",
        "extreme": "share of draws beyond 99 % of the holdout",
    }
    scores = np.stack([table.column(name) for name in ("copies", *readings)])
    known = np.isfinite(scores).all(axis=0)
    families = np.array([f"{row['recipe']} {row['size']}" for row in table])[known]
    reason = too_few_sets(families)
    if reason is None and np.ptp(scores[0, known]) == 0:
        reason = "as many images of every model are on the list"
    if reason is not None:
        quantity = "rank correlation with the share listed as copies"
        yield Finding("correlation", quantity, None, None, "not asked", f"Not asked: {reason}.", 0.0)
        return
    found = associations(scores[:, known], np.zeros((len(scores), known.sum())), families)
    values, intervals = found.values[0], found.intervals()[0]
    for place, what in enumerate(readings.values(), 1):
        quantity = f"rank correlation with the share listed as copies, over models: {what}"
        if not np.isfinite(intervals[place]).all():
            yield Finding("correlation", quantity, None, None, "not asked", "Not asked: it does not vary.", 0.0)
            continue
        ends = (float(intervals[place, 0]), float(intervals[place, 1]))
        verdict = above(0.0)(ends)
        said = {
            "holds": f"Models with more copies on the list rank higher by the {what}",
            "contradicted": f"Contradicted: models with more copies on the list rank lower by the {what}",
            "not told apart": f"Whether the {what} ranks models as the list of copies does is open",
        }[verdict]
        number = wording.number
        sentence = f"{said}: {number(float(values[place]))} ({number(ends[0])} to {number(ends[1])})."
        yield Finding("correlation", quantity, float(values[place]), ends, verdict, sentence, 0.0)


def _onset(table: Table) -> Iterator[Finding]:
    sizes, last = sizes_of(table), _last_look(table)
    smallest = min(watched_sizes(table), default=sizes[0])
    for recipe in RECIPES:
        name, where = NAMES[recipe], f"{smallest:,d} images"
        says: Says = {
            "holds": f"{name}, {where}: more draws are nearer to training at the end than at the start",
            "contradicted": f"{name}, {where}: fewer draws are nearer to training at the end than at the start",
            "not told apart": f"{name}, {where}: no growth during training is seen",
        }
        quantity = f"{name}, {where}: share nearer to training, last snapshot less first"
        least = chance_of_shares(table, last, one(recipe, smallest), "watched") * np.sqrt(2)
        question = Question("onset", quantity, above(0.0), says, 0.0, least=float(least))
        yield judged(question, by_seed(table, "growth", one(recipe, smallest)))
        says = {
            "holds": f"{name}, {where}: at the end draws are nearer to training than to holdout patients",
            "contradicted": f"{name}, {where}: at the end draws are not nearer to training than to holdout patients",
            "not told apart": f"{name}, {where}: at the end draws are as near to holdout as to training patients",
        }
        quantity = f"{name}, {where}: share nearer to training at the end"
        yield _asked(table, "onset", quantity, last, one(recipe, smallest), above(0.5), says, null=0.5)
    for recipe in RECIPES:
        for size in sizes:
            yield _trainings_with_onset(table, recipe, size)


def _trainings_with_onset(table: Table, recipe: str, size: int) -> Finding:
    """Of the trainings of one setting, how many memorised before they ended."""
    cells = table.where(recipe=recipe, size=size)
    began, passes = cells.column("began"), cells.column("onset_passes")
    passes = passes[np.isfinite(passes)]
    began, name = began[np.isfinite(began)], f"{NAMES[recipe]}, {size:,d} images"
    quantity = f"{name}: share of trainings in which memorisation began"
    if not len(began):
        said = "Not asked: there are too few patients to see an onset."
        return Finding("onset", quantity, None, None, "not asked", said, FALSE_ALARMS)
    seen, ends = int(began.sum()), clopper_pearson(int(began.sum()), len(began))
    verdict = above(FALSE_ALARMS)(ends)
    when = ""
    if len(passes):
        when = f", after {wording.number(float(np.median(passes)))} passes over the set in the median"
    sentence = f"{name}: memorisation began in {seen} of {len(began)} trainings{when}."
    sentence = sentence[:1].upper() + sentence[1:]
    return Finding("onset", quantity, seen / len(began), ends, verdict, sentence, FALSE_ALARMS)


def _later(table: Table) -> Iterator[Finding]:
    """A training without an onset counts as its end, so the difference is at least the one that is found."""
    sizes = watched_sizes(table)
    quantity = "diffusion, largest set less smallest that was watched: onset, as a share of the training"
    if len(sizes) < 2:
        said = "Not asked: fewer than two sizes have patients enough to see an onset."
        yield Finding("later", quantity, None, None, "not asked", said)
        return
    began = table.where(recipe=DIFFUSION, size=sizes[0], began=1)
    seeds = set(began.values("seed"))
    seen = Table(tuple(row for row in table if row.get("seed") in seeds))
    if not len(began):
        said = f"Not asked: no diffusion model memorised {sizes[0]:,d} images within its training."
        yield Finding("later", quantity, None, None, "not asked", said, 0.0)
        return
    says: Says = {
        "holds": f"the onset comes later with {sizes[-1]:,d} images than with {sizes[0]:,d}, or not at all",
        "contradicted": f"the onset comes earlier with {sizes[-1]:,d} images than with {sizes[0]:,d}",
        "not told apart": "whether the onset comes later with a larger set is open",
    }
    weights = sum_of(one(DIFFUSION, sizes[-1]), one(DIFFUSION, sizes[0]), -1.0)
    # An onset is known to the snapshot.
    least = 1.0 / max(float(np.nanmin(seen.column("snapshots"))), 1.0)
    yield judged(Question("later", quantity, above(0.0), says, 0.0, least=least), by_seed(seen, "onset", weights))


def _last_look(table: Table) -> str:
    """The column of the last snapshot that every watched training has."""
    counts = table.column("snapshots")
    counts = counts[np.isfinite(counts) & (counts > 0)]
    return f"nearer_{int(counts.min()) if len(counts) else 1}"


def _derived(table: Table) -> Table:
    """The table with what findings are about and cells do not hold."""
    columns = {
        "growth": table.column(_last_look(table)) - table.column("nearer_1"),
        "log_frechet": np.log(np.where(table.column("frechet") > 0, table.column("frechet"), np.nan)),
        "copies_beyond": table.column("copies") - table.column("copies_null"),
        # Images that correlate less than fresh patients do are poor ones, which is no merit.
        "correlation_beyond": np.maximum(table.column("excess_correlation"), 0.0),
    }
    rows = zip(table, *columns.values(), strict=True)
    return Table(tuple({**row, **dict(zip(columns, map(float, values), strict=True))} for row, *values in rows))
