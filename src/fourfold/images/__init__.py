"""Read, check, split, prepare and write image sets; phantoms with known truth."""

from fourfold.images.sets import Entry, ImageSet, Preparation, Skipped

__all__ = ["Entry", "ImageSet", "Preparation", "Skipped"]
