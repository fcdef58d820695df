"""Where features are computed and neighbours searched changes no number; how they are searched says what it changed."""

import pytest

import fourfold as ff
from fourfold.engine import LocalEngine
from fourfold.errors import InputError
from fourfold.images.phantoms import phantoms

ONLY = ("precision", "density", "coverage", "recall")


@pytest.fixture(scope="module")
def sets():
    drawn = [phantoms("chest", 60, size=24, images_per_patient=1, first_patient=place * 100) for place in range(3)]
    return dict(zip(("synthetic", "train", "holdout"), (one.to_image_set() for one in drawn), strict=True))


def evaluated(sets, **options):
    return ff.evaluate(**sets, only=ONLY, features=["pixels"], store=False, **options)


def test_two_processes_give_the_scores_of_one(sets):
    here = evaluated(sets)
    with LocalEngine(2) as engine:
        there = evaluated(sets, engine=engine)
    assert there.scores == here.scores


def test_an_approximate_search_says_what_it_missed(sets):
    pytest.importorskip("faiss", reason="needs fourfold[faiss]")
    found = evaluated(sets, search="ivf")
    assert [note for note in found.notes if "searched approximately (ivf)" in note]
    for score in found.scores:
        error = score.details["approximation"]
        low, high = error["interval"]
        assert low <= error["error"] <= high


def test_an_exact_search_has_nothing_to_say(sets):
    found = evaluated(sets)
    assert not [note for note in found.notes if "approximately" in note]
    assert all("approximation" not in score.details for score in found.scores)


def test_a_way_to_search_that_is_not_there_is_refused(sets):
    with pytest.raises(InputError, match="exact, ivf, hnsw"):
        evaluated(sets, search="lsh")
