import pytest
import torch

import fourfold as ff
from fourfold.comparison import Sets
from fourfold.errors import InputError
from fourfold.generate.bare import bare_denoiser
from fourfold.images import prepare
from fourfold.privacy.model import attack_model

TINY = {
    "recipe": "diffusion", "condition": "class", "steps": 2, "batch": 8,
    "options": {"channels": "16,16", "patch": 1},
}  # fmt: skip


@pytest.fixture(scope="module")
def sets():
    population = ff.phantoms("chest", 60, images_per_patient=1, size=16)
    parts = {"training": population.take(range(30)), "holdout": population.take(range(30, 60))}
    prepared = prepare({name: part.to_image_set(name) for name, part in parts.items()})
    return Sets(prepared["training"], prepared["training"], prepared["holdout"])


def test_attacks_on_models_take_a_diffusion_model_of_ours(sets, tmp_path):
    model = ff.train(sets.training, output=tmp_path / "model", **TINY)
    denoiser = ff.open_model(tmp_path / "model").denoiser()
    score = attack_model(sets, denoiser)
    assert score.applies, score.reason
    assert 0 <= score.value <= 1
    x, sigma = torch.randn(2, 1, 16, 16), torch.tensor([0.5, 1.0])
    with torch.no_grad():
        withheld = model.generator.denoiser(x, sigma, model.generator.conditioning.withheld(2))
    assert torch.equal(denoiser(x, sigma), withheld)


def test_a_model_that_always_needs_its_condition_is_refused(sets, tmp_path):
    model = ff.train(sets.training, output=tmp_path / "model", dropout=0.0, **TINY)
    with pytest.raises(InputError, match=r"train it with --set dropout=0\.1"):
        bare_denoiser(model)
