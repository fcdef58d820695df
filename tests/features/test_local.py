import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from safetensors.numpy import save_file
from torch import nn

from fourfold.errors import InputError, MissingExtra
from fourfold.features import InputPolicy, LocalNetwork, MobileNet, SlicePolicy, open_network

# Writing TorchScript warns that its end is near; reading it must not.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.(script|save).*:DeprecationWarning")


class _Pooled(nn.Module):
    """Mean of each channel of each quarter: features that can be computed by hand."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return nn.functional.adaptive_avg_pool2d(images, (2, 2)).flatten(1)


def _scripted(module: nn.Module, path):
    torch.jit.script(module.eval()).save(str(path))
    return path


def _onnx(path, batch="batch"):
    """The mean over all pixels of each channel."""
    node = helper.make_node("GlobalAveragePool", ["images"], ["features"])
    graph = helper.make_graph(
        [node],
        "pool",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [batch, 3, "h", "w"])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [batch, 3, 1, 1])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(path))
    return path


def test_a_torchscript_file_gives_its_features_under_the_policy(tmp_path):
    path = _scripted(_Pooled(), tmp_path / "net.pt")
    network = open_network(path, name="mine", policy=InputPolicy(low=0.0, high=255.0), trained_on="our own CT")
    images = torch.rand(3, 1, 8, 8)
    blocks = images.reshape(3, 2, 4, 2, 4).mean(dim=(2, 4)).flatten(1) * 255
    assert torch.allclose(network(images), blocks.repeat(1, 3), rtol=1e-5)
    assert network.name == "mine"
    assert network.describe()["trained_on"] == "our own CT"


def test_an_onnx_file_gives_its_features_whatever_its_batch_size(tmp_path):
    images = torch.rand(3, 3, 6, 7)
    for batch in ("batch", 1):
        network = open_network(_onnx(tmp_path / f"{batch}.onnx", batch), name="mine")
        assert torch.allclose(network(images), images.mean(dim=(2, 3)), atol=1e-6)


def test_the_fingerprint_follows_the_content_and_the_policy(tmp_path):
    first = open_network(_scripted(_Pooled(), tmp_path / "a.pt"), name="mine")
    copy = tmp_path / "b.ts"
    copy.write_bytes((tmp_path / "a.pt").read_bytes())
    assert open_network(copy, name="mine").fingerprint == first.fingerprint
    assert open_network(copy, name="mine", policy=InputPolicy(size=64)).fingerprint != first.fingerprint
    other = open_network(_scripted(nn.Sequential(_Pooled(), nn.ReLU()), tmp_path / "c.pt"), name="mine")
    assert other.fingerprint != first.fingerprint


def test_volumes_reach_a_network_for_planes_as_slices(tmp_path):
    network = open_network(
        _scripted(_Pooled(), tmp_path / "net.pt"), name="mine", policy=InputPolicy(slices=SlicePolicy(slices=2))
    )
    volumes = torch.rand(2, 1, 4, 8, 8)
    expected = (network(volumes[:, :, 1]) + network(volumes[:, :, 3])) / 2
    assert torch.allclose(network(volumes), expected)


@pytest.mark.parametrize("container", ["npz", "safetensors", "pth"])
def test_arrays_of_a_known_network_become_that_network(tmp_path, weights_folder, container):
    original = weights_folder / "mobilenet_v1_025_imagenet_fp32.npz"
    with np.load(original, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    path = tmp_path / f"net.{container}"
    if container == "npz":
        np.savez(path, **arrays)
    elif container == "safetensors":
        save_file(arrays, path)
    else:
        state = {f"module.{name}": torch.from_numpy(values) for name, values in arrays.items()}
        torch.save({"state_dict": state}, path)
    network = open_network(path, name="mine")
    images = torch.rand(1, 1, 32, 32)
    assert network.name == "mine"
    assert torch.equal(network(images), MobileNet(original)(images))


def test_arrays_of_an_unknown_network_ask_for_torchscript(tmp_path):
    save_file({"layer.weight": np.zeros((2, 2), dtype=np.float32)}, tmp_path / "net.safetensors")
    with pytest.raises(InputError, match=r"net\.safetensors: holds the arrays of a network but not the network.*jit"):
        open_network(tmp_path / "net.safetensors", name="mine")
    torch.save({"layer.weight": torch.zeros(2, 2)}, tmp_path / "net.pt")
    with pytest.raises(InputError, match=r"net\.pt: holds the arrays of a network but not the network"):
        open_network(tmp_path / "net.pt", name="mine")


def test_a_pickled_module_is_not_unpickled(tmp_path):
    torch.save(nn.Linear(2, 2), tmp_path / "net.pt")
    with pytest.raises(InputError, match=r"net\.pt: cannot be read as a PyTorch state dict"):
        open_network(tmp_path / "net.pt", name="mine")


def test_a_pickled_array_is_not_unpickled(tmp_path):
    np.savez(tmp_path / "net.npz", arch=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputError, match=r"net\.npz: cannot be read as an npz archive; it is damaged"):
        open_network(tmp_path / "net.npz", name="mine")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("net.pt", "cannot be read as a PyTorch state dict; it is damaged or of another kind"),
        ("net.onnx", "cannot be read as ONNX; it is damaged or of another kind"),
        ("net.npz", "cannot be read as an npz archive; it is damaged or of another kind"),
        ("net.safetensors", "cannot be read as a safetensors file; it is damaged or of another kind"),
        ("net.h5", "unknown kind of network file '.h5'; known are .pt, .pth, .ts, .torchscript, .onnx, .npz, .safet"),
    ],
)
def test_a_file_that_is_not_what_it_says_is_named(tmp_path, name, message):
    path = tmp_path / name
    path.write_bytes(b"these are not the weights of a network" * 10)
    with pytest.raises(InputError) as caught:
        open_network(path, name="mine")
    assert str(caught.value).startswith(f"{path}: {message}")


def test_a_truncated_torchscript_file_is_named(tmp_path):
    path = _scripted(_Pooled(), tmp_path / "net.pt")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match=r"net\.pt: cannot be read as"):
        open_network(path, name="mine")


def test_missing_files_and_folders_are_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.pt: there is no such file; give the path of the network's weights$"):
        open_network(tmp_path / "none.pt", name="mine")
    with pytest.raises(InputError, match=r": is a folder; give the file that holds the network$"):
        open_network(tmp_path, name="mine")


class _Map(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images


class _Pair(nn.Module):
    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return images, images


class _Whole(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1).long()


class _Broken(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1) / 0.0


class _Narrow(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(7, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.layer(images.flatten(1))


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (_Map(), "turns images of shape (2, 3, 4, 4) into shape (2, 3, 4, 4); features need the shape (2, columns)"),
        (_Pair(), "returns tuple, not one array"),
        (_Whole(), "returns torch.int64; features need floating point numbers"),
        (_Broken(), "returns NaN or infinite features; check the value range"),
        (_Narrow(), "fails on images of shape (2, 3, 4, 4); state what it takes"),
    ],
)
def test_an_output_that_is_no_feature_is_explained(tmp_path, module, message):
    path = _scripted(module, tmp_path / "net.pt")
    with pytest.raises(InputError) as caught:
        LocalNetwork(path, name="mine")(torch.zeros(2, 1, 4, 4))
    assert str(caught.value).startswith(f"{path}: the network {message}")


def test_onnx_without_its_package_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(MissingExtra, match=r"pip install 'fourfold\[onnx\]'"):
        open_network(_onnx(tmp_path / "net.onnx"), name="mine")
