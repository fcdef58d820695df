"""What the cells say about each claim: differences between cells of a seed, with intervals over seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from fourfold.generate.frameworks import FRAMEWORKS
from fourfold.studies.judging import Question, above, at_most, below, differences, judged, of_seeds, within
from fourfold.studies.steps.grid import BOUND, COPIES, FAST, FEW, HOME, LEARNED, MIXTURE, ODE, budgets
from fourfold.studies.study import Finding, Setting, Table, Verdict

__all__ = ["DENOISERS", "findings_of"]

DENOISERS = {
    MIXTURE: "exact denoiser of a mixture",
    COPIES: "exact denoiser that copies",
    LEARNED: "trained denoiser",
}

TENTH = 1.1
"""The published claim of equal quality, as a ratio."""

SHARE_MARGIN, BITS_MARGIN, NULL_MARGIN = 0.05, 0.05, 0.5
"""What counts as no change: of a share of images, of bits a dimension, of a distance in units of its null."""

# Near the law the Frechet distance of points scatters fivefold between runs, the Wasserstein distance by a third.
_QUALITY = (
    (MIXTURE, "sliced", DENOISERS[MIXTURE]),
    (COPIES, "frechet", f"{DENOISERS[COPIES]}, pixels"),
    (LEARNED, "frechet", f"{DENOISERS[LEARNED]}, pixels"),
    (LEARNED, "frechet_texture", f"{DENOISERS[LEARNED]}, texture"),
)

_FAST_SAMPLERS = ("dpm++2m", "ddim", "heun")
_SECOND_ORDER, _ANCESTRAL = "dpm++2m", "ddpm"
_EVERY = "mean of all samplers"


def findings_of(table: Table) -> list[Finding]:
    """One finding a question, claim by claim."""
    return [
        finding
        for claim in (_fast, _order, _variety, _memorisation, _frameworks, _likelihood, _bound)
        for finding in claim(table)
    ]


def _cell(denoiser: str, sampler: str, calls: int, framework: str | None = None) -> dict[str, Setting]:
    return {
        "denoiser": denoiser,
        "sampler": sampler,
        "calls": calls,
        "framework": HOME[sampler] if framework is None else framework,
    }


def _most(table: Table, denoiser: str, sampler: str, framework: str | None = None) -> int:
    """The largest number of calls that a sampler has on its ladder, or at all; 0 where it has no cell."""
    home = HOME.get(sampler, framework) if framework is None else framework
    calls = [int(one) for one in table.where(denoiser=denoiser, sampler=sampler, framework=home).values("calls")]
    return max(calls, default=0)


def _ladder_end(table: Table) -> int:
    """The last number of calls of the ladder, which every sampler has a cell of."""
    counts = [int(one) for one in table.where(sampler="dpm++2m").values("calls")]
    return max((one for one in counts if one in budgets(max(counts))), default=0)


def _logarithms(values: Mapping[int, float]) -> dict[int, float]:
    return {seed: math.log(value) for seed, value in values.items() if value > 0}


def _fast(table: Table) -> Iterator[Finding]:
    """Twenty calls against the thousand of DDPM, by the plain distance and by what exceeds chance."""
    says: dict[Verdict, str] = {
        "holds": f"{FAST} calls are within a tenth of DDPM's longest chain",
        "contradicted": f"{FAST} calls are worse than DDPM's longest chain by more than a tenth",
        "not told apart": f"whether {FAST} calls are within a tenth of DDPM's longest chain is open",
    }
    for denoiser, figure, words in _QUALITY:
        slow = _cell(denoiser, _ANCESTRAL, _most(table, denoiser, _ANCESTRAL))
        for sampler in _FAST_SAMPLERS:
            fast = _cell(denoiser, sampler, FAST)
            left, right = (_logarithms(of_seeds(table, figure, one)) for one in (fast, slow))
            asked = Question("fast", f"{words}: ratio of distances, {sampler}", at_most(TENTH), says, 1.0, ratio=True)
            yield judged(asked, differences(left, right))
        left = _beyond_null(table, figure, _cell(denoiser, _SECOND_ORDER, FAST))
        right = {seed: TENTH * one for seed, one in _beyond_null(table, figure, slow).items()}
        quantity = f"{words}: distance above chance, {_SECOND_ORDER}, less 1.1 times that of DDPM, in nulls"
        yield judged(Question("fast", quantity, at_most(0.0), says, 0.0), differences(left, right))


def _beyond_null(table: Table, figure: str, cell: Mapping[str, Setting]) -> dict[int, float]:
    """How far a distance exceeds that of fresh images, in units of the latter, by seed."""
    nulls = of_seeds(table, f"{figure}_null", cell)
    return {seed: value / nulls[seed] - 1 for seed, value in of_seeds(table, figure, cell).items() if seed in nulls}


def _order(table: Table) -> Iterator[Finding]:
    says: dict[Verdict, str] = {
        "holds": "the second-order solver is ahead",
        "contradicted": "the second-order solver is behind",
        "not told apart": "the two are not told apart",
    }
    for denoiser, figure, words in _QUALITY:
        left, right = (
            _logarithms(of_seeds(table, figure, _cell(denoiser, sampler, FEW)))
            for sampler in (_SECOND_ORDER, _ANCESTRAL)
        )
        quantity = f"{words}: distance of dpm++2m over that of ddpm, {FEW} calls"
        yield judged(Question("order", quantity, below(1.0), says, 1.0, ratio=True), differences(left, right))


def _samplers(which: str) -> tuple[str, ...]:
    return tuple(HOME) if which == _EVERY else (which,)


def _averaged(table: Table, denoiser: str, figure: str, samplers: Sequence[str]) -> np.ndarray:
    """Few calls minus the most of the ladder, averaged over the samplers that have both, one value a seed."""
    end = _ladder_end(table)
    found: dict[int, list[float]] = {}
    for sampler in samplers:
        few, most = (of_seeds(table, figure, _cell(denoiser, sampler, calls)) for calls in (FEW, end))
        for seed in few.keys() & most.keys():
            found.setdefault(seed, []).append(few[seed] - most[seed])
    return np.array([np.mean(found[seed]) for seed in sorted(found)])


def _least(table: Table, denoiser: str) -> float:
    """Half-width below which a share over all seeds means nothing: three images of all that were drawn."""
    draws = table.where(denoiser=denoiser, sampler=_SECOND_ORDER, calls=FEW).column("draws")
    return 3.0 / float(draws.sum()) if len(draws) else 0.0


def _variety(table: Table) -> Iterator[Finding]:
    says: dict[Verdict, str] = {
        "holds": f"{FEW} calls have less variety than the ladder's last",
        "contradicted": f"{FEW} calls have more variety than the ladder's last by this measure",
        "not told apart": "no difference is seen",
    }
    asked: tuple[tuple[str, str, str, Callable], ...] = (
        (MIXTURE, "rare", "error of the mass of the rare mode, as a share of it", above(0.0)),
        (LEARNED, "recall", "recall", below(0.0)),
        (LEARNED, "coverage", "coverage", below(0.0)),
        (LEARNED, "spread", "variance of the pixels as a share of the real one", below(0.0)),
    )
    for denoiser, figure, what, judge in asked:
        # Noise that is left in the images is variance too: it would speak for the samplers that leave most of it.
        everyone = () if figure == "spread" else (_EVERY,)
        for which in (*everyone, _SECOND_ORDER, _ANCESTRAL):
            quantity = f"{DENOISERS[denoiser]}, {which}: change of {what}"
            values = _averaged(table, denoiser, figure, _samplers(which))
            yield judged(Question("variety", quantity, judge, says, 0.0), values)


def _memorisation(table: Table) -> Iterator[Finding]:
    says: dict[Verdict, str] = {
        "holds": f"{FEW} calls do not raise it by more than {SHARE_MARGIN:g} over the ladder's last",
        "contradicted": f"{FEW} calls raise it by more than {SHARE_MARGIN:g} over the ladder's last",
        "not told apart": f"a rise of {SHARE_MARGIN:g} is neither shown nor excluded",
    }
    share, correlation = "share of draws nearer to training than to holdout images", "highest training correlation"
    asked = (
        (COPIES, "copied", "share of draws that are copies", _EVERY),
        (COPIES, "copied", "share of draws that are copies", _SECOND_ORDER),
        (LEARNED, "nearer_training", share, _EVERY),
        (LEARNED, "nearer_training", share, _SECOND_ORDER),
        (LEARNED, "nearer_training", share, _ANCESTRAL),
        (LEARNED, "correlation", correlation, _SECOND_ORDER),
        (LEARNED, "correlation", correlation, _ANCESTRAL),
    )
    for denoiser, figure, what, which in asked:
        quantity = f"{DENOISERS[denoiser]}, {which}: change of {what}"
        question = Question("memorisation", quantity, at_most(SHARE_MARGIN), says, 0.0, least=_least(table, denoiser))
        yield judged(question, _averaged(table, denoiser, figure, _samplers(which)))
    end = _ladder_end(table)
    left, right = (
        of_seeds(table, figure, _cell(LEARNED, _SECOND_ORDER, end))
        for figure in ("nearer_training", "nearer_training_null")
    )
    seen: dict[Verdict, str] = {
        "holds": "the trained denoiser does memorise, so there is something that steps could raise",
        "contradicted": "draws are nearer to the holdout than to the training images",
        "not told apart": "whether the trained denoiser memorises at all is open",
    }
    quantity = f"trained denoiser, dpm++2m, {end} calls: {share}, less one half"
    yield judged(Question("memorisation", quantity, above(0.0), seen, 0.0), differences(left, right))


def _frameworks(table: Table) -> Iterator[Finding]:
    settled = _most(table, LEARNED, "heun", "vp")
    for denoiser, figures in ((COPIES, ("frechet",)), (LEARNED, ("frechet", "frechet_texture"))):
        for figure in figures:
            for framework in FRAMEWORKS:
                if framework == "edm":
                    continue
                left, right = (
                    _logarithms(of_seeds(table, figure, _cell(denoiser, "heun", settled, name)))
                    for name in (framework, "edm")
                )
                space = "texture" if figure.endswith("texture") else "pixels"
                quantity = f"{DENOISERS[denoiser]}, {framework} over edm levels, heun: ratio of distances of {space}"
                asked = Question("frameworks", quantity, within(1 / TENTH, TENTH), _AGREE, 1.0, ratio=True)
                yield judged(asked, differences(left, right))
    for name, framework in FRAMEWORKS.items():
        calls = _most(table, MIXTURE, framework.sampler, name)
        cell = _cell(MIXTURE, framework.sampler, calls, name)
        quantity = f"{DENOISERS[MIXTURE]}, {name} with its own sampler, {calls} calls: distance above chance, in nulls"
        asked = Question("frameworks", quantity, at_most(NULL_MARGIN), _REACH, 0.0)
        yield judged(asked, list(_beyond_null(table, "sliced", cell).values()))


_AGREE: dict[Verdict, str] = {
    "holds": "the two agree within a tenth",
    "contradicted": "the two differ by more than a tenth",
    "not told apart": "whether the two agree within a tenth is open",
}
_REACH: dict[Verdict, str] = {
    "holds": f"it reaches the law: above chance by less than {NULL_MARGIN:g} nulls",
    "contradicted": f"it does not reach the law: above chance by more than {NULL_MARGIN:g} nulls",
    "not told apart": f"whether it reaches the law within {NULL_MARGIN:g} nulls is open",
}


def _likelihood(table: Table) -> Iterator[Finding]:
    says: dict[Verdict, str] = {
        "holds": f"the two agree within {BITS_MARGIN:g} bits a dimension",
        "contradicted": f"the two differ by more than {BITS_MARGIN:g} bits a dimension",
        "not told apart": f"whether the two agree within {BITS_MARGIN:g} bits a dimension is open",
    }
    judge = within(-BITS_MARGIN, BITS_MARGIN)
    settled = _most(table, LEARNED, ODE, "vp")
    for calls in dict.fromkeys((FAST, settled)):
        cell = _cell(MIXTURE, ODE, calls, "edm")
        left, right = (of_seeds(table, figure, cell) for figure in ("bits", "bits_true"))
        quantity = f"{DENOISERS[MIXTURE]}, {calls} calls: bits a dimension less the true ones"
        yield judged(Question("likelihood", quantity, judge, says, 0.0), differences(left, right))
    left, right = (of_seeds(table, "bits", _cell(LEARNED, ODE, calls, "edm")) for calls in (FAST, settled))
    quantity = f"{DENOISERS[LEARNED]}: bits a dimension with {FAST} calls less those with {settled}"
    yield judged(Question("likelihood", quantity, judge, says, 0.0), differences(left, right))
    for framework in FRAMEWORKS:
        if framework == "edm":
            continue
        left, right = (of_seeds(table, "bits", _cell(LEARNED, ODE, settled, name)) for name in (framework, "edm"))
        quantity = f"{DENOISERS[LEARNED]}: bits a dimension under {framework} less those under edm"
        yield judged(Question("likelihood", quantity, judge, says, 0.0), differences(left, right))


def _bound(table: Table) -> Iterator[Finding]:
    says: dict[Verdict, str] = {
        "holds": "fewer steps make the bound looser",
        "contradicted": "fewer steps make the bound tighter",
        "not told apart": "no difference is seen",
    }
    for denoiser in (MIXTURE, LEARNED):
        most = _most(table, denoiser, BOUND, "ddpm")
        left, right = (of_seeds(table, "bits", _cell(denoiser, BOUND, calls, "ddpm")) for calls in (FAST, most))
        quantity = f"{DENOISERS[denoiser]}: bound with {FAST} steps less that with {most}, bits a dimension"
        yield judged(Question("bound", quantity, above(0.0), says, 0.0), differences(left, right))
