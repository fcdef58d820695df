import pytest
import torch

from fourfold.errors import InputError
from fourfold.features import Untrained


@pytest.mark.parametrize("shape", [(2, 1, 28, 28), (2, 3, 33, 17), (2, 1, 9, 20, 20), (2, 1, 1, 1)])
def test_planes_and_volumes_of_any_size_give_256_columns(shape):
    features = Untrained()(torch.rand(shape))
    assert features.shape == (2, 256)
    assert torch.isfinite(features).all()
    assert features.std() > 0


def test_the_seed_alone_decides_the_weights():
    images = torch.rand(2, 1, 28, 28)
    torch.manual_seed(1)
    first = Untrained(seed=5)(images)
    torch.manual_seed(2)
    assert torch.equal(Untrained(seed=5)(images), first)
    assert not torch.equal(Untrained(seed=6)(images), first)
    assert Untrained(seed=5).fingerprint != Untrained(seed=6).fingerprint


def test_the_global_random_state_is_left_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    Untrained()(torch.zeros(1, 1, 8, 8))
    assert torch.equal(torch.rand(1), expected)


def test_it_says_that_it_has_learnt_nothing():
    assert Untrained().describe()["trained_on"] == "nothing"


def test_a_negative_seed_is_refused():
    with pytest.raises(InputError, match=r"^the seed of 'random' must be 0 or above, got -1$"):
        Untrained(seed=-1)
