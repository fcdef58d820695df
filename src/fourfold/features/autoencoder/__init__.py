"""Feature spaces of autoencoders: latents, or codes under the Hamming distance, of networks trained on the spot.

A space of its own kind: what is near is what can be rebuilt from nearly the same latents, without any label and without
any image of elsewhere. It works for planes and volumes and needs no file.
"""

from fourfold.features.autoencoder.extractor import Autoencoder
from fourfold.features.autoencoder.storage import load_autoencoder, save_autoencoder
from fourfold.features.autoencoder.trained import Seen, TrainedAutoencoder
from fourfold.features.autoencoder.training import steps_for, train_autoencoder

__all__ = [
    "Autoencoder",
    "Seen",
    "TrainedAutoencoder",
    "load_autoencoder",
    "save_autoencoder",
    "steps_for",
    "train_autoencoder",
]
