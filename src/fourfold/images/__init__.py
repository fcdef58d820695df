"""Read, check, split, prepare and write image sets; phantoms with known truth."""

from fourfold.images.prepare import prepare
from fourfold.images.sets import Entry, ImageSet, Preparation, Skipped
from fourfold.images.sources import drop_broken, open_set

__all__ = ["Entry", "ImageSet", "Preparation", "Skipped", "drop_broken", "open_set", "prepare"]
