"""Networks that imitate radiomics: what they learn, and what they are used for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from fourfold.errors import InputError
from fourfold.features import SlicePolicy, get
from fourfold.features.imitation import (
    Imitation,
    ImitationNetwork,
    Stages,
    Tapped,
    agreement,
    draw_textures,
    imitate,
    initial_weights,
    load_network,
    save_network,
    texture_consistency,
)
from fourfold.features.imitation.targets import Scale, all_features, measured
from fourfold.features.imitation.textures import FAMILIES

FEATURES = ("firstorder_Variance", "glcm_DifferenceAverage", "glcm_JointAverage", "glrlm_GrayLevelVariance")
OTHERS = ("original_glcm_Contrast", "original_ngtdm_Complexity", "original_glrlm_HighGrayLevelRunEmphasis")


def _imitate(steps: int, seed: int = 0, **given: object) -> ImitationNetwork:
    settings = {"body": lambda: Stages((8, 16)), "sides": (16, 24), "textures": 1000, **given}
    return imitate(FEATURES, steps=steps, seed=seed, **settings)


def _textures(count: int, side: int = 24, seed: int = 99) -> np.ndarray:
    return draw_textures(count, side, np.random.default_rng(seed))


@pytest.fixture(scope="module")
def network() -> ImitationNetwork:
    torch.set_num_threads(1)
    return _imitate(150)


@pytest.fixture(scope="module")
def untrained() -> ImitationNetwork:
    return _imitate(0, textures=100)


@pytest.mark.parametrize("family", FAMILIES)
def test_textures_are_images_and_differ(family: str) -> None:
    found = draw_textures(20, 16, np.random.default_rng(0), (family,))
    assert found.shape == (20, 1, 16, 16)
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert found.max() <= 1
    assert (found.std(axis=(1, 2, 3)) > 0).mean() > 0.8
    assert len(np.unique(found.mean(axis=(1, 2, 3)))) > 15


def test_the_generator_alone_decides_the_textures() -> None:
    assert np.array_equal(_textures(300), _textures(300))
    assert not np.array_equal(_textures(5), _textures(5, seed=1))
    assert draw_textures(0, 16, np.random.default_rng(0)).shape == (0, 1, 16, 16)


def test_a_handful_of_radiomics_is_imitated_on_unseen_textures(network: ImitationNetwork) -> None:
    found = agreement(network, _textures(400))
    assert list(found) == [f"original_{name}" for name in FEATURES]
    assert min(found.values()) >= 0.65
    assert np.mean(list(found.values())) >= 0.8
    assert found["original_firstorder_Variance"] == pytest.approx(float(network.agreement[0]), abs=0.1)


def test_an_untrained_network_imitates_nothing(untrained: ImitationNetwork) -> None:
    assert np.mean(list(agreement(untrained, _textures(200)).values())) <= 0


def test_textures_of_a_size_never_seen_are_imitated_too(network: ImitationNetwork) -> None:
    assert np.mean(list(agreement(network, _textures(200, side=40)).values())) >= 0.7


def _maps(network: ImitationNetwork, images: np.ndarray) -> np.ndarray:
    """Mean over places of the last map, a few columns."""
    with torch.inference_mode():
        return network.body((torch.from_numpy(images) - 0.5) / 0.25)[-1].mean(dim=(2, 3)).double().numpy()


def _probe(network: ImitationNetwork, features: tuple[str, ...]) -> float:
    """Mean R squared of linear regression of radiomics on the network's maps, fitted and judged on other textures."""
    images = _textures(900, seed=5)
    wanted = measured(images, features)
    targets = Scale.of(wanted)(wanted).double().numpy()
    seen = np.concatenate([_maps(network, images), np.ones((900, 1))], axis=1)
    weights = np.linalg.lstsq(seen[:600], targets[:600], rcond=1e-6)[0]
    missed = ((seen[600:] @ weights - targets[600:]) ** 2).sum(axis=0)
    return float(np.mean(1 - missed / ((targets[600:] - targets[600:].mean(axis=0)) ** 2).sum(axis=0)))


def test_maps_learned_by_imitation_tell_more_of_other_radiomics_than_random_ones(
    network: ImitationNetwork, untrained: ImitationNetwork
) -> None:
    assert _probe(network, OTHERS) >= _probe(untrained, OTHERS) + 0.05


def test_the_seed_decides_the_network_and_the_global_generator_is_left_alone() -> None:
    images = torch.from_numpy(_textures(4))
    before = torch.random.get_rng_state()
    first, second, other = (_imitate(2, seed, textures=64)(images) for seed in (3, 3, 4))
    assert torch.equal(first, second)
    assert not torch.allclose(first, other)
    assert torch.equal(before, torch.random.get_rng_state())


def test_features_do_not_depend_on_the_batch(network: ImitationNetwork) -> None:
    extractor = Imitation(network)
    images = torch.from_numpy(_textures(7, side=20))
    together = extractor(images)
    one_by_one = torch.cat([extractor(image[None]) for image in images])
    assert together.shape == (7, len(FEATURES))
    assert torch.allclose(together, one_by_one, atol=1e-4)


def test_colour_and_volumes_are_taken(network: ImitationNetwork) -> None:
    extractor = Imitation(network, slices=SlicePolicy(slices=2))
    images = torch.from_numpy(_textures(4))
    assert torch.allclose(extractor(images.expand(-1, 3, -1, -1)), extractor(images), atol=1e-4)
    volumes = images.reshape(1, 1, 4, 24, 24)
    assert torch.allclose(extractor(volumes), extractor(images[[1, 3]]).mean(dim=0, keepdim=True), atol=1e-4)


def test_volumes_are_seen_by_the_policy_of_all_networks_for_planes(network: ImitationNetwork, tmp_path) -> None:
    path = save_network(network, tmp_path / "network.safetensors")
    volumes = torch.from_numpy(_textures(48)).reshape(2, 1, 24, 24, 24)
    policy = SlicePolicy(planes="three", slices=2, pool="planes")
    asked = get(f"imitation:{path}?planes=three&slices=2&pool=planes")
    assert asked.settings()["volumes"] == policy.describe()
    with torch.inference_mode():
        found = asked(volumes)
        assert torch.allclose(found, policy.features(volumes, network), atol=1e-4)
    width = len(FEATURES)
    assert found.shape == (2, 3 * width)
    assert not torch.allclose(found[:, :width], found[:, 2 * width :], atol=1e-2)


def test_gradients_agree_with_small_steps(network: ImitationNetwork) -> None:
    double = ImitationNetwork(Stages((8, 16)), network.features, network.scale).double().eval()
    double(torch.zeros(1, 1, 16, 16, dtype=torch.float64))
    double.load_state_dict(network.state_dict())
    images = torch.from_numpy(_textures(1, side=16)).double()
    direction = torch.randn(images.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    asked = images.clone().requires_grad_()
    double(asked).sum().backward()
    with torch.no_grad():
        step = 1e-6
        slope = (double(images + step * direction) - double(images - step * direction)).sum() / (2 * step)
    assert float((asked.grad * direction).sum()) == pytest.approx(float(slope), rel=1e-3)


def test_texture_consistency_is_zero_for_equal_images_and_grows_with_blur(network: ImitationNetwork) -> None:
    images = torch.from_numpy(_textures(20))
    blurred = [nn.functional.avg_pool2d(images, side, 1, side // 2, count_include_pad=False) for side in (3, 7)]
    losses = [texture_consistency(images, other, network).item() for other in (images, *blurred)]
    assert losses[0] == 0
    assert losses[0] < losses[1] < losses[2]
    assert losses[1] == pytest.approx(texture_consistency(blurred[0], images, network).item())


def test_texture_consistency_pulls_texture_towards_that_of_other_images(network: ImitationNetwork) -> None:
    wanted = torch.from_numpy(_textures(6))
    drawn = nn.Parameter(torch.full_like(wanted, 0.5) + 0.01 * torch.randn(wanted.shape))
    optimizer = torch.optim.Adam([drawn], lr=0.02)
    before = measured(drawn.detach().clamp(0, 1).numpy(), network.features)
    for _ in range(60):
        optimizer.zero_grad()
        texture_consistency(drawn.clamp(0, 1), wanted, network).backward()
        optimizer.step()
    after = measured(drawn.detach().clamp(0, 1).numpy(), network.features)
    target = network.scale(measured(wanted.numpy(), network.features))
    # Judged by the radiomics themselves, not by the network that imitates them.
    distance = [float((network.scale(values) - target).square().mean()) for values in (before, after)]
    assert distance[1] < 0.5 * distance[0]


def test_what_is_not_imitated_does_not_count(network: ImitationNetwork) -> None:
    images, others = torch.from_numpy(_textures(4)), torch.from_numpy(_textures(4, seed=1))
    blind = ImitationNetwork(network.body, network.features, network.scale).eval()
    blind.load_state_dict({**network.state_dict(), "agreement": torch.full((len(FEATURES),), torch.nan)})
    assert texture_consistency(images, others, blind).item() == 0
    assert texture_consistency(images, others, network).item() > 0


def _resnet(inputs: int, channels: tuple[int, ...] = (8, 16, 32, 64)) -> nn.Module:
    from monai.networks.nets import ResNet

    return ResNet(
        "basic", [1, 1, 1, 1], list(channels), spatial_dims=2, n_input_channels=inputs, conv1_t_size=3,
        conv1_t_stride=2, no_max_pool=True, num_classes=2,
    )  # fmt: skip


def test_the_first_layers_are_those_of_a_residual_network(network: ImitationNetwork) -> None:
    target = _resnet(1).eval()
    initial = initial_weights(network)
    assert {name.split(".")[0] for name in initial} == {"conv1", "bn1", "layer1", "layer2"}
    target.load_state_dict({**target.state_dict(), **initial})
    images = torch.from_numpy(_textures(3))
    seen = target.layer2(target.layer1(torch.relu(target.bn1(target.conv1(images)))))
    assert torch.allclose(network.body(images)[-1], seen, atol=1e-4)


def test_fewer_layers_and_more_channels_can_be_asked_for(network: ImitationNetwork) -> None:
    initial = initial_weights(network, 1, channels=3)
    assert {name.split(".")[0] for name in initial} == {"conv1", "bn1"}
    images = torch.from_numpy(_textures(3))
    target = _resnet(3)
    target.load_state_dict({**target.state_dict(), **initial})
    assert torch.allclose(
        target.conv1(images.expand(-1, 3, -1, -1)), network.body.conv1(images)[..., ::2, ::2], atol=1e-5
    )
    assert initial["conv1.weight"].data_ptr() != network.body.conv1.weight.data_ptr()


def test_any_network_can_imitate_by_some_of_its_layers() -> None:
    def body() -> Tapped:
        convolutions = nn.Sequential(nn.Conv2d(1, 6, 3, 2, 1), nn.ReLU(), nn.Conv2d(6, 6, 3, 2, 1), nn.ReLU())
        return Tapped(nn.Sequential(convolutions, nn.Conv2d(6, 2, 1)), ("0.1", "0.3"))

    found = _imitate(60, body=body)
    assert float(found.agreement.mean()) > 0.3
    assert set(initial_weights(found)) == set()
    named = Tapped(found.body.network, ("0.0", "0.2"))
    found.body = named
    assert set(initial_weights(found)) == {"0.0.weight", "0.0.bias", "0.2.weight", "0.2.bias"}
    assert set(initial_weights(found, 1)) == {"0.0.weight", "0.0.bias"}


def test_a_stored_network_comes_back(network: ImitationNetwork, tmp_path) -> None:
    path = save_network(network, tmp_path / "network.safetensors")
    images = torch.from_numpy(_textures(5))
    extractor = get(f"imitation:{path}?slices=2")
    assert torch.equal(extractor(images), network(images))
    assert extractor.feature_names() == network.features
    assert extractor.agreement == dict(zip(network.features, network.agreement.tolist()))
    assert get(f"mine=imitation:{path}").name == "mine"
    assert extractor.fingerprint == Imitation(load_network(path), slices=SlicePolicy(slices=2)).fingerprint
    assert [file.name for file in tmp_path.iterdir()] == ["network.safetensors"]


def test_the_fingerprint_is_that_of_the_weights(network: ImitationNetwork, untrained: ImitationNetwork) -> None:
    assert Imitation(network).fingerprint == Imitation(network).fingerprint
    assert Imitation(network).fingerprint != Imitation(untrained).fingerprint
    assert Imitation(network).fingerprint != Imitation(network, slices=SlicePolicy(slices=1)).fingerprint


def test_the_default_network_is_trained_once_and_kept(tmp_path, monkeypatch, network: ImitationNetwork) -> None:
    trained = []

    def counted(seed: int) -> ImitationNetwork:
        trained.append(seed)
        return network

    monkeypatch.setenv("FOURFOLD_STORE", str(tmp_path))
    monkeypatch.setattr("fourfold.features.imitation.extractor.imitate", counted)
    assert trained == []
    first = get("imitation?seed=2")
    assert trained == []
    assert first.fingerprint == get("imitation?seed=2").fingerprint
    assert trained == [2]
    (file,) = (tmp_path / "networks").iterdir()
    file.write_bytes(file.read_bytes()[:-40])
    assert get("imitation?seed=2").fingerprint == first.fingerprint
    assert trained == [2, 2]


def test_the_default_network_can_be_trained_where_features_are_extracted(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("FOURFOLD_STORE", str(tmp_path))
    monkeypatch.setattr(
        "fourfold.features.imitation.extractor.imitate",
        lambda seed: _imitate(1, seed, body=lambda: Stages((4,)), textures=64),
    )
    images = torch.from_numpy(_textures(2))
    for _ in ("trained", "read"):
        extractor = get("imitation")
        with torch.inference_mode():
            extractor(images)
        asked = images.clone().requires_grad_()
        extractor(asked).sum().backward()
        assert asked.grad.abs().sum() > 0


def test_targets_of_a_texture_do_not_grow_with_the_image() -> None:
    images = _textures(20)
    tiled = np.tile(images, (1, 1, 2, 2))
    names = ("original_firstorder_Energy", "original_glrlm_GrayLevelNonUniformity")
    small, large = measured(images, names), measured(tiled, names)
    assert large[:, 0] == pytest.approx(small[:, 0])
    assert np.median(large[:, 1] / small[:, 1]) == pytest.approx(1, abs=0.15)


def test_all_radiomics_are_imitated_unless_some_are_named() -> None:
    found = imitate(body=lambda: Stages((4,)), sides=(16,), textures=32, steps=1)
    assert found.features == all_features()
    assert len(found.features) == 79


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda _: imitate(("glcm_Beauty",)), "there is no radiomic 'glcm_Beauty' to imitate"),
        (lambda _: imitate(()), "name at least one radiomic to imitate"),
        (lambda _: imitate(textures=60), "imitation needs 32 textures for each of 3 sides, got 60 in all"),
        (lambda _: draw_textures(1, 7, np.random.default_rng(0)), "textures need a side of at least 8 pixels, got 7"),
        (
            lambda _: draw_textures(1, 8, np.random.default_rng(0), ("skin",)),
            "textures have the families spectral, waves, cells, spots, layers, regions; got skin",
        ),
        (
            lambda network: initial_weights(network, 4),
            "the body of the imitating network has 3 layers, and 4 were asked for",
        ),
        (lambda network: initial_weights(network, channels=0), "the images of a task have at least 1 channel"),
        (
            lambda network: texture_consistency(torch.rand(2, 1, 16, 16), torch.rand(1, 1, 16, 16), network),
            "texture is compared image by image, got 2 and 1 images",
        ),
        (lambda _: Imitation(seed=-1), "the seed of 'imitation' must be 0 or above, got -1"),
        (lambda _: get("imitation?slices=0"), "slices must be at least 1, got 0"),
        (lambda _: load_network("nowhere.safetensors"), "nowhere.safetensors: there is no such file"),
    ],
)
def test_what_is_wrong_is_said(call, message: str, network: ImitationNetwork) -> None:
    with pytest.raises(InputError) as caught:
        call(network)
    assert message in str(caught.value)


def test_a_network_in_training_is_no_judge_of_texture() -> None:
    training = _imitate(0, textures=64).train()
    images = torch.rand(2, 1, 16, 16)
    with pytest.raises(InputError, match="is in training mode; call its eval"):
        texture_consistency(images, images, training)


def test_a_file_of_another_kind_is_refused(tmp_path, network: ImitationNetwork) -> None:
    from safetensors.torch import save_file

    other = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(2)}, other)
    with pytest.raises(InputError, match=r"other\.safetensors: holds no imitating network"):
        load_network(other)
    (tmp_path / "text.safetensors").write_text("hello")
    with pytest.raises(InputError, match=r"text\.safetensors: cannot be read as a safetensors file"):
        load_network(tmp_path / "text.safetensors")
    arrays = {name: value for name, value in network.state_dict().items() if name != "size"}
    record = '{"channels": [8, 16], "stride": 2, "pooled": false, "features": ["original_glcm_Contrast"]}'
    save_file(arrays, other, metadata={"schema": "fourfold.imitation/1", "network": record})
    with pytest.raises(InputError, match="its arrays are not those of the network that it names"):
        load_network(other)


def test_only_a_body_of_stages_is_stored(tmp_path) -> None:
    body = Tapped(nn.Sequential(nn.Conv2d(1, 4, 3)), ("0",))
    with pytest.raises(InputError, match="only an imitating network whose body is Stages can be stored"):
        save_network(_imitate(0, body=lambda: body, textures=64), tmp_path / "network.safetensors")
