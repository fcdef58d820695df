import numpy as np
import pytest

from fourfold.errors import InputError
from fourfold.images import ImageSet
from fourfold.images.phantoms import phantoms
from fourfold.images.reading import Reading
from fourfold.studies import PhantomImages, own_images


@pytest.fixture(scope="module")
def own():
    drawn = phantoms("chest", 120, size=16, seed=3)
    images = ImageSet.from_array(drawn.images, labels=list(drawn.labels), patients=list(drawn.patients))
    return own_images(images, Reading())


SIZES = {"training": 60, "holdout": 40, "fresh": 30}


@pytest.mark.parametrize("source", ["phantoms", "own"])
def test_sets_share_no_patient_and_the_same_seed_gives_the_same_ones(source, request):
    source = PhantomImages("brain", 16) if source == "phantoms" else request.getfixturevalue("own")
    dealt, again, other = (source.deal(seed, SIZES) for seed in (1, 1, 2))
    for name, size in SIZES.items():
        assert 0.8 * size <= len(dealt[name]) <= size
        np.testing.assert_array_equal(dealt[name].load(), again[name].load())
    patients = [set(one.patients) for one in dealt.values()]
    assert not patients[0] & patients[1]
    assert not (patients[0] | patients[1]) & patients[2]
    assert dealt["training"].digests() != other["training"].digests()
    assert len({one.preparation for one in dealt.values()}) == 1


def test_patients_stay_whole(own):
    dealt = own.deal(0, SIZES)["training"]
    everyone = own.images.patients
    for patient in set(dealt.patients):
        assert np.sum(dealt.patients == patient) == np.sum(everyone == patient)


def test_classes_keep_their_shares(own):
    share = np.mean(own.images.labels == "lesion")
    dealt = own.deal(0, SIZES)["training"].labels
    assert abs(np.mean(dealt == "lesion") - share) < 0.08


def test_images_without_patients_are_dealt_by_near_duplicates():
    images = np.repeat(phantoms("chest", 30, size=16, images_per_patient=1).images, 2, axis=0)
    source = own_images(ImageSet.from_array(images), Reading())
    assert not source.known
    dealt = source.deal(0, {"training": 20, "holdout": 20})
    assert not set(dealt["training"].digests()) & set(dealt["holdout"].digests())
    assert "groups of near-duplicates" in source.describe()


def test_too_few_images_are_told(own):
    with pytest.raises(InputError, match=r"needs 1000 images and there are \d+; give more images"):
        own.deal(0, {"training": 900, "holdout": 100})


def test_two_sources_have_two_digests(own):
    digests = {own.digest, PhantomImages("chest", 16).digest, PhantomImages("chest", 32).digest}
    assert len(digests) == 3
