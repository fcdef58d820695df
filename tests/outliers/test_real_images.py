import numpy as np
import pytest

from fourfold.images import ImageSet, open_set, prepare, split_by_patient
from fourfold.outliers import fit_gates


@pytest.fixture(scope="module")
def films(data_folder):
    """Kermany's radiographs of children: patients to fit and calibrate on, and fresh ones."""
    table = data_folder / "kermany_cxr_96" / "metadata.csv"
    whole = open_set(table, name="real", columns={"patient": "patient_id"})
    parts = split_by_patient(whole, {"real": 0.1, "fresh": 0.06}, seed=0)
    return prepare(parts, size=48)


@pytest.fixture(scope="module")
def gates(films):
    return fit_gates(films["real"], features=["radiomics"])


def again(films, images):
    """Altered fresh films as a set of the same preparation (0 to 255)."""
    altered = ImageSet.from_array(np.clip(images, 0, 1) * 255, name="altered")
    return prepare({"real": films["real"], "altered": altered}, size=48, scaling="0:255")["altered"]


def test_fresh_patients_lie_outside_at_about_alpha(films, gates):
    outside = gates.outside(films["fresh"])
    assert len(outside) > 150
    assert 0.0 < outside.mean() < 0.12


@pytest.mark.parametrize(("name", "share"), [("noise", 0.9), ("window", 0.5), ("smooth", 0.5)])
def test_other_acquisitions_are_found(films, gates, name, share):
    from scipy import ndimage

    fresh = films["fresh"].load(range(100))
    rng = np.random.default_rng(0)
    altered = {
        "noise": fresh + 0.06 * rng.standard_normal(fresh.shape, dtype=np.float32),
        "window": 0.5 + 0.5 * (fresh - 0.5),
        "smooth": ndimage.gaussian_filter(fresh, (0, 0, 1.5, 1.5)),
    }[name]
    assert gates.outside(again(films, altered)).mean() > share
