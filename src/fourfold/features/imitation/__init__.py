"""Networks that imitate radiomics: differentiable, and trained on procedural textures instead of patients.

`textures` draws what they learn from, `targets` puts radiomics on a scale that can be learned, `network` is the network
and its body, `training` trains it and says how well each radiomic is imitated, `storage` keeps it, `extractor` makes it
a feature extractor, `uses` gives its first layers to a task's network and its features to a loss.
"""

from fourfold.features.imitation.extractor import Imitation
from fourfold.features.imitation.network import ImitationNetwork, Stages, Tapped
from fourfold.features.imitation.storage import load_network, save_network
from fourfold.features.imitation.textures import draw_textures
from fourfold.features.imitation.training import agreement, imitate
from fourfold.features.imitation.uses import initial_weights, texture_consistency

__all__ = [
    "Imitation",
    "ImitationNetwork",
    "Stages",
    "Tapped",
    "agreement",
    "draw_textures",
    "imitate",
    "initial_weights",
    "load_network",
    "save_network",
    "texture_consistency",
]
