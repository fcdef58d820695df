"""Which of two images is closer to a third: by rule, and as people judged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import fourfold as ff
from fourfold.errors import InputError
from fourfold.features.perceptual import DISTORTIONS, LESION, judged, ruled
from fourfold.images import ImageSet, prepare


def _set(images: np.ndarray, patients: list[str] | None = None) -> ImageSet:
    return prepare({"images": ImageSet.from_array(images, name="images", patients=patients)}, scaling="0:1")["images"]


@pytest.fixture(scope="module")
def chests() -> np.ndarray:
    return ff.phantoms("chest", 12, images_per_patient=1, size=32).images


@pytest.mark.parametrize("name", DISTORTIONS)
def test_a_distortion_keeps_shape_and_range_and_grows_with_its_strength(name: str, chests: np.ndarray) -> None:
    distortion = DISTORTIONS[name]
    levels = np.linspace(0, 1, 6)
    departures = []
    for level in levels:
        made = [
            distortion(image, distortion.strength(level), np.random.default_rng(place))
            for place, image in enumerate(chests)
        ]
        assert made[0].shape == chests[0].shape
        assert made[0].dtype == np.float32
        assert min(one.min() for one in made) >= 0
        assert max(one.max() for one in made) <= 1
        departures.append(np.mean([np.abs(one - image).mean() for one, image in zip(made, chests, strict=True)]))
    assert stats.spearmanr(levels, departures)[0] >= 0.9


@pytest.mark.parametrize("name", DISTORTIONS)
def test_a_distortion_takes_volumes_too(name: str) -> None:
    volume = ff.phantoms("brain", 1, images_per_patient=1, size=(16, 20, 24)).images[0]
    made = DISTORTIONS[name](volume, DISTORTIONS[name].strongest, np.random.default_rng(0))
    assert made.shape == volume.shape
    assert not np.array_equal(made, volume)


def test_triplets_by_rule_are_the_same_however_they_are_loaded(chests: np.ndarray) -> None:
    triplets = ruled(_set(chests), 40, seed=3)
    reference, a, b = triplets.load(range(40))
    assert reference.shape == a.shape == b.shape == (40, 1, 32, 32)
    part = triplets.take(triplets.votes == 1)
    for side, found in zip((reference, a, b), part.load([4, 2]), strict=True):
        assert np.array_equal(side[np.flatnonzero(triplets.votes == 1)[[4, 2]]], found)
    assert all(np.array_equal(one, other) for one, other in zip(triplets.load([7]), triplets.load([7]), strict=True))
    assert not np.array_equal(ruled(_set(chests), 40, seed=4).votes, triplets.votes)


def test_the_closer_image_is_the_weaker_distortion_on_either_side(chests: np.ndarray) -> None:
    triplets = ruled(_set(chests), 200, ("noise",), gap=0.3)
    reference, a, b = triplets.load(range(200))
    to_a, to_b = (np.abs(side - reference).mean(axis=(1, 2, 3)) for side in (a, b))
    assert np.array_equal(to_b < to_a, triplets.votes == 1)
    assert 0.35 < triplets.votes.mean() < 0.65


def test_kinds_are_paired_with_others_and_groups_are_patients(chests: np.ndarray) -> None:
    triplets = ruled(_set(chests, [f"p{row // 3}" for row in range(12)]), 60, ("noise", "shift", "blur"))
    assert (triplets.kinds[:, 0] != triplets.kinds[:, 1]).all()
    assert set(triplets.groups.tolist()) == {0, 1, 2, 3}
    assert sorted(np.bincount(ruled(_set(chests), 24).groups)) == [2] * 12


def test_a_lesion_fades_towards_the_same_patient_without_it() -> None:
    ill = ff.phantoms("chest", 8, images_per_patient=1, size=32, prevalence=1.0).images
    well = ff.phantoms("chest", 8, images_per_patient=1, size=32, prevalence=0.0).images
    reference, a, b = ruled(_set(ill), 16, (LESION,), without_lesion=well).load(range(16))
    rows = [int(np.flatnonzero((ill == one).all(axis=(1, 2, 3)))[0]) for one in reference]
    span = ill[rows] - well[rows]
    for side in (a, b):
        share = ((reference - side) * span).sum(axis=(1, 2, 3)) / (span**2).sum(axis=(1, 2, 3))
        assert np.allclose(reference - side, share[:, None, None, None] * span, atol=1e-6)
        assert ((share >= 0.1 - 1e-3) & (share <= 1 + 1e-3)).all()


def test_rules_that_cannot_be_kept_are_refused(chests: np.ndarray) -> None:
    images = _set(chests)
    with pytest.raises(InputError, match="there is no distortion 'fog'; there are: shift"):
        ruled(images, 4, ("fog",))
    with pytest.raises(InputError, match="the same images without it are known"):
        ruled(images, 4, (LESION,))
    with pytest.raises(InputError, match="no image differs from its twin"):
        ruled(images, 4, (LESION,), without_lesion=chests)
    with pytest.raises(InputError, match="lies between 0 and 1, got 1"):
        ruled(images, 4, gap=1.0)
    with pytest.raises(InputError, match="a number of triplets from 1 up"):
        ruled(images, 0)


def _table(folder: Path, text: str) -> Path:
    file = folder / "judgements.csv"
    file.write_text(text, encoding="utf-8")
    return file


def test_judgements_are_read_with_votes_of_one_judge_or_of_many(chests: np.ndarray, tmp_path: Path) -> None:
    images = _set(chests)
    names = [f"images[{row}]" for row in range(4)]
    lines = [f"{names[0]},{names[1]},{names[2]},{vote}" for vote in ("a", "B", "0.75", "0")]
    file = _table(tmp_path, "reference,a,b,vote\n" + "\n".join(lines) + f"\n{names[3]},{names[1]},{names[2]},b\n")
    triplets = judged(images, file)
    assert triplets.votes.tolist() == [0.0, 1.0, 0.75, 0.0, 1.0]
    assert triplets.groups.tolist() == [0, 0, 0, 0, 3]
    assert all(np.array_equal(side[0], chests[row]) for side, row in zip(triplets.load([4]), (3, 1, 2), strict=True))
    assert judged(images, file, images.take([3])).votes.tolist() == [1.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("reference,a,b\n", "has no column 'vote'"),
        ("reference,a,b,vote\n", "holds no judgement"),
        ("reference,a,b,vote\nimages[0],images[1],elsewhere.png,a\n", r"line 2 names the image 'elsewhere.png' as b"),
        ("reference,a,b,vote\nimages[0],images[1],images[2],c\n", "line 2 has the vote 'c'"),
        ("reference,a,b,vote\nimages[0],images[1],images[2],1.5\n", "line 2 has the vote '1.5'"),
    ],
)
def test_a_wrong_table_is_refused_with_its_line(text: str, message: str, chests: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        judged(_set(chests), _table(tmp_path, text))


def test_a_missing_table_is_refused(chests: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read as a CSV table"):
        judged(_set(chests), tmp_path / "none.csv")
