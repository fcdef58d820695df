"""Attacks on a diffusion model that is to be shared: what its denoiser tells about who was in the training set.

A model knows more than its samples do, so this is asked only where the model itself leaves the house. `attack_model`
takes any `Denoiser`; `open_denoiser` reads one from a file.
"""

from fourfold.privacy.model.attacks import (
    SIGMAS,
    all_model_attacks,
    loss_attack,
    proximal_attack,
    reversal_attack,
)
from fourfold.privacy.model.denoisers import Denoiser, FileDenoiser, NoisePredictor, open_denoiser
from fourfold.privacy.model.scores import CanaryEpsilon, attack_model, canary_epsilon

__all__ = [
    "SIGMAS",
    "CanaryEpsilon",
    "Denoiser",
    "FileDenoiser",
    "NoisePredictor",
    "all_model_attacks",
    "attack_model",
    "canary_epsilon",
    "loss_attack",
    "open_denoiser",
    "proximal_attack",
    "reversal_attack",
]
