"""Where the tests find real images and weights."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Several test workers share the cores, and NumPy reads these when it is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[1]


def _shared(variable: str, folder: str) -> Path:
    path = Path(os.environ.get(variable, _ROOT.parent / "shared" / folder))
    if not path.is_dir():
        pytest.skip(f"needs the {folder} folder: set {variable} to where it is")
    return path


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Real medical images; see their README."""
    return _shared("FOURFOLD_DATA", "data")


@pytest.fixture(scope="session")
def weights_folder() -> Path:
    """Small pretrained networks as plain npz."""
    return _shared("FOURFOLD_WEIGHTS", "weights")


@pytest.fixture(autouse=True)
def _one_torch_thread() -> None:
    """Several test workers share the cores."""
    import torch

    torch.set_num_threads(1)
