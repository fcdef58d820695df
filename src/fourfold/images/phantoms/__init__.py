"""Phantoms: procedural images with known truth, and defects planted in them by dose."""

from fourfold.images.phantoms.defects import Planted, blur, collapse, drop_subgroup, flip_labels, plant_copies
from fourfold.images.phantoms.demonstration import Demonstration, write_demonstration
from fourfold.images.phantoms.population import Phantoms, phantoms
from fourfold.images.phantoms.tampering import TRANSFORMS, Tampering, tampered

__all__ = [
    "TRANSFORMS",
    "Demonstration",
    "Phantoms",
    "Planted",
    "Tampering",
    "blur",
    "collapse",
    "drop_subgroup",
    "flip_labels",
    "phantoms",
    "plant_copies",
    "tampered",
    "write_demonstration",
]
