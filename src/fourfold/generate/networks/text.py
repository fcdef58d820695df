"""From a condition to word vectors for cross-attention, by an encoder that is trained with the model or frozen."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fourfold.generate.condition import Condition
from fourfold.generate.conditioning import Conditioning
from fourfold.generate.conditioning.text import TextPart
from fourfold.generate.conditioning.text_encoder import TextEncoder

__all__ = ["ContextProjection", "TokenEncoder", "text_network"]


class TokenEncoder(nn.Module):
    """A small transformer over the numbers of words.

    A learned vector stands before the words, attends to them and is attended to: it sums the text up, and is all that
    there is where the text is withheld. Padding is not attended to and comes out as zeros.

    Parameters
    ----------
    words : int
        Different numbers, 0 (padding) included.
    length : int
        Most numbers of a text.
    width : int
        Of a word vector.
    layers : int
        Of the transformer.

    References
    ----------
    A. Vaswani et al., NeurIPS 2017; with normalisation before each step (R. Xiong et al., ICML 2020).
    """

    def __init__(self, words: int, length: int, width: int, layers: int = 2) -> None:
        super().__init__()
        self.width = width
        self.embedding = nn.Embedding(words, width, padding_idx=0)
        self.positions = nn.Parameter(0.02 * torch.randn(length + 1, width))
        self.summary = nn.Parameter(torch.randn(width))
        layer = nn.TransformerEncoderLayer(
            width, _heads(width), 2 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.transformer = nn.TransformerEncoder(layer, layers, nn.LayerNorm(width), enable_nested_tensor=False)

    def forward(self, condition: Condition) -> Tensor:
        """Word vectors, shape (n, 1 + L, `width`), from ``condition.tokens`` of shape (n, L)."""
        tokens = condition.tokens
        summary = self.summary.expand(len(tokens), 1, -1)
        x = torch.cat([summary, self.embedding(tokens)], dim=1) + self.positions[: tokens.shape[1] + 1]
        padding = torch.cat([torch.zeros_like(tokens[:, :1], dtype=torch.bool), tokens == 0], dim=1)
        x = self.transformer(x, src_key_padding_mask=padding)
        return x.masked_fill(padding[..., None], 0.0)


class ContextProjection(nn.Module):
    """The vectors of a frozen encoder, projected word by word; what is withheld becomes one learned vector.

    Parameters
    ----------
    features : int
        Numbers a word of the frozen encoder.
    width : int
        Of a word vector.
    """

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.projection = nn.Sequential(nn.LayerNorm(features), nn.Linear(features, width))

    def forward(self, condition: Condition) -> Tensor:
        """Word vectors, shape (n, L, `width`), from ``condition.context`` of shape (n, L, `features`)."""
        return self.projection(condition.context)


def text_network(conditioning: Conditioning, width: int) -> nn.Module | None:
    """The network for the text of a conditioning, None where it has none.

    Parameters
    ----------
    conditioning : Conditioning
    width : int
        Of a word vector.
    """
    part = conditioning.part("text")
    if not isinstance(part, TextPart):
        return None
    if isinstance(part.words, TextEncoder):
        return ContextProjection(part.words.width, width)
    return TokenEncoder(len(part.words), part.words.length, width)


def _heads(width: int) -> int:
    """Heads of about 16 numbers each that divide the width."""
    return next(heads for heads in (8, 4, 2, 1) if width % heads == 0 and (width >= 16 * heads or heads == 1))
