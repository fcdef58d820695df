from __future__ import annotations

import json

import numpy as np
import pytest

from fourfold.errors import InputError
from fourfold.features import extract, get
from fourfold.privacy import isolation_test
from fourfold.privacy.isolation import adjusted
from fourfold.releasing.screen import Screened, ScreenOptions, screen


def _noisy(images: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    return np.clip(images + strength * rng.normal(size=images.shape), 0, 1).astype(np.float32)


def _pool(world, arm: str) -> np.ndarray:
    rng = np.random.default_rng(4)
    pool = world.fresh.copy()
    sources = rng.integers(0, len(world.training), len(pool))
    if arm == "a fifth are copies":
        pool[: len(pool) // 5] = _noisy(world.training_images[sources[: len(pool) // 5]], 0.05, rng)
    if arm == "every one a coarse perturbation":
        pool = _noisy(world.training_images[sources], 0.1, rng)
    return pool


@pytest.fixture(scope="module")
def screened(world, quick, as_set):
    known: dict[str, Screened] = {}

    def of(arm: str) -> tuple[np.ndarray, Screened]:
        pool = _pool(world, arm)
        if arm not in known:
            known[arm] = screen(as_set(pool, "candidates"), world.training, world.calibration, options=quick())
        return pool, known[arm]

    return of


@pytest.mark.parametrize("space", ["radiomics", "pixels"])
@pytest.mark.parametrize("arm", ["independent", "a fifth are copies"])
def test_the_audit_finds_neither_proximity_nor_holes_in_what_is_accepted(world, screened, as_set, arm, space) -> None:
    pool, found = screened(arm)
    assert found.accepted.sum() > 100
    sets = [as_set(pool[found.accepted], "accepted"), world.training, world.holdout]
    features = [extract(one, get(space)) for one in sets]
    centre, spread = features[1].mean(axis=0), features[1].std(axis=0) + 1e-9
    persons = [np.unique(one.patients, return_inverse=True)[1] for one in sets[1:]]
    tested = isolation_test(
        *((values - centre) / spread for values in features),
        training_persons=persons[0],
        holdout_persons=persons[1],
        labels=199,
    )
    upper, lower = adjusted(tested.cells)
    assert upper.min() > 0.02
    assert lower.min() > 0.02


def test_copies_are_left_out_and_others_are_kept(world, screened) -> None:
    _, honest = screened("independent")
    pool, leaking = screened("a fifth are copies")
    copies = len(pool) // 5
    assert leaking.accepted[:copies].mean() < 0.03
    assert leaking.accepted[copies:].mean() > 0.6
    assert honest.accepted.mean() > 0.8
    weights = {name: one.weights["local contrast"] for name, one in (("honest", honest), ("leaking", leaking))}
    assert weights["leaking"][:copies].mean() < 0.05
    assert weights["honest"].mean() == pytest.approx(0.5, abs=0.1)


def test_where_everything_is_a_perturbation_next_to_nothing_is_accepted(screened) -> None:
    assert screened("every one a coarse perturbation")[1].accepted.mean() < 0.02


def test_a_veto_is_no_penalty(screened) -> None:
    for arm in ("independent", "a fifth are copies", "every one a coarse perturbation"):
        found = screened(arm)[1]
        assert not (found.accepted & found.vetoed).any()
        assert (found.vetoed == (found.veto_p <= found.figures["veto"]["threshold"])).all()


def test_the_seed_decides(world, quick, as_set, screened) -> None:
    pool, found = screened("a fifth are copies")
    again = screen(as_set(pool, "candidates"), world.training, world.calibration, options=quick())
    assert (again.accepted == found.accepted).all()
    assert json.dumps(again.figures) == json.dumps(found.figures)


def test_figures_are_aggregates_without_patients(world, screened) -> None:
    figures = screened("a fifth are copies")[1].figures
    text = json.dumps(figures, allow_nan=False)
    assert not any(str(patient) in text for patient in world.training.patients)
    assert figures["accepted"] <= figures["candidates"] - figures["veto"]["vetoed"]
    assert 0 < figures["embeddings"]["local contrast"]["mean_before"] < 1


def test_networks_weigh_and_veto_too(world, as_set) -> None:
    pool = _pool(world, "a fifth are copies")[:90]
    options = ScreenOptions(
        representations=ScreenOptions().representations[:1],
        embeddings=("contrastive",),
        sources=2,
        steps=4,
        networks=("contrastive",),
    )
    found = screen(as_set(pool, "candidates"), world.training, world.calibration, options=options)
    assert list(found.weights) == ["contrastive"]
    assert len(found.figures["embeddings"]["contrastive"]["dimension"]) == 2
    assert not found.accepted[: len(_pool(world, "independent")) // 5].any()


def test_calibration_patients_must_be_others(world, as_set, quick) -> None:
    pool = as_set(world.fresh[:20], "candidates")
    with pytest.raises(InputError, match="the training set holds 140 training patients"):
        screen(pool, world.training, world.training, options=quick())
    few = world.calibration.take(range(6))
    with pytest.raises(InputError, match="patients, and the screen needs 10 to calibrate on"):
        screen(pool, world.training, few, options=quick())
    with pytest.raises(InputError, match="the candidates set holds no image"):
        screen(pool.take([]), world.training, world.calibration, options=quick())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"miss_rate": 0.0}, "the miss_rate of the screen is between 0 and 1, got 0"),
        ({"bins": 1}, "the screen needs two bins or more, got 1"),
        ({"embeddings": ("radiomics",)}, "there is no embedding 'radiomics' for the screen"),
    ],
)
def test_wrong_options_are_refused(options, message) -> None:
    with pytest.raises(InputError, match=message):
        ScreenOptions(**options)
