"""Read, check, split, prepare and write image sets; phantoms with known truth."""

from fourfold.images.check import CheckReport, check_sets
from fourfold.images.duplicates import near_duplicate_groups
from fourfold.images.prepare import prepare
from fourfold.images.sets import Entry, ImageSet, Preparation, Skipped
from fourfold.images.sources import drop_broken, open_set
from fourfold.images.split import split_by_patient, write_split
from fourfold.images.split_record import (
    SplitRecord,
    randomised_by_us,
    read_split_record,
    record_split,
    write_split_record,
)
from fourfold.images.write import write_image, write_images

__all__ = [
    "CheckReport",
    "Entry",
    "ImageSet",
    "Preparation",
    "Skipped",
    "SplitRecord",
    "check_sets",
    "drop_broken",
    "near_duplicate_groups",
    "open_set",
    "prepare",
    "randomised_by_us",
    "read_split_record",
    "record_split",
    "split_by_patient",
    "write_image",
    "write_images",
    "write_split",
    "write_split_record",
]
