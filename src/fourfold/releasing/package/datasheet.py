"""What people read in a package: ``datasheet.md``, ``README.txt`` and ``LICENSE.txt``.

The datasheet answers the questions of Gebru et al., Datasheets for Datasets (2021), as far as they have an answer for
images that nobody acquired. It is filled from the record of the release, so it holds aggregates only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fourfold.releasing.package.contents import is_identifier
from fourfold.releasing.package.terms import FORBIDDEN, LIMITS, USES, maintenance

__all__ = ["datasheet", "licence_text", "readme"]

_KINDS = {
    "png": "PNG pictures",
    "nifti": "NIfTI volumes",
    "dicom": "DICOM files (Secondary Capture, Synthetic Data YES)",
}
_MODES = {
    "calibrated": "calibrated against patients who were never used, so that accepted images should be neither "
    "nearer to training patients than fresh images would be nor farther from them",
    "published": "by the published rule, its defects mended: a network that recognises patients, against all of them",
}
_LINKS = {
    "CC-BY-4.0": "https://creativecommons.org/licenses/by/4.0/legalcode",
    "CC-BY-SA-4.0": "https://creativecommons.org/licenses/by-sa/4.0/legalcode",
    "CC-BY-NC-4.0": "https://creativecommons.org/licenses/by-nc/4.0/legalcode",
    "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/legalcode",
}

_DETAIL = {"miss_rate_by_kind", "found_by", "dimension", "correction", "distance_before", "distance_after", "gates"}
"""Figures that only a reader with a question needs."""


def datasheet(release: Mapping[str, Any], audit: Mapping[str, Any]) -> str:
    """The datasheet, as Markdown.

    Parameters
    ----------
    release, audit : mapping
        The documents of ``release.json`` and ``audit.json``.
    """
    size = " x ".join(map(str, release["shape"][1:]))
    colour = "grey" if release["shape"][0] == 1 else "RGB"
    patients = release["patients"]
    licence = release["licence"] if is_identifier(release["licence"]) else "see LICENSE.txt"
    parts = [
        f"# {release['title']}: datasheet\n\n{release['description']}",
        _table(
            {
                "images": release["images"],
                "form": f"{_KINDS[release['form']]}, {release['bits']} bits",
                "size": f"{size}, {colour}",
                "released": release["created"],
                "by": ", ".join(release["creators"]),
                "licence": licence,
                "privacy audit": f"{audit['verdict']['status']}, holds until {audit['expires']}",
                "SHA-256 of the images": release["dataset"],
            }
        ),
        "## Motivation\n\nThe set stands in for images of patients that cannot be shared. Every image was drawn by a "
        "generative model; none was acquired from a patient.",
        f"## Composition\n\n{_composition(release)}",
        f"## Collection\n\n{_collection(release)}",
        f"### Screen\n\nCandidates were accepted {_MODES[release['mode']]}.\n\n{_figures(release['screen'])}\n\n"
        "Shares missed by kind of near-duplicate, and further figures, are in `release.json`.",
        f"### Selection\n\n{_figures(release['selection'])}",
        f"## Privacy\n\n{audit['verdict']['sentence']}\n\nTraining patients: {_number(patients['training'])}. Patients "
        f"who were never used, as the control: {_number(patients['holdout'])}. Earlier releases from the same "
        f"patients: {release['earlier_releases']}.\n\n{_endpoints(audit)}\n\n"
        f"Not tested:\n\n{_list(audit['not_tested'])}\n\nWhat limits the audit:\n\n{_list(audit['assumptions'])}",
        f"## Utility\n\n{_figures(release['utility'])}",
        f"## Uses\n\nFor:\n\n{_list(USES)}\n\nForbidden:\n\n{_list(FORBIDDEN)}\n\nLimits:\n\n{_list(LIMITS)}",
        f"## Distribution\n\nLicence: {licence}. `fourfold verify` checks that nothing was changed.",
        f"## Maintenance\n\n{maintenance(audit['expires'])}",
        f"## Policy\n\n{_figures(release['policy'])}",
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def readme(release: Mapping[str, Any], audit: Mapping[str, Any]) -> str:
    """``README.txt``: what lies where, how to read it, how to check it."""
    top = 2 ** release["bits"] - 1
    scale = {
        "png": f"Pixels are whole numbers from 0 to {top}; divide by {top} for values from 0 to 1.",
        "nifti": "Values are from 0 to 1 after the slope and intercept of the header.",
        "dicom": f"Stored values are whole numbers from 0 to {top}; the window maps them to 0 to 1. A volume is a "
        "folder with a file a slice.",
    }
    return "\n".join(
        [
            release["title"],
            "",
            f"{release['images']} synthetic images, drawn by a generative model, not acquired from patients.",
            "",
            "images/          " + scale[release["form"]],
            "masks/           whole numbers from 0 to 255, one mask an image; only where the set has masks",
            "metadata.csv     path, label or label:NAME, mask",
            "datasheet.md     how the set was made, what it is for, what was not tested",
            "statement.html   the privacy statement",
            "audit.json       the same for programs",
            "shareable.html   the evidence; scores.json is the same for programs",
            "policy.toml      the limits that were set before the audit",
            "release.json     how the set was made, for programs",
            "croissant.json   the files and records, for programs that load data sets",
            "LICENSE.txt      the terms",
            "SHA256SUMS       a digest of every file",
            "",
            "Check that nothing was changed:  fourfold verify .  or  sha256sum --check SHA256SUMS",
            f"The privacy statement holds until {audit['expires']}.",
            "",
            *FORBIDDEN,
            "",
        ]
    )


def licence_text(release: Mapping[str, Any]) -> str:
    """``LICENSE.txt``: the given text, or the identifier with where its text stands."""
    licence = release["licence"].strip()
    if not is_identifier(licence):
        return licence + "\n"
    creators = ", ".join(release["creators"])
    return (
        f"{release['title']}\n{creators}, {release['created'][:4]}\n\nSPDX-License-Identifier: {licence}\n"
        f"The text of the licence: {_LINKS.get(licence, f'https://spdx.org/licenses/{licence}')}\n"
    )


def _composition(release: Mapping[str, Any]) -> str:
    classes = release["classes"]
    counts = _table(classes) if classes else "The images have no labels."
    return (
        f"{release['images']} images. The labels are the conditions that the images were drawn under, or what a "
        f"classifier says of them, as the screen below states; nobody annotated them. There are no further columns.\n\n"
        f"{counts}\n\nHow the values of the training images became 0 to 1:\n\n{_figures(release['preparation'])}"
    )


def _collection(release: Mapping[str, Any]) -> str:
    return (
        "Candidates were drawn from a generator, screened, selected and shuffled; image names are their places in that "
        f"order.\n\n### Generator\n\n{_figures(release['generator'])}\n\n### Candidates\n\n"
        f"{_figures(release['candidates'])}"
    )


def _endpoints(audit: Mapping[str, Any]) -> str:
    rows = audit["endpoints"]
    if not rows:
        return "No attack was measured."
    lines = ["| attack | estimate | at most (95 %) | limit | status |", "|---|---|---|---|---|"]
    for row in rows:
        name = f"{row['name']} ({row['of']})" if row["of"] else row["name"]
        numbers = " | ".join(f"{row[key]:.4g}" for key in ("estimate", "upper", "limit"))
        lines.append(f"| {_cell(name)} | {numbers} | {row['status']} |")
    return "\n".join(lines)


def _figures(values: Mapping[str, Any]) -> str:
    """Nested figures as a list, a line each; ``release.json`` has those that are left out."""
    lines = [f"- {name}: {_cell(value)}" for name, value in _flat(values)]
    return "\n".join(lines) or "Nothing is recorded."


def _flat(values: Mapping[str, Any], before: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in values.items():
        if name in _DETAIL:
            continue
        title = f"{before}{str(name).replace('_', ' ')}"
        found.extend(_flat(value, f"{title}, ") if isinstance(value, Mapping) and value else [(title, value)])
    return found


def _table(rows: Mapping[str, Any]) -> str:
    return "\n".join(["| | |", "|---|---|", *(f"| {_cell(name)} | {_cell(value)} |" for name, value in rows.items())])


def _list(entries: Any) -> str:
    return "\n".join(f"- {_cell(entry)}" for entry in entries) or "- nothing is recorded"


def _cell(value: Any) -> str:
    """A value in one line that no table breaks at."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(_cell, value)) or "none"
    if value is None or isinstance(value, Mapping):
        return "none"
    return " ".join(str(value).split()).replace("|", "/")


def _number(value: int | None) -> str:
    return "not known" if value is None else f"{value:,d}"
