"""The networks of the style-based generator."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch.nn import functional

from fourfold.errors import InputError
from fourfold.generate.networks.discriminator import Discriminator, batch_spread
from fourfold.generate.networks.equalized import (
    DemodulatedConvolution,
    EqualizedConvolution,
    EqualizedLinear,
    demodulation,
)
from fourfold.generate.networks.pyramid import pyramid, widths
from fourfold.generate.networks.stylegan import MappingNetwork, StyleGenerator


@pytest.fixture(autouse=True)
def _seeded():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def generator(shape: tuple[int, ...] = (1, 8, 8), condition: int = 0) -> StyleGenerator:
    return StyleGenerator(shape, condition, latent=8, channels=4, layers=2)


def numbers(network: StyleGenerator, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(n, network.latent), torch.randn(n, network.noises)


@pytest.mark.parametrize(
    ("spatial", "coarsest", "levels"),
    [
        ((32, 32), (4, 4), 4),
        ((96, 96), (6, 6), 5),
        ((28, 28), (7, 7), 3),
        ((64, 32), (4, 4), 5),
        ((8, 32, 32), (4, 4, 4), 4),
        ((2, 16, 16), (2, 4, 4), 3),
    ],
)
def test_sides_are_halved_to_a_small_grid(spatial, coarsest, levels):
    sizes = pyramid(spatial)
    assert sizes[0] == coarsest
    assert sizes[-1] == spatial
    assert len(sizes) == levels
    assert all(b in (a, 2 * a) for low, high in pairwise(sizes) for a, b in zip(low, high))


def test_thick_slices_are_halved_once_the_others_are_as_short():
    assert pyramid((24, 96, 96))[1:] == ((12, 12, 12), (24, 24, 24), (24, 48, 48), (24, 96, 96))


@pytest.mark.parametrize("spatial", [(31, 31), (50, 50), (35, 50, 36)])
def test_sides_that_cannot_be_halved_are_refused_with_the_remedy(spatial):
    with pytest.raises(InputError, match=r"cannot be halved so often; choose sides such as 32, .* with --size"):
        pyramid(spatial)


def test_coarse_levels_are_at_most_four_times_as_wide():
    assert widths(5, 8) == (32, 32, 32, 16, 8)


@pytest.mark.parametrize("dims", [2, 3])
def test_demodulated_weights_have_unit_norm(dims):
    weight, style = torch.randn(5, 3, *(3,) * dims), 3 * torch.randn(4, 3)
    spread = style.reshape(4, 1, 3, *(1,) * dims)
    modulated = weight * spread * demodulation(weight, style).reshape(4, 5, *(1,) * (dims + 1))
    assert torch.allclose(modulated.flatten(2).norm(dim=2), torch.ones(4, 5), atol=1e-5)


@pytest.mark.parametrize("dims", [2, 3])
def test_a_shared_convolution_equals_one_with_the_weights_of_each_image(dims):
    layer = DemodulatedConvolution(3, 5, 3, dims, 6)
    x, w = torch.randn(4, 3, *(6,) * dims), torch.randn(4, 6)
    style = layer.style(w)
    convolution = functional.conv2d if dims == 2 else functional.conv3d
    for image, row, found in zip(x, style, layer(x, w)):
        weight = layer.weight * row.reshape(1, 3, *(1,) * dims)
        weight = weight / weight.flatten(1).norm(dim=1).reshape(-1, *(1,) * (dims + 1))
        assert torch.allclose(found, convolution(image[None], weight, padding=1)[0], atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "sizes", "shape"),
    [
        (EqualizedLinear, (2048, 64), (32, 2048)),
        (EqualizedConvolution, (200, 64, 3, 2), (4, 200, 6, 6)),
        (EqualizedConvolution, (60, 32, 3, 3), (2, 60, 5, 5, 5)),
    ],
    ids=["linear", "2-D", "3-D"],
)
def test_equalised_weights_have_unit_variance_and_outputs_keep_that_of_inputs(kind, sizes, shape):
    layer = kind(*sizes)
    inside = (..., *[slice(1, -1)] * (len(shape) - 2))
    with torch.no_grad():
        assert layer.weight.std().item() == pytest.approx(1, abs=0.02)
        assert layer(torch.randn(shape))[inside].std().item() == pytest.approx(1, abs=0.1)


def test_a_lower_rate_scales_steps_and_not_the_function():
    slow, fast = EqualizedLinear(64, 64, bias=0.5, rate=0.01), EqualizedLinear(64, 64, bias=0.5)
    with torch.no_grad():
        slow.weight.copy_(fast.weight / 0.01)
    x = torch.randn(8, 64)
    assert torch.allclose(slow(x), fast(x), atol=1e-4)
    moved = []
    for layer in (slow, fast):
        before = layer(x).detach()
        with torch.no_grad():
            layer.bias += 0.1
        moved.append((layer(x) - before).abs().mean().item())
    assert moved[0] == pytest.approx(0.01 * moved[1], rel=1e-2)


def test_truncation_to_nothing_gives_one_style_and_more_gives_more_variance():
    network = generator()
    z, _ = numbers(network, 64)
    spread = [network.styles(z, truncation=psi).var(dim=0).sum().item() for psi in (0.0, 0.5, 1.0)]
    assert spread[0] == pytest.approx(0, abs=1e-10)
    assert spread[1] == pytest.approx(0.25 * spread[2], rel=1e-4)
    assert torch.equal(network.styles(z), network.mapping(z))


def test_truncation_keeps_the_condition():
    network = generator(condition=3)
    z, _ = numbers(network, 6)
    condition = torch.eye(3)[[0, 1, 0, 1, 1, 0]]
    styles = network.styles(z, condition, 0.0)
    assert torch.allclose(styles[[0, 2, 5]], styles[0], atol=1e-6)
    assert torch.allclose(styles[[1, 3, 4]], styles[1], atol=1e-6)
    assert (styles[0] - styles[1]).norm() > 0.01 * styles[0].norm()
    exact = network.mapping(network.mapping.probes, condition[:1].expand(len(network.mapping.probes), -1)).mean(dim=0)
    assert torch.allclose(styles[0], exact, atol=1e-6)


def test_latents_count_by_direction_alone():
    mapping, z = MappingNetwork(8), torch.randn(3, 8)
    assert torch.allclose(mapping(z), mapping(5 * z), atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 12, 8), (2, 4, 8, 8)])
def test_images_have_the_shape_and_the_condition_changes_them(shape):
    network, critic = generator(shape, 2), Discriminator(shape, 2, channels=4)
    z, noise = numbers(network, 2)
    one, _ = network(z, noise, torch.eye(2)[[0, 0]])
    other, _ = network(z, noise, torch.eye(2)[[1, 1]])
    assert one.shape == (2, *shape)
    assert (one - other).abs().max() > 1e-3
    assert (critic(one, torch.eye(2)[[0, 0]]) - critic(one, torch.eye(2)[[1, 1]])).abs().min() > 1e-6


def test_noise_enters_every_layer_once_its_strength_is_not_zero():
    network = generator()
    z, noise = numbers(network, 1)
    assert torch.equal(network.draw(z, noise), network.draw(z, torch.zeros_like(noise)))
    place = 0
    for layer, count in zip(network.synthesis.layers, network.synthesis.noises):
        only = torch.zeros_like(noise)
        only[:, place : place + count] = 1.0
        place += count
        with torch.no_grad():
            layer.strength.fill_(1.0)
            changed = network.draw(z, only)
            layer.strength.fill_(0.0)
        assert (changed - network.draw(z, noise)).abs().max() > 1e-3


def test_mixed_styles_change_at_the_crossover():
    network = generator()
    z, noise = numbers(network, 3)
    other = torch.randn(3, network.latent)
    layers = len(network.synthesis.layers)
    _, styles = network(z, noise, None, other, torch.tensor([1, 2, layers]))
    own, others = network.mapping(z), network.mapping(other)
    for image, crossover in enumerate([1, 2, layers]):
        assert torch.equal(styles[image, :crossover], own[image].expand(crossover, -1))
        assert torch.equal(styles[image, crossover:], others[image].expand(layers - crossover, -1))


def test_the_spread_of_a_batch_is_that_of_its_groups():
    x = torch.randn(8, 3, 2, 2)
    groups = [x[[start, start + 2, start + 4, start + 6]] for start in (0, 1)]
    expected = [group.std(dim=0, correction=0).mean().item() for group in groups]
    found = batch_spread(x)
    assert found.shape == (8, 1, 2, 2)
    assert found[:, 0, 0, 0].tolist() == pytest.approx(expected * 4, abs=1e-5)
    assert batch_spread(x[:1].expand(5, -1, -1, -1)).abs().max() < 1e-3


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 4, 8, 8)])
def test_both_networks_can_be_differentiated_twice(shape):
    network, critic = generator(shape), Discriminator(shape, channels=4)
    with torch.no_grad():
        for layer in network.synthesis.layers:
            layer.strength.fill_(0.1)
    z, noise = numbers(network, 4)
    images, styles = network(z, noise)
    (slope,) = torch.autograd.grad(images.square().sum(), styles, create_graph=True)
    slope.square().sum().backward()
    assert all(layer.convolution.weight.grad.abs().sum() > 0 for layer in network.synthesis.layers)
    real = torch.randn(4, *shape, requires_grad=True)
    (slope,) = torch.autograd.grad(critic(real).sum(), real, create_graph=True)
    slope.square().sum().backward()
    assert critic.start.weight.grad.abs().sum() > 0
    assert math.isfinite(critic.blocks[0].first.weight.grad.abs().sum())
