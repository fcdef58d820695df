"""What was published about who memorises, when, and what it is seen by."""

from __future__ import annotations

from fourfold.studies.study import Claim

__all__ = ["CLAIMS"]

_BEWARE = "Akbar, Wang, Eklund 2025 (Beware of diffusion models for synthesizing medical images)"
_OVERTRAINED = "Dar et al. 2024 (Unconditional latent diffusion models memorize patient imaging data)"

CLAIMS = (
    Claim("more", "Diffusion models memorise training images more than StyleGANs do", _BEWARE),
    Claim(
        "equals", "The two are compared as equals: neither draws worse images", "taken for granted by the first claim"
    ),
    Claim("small", "They do so most where the training set is small", _BEWARE),
    Claim("correlation", "The highest correlation with training images shows memorisation", _BEWARE),
    Claim("onset", "Memorisation sets in during training and grows with it", _OVERTRAINED),
    Claim("later", "The larger the training set, the later it sets in", _OVERTRAINED),
)
