from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from fourfold.comparison import Comparison, Features
from fourfold.privacy import isolation_test, singling_out
from fourfold.privacy.isolation import adjusted
from fourfold.statistics import difference_bound

DIMENSION = 12
Draw = Callable[[int], np.ndarray]


def _population(seed: int) -> tuple[np.random.Generator, Draw]:
    """A mixture of eight Gaussians."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, 1.5, (8, DIMENSION))
    return rng, lambda size: centres[rng.integers(0, 8, size)] + rng.normal(size=(size, DIMENSION))


def _copies(rng: np.random.Generator, training: np.ndarray, size: int, noise: float) -> np.ndarray:
    return training[rng.integers(0, len(training), size)] + noise * rng.normal(size=(size, training.shape[1]))


def _comparison(
    training: np.ndarray,
    synthetic: np.ndarray,
    holdout: np.ndarray | None,
    patients: tuple[np.ndarray | None, np.ndarray | None] = (None, None),
    reference: np.ndarray | None = None,
) -> Comparison:
    return Comparison(
        "space",
        Features(training.astype(np.float32), patients[0]),
        Features(synthetic.astype(np.float32)),
        None if holdout is None else Features(holdout.astype(np.float32), patients[1]),
        reference=None if reference is None else Features(reference.astype(np.float32)),
    )


def test_a_memoriser_passes_at_the_famous_weight_and_fails_at_lower_ones() -> None:
    famous = []
    for seed in range(5):
        rng, draw = _population(seed)
        training, holdout, reference = draw(300), draw(300), draw(3000)
        found = isolation_test(_copies(rng, training, 300, 0.45), training, holdout, reference=reference, labels=199)
        first, *lower = found.cells
        famous.append((first.training, first.baseline, first.p_upper))
        assert all(cell.p_upper == 1 / 200 for cell in lower)
        assert all(cell.training > 3 * cell.baseline for cell in lower)
        assert found.deciding.training > 0.7
        assert found.deciding.holdout < 0.2
        assert found.nearest.share > 0.95
    isolated, luck, p = np.array(famous).T
    assert isolated.mean() == pytest.approx(luck.mean(), abs=0.06)
    assert np.sum(p > 0.05) >= 3


def test_rejecting_images_near_the_training_set_leaves_a_trace_in_the_lower_tail() -> None:
    _, draw = _population(1)
    training, holdout, candidates = draw(300), draw(300), draw(1000)
    distances = np.sqrt(((candidates[:, None] - training[None]) ** 2).sum(axis=2)).min(axis=1)
    kept = candidates[distances > np.quantile(distances, 0.3)][:500]
    found = isolation_test(kept, training, holdout, labels=399)
    upper, lower = adjusted(found.cells)
    assert lower.min() <= 0.01
    assert upper.min() > 0.5


@pytest.mark.parametrize(("training", "holdout", "synthetic"), [(100, 100, 100), (40, 200, 100), (200, 40, 400)])
def test_fresh_persons_are_singled_out_no_more_often_than_the_level_says(
    training: int, holdout: int, synthetic: int
) -> None:
    p, excess, bounds = [], [], []
    for seed in range(60):
        _, draw = _population(seed)
        found = isolation_test(draw(synthetic), draw(training), draw(holdout), labels=99, seed=seed)
        upper, lower = adjusted(found.cells)
        p.append([upper.min(), lower.min(), found.nearest.p_upper, found.cells[1].p_upper])
        cell = found.deciding
        excess.append(cell.training - cell.holdout)
        sizes = [int(size) for size in found.sizes]
        main, control = (
            (min(round(share * size), size), size)
            for share, size in zip((cell.training, cell.holdout), sizes, strict=True)
        )
        bounds.append(difference_bound(main, control, 0.95, "lower"))
    # Two and a half standard errors above 5 % of sixty.
    assert (np.mean(np.array(p) <= 0.05, axis=0) <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / 60)).all()
    assert np.mean(excess) == pytest.approx(0, abs=3 * np.std(excess) / np.sqrt(60))
    assert np.mean(np.array(bounds) > 0) <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / 60)


@pytest.mark.parametrize(("training", "holdout"), [(150, 150), (60, 300), (300, 60)])
def test_copies_are_found_with_the_same_excess_whatever_the_sizes(training: int, holdout: int) -> None:
    rng, draw = _population(2)
    real, control = draw(training), draw(holdout)
    synthetic = draw(600)
    synthetic[:180] = _copies(rng, real, 180, 0.15)
    score = singling_out(_comparison(real, synthetic, control))
    assert score.departs() == "worse"
    assert score.value == pytest.approx(0.3, abs=0.1)
    assert score.details["p"] <= 0.01


@pytest.mark.parametrize("with_reference", [False, True])
def test_fresh_images_stay_at_the_null_and_copies_lead_to_their_persons(with_reference: bool) -> None:
    rng, draw = _population(3)
    real, control = draw(200), draw(200)
    reference = draw(400) if with_reference else None
    fresh = singling_out(_comparison(real, draw(300), control, reference=reference))
    assert fresh.departs() == "no"
    assert fresh.null_interval[0] <= fresh.value <= fresh.null_interval[1]
    assert "No singling out found" in fresh.details["sentence"]
    synthetic = draw(300)
    synthetic[:120] = np.repeat(real[[5, 17, 60]], 40, axis=0) + 0.05 * rng.normal(size=(120, DIMENSION))
    leak = singling_out(_comparison(real, synthetic, control, reference=reference))
    assert sorted(np.argsort(-leak.per_training["singled_out"])[:3].tolist()) == [5, 17, 60]
    assert leak.details["worst_person"]["training"] >= 35
    assert leak.per_synthetic["singles_out"][:120].mean() > 0.9
    assert leak.details["calibration"]["set"].startswith("reference" if with_reference else "training and holdout")


def test_a_hundred_images_of_one_copied_person_are_little_evidence_about_others() -> None:
    rng, draw = _population(4)
    real, control = draw(150), draw(150)
    one, many = draw(300), draw(300)
    one[:100] = real[7] + 0.05 * rng.normal(size=(100, DIMENSION))
    many[:100] = real[:100] + 0.05 * rng.normal(size=(100, DIMENSION))
    (single, spread) = (singling_out(_comparison(real, synthetic, control)) for synthetic in (one, many))
    assert single.value == pytest.approx(spread.value, abs=0.1)
    assert single.details["endpoints"][0]["main"][1] < 15
    assert spread.details["endpoints"][0]["main"][1] > 100


def test_repeating_synthetic_images_does_not_sharpen_the_evidence() -> None:
    _, draw = _population(5)
    real, control, some = draw(100), draw(100), draw(60)
    once = singling_out(_comparison(real, some, control))
    repeated = singling_out(_comparison(real, np.repeat(some, 10, axis=0), control))
    assert repeated.value == pytest.approx(once.value)
    assert repeated.details["endpoints"][0]["main"][1] <= 60
    assert repeated.details["p"] == pytest.approx(once.details["p"], abs=0.05)


def test_patients_and_not_their_images_are_counted() -> None:
    rng, draw = _population(6)
    anatomy, other = draw(120), draw(120)
    real = np.repeat(anatomy, 3, axis=0) + 0.1 * rng.normal(size=(360, DIMENSION))
    control = np.repeat(other, 3, axis=0) + 0.1 * rng.normal(size=(360, DIMENSION))
    patients = (np.repeat(np.arange(120), 3), np.repeat(np.arange(120, 240), 3))
    copied = anatomy[:80] + 0.1 * rng.normal(size=(80, DIMENSION))
    score = singling_out(_comparison(real, copied, control, patients))
    assert score.details["persons"] == {"training": 120, "holdout": 120}
    assert score.value > 0.8
    assert score.per_training["singled_out"].reshape(120, 3).std(axis=1).max() == 0
    # Counted as images, three siblings stand in each other's way and nobody is isolated.
    assert singling_out(_comparison(real, copied, control)).value < 0.5


def test_the_controls_run_every_time_and_tell_what_would_have_been_seen() -> None:
    _, draw = _population(7)
    details = {size: singling_out(_comparison(draw(size), draw(size), draw(size))).details for size in (60, 400)}
    shares = {size: one["positive_control"]["detectable_share"] for size, one in details.items()}
    assert shares[400] < shares[60] <= 0.5
    assert all(one["negative_control"]["p"] > 0.01 for one in details.values())
    json.dumps(details)


def test_a_leaking_set_does_not_make_its_own_test_look_sharp() -> None:
    rng, draw = _population(8)
    real, control = draw(200), draw(200)
    fresh = singling_out(_comparison(real, draw(200), control)).details["positive_control"]["power"]
    leak = singling_out(_comparison(real, _copies(rng, real, 200, 0.1), control)).details["positive_control"]["power"]
    smallest = next(iter(fresh))
    assert fresh[smallest] <= 0.25
    assert leak[smallest] <= 0.25


def test_the_same_seed_gives_the_same_answer() -> None:
    _, draw = _population(9)
    comparison = _comparison(draw(80), draw(80), draw(80))
    assert singling_out(comparison).details == singling_out(comparison).details


@pytest.mark.parametrize(
    ("training", "holdout", "reason"),
    [(50, None, "without a holdout"), (10, 50, "20 patients"), (50, 10, "20 patients")],
)
def test_what_is_missing_is_said(training: int, holdout: int | None, reason: str) -> None:
    _, draw = _population(10)
    score = singling_out(_comparison(draw(training), draw(30), None if holdout is None else draw(holdout)))
    assert score.value is None
    assert reason in score.reason
