"""LPIPS and DISTS against torchmetrics, which has their formulas and wants torchvision for the networks."""

from __future__ import annotations

from collections import OrderedDict
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from fourfold.errors import InputError
from fourfold.features.perceptual import open_dists, open_lpips
from fourfold.features.perceptual.stages import read_backbone, stage_maps


class Fire(nn.Module):
    def __init__(self, inputs: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        seen = self.squeeze(seen).relu()
        return torch.cat([self.expand1x1(seen).relu(), self.expand3x3(seen).relu()], dim=1)


@cache
def _features(network: str) -> nn.Sequential:
    """The feature stages as torchvision numbers them, with random weights."""
    torch.manual_seed(0)
    if network == "alex":
        layers = [
            nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2),
            nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
            nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2),
        ]  # fmt: skip
    elif network == "vgg":
        layers, inputs = [], 3
        for width in (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0):
            if not width:
                layers.append(nn.MaxPool2d(2, 2))
                continue
            layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU()]
            inputs = width
    else:
        layers = [
            nn.Conv2d(3, 64, 3, 2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True),
            Fire(64, 16, 64), Fire(128, 16, 64), nn.MaxPool2d(3, 2, ceil_mode=True),
            Fire(128, 32, 128), Fire(256, 32, 128), nn.MaxPool2d(3, 2, ceil_mode=True),
            Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256), Fire(512, 64, 256),
        ]  # fmt: skip
    return nn.Sequential(*layers).eval().requires_grad_(False)


def _stored(features: nn.Module, folder: Path) -> Path:
    file = folder / "backbone.pth"
    arrays = OrderedDict((f"features.{name}", value) for name, value in features.state_dict().items())
    torch.save(arrays | {"classifier.1.weight": torch.zeros(2, 2)}, file)
    return file


def _pairs(side: int = 40, channels: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(2, channels, side, side, generator=generator)
    return x, (x + 0.2 * torch.randn(x.shape, generator=generator)).clamp(0, 1)


def _torchmetrics_heads(network: str) -> Path:
    import torchmetrics.functional.image as room

    file = Path(room.__file__).parent / "lpips_models" / f"{network}.pth"
    if not file.is_file():
        pytest.skip("this version of torchmetrics brings no LPIPS weights")
    return file


@pytest.mark.parametrize("network", ["alex", "vgg", "squeeze"])
def test_lpips_equals_the_reference_with_the_learned_heads(
    network: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchmetrics.functional.image import lpips as reference

    features = _features(network)
    monkeypatch.setattr(reference, "_get_tv_model_features", lambda *_, **__: features)
    theirs = reference._LPIPS(pretrained=True, net=network, pnet_rand=True)
    ours = open_lpips(network, _stored(features, tmp_path), _torchmetrics_heads(network))
    x, y = _pairs()
    with torch.no_grad():
        wanted = theirs(x, y, normalize=True).flatten()
    assert torch.allclose(ours(x, y), wanted, rtol=1e-5, atol=1e-7)
    assert float(wanted.min()) > 1e-4
    assert torch.equal(ours(x, x), torch.zeros(2))
    assert torch.equal(ours(x, y), ours(y, x))
    assert torch.allclose(ours(x[:1], y[:1]), ours(x, y)[:1], rtol=1e-5)


@pytest.mark.parametrize("network", ["alex", "vgg", "squeeze"])
def test_the_published_heads_are_those_of_the_reference(network: str, weights_folder: Path, tmp_path: Path) -> None:
    backbone = _stored(_features(network), tmp_path)
    ours = open_lpips(network, backbone, weights_folder / f"lpips_lin_v0_1_{network}.npz")
    theirs = open_lpips(network, backbone, _torchmetrics_heads(network))
    assert all(torch.equal(one, other) for one, other in zip(ours.heads, theirs.heads, strict=True))
    assert min(float(head.min()) for head in ours.heads) >= 0


def test_dists_equals_the_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchmetrics.functional.image import dists as reference

    features = _features("vgg")
    monkeypatch.setattr(reference, "_TORCHVISION_AVAILABLE", True)
    monkeypatch.setattr(reference, "vgg16", lambda weights: SimpleNamespace(features=features), raising=False)
    monkeypatch.setattr(reference, "VGG16_Weights", SimpleNamespace(DEFAULT=None), raising=False)
    ours = open_dists(_stored(features, tmp_path))
    x, y = _pairs()
    with torch.no_grad():
        wanted = reference.DISTSNetwork()(x, y)
    assert torch.allclose(ours(x, y), wanted, rtol=1e-4, atol=1e-6)
    assert torch.allclose(ours(x, x), torch.zeros(2), atol=1e-6)


def test_grey_images_are_taken_as_colour_ones(tmp_path: Path) -> None:
    x, y = _pairs(channels=1)
    ours = open_lpips("alex", _stored(_features("alex"), tmp_path), _torchmetrics_heads("alex"))
    colour = [one.expand(-1, 3, -1, -1) for one in (x, y)]
    assert torch.equal(ours(x, y), ours(*colour))


def test_files_of_something_else_are_refused(tmp_path: Path) -> None:
    backbone = _stored(_features("alex"), tmp_path)
    with pytest.raises(InputError, match="there is no backbone 'resnet'"):
        read_backbone("resnet", backbone)
    with pytest.raises(InputError, match="give the state dict of torchvision's vgg16"):
        read_backbone("vgg", backbone)
    with pytest.raises(InputError, match="holds no LPIPS weights for 'alex'"):
        open_lpips("alex", backbone, _torchmetrics_heads("squeeze"))
    save_file({"alpha": torch.zeros(3), "beta": torch.zeros(3)}, tmp_path / "heads.safetensors")
    with pytest.raises(InputError, match="not of 1475 channels"):
        open_dists(_stored(_features("vgg"), tmp_path), tmp_path / "heads.safetensors")
    with pytest.raises(InputError, match="too small for the network 'alex'"):
        stage_maps("alex", read_backbone("alex", _stored(_features("alex"), tmp_path)), torch.zeros(1, 3, 31, 40))


def test_a_state_dict_is_read_without_running_anything(tmp_path: Path) -> None:
    torch.save({"features.0.weight": np.random.default_rng}, tmp_path / "evil.pth")
    with pytest.raises(InputError, match="cannot be read as a PyTorch state dict"):
        read_backbone("alex", tmp_path / "evil.pth")
