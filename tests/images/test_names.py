import pytest

from fourfold.images.names import called_alike


def test_endings_and_order_do_not_matter():
    assert called_alike(["a.png", "b.png", "c.png"], ["c.nii.gz", "a.TIF", "d.png"]) == ([2, 0], [0, 1])


def test_folders_are_left_out_where_that_finds_more():
    assert called_alike(["t1/a.png", "t1/b.png"], ["t2/b.png", "t2/a.png"]) == ([1, 0], [0, 1])


def test_folders_count_where_names_repeat():
    assert called_alike(["p1/x.png", "p2/x.png"], ["p2/x.png"]) == ([1], [0])


def test_frames_of_one_file_stay_apart():
    assert called_alike(["a.dcm#0", "a.dcm#1"], ["m/a.nii.gz#1", "m/a.nii.gz#0"]) == ([1, 0], [0, 1])


def test_rows_of_arrays_are_told_by_their_number_and_by_their_file_where_there_are_several():
    assert called_alike(["s.npy[0]", "s.npy[1]"], ["t.npy[1]"]) == ([1], [0])
    assert called_alike(["a.npy[0]", "b.npy[0]"], ["b.npy[0]", "a.npy[0]"]) == ([1, 0], [0, 1])


@pytest.mark.parametrize("others", [["z.png"], ["p3/x.png"], []])
def test_strangers_and_names_that_stand_for_several_images_have_no_partner(others):
    assert called_alike(["p1/x.png", "p2/x.png"], others) == ([], [])
