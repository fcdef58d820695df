"""The side of `nnunet` that runs in a process of its own: plans, preprocesses, trains and predicts with nnunetv2.

Run as ``python -m fourfold.utility.learning.nnunet_process {train,predict} FOLDER`` under the environment that
`nnunet` sets. The folder holds ``request.json``; training leaves ``weights.safetensors`` and ``model.json`` there,
prediction reads those weights and ``images.npy`` and leaves ``maps.npy``.
"""

from __future__ import annotations

import json
import os
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["main"]

_PLANS = "nnUNetPlans"


def train(folder: Path, request: dict[str, Any]) -> None:
    """Plan, preprocess and train on the data set under ``raw``."""
    import torch
    from nnunetv2.experiment_planning.plan_and_preprocess_api import (
        extract_fingerprints,
        plan_experiments,
        preprocess,
    )
    from safetensors.numpy import save_file

    extract_fingerprints([1], num_processes=1, show_progress_bar=False, verbose=False)
    plan_experiments([1])
    preprocess([1], configurations=[request["configuration"]], num_processes=[1], show_progress_bar=False)
    os.environ["nnUNet_n_proc_DA"] = "0"  # noqa: SIM112
    _seed(request["seed"])
    prepared = next((folder / "preprocessed").iterdir())
    plans = json.loads((prepared / f"{_PLANS}.json").read_text(encoding="utf-8"))
    description = json.loads((prepared / "dataset.json").read_text(encoding="utf-8"))
    trainer = _trainer_class(request)(
        plans={**plans, "continue_training": False},
        configuration=request["configuration"],
        fold="all",
        dataset_json=description,
        device=torch.device(request["device"]),
    )
    trainer.run_training()
    weights = {name: value.cpu().contiguous().numpy() for name, value in trainer.network.state_dict().items()}
    # Some layers are stored under two names and share their memory, which the format does not allow.
    save_file({name: value.copy() for name, value in weights.items()}, folder / "weights.safetensors")
    (folder / "model.json").write_text(json.dumps({"plans": plans, "description": description}), encoding="utf-8")


def predict(folder: Path, request: dict[str, Any]) -> None:
    """Segment ``images.npy``."""
    import torch
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
    from safetensors.torch import load_file

    images = np.load(folder / "images.npy", allow_pickle=False)
    plans = PlansManager(request["plans"])
    configuration = plans.get_configuration(request["configuration"])
    outputs = plans.get_label_manager(request["description"]).num_segmentation_heads
    device = torch.device(request["device"])
    network = nnUNetTrainer.build_network_architecture(plans, configuration, images.shape[1], outputs, False)
    predictor = nnUNetPredictor(
        use_mirroring=bool(request["flips"]),
        perform_everything_on_device=device.type == "cuda",
        device=device,
        allow_tqdm=False,
    )
    predictor.manual_initialization(
        network.to(device),
        plans,
        configuration,
        [load_file(folder / "weights.safetensors")],
        request["description"],
        nnUNetTrainer.__name__,
        tuple(request["flips"]) or None,
    )
    flat = images.ndim == 4
    maps = np.empty((len(images), *images.shape[2:]), dtype=np.uint8)
    for row, image in enumerate(images):
        volume = image[:, None] if flat else image
        found = np.asarray(predictor.predict_single_npy_array(volume, {"spacing": [1.0, 1.0, 1.0]}))
        maps[row] = found[0] if flat else found
    np.save(folder / "maps.npy", maps, allow_pickle=False)


def _trainer_class(request: dict[str, Any]) -> type[Any]:
    """nnU-Net's trainer for a fixed number of steps."""
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
    from nnunetv2.training.nnUNetTrainer.variants.data_augmentation.nnUNetTrainerNoDA import nnUNetTrainerNoDA

    base = nnUNetTrainer if request["augment"] else nnUNetTrainerNoDA

    class FixedSteps(base):  # type: ignore[misc, valid-type]
        def configure_optimizers(self) -> tuple[Any, Any]:
            # An epoch of one step: the learning rate decays over all of them.
            self.num_epochs = request["steps"]
            return super().configure_optimizers()

        def configure_rotation_dummyDA_mirroring_and_inital_patch_size(self) -> tuple[Any, Any, Any, Any]:  # noqa: N802
            rotation, flat, patch, _ = super().configure_rotation_dummyDA_mirroring_and_inital_patch_size()
            self.inference_allowed_mirroring_axes = tuple(request["flips"]) or None
            return rotation, flat, patch, self.inference_allowed_mirroring_axes

        def plot_network_architecture(self) -> None:
            """Nobody looks at it."""

        def run_training(self) -> None:
            self.on_train_start()
            self.network.train()
            for step in range(request["steps"]):
                self.lr_scheduler.step(step)
                self.train_step(next(self.dataloader_train))
                print(f"fourfold step {step + 1}", flush=True)

    return FixedSteps


def _seed(seed: int) -> None:
    """The package draws from the global generators of three libraries."""
    import torch

    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    torch.manual_seed(seed)
    torch.set_num_threads(1)


def main(arguments: list[str]) -> int:
    """Do what is asked in a folder."""
    action, folder = {"train": train, "predict": predict}[arguments[0]], Path(arguments[1])
    action(folder, json.loads((folder / "request.json").read_text(encoding="utf-8")))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
