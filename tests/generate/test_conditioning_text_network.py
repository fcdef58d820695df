"""From texts to word vectors."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fourfold.generate.condition import Condition
from fourfold.generate.conditioning import Conditioning
from fourfold.generate.conditioning.aggregates import SharedValues
from fourfold.generate.conditioning.text import TextPart
from fourfold.generate.conditioning.text_encoder import TextEncoder
from fourfold.generate.networks.text import ContextProjection, TokenEncoder, text_network
from fourfold.generate.networks.unet import DenoisingUNet
from fourfold.images import ImageSet


@pytest.fixture
def conditioning():
    images = ImageSet.from_array(np.zeros((10, 1, 8, 8), np.float32), name="training")
    texts = ["no edema", "left effusion seen"] * 5
    entries = tuple(replace(entry, columns={"text": text}) for entry, text in zip(images.entries, texts, strict=True))
    return Conditioning.fit(["text"], replace(images, entries=entries), np.arange(10))


def tokens(*rows):
    return Condition(tokens=torch.tensor(rows))


def test_words_have_the_width_that_was_asked_for(conditioning):
    network = text_network(conditioning, 16)
    words = network(conditioning.encode(conditioning.draw(range(3))))
    assert words.shape == (3, 1 + conditioning.part("text").words.length, 16)
    assert network.width == 16


def test_padding_changes_nothing():
    network = TokenEncoder(12, 8, 16).eval()
    short, long = network(tokens([3, 4, 5])), network(tokens([3, 4, 5, 0, 0, 0]))
    torch.testing.assert_close(long[:, :4], short, atol=1e-6, rtol=1e-5)
    assert (long[:, 4:] == 0).all()


def test_a_withheld_text_is_finite_in_value_and_gradient():
    network = TokenEncoder(12, 8, 16)
    words = network(tokens([0, 0, 0], [3, 4, 5]).withheld(torch.tensor([True, False])))
    assert words.isfinite().all()
    assert (words[0, 1:] == 0).all()
    assert words[0, 0].abs().sum() > 0
    words.square().mean().backward()
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in network.parameters())


def test_a_row_does_not_depend_on_the_others():
    network = TokenEncoder(12, 8, 16).eval()
    both = network(tokens([3, 4, 5, 0], [6, 7, 8, 9]))
    torch.testing.assert_close(network(tokens([6, 7, 8, 9])), both[1:], atol=1e-6, rtol=1e-5)


def test_the_order_of_words_matters():
    network = TokenEncoder(12, 8, 16).eval()
    both = network(tokens([3, 4, 5], [5, 4, 3]))
    assert (both[0, 0] - both[1, 0]).abs().max() > 1e-4


def test_a_context_is_projected_and_a_withheld_one_is_one_vector():
    network = ContextProjection(6, 16)
    words = network(Condition(context=torch.randn(2, 5, 6)).withheld(torch.tensor([True, False])))
    assert words.shape == (2, 5, 16)
    torch.testing.assert_close(words[0], words[0, :1].expand(5, -1))
    assert words.isfinite().all()


def test_the_network_suits_the_conditioning(conditioning):
    frozen = TextPart("text", TextEncoder("tiny", "0" * 64, 6, 5), SharedValues({}))
    assert isinstance(text_network(conditioning, 16), TokenEncoder)
    assert isinstance(text_network(Conditioning([frozen]), 16), ContextProjection)
    assert text_network(Conditioning(), 16) is None


def test_the_unet_hears_the_text(conditioning):
    torch.manual_seed(0)
    network = DenoisingUNet((1, 8, 8), (8, 8), text=text_network(conditioning, 16)).eval()
    # The last convolution starts at zero, so that an untrained network says nothing.
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter)
    x, noise = torch.randn(1, 1, 8, 8).expand(2, -1, -1, -1), torch.zeros(2)
    edema = conditioning.encode(conditioning.draw([0, 0], {"text": "edema"}))
    half = edema.withheld(torch.tensor([False, True]))
    out = network(x, noise, half)
    assert out.isfinite().all()
    assert (out[0] - out[1]).abs().max() > 1e-3
