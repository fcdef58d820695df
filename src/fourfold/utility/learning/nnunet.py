"""Segmentation by nnU-Net: the package ``nnunetv2`` plans the network and the training from the data (Isensee 2021).

The package works on folders, takes its settings from environment variables, prints, and starts processes of its own.
So it runs in a process of its own, in a temporary folder that is removed afterwards; what comes back is weights and
plans. `nnunet_process` is the other side of it.

It trains for as many optimiser steps as every other network, under its own decay of the learning rate, on all images
rather than in five folds. What it plans depends on the images, so two arms may get different networks, as they would
in a user's hands.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from fourfold.errors import FourfoldError, InputError, MissingExtra
from fourfold.utility.learning.contract import Examples, Predictor, Progress
from fourfold.utility.learning.segmentation import Segmentation

__all__ = ["DATASET", "NnUnetSegmentation", "demand_nnunet", "export_raw"]

DATASET = "Dataset001_fourfold"

_TOLD = re.compile(r"^fourfold step (\d+)$")


def demand_nnunet() -> None:
    """Raise MissingExtra where the package is not installed."""
    if importlib.util.find_spec("nnunetv2") is None:
        raise MissingExtra("nnunetv2", "nnunet", "the network nnunet")


@dataclass(frozen=True)
class NnUnetSegmentation(Segmentation):
    """Segmentation whose network and patch are planned by nnU-Net; `Segmentation` otherwise.

    Where augmentation is asked for it is nnU-Net's own, mirrored along `flips` only, as are images to be segmented.
    Learning rate, weight decay and size of a batch are nnU-Net's too.
    """

    network: str = "nnunet"

    def fit(
        self,
        examples: Examples,
        *,
        seed: int,
        steps: int,
        device: str = "cpu",
        augment: bool = False,
        initial: Mapping[str, Tensor] | None = None,
        progress: Progress | None = None,
    ) -> Predictor:
        """As `Task.fit`; raises MissingExtra without the package, InputError where first weights are given."""
        demand_nnunet()
        if initial is not None:
            raise InputError("nnunet plans its own network, so it cannot start from given weights; choose unet")
        if not len(examples):
            raise InputError("there is no image to learn from")
        from safetensors.numpy import load_file

        request = {
            "steps": steps,
            "seed": seed,
            "device": device,
            "augment": augment,
            # What was never mirrored in training is not mirrored in prediction either.
            "flips": list(self.flips) if augment else [],
            "configuration": "2d" if examples.images.ndim == 4 else "3d_fullres",
        }
        with tempfile.TemporaryDirectory(prefix="fourfold-nnunet-") as name:
            folder = Path(name)
            export_raw(examples, len(self.names), folder / "raw" / DATASET)
            _run("train", folder, request, steps, progress)
            weights = load_file(folder / "weights.safetensors")
            model = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        return _Planned(weights, {**model, **request}, device)


@dataclass(frozen=True, eq=False)
class _Planned:
    """A trained nnU-Net as a `Predictor`: weights, plans and the description of its training set."""

    weights: Mapping[str, np.ndarray]
    model: Mapping[str, Any]
    device: str

    def __call__(self, images: np.ndarray) -> np.ndarray:
        from safetensors.numpy import save_file

        if not len(images):
            return np.empty((0, *images.shape[2:]), dtype=np.uint8)
        with tempfile.TemporaryDirectory(prefix="fourfold-nnunet-") as name:
            folder = Path(name)
            save_file(dict(self.weights), folder / "weights.safetensors")
            np.save(folder / "images.npy", images, allow_pickle=False)
            _run("predict", folder, self.model, len(images), None)
            return np.load(folder / "maps.npy", allow_pickle=False)


def export_raw(examples: Examples, regions: int, folder: Path) -> None:
    """Write a training set as nnU-Net wants it.

    Parameters
    ----------
    examples : Examples
        Images are written as float32 NIfTI of spacing 1, a file a channel, numbered; a 2-D image as one slice.
    regions : int
        R.
    folder : Path
        ``imagesTr``, ``labelsTr`` and ``dataset.json`` are made in it.
    """
    import nibabel as nib

    for part in ("imagesTr", "labelsTr"):
        (folder / part).mkdir(parents=True)
    flat = examples.images.ndim == 4
    for row, (image, regions_of_image) in enumerate(zip(examples.images, examples.targets, strict=True)):
        planes = {f"imagesTr/{row:06d}_{channel:04d}": plane for channel, plane in enumerate(image)}
        for name, array in (planes | {f"labelsTr/{row:06d}": regions_of_image}).items():
            volume = array[None] if flat else array
            # NIfTI runs along x, y, z; the package reads z, y, x.
            nib.save(nib.Nifti1Image(volume.transpose(2, 1, 0), np.eye(4)), folder / f"{name}.nii.gz")
    description = {
        "channel_names": {str(channel): "image" for channel in range(examples.images.shape[1])},
        "labels": {"background": 0, **{f"region{number}": number for number in range(1, regions + 1)}},
        "numTraining": len(examples),
        "file_ending": ".nii.gz",
    }
    (folder / "dataset.json").write_text(json.dumps(description), encoding="utf-8")


def _run(action: str, folder: Path, request: Mapping[str, Any], total: int, progress: Progress | None) -> None:
    """Run the other side and pass on its progress."""
    (folder / "request.json").write_text(json.dumps(dict(request)), encoding="utf-8")
    command = [sys.executable, "-P", "-m", "fourfold.utility.learning.nnunet_process", action, str(folder)]
    environment = {
        **os.environ,
        "nnUNet_raw": str(folder / "raw"),
        "nnUNet_preprocessed": str(folder / "preprocessed"),
        "nnUNet_results": str(folder / "results"),
        # One process each, so that a seed gives one network. Planning refuses 0; training is set to it later on.
        "nnUNet_def_n_proc": "1",
        "nnUNet_n_proc_DA": "1",
        "nnUNet_compile": "0",
        "OMP_NUM_THREADS": "1",
    }
    last: list[str] = []
    child = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8"
    )
    try:
        for line in child.stdout or ():
            told = _TOLD.match(line.strip())
            if told is None:
                last = [*last[-4:], line.strip()]
            elif progress is not None:
                progress(int(told.group(1)), total)
        status = child.wait()
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
        if child.stdout is not None:
            child.stdout.close()
    if status != 0:
        said = "; ".join(filter(None, last)).replace(str(folder), "...")
        raise FourfoldError(
            f"nnU-Net could not {action} (exit code {status}: {said}); try the network unet, or report it"
        )
