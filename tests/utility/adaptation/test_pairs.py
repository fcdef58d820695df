import numpy as np
import pytest

from fourfold.errors import InputError
from fourfold.images.sets import Entry, ImageSet
from fourfold.utility.adaptation import matched_pairs


def called(name, *paths):
    return ImageSet(name, tuple(Entry(path) for path in paths), decode=lambda entry: np.zeros((1, 2, 2)))


def test_partners_are_called_alike_whatever_their_ending_and_order():
    source, target = matched_pairs(
        called("source", "a.png", "b.png", "c.png"), called("target", "c.nii.gz", "a.tif", "d.png")
    )
    assert (source.paths, target.paths) == (["c.png", "a.png"], ["c.nii.gz", "a.tif"])


def test_folders_are_left_out_where_that_finds_more():
    source, target = matched_pairs(called("source", "t1/a.png", "t1/b.png"), called("target", "t2/b.png", "t2/a.png"))
    assert source.paths == ["t1/b.png", "t1/a.png"]
    assert target.paths == ["t2/b.png", "t2/a.png"]


def test_folders_count_where_names_repeat():
    source, target = matched_pairs(called("source", "p1/x.png", "p2/x.png"), called("target", "p2/x.png"))
    assert (source.paths, target.paths) == (["p2/x.png"], ["p2/x.png"])


def test_rows_of_arrays_are_told_by_their_number():
    source, target = matched_pairs(called("source", "s.npy[0]", "s.npy[1]"), called("target", "t.npy[1]"))
    assert (source.paths, target.paths) == (["s.npy[1]"], ["t.npy[1]"])


def test_sets_without_partners_are_refused():
    with pytest.raises(InputError, match=r"y.png: no image of the source set is called like one of the target set"):
        matched_pairs(called("source", "a.png"), called("target", "y.png"))
