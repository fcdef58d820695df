import json

import pytest

from fourfold.errors import InputError
from fourfold.studies import PhantomImages, run_study

SOURCE = PhantomImages("chest", 16)


def run(study, folder, **options):
    return run_study(study, folder, scale="quick", source=SOURCE, **options)


def test_every_cell_is_computed_once_and_kept(brightness, tmp_path):
    first = run(brightness, tmp_path)
    assert brightness.computed == ["added-0.0-0", "added-0.25-0", "added-0.0-1", "added-0.25-1"]
    again = run(brightness, tmp_path)
    assert len(brightness.computed) == 4
    assert again.table == first.table
    assert first.table.column("mean").round(6).tolist() != [0.0] * 4


def test_an_interrupted_study_goes_on_where_it_stopped(brightness, tmp_path, monkeypatch):
    compute = type(brightness).compute
    whole = run(brightness, tmp_path / "whole").table

    def interrupted(self, cell, *rest):
        if cell.key == "added-0.0-1":
            raise KeyboardInterrupt
        return compute(self, cell, *rest)

    monkeypatch.setattr(type(brightness), "compute", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(brightness, tmp_path / "parts")
    monkeypatch.setattr(type(brightness), "compute", compute)
    brightness.computed.clear()
    assert run(brightness, tmp_path / "parts").table == whole
    assert brightness.computed == ["added-0.0-1", "added-0.25-1"]


def test_findings_stand_in_the_order_of_the_claims(brightness, tmp_path):
    assert [one.claim for one in run(brightness, tmp_path).findings] == ["rises", "falls"]


def test_what_is_not_finite_is_missing(brightness, tmp_path):
    rows = run(brightness, tmp_path).table.rows
    assert all(row["nothing"] is None for row in rows)


def test_another_seed_gives_other_cells_in_the_same_folder(brightness, tmp_path):
    first = run(brightness, tmp_path).table
    other = run(brightness, tmp_path, seed=10).table
    assert other.column("seed").tolist() == [10, 10, 11, 11]
    assert len(list((tmp_path / "cells").glob("*.json"))) == 8
    assert set(other.column("mean")) & set(first.column("mean")) == set()


def test_more_repetitions_keep_the_cells_there_are(brightness, tmp_path):
    run(brightness, tmp_path)
    assert len(run(brightness, tmp_path, seeds=3).table) == 6
    assert len(brightness.computed) == 6


@pytest.mark.parametrize(
    "change",
    [
        lambda study, folder: run_study(study, folder, scale="full", source=SOURCE),
        lambda study, folder: run_study(study, folder, scale="quick", source=PhantomImages("chest", 24)),
    ],
)
def test_cells_of_another_scale_or_source_are_refused(brightness, tmp_path, change):
    run(brightness, tmp_path)
    with pytest.raises(InputError, match="holds cells of another study, scale or source; choose another folder"):
        change(brightness, tmp_path)


def test_a_new_version_of_a_study_does_not_read_old_cells(brightness, tmp_path, monkeypatch):
    run(brightness, tmp_path)
    monkeypatch.setattr(type(brightness), "version", 2)
    with pytest.raises(InputError, match="another study"):
        run(brightness, tmp_path)


def test_a_broken_cell_is_named(brightness, tmp_path):
    run(brightness, tmp_path)
    broken = tmp_path / "cells" / "added-0.0-1.json"
    broken.write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match=r"added-0.0-1.json cannot be read; remove it"):
        run(brightness, tmp_path)


def test_no_repetition_is_no_study(brightness, tmp_path):
    with pytest.raises(InputError, match="at least one repetition, got 0"):
        run(brightness, tmp_path, seeds=0)


def test_a_cell_holds_settings_figures_and_time(brightness, tmp_path):
    run(brightness, tmp_path)
    kept = json.loads((tmp_path / "cells" / "added-0.25-0.json").read_text(encoding="utf-8"))
    assert kept["settings"] == {"added": 0.25, "seed": 0}
    assert set(kept) == {"study", "settings", "figures", "seconds"}
