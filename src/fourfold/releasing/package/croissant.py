"""``croissant.json``: the package described for programs that load data sets (Croissant 1.0, MLCommons).

Beside the files and their records it states uses, limits and what was done about personal information in the
vocabulary for responsible use (Croissant RAI 1.0).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fourfold.releasing.package.contents import ENDINGS, is_identifier
from fourfold.releasing.package.pictures import METADATA
from fourfold.releasing.package.terms import FORBIDDEN, LIMITS, USES, maintenance

__all__ = ["CONFORMS", "croissant_document"]

CONFORMS = ("http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0")

_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{
        name: f"cr:{name}"
        for name in (
            *("citeAs", "column", "equivalentProperty", "extract", "field", "fileProperty", "fileObject", "fileSet"),
            *("format", "includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet"),
            *("references", "regex", "repeated", "replace", "samplingRate", "separator", "source", "subField"),
            "transform",
        )
    },
}
_ENCODINGS = {"png": "image/png", "nifti": "application/x-nifti", "dicom": "application/dicom"}
_TEXTS = {"release.json": "application/json", "audit.json": "application/json", "datasheet.md": "text/markdown"}


def croissant_document(
    release: dict[str, Any], columns: Sequence[str], digests: dict[str, str], expires: str
) -> dict[str, Any]:
    """The description, as JSON can hold it.

    Parameters
    ----------
    release : dict
        The document of ``release.json``.
    columns : sequence of str
        Of ``metadata.csv``.
    digests : dict of str to str
        SHA-256 by path, of the files that stand in it by name: ``metadata.csv``, ``release.json``, ``audit.json`` and
        ``datasheet.md``.
    expires : str
        Day until which the statement holds.
    """
    licence, creators = release["licence"], ", ".join(release["creators"])
    files = {METADATA: "text/csv", **_TEXTS}
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": list(CONFORMS),
        "name": release["title"],
        "description": release["description"],
        "license": f"https://spdx.org/licenses/{licence}" if is_identifier(licence) else "LICENSE.txt",
        "creator": [{"@type": "sc:Organization", "name": name} for name in release["creators"]],
        "datePublished": release["created"],
        "version": "1.0.0",
        "url": f"urn:sha256:{release['dataset']}",
        "citeAs": f"{creators}: {release['title']}. Synthetic image set, {release['created'][:4]}. "
        f"SHA-256 of the images {release['dataset']}.",
        "rai:dataCollection": "Drawn by a generative model; no image was acquired from a patient.",
        "rai:dataCollectionType": ["Software Collection"],
        "rai:dataUseCases": list(USES),
        "rai:dataLimitations": [*LIMITS, *FORBIDDEN],
        "rai:dataBiases": [
            "The images follow the training patients of one generator, with their frequencies of disease, devices and "
            "groups; what is rare there is rarer here, or absent."
        ],
        "rai:personalSensitiveInformation": [
            "The set was made from images of patients. The statement says which attacks on them were tried, what they "
            "achieved, and what was not tested."
        ],
        "rai:dataReleaseMaintenancePlan": maintenance(expires),
        "distribution": [
            *(
                {
                    "@type": "cr:FileObject",
                    "@id": name,
                    "name": name,
                    "contentUrl": name,
                    "encodingFormat": encoding,
                    "sha256": digests[name],
                }
                for name, encoding in files.items()
            ),
            _files("images", release["form"], volumes=len(release["shape"]) == 4),
            *([_files("masks", _mask_form(release), volumes=False)] if "mask" in columns else []),
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "records",
                "name": "records",
                "description": "One record a row of metadata.csv.",
                "key": {"@id": "records/path"},
                "field": [*(_column(name, release) for name in columns), *_content(release)],
            }
        ],
    }


def _mask_form(release: dict[str, Any]) -> str:
    return "png" if len(release["shape"]) == 3 else "nifti"


def _files(folder: str, form: str, volumes: bool) -> dict[str, Any]:
    place = "*/*" if form == "dicom" and volumes else "*"
    return {
        "@type": "cr:FileSet",
        "@id": folder,
        "name": folder,
        "encodingFormat": _ENCODINGS[form],
        "includes": f"{folder}/{place}{ENDINGS[form]}",
    }


def _column(name: str, release: dict[str, Any]) -> dict[str, Any]:
    source: dict[str, Any] = {"fileObject": {"@id": METADATA}, "extract": {"column": name}}
    field = {
        "@type": "cr:Field",
        "@id": f"records/{name.replace(':', '_')}",
        "name": name,
        "dataType": "sc:Float" if name.startswith("label:") else "sc:Text",
        "source": source,
    }
    if name == "path" and release["form"] == "png":
        # Programs know an image by the name of its file, without the folder.
        source["transform"] = {"regex": "(?:images/)?(.+)"}
        field["references"] = {"fileSet": {"@id": "images"}, "extract": {"fileProperty": "filename"}}
    return field


def _content(release: dict[str, Any]) -> list[dict[str, Any]]:
    """The pixels, where programs for this format decode them by themselves."""
    if release["form"] != "png":
        return []
    source = {"fileSet": {"@id": "images"}, "extract": {"fileProperty": "content"}}
    return [
        {"@type": "cr:Field", "@id": "records/image", "name": "image", "dataType": "sc:ImageObject", "source": source}
    ]
