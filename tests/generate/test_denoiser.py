import pytest
import torch

from fourfold.errors import InputError
from fourfold.generate.condition import Condition
from fourfold.generate.denoiser import Preconditioned, spread
from fourfold.generate.frameworks import FRAMEWORKS, framework
from fourfold.generate.networks.unet import DenoisingUNet, shuffle, unshuffle
from fourfold.generate.noise import Noise
from fourfold.generate.parametrisations import PARAMETRISATIONS, Parametrisation


@pytest.mark.parametrize("prediction", PARAMETRISATIONS)
def test_a_network_that_predicts_its_target_gives_back_x0(prediction):
    generator = torch.Generator().manual_seed(0)
    x0, eps = torch.randn(2, 5, 1, 4, 4, generator=generator, dtype=torch.float64)
    sigma = torch.logspace(-2, 2, 5, dtype=torch.float64).reshape(-1, 1, 1, 1)
    own = Parametrisation(prediction, 0.7)
    target = own.target(x0, eps, sigma)
    denoiser = Preconditioned(lambda x, noise, condition: target, own)
    assert torch.allclose(denoiser(x0 + sigma * eps, sigma.flatten()), x0, atol=1e-9)


def test_published_targets_come_out_of_the_table():
    x0, eps = torch.randn(2, 3, 1, 2, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    sigma = torch.tensor([0.1, 1.0, 9.0], dtype=torch.float64).reshape(-1, 1, 1, 1)
    a = (1 + sigma**2).rsqrt()
    assert torch.allclose(Parametrisation("eps").target(x0, eps, sigma), eps)
    assert torch.allclose(Parametrisation("score").target(x0, eps, sigma), -eps)
    assert torch.allclose(Parametrisation("v").target(x0, eps, sigma), a * eps - sigma * a * x0)
    assert torch.allclose(Parametrisation("flow").target(x0, eps, sigma), eps - x0)
    assert torch.allclose(Parametrisation("x0").target(x0, eps, sigma), x0)


@pytest.mark.parametrize("prediction", PARAMETRISATIONS)
def test_the_weighted_error_of_the_estimate_is_the_squared_error_of_the_network(prediction):
    own = Parametrisation(prediction, 0.5)
    sigma = torch.tensor([0.3, 3.0], dtype=torch.float64).reshape(-1, 1, 1, 1)
    said, target = torch.randn(2, 2, 1, 3, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    _, c_out, _ = own.coefficients(sigma)
    error = own.weight(sigma) * (c_out * (said - target)).square()
    assert torch.allclose(error, (said - target).square())


def test_edm_inputs_and_targets_have_unit_variance():
    own = Parametrisation("edm", 0.5)
    generator = torch.Generator().manual_seed(3)
    x0 = 0.5 * torch.randn(200_000, generator=generator)
    eps = torch.randn(200_000, generator=generator)
    for sigma in (0.05, 0.5, 5.0):
        level = torch.tensor(sigma)
        c_in = own.coefficients(level)[2]
        assert (c_in * (x0 + sigma * eps)).std() == pytest.approx(1, abs=0.01)
        assert own.target(x0, eps, level).std() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_levels_fall_from_the_largest_to_zero_and_training_covers_them(name):
    law = framework(name)
    levels = law.levels(12)
    assert levels[0] == pytest.approx(law.sigma_max, rel=1e-6)
    assert levels[-2] == pytest.approx(law.sigma_min, rel=1e-6)
    assert levels[-1] == 0
    assert (levels[:-1] > levels[1:]).all()
    drawn = law.draw(4096, torch.Generator().manual_seed(0))
    assert (drawn > 0).all()
    assert drawn.min() < 10 * law.sigma_min
    assert drawn.max() > law.sigma_max / 10


def test_the_levels_of_ddpm_are_those_of_its_thousand_betas():
    betas = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    abar = torch.cumprod(1 - betas, 0)
    levels = framework("ddpm").levels(1000)[:-1]
    assert torch.allclose(levels, ((1 - abar) / abar).sqrt().flip(0))


def test_strata_spread_the_levels_of_a_batch_evenly():
    law = framework("vp")
    drawn = law.draw(10, torch.Generator().manual_seed(0)).double()
    edges = law.quantile(torch.linspace(0.1, 0.9, 9, dtype=torch.float64))
    assert torch.bucketize(drawn, edges).tolist() == list(range(10))


def test_unknown_frameworks_and_steps_are_refused_in_words():
    with pytest.raises(InputError, match="there is no framework 'edm3'; there are: edm, ddpm"):
        framework("edm3")
    with pytest.raises(InputError, match="at least 1 step"):
        framework("edm").levels(0)


def test_sigma_may_be_a_number_a_number_an_image_or_a_map():
    x = torch.zeros(3, 1, 4, 6)
    assert spread(2.0, x).shape == (3, 1, 1, 1)
    assert spread(torch.tensor([1.0, 2.0, 3.0]), x)[2].item() == 3
    assert spread(torch.ones(3, 1, 4, 6), x).shape == (3, 1, 4, 6)
    assert spread(torch.ones(1, 1, 4, 6), x).shape == (3, 1, 4, 6)
    with pytest.raises(ValueError, match=r"sigma of shape \(2,\) does not fit"):
        spread(torch.ones(2), x)


@pytest.mark.parametrize("shape", [(2, 8, 8), (1, 4, 8, 12)])
@pytest.mark.parametrize("factor", [1, 2, 4])
def test_shuffling_undoes_unshuffling(shape, factor):
    x = torch.randn(2, *shape)
    packed = unshuffle(x, factor)
    assert packed.shape[2:] == tuple(size // factor for size in shape[1:])
    assert torch.equal(shuffle(packed, factor), x)


def test_in_two_dimensions_unshuffling_is_that_of_torch():
    x = torch.randn(2, 3, 8, 8)
    assert torch.equal(unshuffle(x, 2), torch.nn.functional.pixel_unshuffle(x, 2))


def tiny(**options):
    torch.manual_seed(0)
    network = DenoisingUNet((1, 8, 8), (8, 8), patch=1, **options)
    # The last layer of a fresh network is 0; here every input must be seen to matter.
    for parameter in network.parameters():
        if parameter.abs().sum() == 0:
            torch.nn.init.normal_(parameter, std=0.5)
    return Preconditioned(network, Parametrisation("edm"))


def test_a_constant_map_of_noise_is_the_same_as_a_number():
    denoiser, x = tiny(maps=True), torch.randn(2, 1, 8, 8)
    assert torch.allclose(denoiser(x, torch.tensor(0.7)), denoiser(x, torch.full((2, 1, 8, 8), 0.7)), atol=1e-6)


def test_a_map_of_noise_is_seen_by_a_network_that_takes_maps():
    denoiser, x = tiny(maps=True), torch.randn(1, 1, 8, 8)
    half = torch.full((1, 1, 8, 8), 0.2)
    half[..., 4:] = 2.0
    assert not torch.allclose(denoiser(x, half), denoiser(x, half.flip(-1)), atol=1e-3)


def test_every_kind_of_condition_reaches_the_network():
    x, sigma = torch.randn(2, 1, 8, 8), torch.tensor(1.0)
    vector = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    denoiser = tiny(vector=3)
    condition = Condition(vector=vector)
    assert not torch.allclose(denoiser(x, sigma, condition), denoiser(x, sigma, condition.withheld()), atol=1e-4)
    denoiser = tiny(mask=2)
    left = torch.zeros(2, 2, 8, 8)
    left[:, 0, :, :4] = left[:, 1, :, 4:] = 1.0
    assert not torch.allclose(
        denoiser(x, sigma, Condition(mask=left)), denoiser(x, sigma, Condition(mask=left.flip(1))), atol=1e-4
    )
    denoiser = tiny(augmentation=2)
    told = Condition(told=torch.ones(2, 2))
    assert not torch.allclose(denoiser(x, sigma, told), denoiser(x, sigma), atol=1e-4)
    assert torch.allclose(denoiser(x, sigma, Condition(told=torch.zeros(2, 2))), denoiser(x, sigma))


def test_withheld_rows_are_blank_and_say_so():
    condition = Condition(
        vector=torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]), tokens=torch.tensor([[3, 4], [5, 0]])
    )
    found = condition.withheld(torch.tensor([False, True]))
    assert found.vector.tolist() == [[1, 0, 0], [0, 0, 1]]
    assert found.tokens.tolist() == [[3, 4], [0, 0]]
    assert condition.vector.tolist() == [[1, 0, 0], [0, 1, 0]]


def test_sides_that_cannot_be_halved_are_refused_with_the_remedy():
    with pytest.raises(InputError, match="choose sides that are multiples of 4 with --size"):
        DenoisingUNet((1, 30, 32), (8, 8), patch=2)


def test_noise_belongs_to_an_image_and_not_to_a_batch():
    both, alone = Noise([7, 8], (1, 2, 2)), Noise([8], (1, 2, 2))
    for _ in range(3):
        assert torch.equal(both()[1:], alone())
    assert not torch.equal(Noise([7], (4,))(), Noise([8], (4,))())
