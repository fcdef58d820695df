from __future__ import annotations

import numpy as np
import pytest

from fourfold.privacy import DISGUISES, FURTHER, ORDINARY, REPRESENTATIONS, CopyList, find_copies


def patients(count: int, seed: int, views: int = 2, side: int = 64) -> np.ndarray:
    """Smooth anatomies, each seen `views` times with a little change; shape (count * views, 1, side, side)."""
    rng = np.random.default_rng(seed)
    frequencies = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))

    def fields(number: int) -> np.ndarray:
        found = np.fft.ifft2(np.fft.fft2(rng.normal(size=(number, side, side))) / (frequencies + 0.02) ** 1.5).real
        return found / found.std(axis=(1, 2), keepdims=True)

    common = 1.5 * np.random.default_rng(99).normal(size=(1, 8, 8)).repeat(8, axis=1).repeat(8, axis=2)
    anatomy = np.repeat(fields(count), views, axis=0) + 0.4 * fields(count * views) + common[:, :side, :side]
    return np.clip(0.5 + 0.12 * anatomy, 0, 1)[:, None].astype(np.float32)


TRAINING, HOLDOUT, FRESH = patients(200, 1), patients(100, 2), patients(100, 3)
GROUPS, HOLDOUT_GROUPS = np.repeat(np.arange(200), 2), 1000 + np.repeat(np.arange(100), 2)


# Each of them is a search of its own; the quick ones will do where the search is not the question.
QUICK = REPRESENTATIONS[:3]


def search(synthetic: np.ndarray, training: np.ndarray = TRAINING, **options) -> CopyList:
    options = {
        "groups": GROUPS,
        "holdout_groups": HOLDOUT_GROUPS,
        "plants": 0,
        "representations": QUICK,
        **options,
    }
    return find_copies(training, synthetic, HOLDOUT, **options)


@pytest.fixture(scope="module")
def mixed() -> tuple[CopyList, np.ndarray, np.ndarray]:
    """Fresh images of which every fifth is a copy in one of the disguises that generators are known for."""
    rng = np.random.default_rng(4)
    synthetic, rows, sources = FRESH.copy(), np.arange(0, 200, 5), rng.choice(400, 40, replace=False)
    for place, (row, source) in enumerate(zip(rows, sources)):
        disguise = ORDINARY[place % len(ORDINARY)]
        synthetic[row] = disguise.apply(TRAINING[[source]], FRESH[[row]], rng)[0]
    return search(synthetic, plants=10, representations=REPRESENTATIONS), rows, sources


def test_fresh_images_of_other_patients_are_not_listed() -> None:
    found = search(FRESH)
    assert not found.listed.any()
    assert found.null_share == 0.0


def test_disguised_copies_are_listed_with_their_source(mixed) -> None:
    found, rows, sources = mixed
    assert found.listed[rows].mean() >= 0.95
    listed = found.listed[rows]
    assert (found.nearest[rows] == sources)[listed].all()
    assert np.delete(found.listed, rows).sum() <= 1


def test_every_column_has_a_row_for_every_synthetic_image(mixed) -> None:
    found, _, _ = mixed
    for column in (found.listed, found.p, found.q, found.kind, found.nearest, found.distance, found.ratio):
        assert column.shape == (200,)
    assert ((found.p >= 0) & (found.p <= found.q + 1e-12)).all()
    assert (found.q[found.listed] <= 0.05).all()


def test_the_self_test_reports_what_would_have_been_found(mixed) -> None:
    found, _, _ = mixed
    assert set(found.power) == {disguise.name for disguise in ORDINARY}
    for detection in found.power.values():
        assert detection.planted == 10
        assert 0 <= detection.attributed <= detection.found <= 10
    assert found.power["brightness"].recall >= 0.9


def test_verbatim_copies_are_listed_even_where_the_null_is_too_small_for_a_tail() -> None:
    synthetic = FRESH[:40].copy()
    synthetic[[3, 17]] = TRAINING[[20, 90]]
    found = find_copies(TRAINING[:100], synthetic, HOLDOUT[:10], groups=GROUPS[:100], plants=0, representations=QUICK)
    assert np.flatnonzero(found.listed).tolist() == [3, 17]
    assert found.nearest[[3, 17]].tolist() == [20, 90]
    assert np.isfinite(found.ratio).all()
    assert found.p[[3, 17]].max() < 1e-12


def test_copies_of_duplicated_patients_are_still_found() -> None:
    rng = np.random.default_rng(5)
    twins = np.clip(TRAINING + rng.normal(0, 0.003, TRAINING.shape), 0, 1).astype(np.float32)
    training = np.concatenate([TRAINING, twins])
    synthetic = FRESH.copy()
    synthetic[:10] = np.clip(TRAINING[:100:10] + rng.normal(0, 0.02, (10, 1, 64, 64)), 0, 1)
    found = search(synthetic, training, groups=np.concatenate([GROUPS, 500 + GROUPS]))
    assert found.listed[:10].all()
    assert (found.nearest[:10] % 400 == np.arange(0, 100, 10)).all()
    assert not found.listed[10:].any()


def test_copies_are_found_without_patients_and_without_a_holdout() -> None:
    training = TRAINING[::2]
    synthetic = np.concatenate([FRESH[:60], training[5:8] * 0.9])
    found = find_copies(training, synthetic, plants=0, representations=QUICK)
    assert np.flatnonzero(found.listed).tolist() == [60, 61, 62]
    assert found.null_share is None


def test_a_holdout_image_that_is_a_training_image_does_not_hide_copies() -> None:
    holdout = HOLDOUT.copy()
    holdout[:5] = TRAINING[100:105]
    synthetic = np.concatenate([FRESH, np.clip(TRAINING[:2] + 0.05, 0, 1)])
    found = find_copies(
        TRAINING,
        synthetic,
        holdout,
        groups=GROUPS,
        holdout_groups=HOLDOUT_GROUPS,
        plants=0,
        representations=QUICK,
    )
    assert found.set_aside == 5
    assert np.flatnonzero(found.listed).tolist() == [200, 201]


def test_repeated_prototypes_of_fresh_patients_are_not_copies_and_of_training_patients_are() -> None:
    fresh = search(np.repeat(FRESH[[0, 7, 31]], 40, axis=0))
    assert not fresh.listed.any()
    trained = search(np.repeat(TRAINING[[0, 7, 31]], 40, axis=0))
    assert trained.listed.all()
    assert (trained.nearest == np.repeat([0, 7, 31], 40)).all()


def test_constant_images_are_no_copies_of_anybody() -> None:
    found = search(np.concatenate([FRESH[:50], np.zeros((5, 1, 64, 64), dtype=np.float32)]))
    assert not found.listed.any()


def test_the_search_does_not_depend_on_the_memory_it_may_use() -> None:
    some = (REPRESENTATIONS[1], REPRESENTATIONS[4])
    small, large = (search(FRESH[:20], memory=memory, representations=some) for memory in (1 << 20, 1 << 30))
    assert small.p == pytest.approx(large.p, rel=1e-3)
    assert (small.nearest == large.nearest).all()


def test_hidden_copies_are_listed_by_the_representations_of_a_full_audit() -> None:
    rng = np.random.default_rng(6)
    names = ("inversion", "upside down", "large rotation", "crop to 65 %", "patch of 25 %")
    hidden = [disguise for disguise in DISGUISES if disguise.name in names]
    synthetic, sources = FRESH[:60].copy(), rng.choice(400, 20, replace=False)
    for row, source in enumerate(sources):
        disguise = hidden[row % len(hidden)]
        synthetic[row] = disguise.apply(TRAINING[[source]], FRESH[[row]], rng)[0]
    found = search(synthetic, representations=(REPRESENTATIONS[1], REPRESENTATIONS[4], *FURTHER))
    assert found.listed[:20].mean() >= 0.9
    assert (found.nearest[:20] == sources)[found.listed[:20]].mean() >= 0.9
    assert found.listed[20:].sum() <= 2


def test_training_images_that_resemble_each_other_more_than_the_holdout_does_are_no_null() -> None:
    # Every patient under two names: without "its own patient" a training image still sees its sister.
    holdout = np.concatenate([HOLDOUT, patients(100, 9)])
    options = {"plants": 0, "representations": REPRESENTATIONS[:1], "holdout_groups": 1000 + np.arange(400) // 2}
    assert not find_copies(TRAINING, FRESH, holdout, groups=np.arange(400), **options).trusted
    assert find_copies(TRAINING, FRESH, holdout, groups=GROUPS, **options).trusted


@pytest.mark.parametrize(("training", "holdout"), [(200, 200), (60, 300), (400, 80)])
def test_copies_are_listed_and_fresh_images_are_not_whatever_the_sizes_of_the_sets(training: int, holdout: int) -> None:
    rng = np.random.default_rng(10)
    others = np.concatenate([HOLDOUT, patients(50, 11)])[:holdout]
    synthetic = FRESH[:100].copy()
    synthetic[:5] = np.clip(TRAINING[:50:10] * 0.9 + rng.normal(0, 0.02, (5, 1, 64, 64)), 0, 1)
    found = find_copies(
        TRAINING[:training],
        synthetic,
        others,
        groups=GROUPS[:training],
        holdout_groups=1000 + np.arange(holdout) // 2,
        representations=QUICK,
        plants=0,
    )
    assert found.listed[:5].all()
    assert found.nearest[:5].tolist() == [0, 10, 20, 30, 40]
    assert found.listed[5:].sum() <= 1


@pytest.mark.parametrize(("images", "message"), [(2, "fewer than two patients"), (20, "the null needs 40 real images")])
def test_too_few_real_images_are_refused(images: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        find_copies(TRAINING[:images], FRESH, groups=GROUPS[:images])
