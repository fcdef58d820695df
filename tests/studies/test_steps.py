import json

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from fourfold.generate.sampling import SAMPLERS
from fourfold.images import open_set, prepare
from fourfold.studies import OwnImages, PhantomImages, Table, run_study, study_named
from fourfold.studies.judging import over_seeds
from fourfold.studies.steps.denoisers import DEVIATION, Smeared
from fourfold.studies.steps.findings import findings_of
from fourfold.studies.steps.grid import BOUND, COPIES, FAST, FEW, HOME, LEARNED, MIXTURE, ODE, budgets, cells
from fourfold.studies.steps.mixture import mixture_figures
from fourfold.studies.steps.standard import against_law, against_patients, patients_of
from fourfold.studies.steps.study import Steps
from fourfold.studies.study import Cell, Scale

SMALL = {
    "training": 40,
    "holdout": 40,
    "draws": 12,
    "scored": 3,
    "points": 200,
    "longest": 5,
    "settled": 6,
    "reference": 16,
    "train_steps": 3,
    "batch": 8,
    "width": 32,
    "patch": 4,
    "frameworks_trained": 0,
}
SEEDS = range(4)


def jitter(seed: int, size: float = 0.01) -> float:
    return size * (seed - 1.5)


def row(seed, denoiser, sampler, calls, framework=None, **figures):
    settings = {"denoiser": denoiser, "sampler": sampler, "calls": calls, "framework": framework or HOME[sampler]}
    return {**settings, "seed": seed, **figures}


def verdicts(table, claim, words):
    return [one.verdict for one in findings_of(table) if one.claim == claim and words in one.quantity]


def raced(fast, slow, null=0.5):
    rows = []
    for seed in SEEDS:
        for sampler, calls, value in (("dpm++2m", FAST, fast), ("ddpm", 20, 3.0), ("ddpm", 1000, slow)):
            figures = {"frechet_texture": value * (1 + jitter(seed)), "frechet_texture_null": null}
            rows.append(row(seed, LEARNED, sampler, calls, **figures))
    return Table(tuple(rows))


@pytest.mark.parametrize(("fast", "verdict"), [(1.0, "holds"), (1.5, "contradicted")])
def test_twenty_calls_are_held_against_the_longest_chain_with_a_tenth_to_spare(fast, verdict):
    table = raced(fast, 1.0)
    assert verdicts(table, "fast", "texture: ratio of distances, dpm++2m") == [verdict]
    assert verdicts(table, "fast", "texture: distance above chance") == [verdict]


def test_a_ratio_that_scatters_across_the_tenth_is_not_told_apart():
    rows = [dict(one) for one in raced(1.1, 1.0)]
    for one in rows:
        if one["sampler"] == "dpm++2m":
            one["frechet_texture"] *= 1 + jitter(one["seed"], 0.3)
    (finding,) = [
        one for one in findings_of(Table(tuple(rows))) if "texture: ratio of distances, dpm++2m" in one.quantity
    ]
    assert finding.verdict == "not told apart"
    assert finding.interval[0] < 1.1 < finding.interval[1]


def test_a_tenth_of_what_chance_gives_is_no_tenth_of_what_the_chain_lacks():
    # Nine tenths of both distances are what fresh images score: the plain ratio hides that one lacks thrice as much.
    table = raced(1.09, 1.03, null=1.0)
    assert verdicts(table, "fast", "texture: ratio of distances, dpm++2m") == ["holds"]
    assert verdicts(table, "fast", "texture: distance above chance") == ["contradicted"]


def laddered(denoiser, figure, few, most):
    return Table(
        tuple(
            row(seed, denoiser, sampler, calls, draws=100, **{figure: value + jitter(seed, 0.001) * calls})
            for seed in SEEDS
            for sampler in ("ddim", "dpm++2m")
            for calls, value in ((FEW, few), (40, most))
        )
    )


@pytest.mark.parametrize(
    ("few", "most", "verdict"),
    [(0.3, 0.8, "holds"), (0.8, 0.3, "contradicted"), (0.5, 0.52, "not told apart")],
)
def test_a_loss_of_variety_is_seen_on_the_side_that_it_lies_on(few, most, verdict):
    assert verdicts(laddered(LEARNED, "recall", few, most), "variety", "recall") == [verdict, verdict, "not asked"]
    # An error falls where variety rises.
    turned = laddered(MIXTURE, "rare", most, few)
    assert verdicts(turned, "variety", "rare mode") == [verdict, verdict, "not asked"]


@pytest.mark.parametrize(("few", "most", "verdict"), [(0.2, 0.9, "holds"), (0.9, 0.2, "contradicted")])
def test_memorisation_that_falls_with_fewer_steps_is_none_that_rises(few, most, verdict):
    assert verdicts(laddered(COPIES, "copied", few, most), "memorisation", "that are copies") == [verdict, verdict]


def test_shares_that_happen_to_agree_in_every_seed_are_not_known_to_the_last_digit():
    rows = [{**one, "copied": 1.0, "draws": 10} for one in laddered(COPIES, "copied", 0.0, 0.0)]
    finding = next(one for one in findings_of(Table(tuple(rows))) if "that are copies" in one.quantity)
    assert finding.interval[1] - finding.interval[0] == pytest.approx(2 * 3 / 40)
    assert finding.verdict == "not told apart"


def settled(bits):
    rows = [row(seed, LEARNED, ODE, 80, name, bits=value) for seed in SEEDS for name, value in bits.items()]
    return Table(tuple({**one, "bits": one["bits"] + jitter(one["seed"], 1e-3)} for one in rows))


def test_frameworks_agree_within_a_tenth_or_do_not():
    values = {"edm": 1.0, "vp": 1.03, "flow": 1.4}
    rows = [row(seed, LEARNED, "heun", 80, name, frechet=value) for seed in SEEDS for name, value in values.items()]
    table = Table(tuple({**one, "frechet": one["frechet"] + jitter(one["seed"], 1e-3)} for one in rows))
    assert verdicts(
        table, "frameworks", "trained denoiser, vp over edm levels, heun: ratio of distances of pixels"
    ) == ["holds"]
    assert verdicts(table, "frameworks", "flow over edm levels, heun: ratio of distances of pixels") == [
        "not asked",
        "contradicted",
    ]


def test_a_framework_reaches_the_law_of_the_mixture_or_does_not():
    rows = [
        row(seed, MIXTURE, sampler, 1000, name, sliced=value + jitter(seed, 1e-3), sliced_null=1.0)
        for seed in SEEDS
        for name, sampler, value in (("ncsn", "langevin", 2.5), ("ddpm", "ddpm", 1.1))
    ]
    assert verdicts(Table(tuple(rows)), "frameworks", "ncsn with its own sampler") == ["contradicted"]
    assert verdicts(Table(tuple(rows)), "frameworks", "ddpm with its own sampler") == ["holds"]


def test_likelihoods_agree_or_do_not_framework_by_framework():
    table = settled({"edm": 2.0, "vp": 2.01, "ve": 2.5})
    assert verdicts(table, "likelihood", "under vp") == ["holds"]
    assert verdicts(table, "likelihood", "under ve") == ["contradicted"]
    assert verdicts(table, "likelihood", "under flow") == ["not asked"]


def test_the_bound_is_asked_of_its_own_cells():
    rows = [row(seed, MIXTURE, BOUND, calls, "ddpm", bits=5.0 + 10 / calls) for seed in SEEDS for calls in (FAST, 1000)]
    assert verdicts(Table(tuple(rows)), "bound", "mixture") == ["holds"]
    assert verdicts(Table(tuple(rows)), "bound", "trained") == ["not asked"]


def test_a_claim_that_is_contradicted_says_so_with_its_interval():
    (finding,) = [one for one in findings_of(raced(1.5, 1.0)) if "texture: ratio of distances, dpm++2m" in one.quantity]
    assert finding.sentence.startswith("Contradicted: 20 calls are worse than DDPM's longest chain")
    assert "1.50 (1.50 to 1.50)" in finding.sentence
    assert finding.null == 1.0


def test_one_seed_gives_a_value_and_no_interval():
    (finding,) = [
        one
        for one in findings_of(raced(1.0, 1.0).where(seed=0))
        if "texture: ratio of distances, dpm++2m" in one.quantity
    ]
    assert (finding.value, finding.interval, finding.verdict) == (1.0, None, "not told apart")


def test_nothing_is_asked_of_an_empty_table():
    found = findings_of(Table(()))
    assert {one.verdict for one in found} == {"not asked"}
    assert {one.claim for one in found} == {claim.key for claim in Steps.claims}


@pytest.mark.parametrize("table", [Table(()), raced(1.0, 1.0)])
def test_charts_are_drawn_of_whatever_cells_there_are(table):
    for chart in Steps().charts(table):
        figure = Figure()
        chart.draw(figure)
        assert len(figure.axes) >= 3


def test_the_interval_over_seeds_covers_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(0)
    intervals = [over_seeds(rng.normal(size=3)).interval for _ in range(2000)]
    assert np.mean([low <= 0 <= high for low, high in intervals]) == pytest.approx(0.95, abs=0.015)


def test_every_sampler_and_framework_has_cells_of_its_own():
    found = cells(Scale(1, {**SMALL, "longest": 40, "reference": 1000, "frameworks_trained": 1}, seeds=2))
    assert len({one.key for one in found}) == len(found)
    assert {one.settings["sampler"] for one in found} == {*SAMPLERS, ODE, BOUND}
    assert {one.settings["denoiser"] for one in found} >= {"learned-ddpm", "learned-vp", "learned-flow", LEARNED}
    assert budgets(40) == (5, 10, 20, 40)
    fewest = SAMPLERS["langevin"].evaluations(SAMPLERS["langevin"].fewest)
    assert all(one.settings["calls"] >= fewest for one in found if one.settings["sampler"] == "langevin")


def test_more_calls_bring_the_mixture_nearer_to_its_law_and_its_likelihood_to_the_truth():
    def figures(sampler, framework, calls):
        settings = {"denoiser": MIXTURE, "framework": framework, "sampler": sampler, "calls": calls, "seed": 0}
        return mixture_figures(Cell("one", settings), 1500)

    coarse, fine = (figures("ddim", "ddpm", calls) for calls in (5, 80))
    assert coarse["frechet"] > 10 * fine["frechet"]
    assert coarse["rare"] > fine["rare"]
    assert fine["sliced"] < 2 * fine["sliced_null"]
    flow = figures(ODE, "edm", 120)
    assert flow["bits"] == pytest.approx(flow["bits_true"], abs=0.01)
    assert figures(BOUND, "ddpm", 40)["bits"] > flow["bits_true"]


@pytest.fixture(scope="module")
def patients():
    return patients_of(PhantomImages("chest", 16), 0, 60, 60)


def test_images_without_identifiers_are_patients_of_their_own(patients):
    shown = prepare({"training": open_set(patients.training, name="training")}, scaling="0:1")["training"]
    dealt = patients_of(OwnImages(shown, np.arange(len(shown)), known=False), 1, 20, 20)
    assert len(np.unique(dealt.groups)) == len(dealt.training) + len(dealt.holdout) == 40
    assert len(np.unique(patients.groups)) < len(patients.groups)


def test_copies_are_seen_as_copies_and_fresh_patients_are_not(patients):
    law = Smeared.of(patients.training)
    rng = np.random.default_rng(0)
    standard = against_law(patients, [law.draw(30, rng) for _ in range(8)])
    copies, fresh = standard.figures(law.draw(30, rng)), standard.figures(patients.holdout[:30])
    assert copies["copied"] > 0.9 > 0.1 > fresh["copied"]
    assert copies["nearer_training"] == 1.0
    assert copies["correlation"] > copies["correlation_null"]
    assert copies["frechet"] < 2 * copies["frechet_null"]


def test_fresh_patients_score_what_the_null_says(patients):
    standard = against_patients(patients, 60)
    fresh = standard.figures(patients.holdout)
    assert fresh["frechet"] == pytest.approx(fresh["frechet_null"], rel=0.5)
    assert fresh["coverage"] == pytest.approx(fresh["coverage_null"], abs=0.2)
    collapsed = standard.figures(np.repeat(patients.holdout[:2], 20, axis=0))
    assert collapsed["coverage"] < fresh["coverage"] / 2
    assert collapsed["frechet"] > 3 * fresh["frechet_null"]


def test_the_exact_denoiser_gives_the_image_back_where_there_is_next_to_no_noise(patients):
    law = Smeared.of(patients.training)
    x = law.points[:3].reshape(3, *law.shape)
    assert torch.allclose(law(x, torch.tensor(1e-4)), x, atol=1e-5)
    far = law(x + 100, torch.tensor(1e4))
    assert torch.allclose(far, law.points.mean(dim=0).reshape(law.shape).expand_as(far), atol=20 * DEVIATION)


def test_a_tiny_study_runs_reports_and_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(Steps, "scales", {"quick": Scale(0.1, SMALL, seeds=1), "full": Steps.scales["full"]})
    study, source = study_named("steps"), PhantomImages("chest", 16)
    result = run_study(study, tmp_path, scale="quick", source=source)
    assert result.table.where(denoiser=LEARNED, sampler="heun").column("frechet_texture").min() > 0
    assert np.isfinite(result.table.where(denoiser=LEARNED, sampler=ODE).column("bits")).all()
    page = result.report(tmp_path)
    document = json.loads((tmp_path / "study.json").read_text(encoding="utf-8"))
    assert {one["claim"] for one in document["findings"]} == {claim.key for claim in Steps.claims}
    assert "Quality against network calls" in page.read_text(encoding="utf-8")
    monkeypatch.setattr(Steps, "compute", lambda *_: pytest.fail("a cell that is done was computed again"))
    again = run_study(study, tmp_path, scale="quick", source=source)
    assert again.table.rows == result.table.rows
