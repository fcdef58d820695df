"""The package of a release: images, what was found out about them, the terms, and a digest of every file.

`write_pictures` writes the images as the package will hold them, so that they can be audited; `write_package` writes
the whole; `check_labels` says beforehand whether the labels lead to somebody.
"""

from fourfold.releasing.package.contents import DOCUMENTS, Contents, Form
from fourfold.releasing.package.labels import LEAST_PATIENTS, check_labels
from fourfold.releasing.package.pictures import folder_digest, open_images, write_pictures
from fourfold.releasing.package.record import SCHEMA, release_schema
from fourfold.releasing.package.writer import write_package

__all__ = [
    "DOCUMENTS",
    "LEAST_PATIENTS",
    "SCHEMA",
    "Contents",
    "Form",
    "check_labels",
    "folder_digest",
    "open_images",
    "release_schema",
    "write_package",
    "write_pictures",
]
