import nibabel
import numpy as np
import pytest
import torch
from torch import nn

from fourfold.errors import InputError
from fourfold.features import MeshNet, get

FIVE, TWENTY, THIRTY = (f"meshnet3d_{name}.npz" for name in ("model5_gw_ae", "model20chan3cls", "model30chan18cls"))


@pytest.fixture(scope="module")
def network(weights_folder):
    return MeshNet(weights_folder / FIVE)


@pytest.fixture(scope="module")
def brains(data_folder):
    """Two scans of each of two patients, at half their size, in [0, 1]."""
    volumes = []
    for file in sorted((data_folder / "brain_progression_3d" / "images").iterdir())[:4]:
        values = np.moveaxis(np.asarray(nibabel.load(file).dataobj, dtype=np.float32), 2, 0)
        volumes.append(np.clip(values / np.quantile(values, 0.99), 0, 1)[None, ::2, ::2, ::2])
    return torch.from_numpy(np.stack(volumes))


@pytest.mark.parametrize(("file", "width"), [(FIVE, 5), (TWENTY, 20), (THIRTY, 30)])
def test_each_file_gives_the_mean_and_spread_of_its_hidden_maps(weights_folder, file, width):
    network = MeshNet(weights_folder / file)
    volume = torch.rand(1, 1, 9, 10, 11, generator=torch.Generator().manual_seed(0))
    layers, expected = [], []
    with np.load(weights_folder / file, allow_pickle=False) as arrays:
        for place, dilation in enumerate([1, 2, 4, 8, 16, 8, 4, 2, 1]):
            weight, bias = (torch.from_numpy(arrays[f"{letter}{place}"]) for letter in "wb")
            layer = nn.Conv3d(weight.shape[1], weight.shape[0], 3, padding="same", dilation=dilation)
            layer.weight.data, layer.bias.data = weight, bias
            layers.append(nn.Sequential(layer, nn.ReLU() if file == FIVE else nn.ELU()))
    with torch.inference_mode():
        found, values = network(volume), volume
        for layer in layers:
            values = layer(values)
            expected += [values.mean(dim=(2, 3, 4)), values.std(dim=(2, 3, 4), correction=0)]
    assert torch.allclose(found, torch.cat(expected, dim=1), rtol=1e-4, atol=1e-5)
    assert found.shape == (1, 18 * width)
    assert network.feature_names()[width] == "map_0_sd_0"
    assert len(network.feature_names()) == 18 * width


@pytest.mark.parametrize(
    ("file", "last", "total"),
    [
        (FIVE, [0.541072786, 0.760317743, 0.261513352, 0.565535724], 26.1522102),
        (TWENTY, [0.361891001, 0.0375080183, 0.0832420215, 0.0275084227], 238.409760),
    ],
)
def test_the_features_of_a_real_brain_are_those_that_were_recorded(weights_folder, brains, file, last, total):
    with torch.inference_mode():
        found = MeshNet(weights_folder / file)(brains[:1])[0]
    assert found[-4:].tolist() == pytest.approx(last, rel=1e-4)
    assert found.sum().item() == pytest.approx(total, rel=1e-4)


def test_another_scan_of_the_same_patient_is_nearer_than_another_patient(network, brains):
    with torch.inference_mode():
        features = network(brains)
    apart = torch.cdist(features, features)
    assert apart[0, 1] < apart[0, 2:].min()


def test_the_network_sees_more_noise_and_more_blur_the_more_there_is(network, brains):
    clean = brains[:1]
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))
    blurred = [clean]
    for _ in range(3):
        blurred.append(nn.functional.avg_pool3d(blurred[-1], 3, 1, 1))
    noisy = [clean + share * noise for share in (0.0, 0.05, 0.1, 0.2)]
    with torch.inference_mode():
        before = network(clean)
        for ladder in (noisy, blurred):
            moved = [(network(step) - before).norm().item() for step in ladder]
            assert moved == sorted(moved)
            assert moved[1] > 0


def test_features_do_not_depend_on_the_rest_of_the_batch(network):
    volumes = torch.rand(3, 1, 8, 8, 8, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        assert torch.equal(network(volumes)[1:2], network(volumes[1:2]))


def test_colour_becomes_grey(network):
    volumes = torch.rand(1, 1, 8, 8, 8, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        assert torch.allclose(network(volumes.expand(-1, 3, -1, -1, -1)), network(volumes), rtol=1e-4, atol=1e-5)


def test_every_voxel_gets_a_tissue(network, brains):
    with torch.inference_mode():
        labels = network.labels(brains[:1])
    assert labels.shape == (1, 12, 48, 48)
    assert set(labels.unique().tolist()) <= {0, 1, 2}


def test_the_record_holds_architecture_weights_and_size(weights_folder):
    network = get(f"brains=meshnet:{weights_folder / FIVE}?size=32")
    assert network.name == "brains"
    settings = network.settings()
    assert settings["architecture"].startswith("MeshNet model5_gw_ae")
    assert settings["weights"] == "309661dda16bd2ab9a61a8527e1582addf4779028aee887a8c3c052fc468f048"
    assert (settings["input"]["size"], settings["input"]["volumes"]) == (32, "whole")
    assert network(torch.rand(1, 1, 10, 20, 30)).shape == (1, 90)


def test_planes_and_foreign_files_are_refused(network, weights_folder, tmp_path):
    with pytest.raises(InputError, match=r"^'meshnet' is a network of volumes and cannot see planes; use another"):
        network(torch.rand(1, 1, 8, 8))
    with pytest.raises(InputError, match=r"holds no MeshNet; it takes an npz file with the arrays w0, b0"):
        MeshNet(weights_folder / "mobilenet_v1_025_imagenet_fp32.npz")
    np.savez(tmp_path / "odd.npz", arch=np.array('{"model": "x", "ops": [{"op": "attention"}]}'))
    with pytest.raises(InputError, match="holds no MeshNet"):
        MeshNet(tmp_path / "odd.npz")
