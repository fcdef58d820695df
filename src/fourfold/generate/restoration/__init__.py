"""Restoration with noise that varies in space (SVNR): clean noisy images, give clean ones noise, draw regions anew."""

from fourfold.generate.restoration.fitting import fit_restorer
from fourfold.generate.restoration.noise_estimation import estimate_read_shot, estimate_rician, missing_noise
from fourfold.generate.restoration.noise_models import KnownNoise, NoiseModel, ReadShotNoise, RicianNoise, parse_noise
from fourfold.generate.restoration.regions import regenerate
from fourfold.generate.restoration.restore import Restored, renoise, restore
from fourfold.generate.restoration.restorer import Restorer, open_restorer
from fourfold.generate.restoration.time_map import GammaSchedule
from fourfold.generate.restoration.training import RestorationOptions

__all__ = [
    "GammaSchedule",
    "KnownNoise",
    "NoiseModel",
    "ReadShotNoise",
    "RestorationOptions",
    "Restored",
    "Restorer",
    "RicianNoise",
    "estimate_read_shot",
    "estimate_rician",
    "fit_restorer",
    "missing_noise",
    "open_restorer",
    "parse_noise",
    "regenerate",
    "renoise",
    "restore",
]
