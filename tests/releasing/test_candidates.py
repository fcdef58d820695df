"""Candidates, with the defects of the published pipeline that concern them (release.md, D1 to D11) as regressions.

D1, D5, D7 (the network's mode, the veto, all patients) are tested with the screen, D8 and D10 (linkage, measurement)
with the release, D9 (who judges) with the selection and here. D2, D3, D6 and D11 are below; D4 too.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

import fourfold as ff
from fourfold.comparison import no_progress
from fourfold.errors import InputError
from fourfold.generate.batches import taken_rows
from fourfold.generate.provenance import seed_of
from fourfold.images import open_set
from fourfold.releasing import CandidatePlan
from fourfold.releasing.candidates import draw_round, has_sources, joined, pool_of
from fourfold.releasing.choice import lacking

TINY = {"steps": 6, "batch": 8, "channels": "8,16", "patch": 1}


@pytest.fixture(scope="module")
def training():
    return ff.phantoms("chest", 40, size=16, images_per_patient=(1, 1)).to_image_set("training")


@pytest.fixture(scope="module")
def diverse(training, tmp_path_factory):
    folder = tmp_path_factory.mktemp("diverse") / "model"
    return ff.train(
        training,
        recipe="diversity-aware",
        output=folder,
        condition="class,features",
        condition_features="pixels",
        options=TINY,
        snapshots=6,
    )


def drawn(model, training, wanted, turn, plan, folder):
    return draw_round(model, training, wanted, turn, plan, folder, seed=0, device="cpu", progress=no_progress)


def test_each_condition_gets_its_candidates_under_its_own_label(diverse, training, tmp_path) -> None:
    plan = CandidatePlan(per_condition=2, evaluations=2)
    pool = drawn(diverse, training, np.arange(40), 0, plan, tmp_path)
    assert has_sources(diverse)
    assert np.bincount(pool.sources, minlength=40).tolist() == [2] * 40
    assert (pool.images.labels == training.labels[pool.sources]).all()
    assert pool.sources.tolist() != sorted(pool.sources.tolist())
    again = drawn(diverse, training, np.arange(40), 0, plan, tmp_path)
    assert (again.sources == pool.sources).all()


def test_guidance_falls_to_its_floor_and_rounds_end() -> None:
    """D6: the published loop lowers guidance for ever, below 1 and below 0."""
    plan = CandidatePlan(guidance=1.2, step=0.15, floor=1.0, rounds=4)

    class Asked:
        class generator:  # noqa: N801
            knobs = ()

            class conditioning:  # noqa: N801
                kinds = ()

    assert [plan.knobs(Asked, turn)["guidance"] for turn in range(plan.rounds)] == [1.2, 1.05, 1.0, 1.0]
    with pytest.raises(InputError, match="floor"):
        CandidatePlan(guidance=0.5)
    with pytest.raises(InputError, match="1 or more"):
        CandidatePlan(rounds=0)


def test_no_seed_is_used_twice_over_rounds_and_images(diverse, training, tmp_path) -> None:
    """D11: the published sampler draws the same seeds on every device."""
    plan = CandidatePlan(per_condition=1, evaluations=2)
    pools = [drawn(diverse, training, np.arange(40), turn, plan, tmp_path) for turn in (0, 1)]
    seeds = [entry.columns["seed"] for pool in pools for entry in pool.images.entries]
    assert len(set(seeds)) == 80
    assert (
        len({seed_of(7919, place) for place in range(500)} | {seed_of(2 * 7919, place) for place in range(500)}) == 1000
    )
    whole = joined(pools)
    assert len(whole) == 80
    assert whole.rounds.tolist() == [0] * 40 + [1] * 40


def test_conditions_come_from_the_extractor_that_the_model_was_trained_with(diverse) -> None:
    """D4: the published sampler takes another extractor's features silently."""
    with pytest.raises(InputError, match="not the feature extractor that the model was trained with"):
        diverse.generator.conditioning.part("features").locate("histogram")


def test_what_is_drawn_from_are_the_averaged_weights_of_the_trained_network(training, tmp_path) -> None:
    """D2 and D3: the published code trains another network than it loaded, and draws from raw weights."""
    common = {"recipe": "diffusion", "condition": "none", "snapshots": 12}
    wide, narrow, none = (
        ff.train(training, output=tmp_path / name, options={**TINY, "steps": steps, "average": width}, **common)
        for name, steps, width in (("wide", 12, 0.25), ("narrow", 12, 0.02), ("begun", 1, 0.25))
    )
    arrays = [dict(model.generator.arrays()) for model in (wide, narrow, none)]

    def apart(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> float:
        return sum(float((first[name] - second[name]).square().sum()) for name in first) ** 0.5

    # The same training: only what is averaged differs, and the wider average lags behind the narrower one.
    assert apart(arrays[0], arrays[1]) > 1e-4
    assert 0 < apart(arrays[0], arrays[2]) < apart(arrays[1], arrays[2])
    again = ff.open_model(tmp_path / "wide")
    assert (again.draw(2, seed=3, evaluations=2) == wide.draw(2, seed=3, evaluations=2)).all()


def test_a_condition_is_lacking_where_all_its_candidates_are_vetoed(training) -> None:
    pool = pool_of(training)
    assert not len(lacking(pool, np.ones(40, dtype=bool)))
    sourced = type(pool)(training, np.repeat(np.arange(10), 4), np.zeros(40, dtype=np.int64))
    vetoed = np.isin(sourced.sources, [2, 7])
    vetoed[0] = True
    assert lacking(sourced, vetoed).tolist() == [2, 7]


def test_rows_of_conditions_are_those_that_generate_takes() -> None:
    rows = taken_rows(5, 7, range(14))
    assert sorted(rows[:7]) == sorted(rows[7:]) == list(range(7))
    assert rows[:7] != rows[7:]
    assert taken_rows(5, 7, range(3, 6)) == rows[3:6]


def test_a_round_that_was_drawn_is_read_and_not_drawn_again(diverse, training, tmp_path, monkeypatch) -> None:
    plan = CandidatePlan(per_condition=1, evaluations=2)
    first = drawn(diverse, training, np.arange(6), 0, plan, tmp_path)
    monkeypatch.setattr(type(diverse), "generate", lambda *_, **__: pytest.fail("drawn again"))
    second = drawn(diverse, training, np.arange(6), 0, plan, tmp_path)
    assert first.images.digests() == second.images.digests()
    assert len(open_set(tmp_path / "round-0", name="synthetic")) == 6
