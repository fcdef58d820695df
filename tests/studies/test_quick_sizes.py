"""The quick sizes as they are: the smallest study from end to end, and of the others cells whose truth is known."""

import numpy as np
import pytest

from fourfold.cli.main import main
from fourfold.studies.catalogue import study_named
from fourfold.studies.sources import PhantomImages


@pytest.fixture(scope="module")
def cells_of(tmp_path_factory):
    """Figures of some cells of a study at its quick size."""

    def found(name, *keys):
        study = study_named(name)
        scale = study.scales["quick"]
        known = {cell.key: cell for cell in study.cells(scale)}
        source, work = PhantomImages(study.source), tmp_path_factory.mktemp(name)
        return [study.compute(known[key], scale, source, work, lambda *_: None) for key in keys]

    return found


def test_data_quality_from_end_to_end(tmp_path, capsys):
    assert main(["study", "data-quality", "--quick", "-o", str(tmp_path / "s"), "--quiet"]) == 0
    assert "expected: about" in capsys.readouterr().out
    names = {file.name for file in (tmp_path / "s").iterdir()}
    assert {"index.html", "study.json", "cells.csv"} <= names
    assert any(name.endswith(".svg") for name in names)
    assert any(name.endswith(".png") for name in names)


def test_trade_off_sees_copies_and_fresh_patients(cells_of):
    fresh, copied = cells_of("trade-off", "fresh-patients-seed0", "copied-1-seed0")
    assert copied["pixels_nearest_neighbour_ratio"] > 0.95
    assert fresh["pixels_nearest_neighbour_ratio"] < 0.1
    assert copied["membership"] > 0.9
    assert abs(fresh["membership"] - 0.5) < 0.15
    # Published variety and fidelity praise the copies.
    assert copied["radiomics_coverage"] >= fresh["radiomics_coverage"]
    assert copied["radiomics_frechet_distance"] < fresh["radiomics_frechet_distance"]


def test_memorisation_of_twenty_images_is_listed(cells_of):
    (few,) = cells_of("memorisation", "diffusion-20-0")
    assert few["copies"] > 0.5
    assert few["copies_null"] < 0.1
    assert few["excess_correlation"] > 0


def test_release_singles_out_training_patients_and_no_fresh_ones(cells_of):
    training, fresh = cells_of("release", "training_patients-0", "fresh_patients-0")
    assert training["excess_pixels"] > 0.9
    assert training["p"] < 0.05
    assert abs(fresh["excess_pixels"]) < 0.1
    assert fresh["p"] > 0.05


def test_steps_near_the_law_with_more_calls(cells_of):
    five, forty, learned = cells_of(
        "steps", "mixture_ddpm_dpmpp2m_5_0", "mixture_ddpm_dpmpp2m_40_0", "learned-edm_edm_heun_20_0"
    )
    assert forty["sliced"] < 0.5 * five["sliced"]
    assert forty["frechet"] < five["frechet"]
    assert np.isfinite(list(learned.values())).all()
    # A network that learned: far from copies and from nothing.
    assert learned["frechet"] < 5 * learned["frechet_null"]
    assert 0.3 < learned["nearer_training"] < 0.9
