"""Phantoms as files: class folders of PNG or NIfTI, masks, and a metadata table."""

from __future__ import annotations

import csv
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fourfold.errors import InputError

if TYPE_CHECKING:
    from fourfold.images.phantoms.population import Phantoms

__all__ = ["write_phantoms"]


def write_phantoms(phantoms: Phantoms, folder: str | os.PathLike[str], *, bits: int = 8) -> list[str]:
    """Write a population; see `Phantoms.write`."""
    folder = Path(folder)
    if bits not in (8, 16):
        raise InputError(f"bits must be 8 or 16, got {bits!r}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: is not an empty folder; choose another place or empty it")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # A sibling is on the same disk, so that the folder can be moved into place in one step.
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror}); choose another place") from error
    try:
        paths = _fill(phantoms, partial, bits)
        partial.chmod(0o755)
        if folder.exists():
            folder.rmdir()
        partial.replace(folder)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror}); free space or choose another place") from (
            error
        )
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return paths


def _fill(phantoms: Phantoms, folder: Path, bits: int) -> list[str]:
    suffix = ".png" if phantoms.images.ndim == 4 else ".nii.gz"
    header = ["path", "label", "patient", "mask", phantoms.subgroup, *phantoms.acquisition_names]
    taken: dict[str, int] = {}
    paths = []
    with (folder / "metadata.csv").open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(header)
        for row in range(len(phantoms)):
            patient, label = str(phantoms.patients[row]), str(phantoms.labels[row])
            taken[patient] = taken.get(patient, -1) + 1
            name = f"{patient}_{taken[patient]:02d}{suffix}"
            path, mask = Path(label, name), Path("masks", name)
            _write_image(folder / path, phantoms.images[row, 0], bits)
            lesion = phantoms.masks[row, 0]
            if lesion.any():
                _write_mask(folder / mask, lesion)
            numbers = [f"{value:.6g}" for value in phantoms.acquisition[row]]
            drawn = mask.as_posix() if lesion.any() else ""
            table.writerow([path.as_posix(), label, patient, drawn, str(phantoms.subgroups[row]), *numbers])
            paths.append(path.as_posix())
    return paths


def _write_image(file: Path, image: np.ndarray, bits: int) -> None:
    if image.ndim == 3:
        _write_volume(file, image.astype(np.float32))
        return
    levels = np.rint(image * (2**bits - 1)).astype(np.uint8 if bits == 8 else np.uint16)
    _write_picture(file, levels)


def _write_mask(file: Path, mask: np.ndarray) -> None:
    if mask.ndim == 3:
        _write_volume(file, mask.astype(np.uint8))
    else:
        _write_picture(file, mask.astype(np.uint8) * np.uint8(255))


def _write_picture(file: Path, levels: np.ndarray) -> None:
    from PIL import Image

    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(levels).save(file)


def _write_volume(file: Path, volume: np.ndarray) -> None:
    import nibabel

    file.parent.mkdir(parents=True, exist_ok=True)
    # Arrays here run to the head, the back and the patient's left; NIfTI runs to the right, the front and the head.
    affine = np.diag([-1.0, -1.0, 1.0, 1.0])
    nibabel.Nifti1Image(volume.transpose(2, 1, 0), affine).to_filename(file)
