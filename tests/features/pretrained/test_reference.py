"""The features of every network against those of its authors' code, recorded with weights that anybody can draw.

`golden.json` holds, for each network, the names and shapes of the arrays as its published file has them (``name.*``
stands for the four arrays of a batch normalisation) and what the authors' implementation made of `drawn.images` with
the weights `drawn.arrays`: torch-fidelity 0.4.0 (inception), pytorch-fid 0.3.0 (inception-pytorch), facebookresearch/
dinov2, openai/CLIP, facebookresearch/swav, torchvision 0.29.1 cut as RadImageNet cuts it, torchxrayvision 1.5.7 and
Tencent/MedicalNet, with torch 2.13.0 on one thread.
"""

import importlib.util
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from fourfold.devices import whole_float32
from fourfold.features.pretrained import KINDS, PretrainedNetwork, open_pretrained

HERE = Path(__file__).parent
# On a machine with a GPU: FOURFOLD_DEVICE=cuda pytest tests/features/pretrained/test_reference.py
DEVICE = os.environ.get("FOURFOLD_DEVICE", "cpu")
_SPEC = importlib.util.spec_from_file_location("drawn", HERE / "drawn.py")
drawn = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(drawn)

GOLDEN = json.loads((HERE / "golden.json").read_text())
NORMALISATION = ("weight", "bias", "running_mean", "running_var")


def shapes(name):
    found = GOLDEN[name]["arrays"]
    if isinstance(found, str):
        return shapes(found)
    full = {}
    for array, shape in found.items():
        if array.endswith(".*"):
            full.update({f"{array[:-1]}{part}": [shape] for part in NORMALISATION})
        else:
            full[array] = shape
    return full


@pytest.mark.parametrize("name", GOLDEN)
def test_features_are_those_of_the_authors_code(name):
    expected = GOLDEN[name]
    kind = KINDS[name.split()[0]]
    network = PretrainedNetwork(kind, drawn.arrays(shapes(name)), origin="drawn", sha256="drawn").to(DEVICE)
    with torch.inference_mode(), whole_float32():
        found = network(torch.from_numpy(drawn.images(*expected["image"])).to(DEVICE)).cpu().double()
    assert found.shape == (2, expected["columns"])
    scale = np.abs(expected["first"]).max()
    assert found[:, :4].numpy() == pytest.approx(np.array(expected["first"]), abs=1e-5 * scale)
    assert found.norm(dim=1).tolist() == pytest.approx(expected["norms"], rel=1e-5)
    assert found.sum(dim=1).tolist() == pytest.approx(expected["sums"], abs=1e-5 * sum(expected["norms"]))


@pytest.mark.filterwarnings("ignore:.*torch.jit.(script|save).*:DeprecationWarning")
def test_a_torchscript_archive_is_read_for_the_arrays_that_it_holds(tmp_path):
    """As CLIP's authors publish it: a program of two towers, which does not run on images alone."""

    class Towers(nn.Module):
        def forward(self, images: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
            return images + text

    arrays = drawn.arrays(shapes("clip"))
    towers = Towers()
    for name, values in arrays.items():
        module = towers
        *stems, last = name.split(".")
        for stem in stems:
            if not hasattr(module, stem):
                module.add_module(stem, nn.Module())
            module = getattr(module, stem)
        module.register_parameter(last, nn.Parameter(torch.from_numpy(values)))
    torch.jit.script(towers).save(str(tmp_path / "towers.pt"))
    network = open_pretrained("clip", tmp_path / "towers.pt")
    same = PretrainedNetwork(KINDS["clip"], arrays, origin="drawn", sha256="drawn")
    images = torch.from_numpy(drawn.images(1, 1, 56, 56))
    with torch.inference_mode():
        assert torch.equal(network(images), same(images))


def test_every_network_of_the_table_was_compared():
    assert {name.split()[0] for name in GOLDEN} == set(KINDS)
