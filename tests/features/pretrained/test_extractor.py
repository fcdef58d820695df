import sys

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection, Dinov2Config, Dinov2Model

from fourfold.errors import InputError, MissingExtra
from fourfold.features import LocalNetwork, PretrainedNetwork, get, open_pretrained
from fourfold.features.pretrained import KINDS, hub
from fourfold.features.weights import sha256_of

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.(script|save|trace).*:DeprecationWarning")

MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


@pytest.fixture(scope="module")
def dino():
    torch.manual_seed(0)
    shape = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 1}
    return Dinov2Model(Dinov2Config(**shape, image_size=224, patch_size=14)).eval()


@pytest.fixture(scope="module")
def dino_file(dino, tmp_path_factory):
    path = tmp_path_factory.mktemp("dino")
    dino.save_pretrained(path)
    return path / "model.safetensors"


@pytest.fixture
def clip_arrays():
    torch.manual_seed(0)
    shape = {"hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 1}
    tower = CLIPVisionModelWithProjection(CLIPVisionConfig(**shape, image_size=56, patch_size=14, projection_dim=24))
    return tower.eval()


def test_a_dinov2_that_transformers_saved_gives_the_class_token_of_transformers(dino, dino_file):
    images = torch.rand(2, 3, 224, 224)
    network = get(f"dinov2:{dino_file}")
    with torch.inference_mode():
        prepared = (images - MEAN.reshape(3, 1, 1)) / STD.reshape(3, 1, 1)
        expected = dino(pixel_values=prepared).pooler_output
        assert torch.allclose(network(images), expected, rtol=1e-5, atol=1e-5)
    assert network.settings()["weights"] == sha256_of(dino_file)
    assert network.settings()["architecture"] == "ViT, 64 wide, 2 layers, patches of 14"


def test_the_size_of_a_clip_is_that_of_its_table_of_positions(clip_arrays, tmp_path):
    arrays = {
        **clip_arrays.state_dict(),
        "text_model.final_layer_norm.bias": torch.zeros(4),
        "logit_scale": torch.ones(()),
    }
    save_file(arrays, tmp_path / "clip.safetensors")
    network = open_pretrained("clip", tmp_path / "clip.safetensors")
    assert network.policy.size == 56
    images = torch.rand(1, 3, 56, 56)
    with torch.inference_mode():
        expected = clip_arrays(pixel_values=network.policy.apply(images)).image_embeds
        assert torch.allclose(network(images), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_features_do_not_depend_on_the_rest_of_the_batch(dino_file, channels):
    network = get(f"dinov2:{dino_file}")
    images = torch.rand(5, channels, 40, 50, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        together = network(images)
        alone = torch.cat([network(images[row : row + 1]) for row in range(5)])
    assert torch.equal(together, alone)
    assert together.shape == (5, 64)


def test_volumes_are_seen_as_the_slices_that_the_record_names(dino_file):
    volume = torch.rand(2, 1, 5, 30, 20, generator=torch.Generator().manual_seed(2))
    network = get(f"dinov2:{dino_file}?planes=three&slices=1&pool=planes")
    with torch.inference_mode():
        found = network(volume)
        planes = [volume[:, :, 2], volume[:, :, :, 15], volume[..., 10]]
        assert torch.equal(found, torch.cat([network(plane) for plane in planes], dim=1))
    assert network.settings()["input"]["volumes"] == {"planes": "three", "slices": 1, "pool": "planes"}
    assert network.fingerprint != get(f"dinov2:{dino_file}").fingerprint


def test_the_record_says_everything_that_changes_the_numbers_and_the_licence(dino_file):
    described = get(f"mine=dinov2:{dino_file}").describe()
    assert described["name"] == "mine"
    assert described["licence"] == "Apache-2.0"
    assert described["trained_on"].startswith("LVD-142M")
    assert described["settings"]["network"] == "dinov2"
    assert described["settings"]["input"] == {
        "size": 224,
        "channels": 3,
        "range": [0.0, 1.0],
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "resampling": "bicubic",
        "by_image": False,
        "volumes": {"planes": "axial", "slices": 3, "pool": "mean"},
    }


@pytest.mark.parametrize("name", KINDS)
def test_a_missing_file_is_answered_with_which_to_get_and_how_to_name_it(name):
    kind = KINDS[name]
    for specification in (name, f"{name}:"):
        with pytest.raises(InputError) as caught:
            get(specification)
        assert str(caught.value) == f"{specification!r} names no file; get {kind.file}, and name it as {name}:PATH"
    with pytest.raises(InputError) as caught:
        get(f"{name}:nowhere.pth")
    assert str(caught.value) == (
        f"nowhere.pth: there is no such file; give the path of the network's weights; {kind.advice}"
    )
    assert all([kind.summary, kind.output, kind.trained_on, kind.source, kind.file, kind.licence])


@pytest.mark.parametrize("name", KINDS)
def test_arrays_of_another_network_are_refused(name, tmp_path):
    save_file({"layer.weight": torch.zeros(3, 3)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError) as caught:
        get(f"{name}:{tmp_path / 'other.safetensors'}")
    assert str(caught.value).startswith(f"{tmp_path / 'other.safetensors'}: holds no network {name!r} (")
    assert KINDS[name].advice in str(caught.value)


def test_one_missing_array_is_named(dino, tmp_path):
    arrays = dino.state_dict()
    arrays.pop("layernorm.bias")
    save_file(arrays, tmp_path / "part.safetensors")
    with pytest.raises(InputError, match=r"\(1 arrays are missing, the first is 'layernorm.bias'\)"):
        get(f"dinov2:{tmp_path / 'part.safetensors'}")


def test_a_dinov2_with_registers_is_refused_rather_than_run_without(dino, tmp_path):
    save_file({**dino.state_dict(), "embeddings.register_tokens": torch.zeros(1, 4, 64)}, tmp_path / "reg.safetensors")
    with pytest.raises(InputError, match="a variant with registers"):
        get(f"dinov2:{tmp_path / 'reg.safetensors'}")


def test_a_whole_pickled_object_is_not_unpickled(tmp_path):
    torch.save(nn.Linear(2, 2), tmp_path / "whole.pt")
    with pytest.raises(InputError) as caught:
        get(f"torchxrayvision:{tmp_path / 'whole.pt'}")
    assert "cannot be read as a PyTorch state dict" in str(caught.value)
    assert "state_dict(), 'densenet121-res224-all.pt')" in str(caught.value)


def test_a_program_is_run_on_what_the_network_is_fed(tmp_path):
    class Mean(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.mean(dim=(2, 3))

    torch.jit.script(Mean()).save(str(tmp_path / "program.pt"))
    network = get(f"radimagenet:{tmp_path / 'program.pt'}")
    assert isinstance(network, LocalNetwork)
    assert network.name == "radimagenet"
    assert network.policy.describe() == KINDS["radimagenet"].policy.describe()
    assert torch.allclose(network(torch.full((1, 1, 9, 9), 0.75)), torch.full((1, 3), 0.5))


def test_planes_are_refused_by_a_network_of_volumes(tmp_path):
    from monai.networks.nets import resnet10

    small = resnet10(spatial_dims=3, n_input_channels=1, conv1_t_stride=2, feed_forward=False, bias_downsample=False)
    torch.save(
        {"state_dict": {f"module.{name}": value for name, value in small.state_dict().items()}}, tmp_path / "r.pth"
    )
    network = get(f"medicalnet:{tmp_path / 'r.pth'}?size=16")
    assert network.settings()["architecture"] == "ResNet-10, 3-D"
    assert network(torch.rand(1, 1, 20, 12, 9)).shape == (1, 512)
    with pytest.raises(InputError, match=r"^'medicalnet' is a network of volumes and cannot see planes"):
        network(torch.rand(1, 1, 32, 32))
    with pytest.raises(InputError, match="there is no option 'planes'"):
        get(f"medicalnet:{tmp_path / 'r.pth'}?planes=three")


def test_a_missing_package_is_named_with_its_extra(dino_file, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtra, match=r"pip install 'fourfold\[networks\]'"):
        get(f"dinov2:{dino_file}")


def test_the_hub_is_asked_only_by_name_and_its_silence_is_explained(dino_file, monkeypatch):
    asked = []

    def download(repository, file, revision=None):
        asked.append((repository, file, revision))
        if repository == "facebook/nothing":
            raise OSError("no route")
        return str(dino_file)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    assert get("dinov2:hub:facebook/dinov2-small@main").sha256 == sha256_of(dino_file)
    assert hub.fetch("Owner/Name/folder/file.pth") == dino_file
    assert asked == [("facebook/dinov2-small", "model.safetensors", "main"), ("Owner/Name", "folder/file.pth", None)]
    with pytest.raises(InputError) as caught:
        get("dinov2:hub:facebook/nothing")
    assert str(caught.value) == (
        "hub:facebook/nothing: the hub did not give the file 'model.safetensors' of facebook/nothing (OSError); "
        f"without a connection, bring the file here by other means and give its path; {KINDS['dinov2'].advice}"
    )
    with pytest.raises(InputError, match="is named as hub:OWNER/REPOSITORY"):
        get("dinov2:hub:dinov2-small")


def test_nothing_is_downloaded_where_the_hub_is_switched_off(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match=r"^hub:facebook/dinov2-never: the hub did not give the file"):
        get("dinov2:hub:facebook/dinov2-never")


def test_positions_are_resampled_as_the_authors_do(dino, tmp_path):
    """A table of 16 x 16 positions that was stretched to 37 x 37 comes back nearly as it was."""
    arrays = {name: value.numpy() for name, value in dino.state_dict().items()}
    smooth = np.cos(np.linspace(0, 3, 16))[:, None] + np.linspace(0, 1, 16)[None]
    stretched = nn.functional.interpolate(torch.from_numpy(smooth)[None, None], (37, 37), mode="bicubic")[0, 0]

    def with_table(values):
        table = np.zeros((1, 1 + values.size, 64), dtype=np.float32)
        table[0, 1:] = values.reshape(-1, 1)
        return PretrainedNetwork(
            KINDS["dinov2"], {**arrays, "embeddings.position_embeddings": table}, origin="drawn", sha256="drawn"
        )

    images = torch.rand(1, 3, 224, 224)
    with torch.inference_mode():
        first, second = with_table(smooth)(images), with_table(stretched.numpy())(images)
    assert torch.allclose(first, second, atol=0.05)
    assert not torch.equal(first, second)
