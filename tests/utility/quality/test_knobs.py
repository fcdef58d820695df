import numpy as np
import pytest

from fourfold.errors import InputError
from fourfold.utility.learning.contract import Examples
from fourfold.utility.quality.knobs import balance, image_noise, label_noise, parse_knob, strata


def examples(counts=(60, 20), groups=None):
    numbers = np.repeat(np.arange(len(counts)), counts)
    images = np.full((len(numbers), 1, 8, 8), 0.5, dtype=np.float32)
    targets = np.eye(len(counts), dtype=np.float32)[numbers]
    return Examples(images, targets, np.arange(len(numbers)), groups or {})


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.25, 1.0])
def test_label_noise_changes_the_stated_share_of_the_classes(rate):
    before = examples((50, 30, 20))
    after = label_noise(rate).alter(before, rng())
    assert np.all(after.targets.sum(axis=1) == 1)
    assert np.any(after.targets != before.targets, axis=1).sum() == rate * 100
    assert np.array_equal(after.images, before.images)


def test_wrong_classes_are_any_of_the_others():
    after = label_noise(1.0).alter(examples((300, 0, 0)), rng())
    assert after.targets[:, 1:].sum(axis=0) == pytest.approx([150, 150], abs=40)


def test_label_noise_of_findings_leaves_the_unknown_unknown():
    targets = np.array([[1, np.nan], [0, 1], [1, 0], [0, np.nan]] * 25, dtype=np.float32)
    before = Examples(np.zeros((100, 1, 4, 4), np.float32), targets, np.arange(100))
    after = label_noise(0.2).alter(before, rng()).targets
    assert np.array_equal(np.isnan(after), np.isnan(targets))
    assert np.nansum(after != targets, axis=0).tolist() == [20, 50 + 10]


def test_label_noise_of_regions_moves_outlines():
    masks = np.zeros((40, 20, 20), dtype=np.uint8)
    masks[:, 6:14, 6:14] = 2
    before = Examples(np.zeros((40, 1, 20, 20), np.float32), masks, np.arange(40))
    areas = (label_noise(0.5).alter(before, rng()).targets == 2).sum(axis=(1, 2))
    assert set(areas.tolist()) == {36, 64, 100}
    assert (areas != 64).sum() == 20


def test_image_noise_has_its_standard_deviation():
    found = image_noise(0.05).alter(examples(), rng()).images - 0.5
    assert found.std() == pytest.approx(0.05, rel=0.05)
    assert abs(found.mean()) < 0.005
    dark = Examples(np.zeros((50, 1, 8, 8), np.float32), np.eye(2, dtype=np.float32)[[0] * 50], np.arange(50))
    # Where there is no signal a magnitude follows Rayleigh's law.
    rician = image_noise(0.05, "rician").alter(dark, rng()).images
    assert rician.mean() == pytest.approx(0.05 * np.sqrt(np.pi / 2), rel=0.05)


def test_noise_is_the_same_for_the_same_generator_only():
    first, again, other = (image_noise(0.1).alter(examples(), rng(seed)).images for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_over_sampling_repeats_the_rarer_class_evenly():
    pool = examples((50, 20))
    rows = balance("over").choose(pool, np.arange(70), rng())
    counts = np.bincount(rows, minlength=70)
    assert np.all(counts[:50] == 1)
    assert counts[50:].sum() == 50
    assert set(counts[50:].tolist()) == {2, 3}


def test_under_sampling_repeats_nothing():
    rows = balance("under").choose(examples((50, 20)), np.arange(70), rng())
    assert len(set(rows.tolist())) == len(rows) == 40
    assert (rows >= 50).sum() == 20


def test_fresh_images_fill_up_the_rarer_class_and_the_size_stays():
    pool = examples((100, 60))
    drawn = np.concatenate([np.arange(45), np.arange(100, 115)])
    rows = balance("fresh").choose(pool, drawn, rng())
    assert len(set(rows.tolist())) == len(rows) == 60
    assert (rows < 100).sum() == 30
    assert set(range(100, 115)) <= set(rows.tolist())
    assert set(rows[rows < 100].tolist()) <= set(range(45))


def test_a_pool_without_enough_fresh_images_is_refused():
    with pytest.raises(InputError, match="takes 40 of each class and one has 20; draw fewer images"):
        balance("fresh").choose(examples((60, 20)), np.arange(80), rng())


def test_subgroups_are_balanced_too():
    pool = examples((60, 20), {"scanner": np.array(["A"] * 50 + ["B"] * 30)})
    rows = balance("under", "scanner").choose(pool, np.arange(80), rng())
    assert np.unique(pool.groups["scanner"][rows], return_counts=True)[1].tolist() == [30, 30]
    with pytest.raises(InputError, match="cannot be balanced by 'sex'; columns of the set: scanner"):
        balance("under", "sex").choose(pool, np.arange(80), rng())


def test_strata_of_findings_and_regions():
    findings = np.array([[1, 1], [0, 1], [0, np.nan]], dtype=np.float32)
    assert strata(Examples(np.zeros((3, 1, 2, 2)), findings, np.arange(3))).tolist() == [0, 1, 2]
    masks = np.array([[[0, 0]], [[0, 2]], [[1, 2]]], dtype=np.uint8)
    found = strata(Examples(np.zeros((3, 1, 1, 2)), masks, np.arange(3)))
    assert len(set(found.tolist())) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("blur=1", "there is no knob 'blur=1'"),
        ("label-noise=much", "the knob 'label-noise=much' needs a number"),
        ("label-noise=2", "label noise is a share between 0 and 1, got 2"),
        ("image-noise=-1", "image noise is a standard deviation between 0 and 1"),
        ("image-noise=salt:0.1", "image noise is gaussian or rician, got 'salt'"),
        ("balance=maybe", "a balance is one of over, under, fresh, got 'maybe'"),
    ],
)
def test_knobs_that_there_are_not(text, message):
    with pytest.raises(InputError, match=message):
        parse_knob(text)


def test_knobs_are_parsed_as_they_are_called():
    for text in ("label-noise=0.1", "image-noise=0.05", "image-noise=rician:0.05", "balance=fresh", "balance=over:sex"):
        assert parse_knob(text).name == text
