"""Restored images beside targets, inputs and strangers, with known truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import fourfold as ff
from fourfold.errors import InputError
from fourfold.images import ImageSet
from fourfold.pairing import paired

PATIENTS = np.repeat([f"patient-{number}" for number in range(16)], 2)


@pytest.fixture(scope="module")
def clean() -> np.ndarray:
    return ff.phantoms("chest", 16, images_per_patient=2, size=32).images


def as_set(images: np.ndarray, patients=PATIENTS, name: str = "array") -> ImageSet:
    return ImageSet.from_array(images, name=name, patients=patients)


def noisy(images: np.ndarray, strength: float, seed: int = 0) -> np.ndarray:
    grain = np.random.default_rng(seed).standard_normal(images.shape).astype(np.float32)
    return np.clip(images + strength * grain, 0, 1)


def test_less_noise_is_better_than_doing_nothing_by_every_measure(clean) -> None:
    found = paired(as_set(noisy(clean, 0.05)), as_set(clean), as_set(noisy(clean, 0.1)))
    assert [one.name for one in found.measures] == ["psnr", "ssim", "ms_ssim"]
    assert (len(found), found.patients, found.identified) == (32, 16, True)
    for one in found.measures:
        assert one.standing == "better"
        assert one.null_source == "untreated inputs"
        assert one.unrelated.value < one.null.value < one.mean.value
        assert one.gain.value == pytest.approx(one.mean.value - one.null.value)
        assert one.gain.interval[0] > 0
        assert len(one.lost) == 0
    assert found["psnr"].mean.value == pytest.approx(found["psnr"].values.mean())
    assert abs(found["psnr"].gain.value - 20 * np.log10(2)) < 0.3


def test_more_noise_is_worse(clean) -> None:
    found = paired(as_set(noisy(clean, 0.15)), as_set(clean), as_set(noisy(clean, 0.1)), measures=["psnr"])
    assert found["psnr"].standing == "worse"
    assert len(found["psnr"].lost) == 32


def test_noise_of_the_same_strength_is_told_apart_no_oftener_than_chance_allows(clean) -> None:
    targets = as_set(clean)
    told = 0
    for seed in range(20):
        before, after = (as_set(noisy(clean, 0.1, 2 * seed + part)) for part in (0, 1))
        told += paired(after, targets, before, measures=["psnr"], seed=seed)["psnr"].standing != "no"
    assert told <= 5


def test_the_paired_interval_is_narrower_than_that_of_the_mean(clean) -> None:
    strength = np.linspace(0.02, 0.3, len(clean))[:, None, None, None]
    before = np.clip(clean + strength * np.random.default_rng(0).standard_normal(clean.shape), 0, 1).astype(np.float32)
    after = clean + 0.8 * (before - clean)
    one = paired(as_set(after), as_set(clean), as_set(before), measures=["psnr"])["psnr"]
    assert np.ptp(one.gain.interval) < np.ptp(one.mean.interval) / 10


def test_images_that_were_made_worse_are_found(clean) -> None:
    inputs = noisy(clean, 0.1)
    restored = clean + 0.5 * (inputs - clean)
    restored[[5, 20]] = 0.5
    one = paired(as_set(restored), as_set(clean), as_set(inputs), measures=["psnr"])["psnr"]
    assert set(one.lost) == set(one.ranked[:2]) == {5, 20}


def test_partners_are_matched_before_they_are_measured(clean) -> None:
    order = np.random.default_rng(3).permutation(len(clean))
    names = [f"{row:02d}.png" for row in range(len(clean))]

    def named(images: np.ndarray, rows) -> ImageSet:
        made = as_set(images[rows], PATIENTS[rows])
        entries = (replace(entry, path=names[row]) for entry, row in zip(made.entries, rows, strict=True))
        return replace(made, entries=tuple(entries))

    restored = noisy(clean, 0.05)
    straight = paired(as_set(restored), as_set(clean), measures=["psnr"])
    mixed = paired(named(restored, order), named(clean, np.arange(len(clean))), measures=["psnr"])
    assert np.array_equal(straight["psnr"].values, mixed["psnr"].values)


def test_without_inputs_strangers_are_the_null_and_that_is_said(clean) -> None:
    found = paired(as_set(noisy(clean, 0.05)), as_set(clean), measures=["psnr"])
    one = found["psnr"]
    assert one.null == one.unrelated
    assert one.null_source == "pairs of unrelated images"
    assert one.standing == "better"
    assert one.lost is one.untreated is one.gains is None
    assert any("what doing nothing would score is unknown" in note for note in found.notes)


def test_wrongly_matched_images_are_noticed(clean) -> None:
    restored = np.roll(noisy(clean, 0.05), 6, axis=0)
    found = paired(as_set(restored, None), as_set(clean, None), match="order", measures=["psnr", "ssim"])
    assert any("are the right images matched?" in note for note in found.notes)
    with pytest.raises(
        InputError, match=r"restored\[0\] of the restored set are a pair of different patients \(32 of 32"
    ):
        paired(as_set(restored, np.roll(PATIENTS, 6), "restored"), as_set(clean, name="targets"), measures=["psnr"])


def test_no_message_names_a_patient(clean) -> None:
    with pytest.raises(InputError) as raised:
        paired(as_set(clean, np.roll(PATIENTS, 6)), as_set(clean))
    assert "patient-" not in str(raised.value)


def test_equal_and_untouched_images_are_counted(clean) -> None:
    inputs = noisy(clean, 0.1)
    restored = inputs.copy()
    restored[:3] = clean[:3]
    found = paired(as_set(restored), as_set(clean), as_set(inputs), measures=["psnr"])
    assert any(note.startswith("3 of the restored images equal their targets") for note in found.notes)
    assert any(note.startswith("29 of the restored images score as their inputs") for note in found.notes)


def test_patients_that_nobody_knows_are_stood_in_for(clean) -> None:
    found = paired(as_set(noisy(clean, 0.05), None), as_set(clean, None), measures=["psnr"])
    assert not found.identified
    assert any("stand in for patients" in note for note in found.notes)


def test_few_patients_give_values_without_intervals(clean) -> None:
    few = slice(0, 8)
    found = paired(as_set(noisy(clean, 0.05)[few], PATIENTS[few]), as_set(clean[few], PATIENTS[few]), measures=["psnr"])
    assert found["psnr"].mean.interval is found["psnr"].standing is None
    assert any("There are no intervals" in note for note in found.notes)


def test_one_patient_has_no_strangers(clean) -> None:
    one = ["a"] * 32
    found = paired(as_set(noisy(clean, 0.05), one), as_set(clean, one), measures=["psnr"])
    assert found["psnr"].unrelated is found["psnr"].null is None
    assert any("Most images are of one patient" in note for note in found.notes)


def test_sets_that_are_unlike_are_refused(clean) -> None:
    with pytest.raises(InputError, match="images differ in size"):
        paired(as_set(clean[..., :24]), as_set(clean))
    with pytest.raises(InputError, match="the restored set is scaled unlike the targets set"):
        paired(as_set((clean * 255).astype(np.uint8)), as_set(clean))
    with pytest.raises(InputError, match="there is no kind of device called 'abacus'"):
        paired(as_set(clean), as_set(clean), device="abacus")


def test_targets_on_scales_of_their_own_need_a_range(clean) -> None:
    scales = np.geomspace(10, 1000, len(clean)).astype(np.float32)[:, None, None, None]
    with pytest.raises(InputError, match="the targets differ too much in scale"):
        paired(as_set(clean * scales), as_set(clean * scales))
    found = paired(as_set(clean * scales), as_set(clean * scales), scaling="per-image", measures=["psnr"])
    assert any("errors of brightness" in note for note in found.notes)


def test_the_range_that_counts_as_whole_is_on_record(clean) -> None:
    numbers = (clean * 255).round().astype(np.uint8)
    found = paired(as_set(numbers), as_set(numbers), measures=["psnr"])
    assert (found.preparation["low"], found.preparation["high"]) == (0.0, 255.0)


def test_volumes_are_measured_whole() -> None:
    volumes = ff.phantoms("brain", 3, images_per_patient=1, size=(16, 16, 20)).images
    found = paired(noisy(volumes, 0.05), volumes, noisy(volumes, 0.1))
    assert [one.name for one in found.measures] == ["psnr", "ssim"]
    assert (found["psnr"].gains > 0).all()
    with pytest.raises(KeyError, match="'ms_ssim' was not measured; there are: psnr, ssim"):
        found["ms_ssim"]
