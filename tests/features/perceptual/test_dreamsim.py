"""DreamSim by a stand-in for its package with the same interface and the same traps; neither weights nor network."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fourfold.errors import InputError, MissingExtra
from fourfold.features.perceptual import DreamSim
from fourfold.features.perceptual.dreamsim import VARIANTS


class StandIn(nn.Module):
    """Squeezes a batch of one and keeps its device, as version 0.1 of the package does."""

    def __init__(self, device: str) -> None:
        super().__init__()
        self.project = nn.Linear(3, 16)
        self.device = device
        self.seen: list[Tensor] = []

    def embed(self, images: Tensor) -> Tensor:
        assert images.shape[1:] == (3, 224, 224)
        self.seen.append(images)
        return self.project(images.mean(dim=(2, 3))).squeeze()


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []

    def dreamsim(
        pretrained: bool = True, device: str = "cuda", cache_dir: str = "./models", dreamsim_type: str = "ensemble"
    ) -> tuple[nn.Module, object]:
        made.append({"device": device, "cache_dir": cache_dir, "dreamsim_type": dreamsim_type})
        torch.manual_seed(0)
        torch.hub.set_dir(cache_dir)
        print("Using cached", cache_dir)
        return StandIn(device), object()

    package = ModuleType("dreamsim")
    package.dreamsim = dreamsim
    monkeypatch.setitem(sys.modules, "dreamsim", package)
    return made


def _cache(folder: Path, variant: str = "ensemble") -> Path:
    files, adapter = VARIANTS[variant]
    for name in (*files, f"{adapter}/adapter_config.json", f"{adapter}/adapter_model.safetensors"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


def test_nothing_is_called_before_every_file_is_there(tmp_path: Path, calls: list[dict[str, Any]]) -> None:
    with pytest.raises(InputError) as caught:
        DreamSim(tmp_path / "none")
    for name in ("dino_vitb16_pretrain.pth", "clip_vitb16_pretrain.pth.tar", "ensemble_lora/adapter_config.json"):
        assert name in str(caught.value)
    _cache(tmp_path)
    (tmp_path / "ensemble_lora" / "adapter_model.safetensors").unlink()
    with pytest.raises(
        InputError, match=r"are not there: ensemble_lora/adapter_model.safetensors; nothing is download"
    ):
        DreamSim(tmp_path)
    with pytest.raises(InputError, match="there is no DreamSim variant 'dinov2_vitb14'"):
        DreamSim(tmp_path, "dinov2_vitb14")
    assert not calls


def test_without_the_package_the_message_holds_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dreamsim", None)
    with pytest.raises(MissingExtra, match=r"pip install 'fourfold\[dreamsim\]'"):
        DreamSim(_cache(tmp_path))


def test_grey_images_of_any_number_become_embeddings_of_length_1(
    tmp_path: Path, calls: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    hub = torch.hub.get_dir()
    extractor = DreamSim(_cache(tmp_path, "clip_vitb32"), "clip_vitb32")
    assert calls == [{"device": "cpu", "cache_dir": str(tmp_path), "dreamsim_type": "clip_vitb32"}]
    assert torch.hub.get_dir() == hub
    assert capsys.readouterr().out == ""
    images = torch.rand(3, 1, 40, 40, generator=torch.Generator().manual_seed(0))
    found = extractor(images)
    assert found.shape == (3, 16)
    assert torch.allclose(found.norm(dim=1), torch.ones(3), atol=1e-5)
    assert torch.allclose(found.mean(dim=1), torch.zeros(3), atol=1e-6)
    assert extractor(images[:1]).shape == (1, 16)
    assert torch.allclose(extractor(images[:1]), found[:1], atol=1e-5)
    seen = torch.cat(extractor._network.seen)
    assert 0 <= float(seen.min()) <= float(seen.max()) <= 1
    assert extractor(torch.rand(2, 1, 4, 32, 32)).shape == (2, 16)
    assert extractor(torch.rand(2, 3, 224, 224)).shape == (2, 16)


def test_the_device_of_the_package_follows(tmp_path: Path, calls: list[dict[str, Any]]) -> None:
    extractor = DreamSim(_cache(tmp_path))
    assert extractor.to("meta")._network.device == "meta"
    assert next(extractor._network.parameters()).device.type == "meta"


def test_the_fingerprint_is_of_the_files(tmp_path: Path, calls: list[dict[str, Any]]) -> None:
    first = DreamSim(_cache(tmp_path)).fingerprint
    assert DreamSim(tmp_path).fingerprint == first
    (tmp_path / "dino_vitb16_pretrain.pth").write_bytes(b"other")
    assert DreamSim(tmp_path).fingerprint != first


def test_files_that_the_package_cannot_open_are_called_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = ModuleType("dreamsim")

    def dreamsim(**options: object) -> None:
        raise KeyError("state_dict")

    package.dreamsim = dreamsim
    monkeypatch.setitem(sys.modules, "dreamsim", package)
    with pytest.raises(InputError, match=r"cannot be opened from these files \(KeyError\)"):
        DreamSim(_cache(tmp_path))
