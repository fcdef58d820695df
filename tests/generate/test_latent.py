import json

import numpy as np
import pytest
import torch

import fourfold as ff
from fourfold.errors import InputError
from fourfold.features.autoencoder.network import reconstruction_report
from fourfold.generate.conditioning import Conditioning
from fourfold.generate.generator import Drawing
from fourfold.generate.latent import LatentDiffusionGenerator, build_autoencoder, decode, encode
from fourfold.generate.latent.latents import SPREAD, encode_all
from fourfold.generate.recipe import Run, options_of, recipe
from fourfold.generate.training_set import TrainingSet, patients_of
from fourfold.images import prepare

SETTINGS = {"autoencoder": "kl", "autoencoder_channels": [8, 16], "latent_channels": 2, "codes": 8}


@pytest.fixture(scope="module")
def data():
    population = ff.phantoms("chest", 20, size=16)
    images = prepare({"training": population.to_image_set("training")})["training"]
    patients, identified = patients_of(images)
    conditioning = Conditioning.fit(["class"], images, patients)
    return TrainingSet(images, conditioning, conditioning.read(images), patients, identified)


def fitted(data, folder, **options):
    found = recipe("latent-diffusion")
    quick = {"steps": 3, "batch": 8, "channels": "16,16", "autoencoder_steps": 20, "autoencoder_channels": "8,16"}
    return found.fit(data, options_of(found, {**quick, "latent_channels": 2, **options}), Run(folder, snapshots=1000))


@pytest.mark.parametrize("kind", ["kl", "vq"])
def test_both_autoencoders_train_and_report_what_they_lose(data, tmp_path, kind):
    generator, record = fitted(data, tmp_path, autoencoder=kind, adversarial=0.1)
    report = record["autoencoder"]["reconstruction"]
    assert report["measured_on"] == "training"
    assert report["images"] == len(data)
    assert 8 < report["psnr"] < 40
    assert 0 < report["ssim"] <= 1
    assert ("codes_used" in report) == (kind == "vq")
    assert (tmp_path / "reconstructions.png").is_file()
    conditions = generator.conditioning.draw([1, 2])
    drawn = generator.draw([1, 2], conditions, Drawing(evaluations=3))
    assert drawn.shape == (2, 1, 16, 16)
    assert drawn.min() >= 0
    assert drawn.max() <= 1
    settings = json.loads(json.dumps(generator.settings()))
    again = LatentDiffusionGenerator.restore(
        generator.shape, generator.conditioning, settings, dict(generator.arrays())
    )
    assert np.array_equal(again.draw([1, 2], conditions, Drawing(evaluations=3)), drawn)


def test_latents_of_patients_do_not_outlive_the_training(data, tmp_path):
    fitted(data, tmp_path)
    assert not list(tmp_path.rglob("latents*"))


def test_latents_are_standardised_by_what_is_measured(data, tmp_path):
    torch.manual_seed(0)
    autoencoder = build_autoencoder(data.shape, SETTINGS).eval()
    latents = encode_all(autoencoder, data, tmp_path / "latents.safetensors", lambda *_: None)
    generator = torch.Generator().manual_seed(0)
    drawn = torch.cat([latents.draw(np.arange(len(data)), generator) for _ in range(20)])
    assert torch.allclose(drawn.mean(dim=(0, 2, 3)), torch.zeros(2), atol=0.02)
    assert torch.allclose(drawn.std(dim=(0, 2, 3)), torch.full((2,), SPREAD), rtol=0.02)
    assert torch.allclose(latents.scale.raw(latents.scale.standard(latents.mean)), latents.mean, atol=1e-4)


def test_latents_are_taken_from_the_cache_unless_it_is_of_another_autoencoder_or_damaged(data, tmp_path):
    torch.manual_seed(0)
    autoencoder = build_autoencoder(data.shape, SETTINGS).eval()
    cache = tmp_path / "latents.safetensors"
    asked = []

    def encoded():
        asked.clear()
        found = encode_all(autoencoder, data, cache, lambda *_: asked.append(1))
        return found, bool(asked)

    first, computed = encoded()
    assert computed
    second, computed = encoded()
    assert not computed
    assert torch.equal(first.mean, second.mean)
    cache.write_bytes(cache.read_bytes()[:100])
    assert encoded()[1]
    with torch.no_grad():
        next(autoencoder.parameters()).add_(1.0)
    assert encoded()[1]


def test_a_code_book_decodes_the_nearest_codes():
    torch.manual_seed(0)
    autoencoder = build_autoencoder((1, 16, 16), {**SETTINGS, "autoencoder": "vq"}).eval()
    latents, log_variance = encode(autoencoder, torch.rand(1, 1, 16, 16))
    assert log_variance.exp().max() < 1e-10
    with torch.no_grad():
        quantised, _ = autoencoder.quantize(latents)
        assert torch.allclose(decode(autoencoder, latents), decode(autoencoder, quantised), atol=1e-5)


def test_the_report_of_a_perfect_autoencoder_is_perfect(monkeypatch):
    images = np.random.default_rng(0).random((4, 1, 16, 16), dtype=np.float32)
    monkeypatch.setattr("fourfold.features.autoencoder.network.rebuild", lambda autoencoder, shown: shown)
    report = reconstruction_report(torch.nn.Identity(), images)
    assert report["psnr"] == 100
    assert report["ssim"] == pytest.approx(1)


def test_private_training_and_augmentation_are_refused_with_the_reason(data, tmp_path):
    with pytest.raises(InputError, match="its autoencoder would learn from every patient without protection"):
        fitted(data, tmp_path, epsilon=8.0)
    with pytest.raises(InputError, match="augmentation is not offered on latents"):
        fitted(data, tmp_path, augment=0.1)
    with pytest.raises(InputError, match="choose sides that are multiples of 8 with --size"):
        build_autoencoder((1, 12, 12), {**SETTINGS, "autoencoder_channels": [8, 8, 8, 8]})
