"""Who is whose partner, and what is said where that cannot be told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fourfold.errors import InputError
from fourfold.images import Entry, ImageSet, Skipped
from fourfold.pairing import match_sets


def made(name: str, paths: list[str], columns: list[dict[str, str]] | None = None, **entries: list[str]) -> ImageSet:
    images = ImageSet.from_array(np.zeros((len(paths), 1, 4, 4), np.float32), name=name)
    own = [
        Entry(
            path=path, columns=columns[row] if columns else {}, **{key: values[row] for key, values in entries.items()}
        )
        for row, path in enumerate(paths)
    ]
    return replace(images, entries=tuple(own))


def test_names_match_whatever_the_order_the_ending_and_the_folder() -> None:
    sets = {
        "targets": made("targets", ["clean/a.png", "clean/b.png"]),
        "restored": made("restored", ["out/b.nii.gz", "out/a.tif"]),
        "inputs": made("inputs", ["a.png", "b.png"]),
    }
    matched = match_sets(sets)
    assert {role: images.paths for role, images in matched.items()} == {
        "targets": ["clean/a.png", "clean/b.png"],
        "restored": ["out/a.tif", "out/b.nii.gz"],
        "inputs": ["a.png", "b.png"],
    }


def test_folders_count_where_names_repeat() -> None:
    paths = ["p1/x.png", "p2/x.png"]
    matched = match_sets({"targets": made("targets", paths), "restored": made("restored", paths[::-1])})
    assert matched["restored"].paths == paths


@pytest.mark.parametrize(
    ("targets", "restored", "message"),
    [
        (
            ["a.png", "b.png"],
            ["a.png"],
            r"b.png of the targets set has no partner with that name in the restored set \(1 of",
        ),
        (["a.png"], ["a.png", "c.png"], "c.png of the restored set has no partner with that name in the targets set"),
        (["a.png"], ["a.png", "a.tif"], "a.png and a.tif of the restored set both have that name"),
        (["x/1.png"], ["p/1.png", "q/1.png"], "p/1.png and q/1.png of the restored set both have that name"),
    ],
)
def test_a_missing_or_doubtful_partner_is_an_error_that_names_the_file(targets, restored, message) -> None:
    with pytest.raises(InputError, match=message):
        match_sets({"targets": made("targets", targets), "restored": made("restored", restored)})


def test_order_matches_as_many_as_there_are_and_nothing_else() -> None:
    two, three = made("targets", ["a.png", "b.png"]), made("restored", ["1.png", "2.png", "3.png"])
    assert match_sets({"targets": two, "restored": three.take([0, 1])}, "order")["restored"].paths == ["1.png", "2.png"]
    with pytest.raises(InputError, match="the targets set has 2 and the restored set 3"):
        match_sets({"targets": two, "restored": three}, "order")
    holed = replace(three.take([0, 2]), skipped=(Skipped("2.png", "is broken"),))
    with pytest.raises(InputError, match=r"2\.png of the restored set was left out"):
        match_sets({"targets": two, "restored": holed}, "order")


def test_partners_of_broken_files_are_left_out_with_them() -> None:
    targets = made("targets", ["a.png", "b.png", "c.png"])
    restored = replace(made("restored", ["c.png", "a.png"]), skipped=(Skipped("b.png", "is broken"),))
    matched = match_sets({"targets": targets, "restored": restored})
    assert matched["targets"].paths == matched["restored"].paths == ["a.png", "c.png"]
    with pytest.raises(InputError, match="no image of the targets set has a partner that can be read"):
        match_sets({"targets": targets.take([1]), "restored": restored})


def test_a_column_matches_without_its_entries_being_told() -> None:
    targets = made("targets", ["a.png", "b.png"], [{"scan": "SECRET7"}, {"scan": "8"}])
    restored = made("restored", ["0.png", "1.png"], [{"scan": "8"}, {"scan": "SECRET7"}])
    assert match_sets({"targets": targets, "restored": restored}, "column:scan")["restored"].paths == ["1.png", "0.png"]
    with pytest.raises(
        InputError, match=r"a\.png of the targets set has no partner with the same entry of the"
    ) as raised:
        match_sets({"targets": targets, "restored": restored.take([0])}, "column:scan")
    assert "SECRET" not in str(raised.value)
    twice = made("restored", ["0.png", "1.png"], [{"scan": "SECRET7"}] * 2)
    with pytest.raises(InputError, match=r"0\.png and 1\.png of the restored set both have the same") as raised:
        match_sets({"targets": targets, "restored": twice}, "column:scan")
    assert "SECRET" not in str(raised.value)
    with pytest.raises(InputError, match=r"a.png: has no entry in the column 'slice'.* its columns are: scan"):
        match_sets({"targets": targets, "restored": restored}, "column:slice")


def test_patients_match_where_each_has_one_image() -> None:
    targets = made("targets", ["a.png", "b.png"], patient=["x", "y"])
    restored = made("restored", ["0.png", "1.png"], patient=["y", "x"])
    matched = match_sets({"targets": targets, "restored": restored}, "column:patient")
    assert matched["restored"].paths == ["1.png", "0.png"]


@pytest.mark.parametrize("by", ["names", "column:", "scan"])
def test_other_ways_of_matching_are_refused(by: str) -> None:
    with pytest.raises(InputError, match=f"by name, by order or by column:NAME, got {by!r}"):
        match_sets({"targets": made("targets", ["a.png"])}, by)
