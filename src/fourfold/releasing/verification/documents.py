"""Whether the documents of a package are what they claim to be, and speak of the same images, limits and days."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from fourfold.auditing import audit_schema
from fourfold.privacy import LIMITS
from fourfold.releasing.package.contents import ENDINGS
from fourfold.releasing.package.croissant import CONFORMS
from fourfold.releasing.package.record import release_schema, violations
from fourfold.releasing.verification.found import Check, Unsound, check_of, read_bounded, read_json
from fourfold.report import scores_schema

__all__ = [
    "Documents",
    "check_agreement",
    "check_croissant",
    "check_expiry",
    "check_images",
    "check_statement",
    "check_texts",
    "check_verdict",
    "read",
]

Documents = Mapping[str, Any]
"""``release.json``, ``audit.json`` and ``scores.json``, by name."""

_LEFT_OUT = "(name left out)"
_ROLES = ("training", "holdout", "synthetic")


def read(folder: Path) -> tuple[Documents, Check]:
    """The documents for programs, those that are valid under their schemas, and what is wrong with the others."""
    schemas = {"release.json": release_schema, "audit.json": audit_schema, "scores.json": scores_schema}
    found: dict[str, Any] = {}
    problems = []
    for name, schema in schemas.items():
        try:
            document = read_json(folder / name)
            broken = violations(document, schema())
        except Unsound as error:
            problems.append(str(error))
            continue
        if broken:
            problems.append(f"{name}: {broken[0]}")
        else:
            found[name] = document
    return found, check_of("schemas", problems, f"{', '.join(schemas)} are valid under their schemas.")


def check_agreement(folder: Path, documents: Documents) -> Check:
    """Whether the three speak of the same sets, verdict and limits."""
    release, audit, scores = (documents[name] for name in ("release.json", "audit.json", "scores.json"))
    problems = []
    for role in _ROLES:
        ours, theirs = audit["sets"].get(role), scores["sets"].get(role)
        if ours is not None and theirs is not None and any(ours[key] != theirs[key] for key in ours if key in theirs):
            problems.append(f"audit.json and scores.json speak of different {role} sets")
    for role in ("training", "holdout"):
        told, counted = release["patients"][role], audit["sets"][role]["patients"]
        if None not in (told, counted) and told != counted:
            problems.append(f"release.json and audit.json count different {role} patients")
    if audit["sets"]["synthetic"]["images"] != release["images"]:
        problems.append("release.json and audit.json count different images")
    synthetic = scores["sets"]["synthetic"]
    if list(synthetic["shape"]) != release["shape"]:
        problems.append("release.json and scores.json state different sizes")
    if synthetic["labels"] and synthetic["labels"] != release["classes"]:
        problems.append("release.json and scores.json count different classes")
    if audit["verdict"]["status"] != release["audit"]["status"]:
        problems.append("release.json and audit.json state different verdicts")
    if audit["date"] > release["created"]:
        problems.append("the audit is younger than the release")
    problems += _changed_limits(_policy(folder), audit)
    return check_of("agreement", problems, "The documents speak of the same sets, verdict and limits.")


def check_verdict(folder: Path, documents: Documents) -> Check:
    """Whether the audit was passed; an inconclusive one is said where the policy accepts it, and fails elsewhere."""
    audit = documents["audit.json"]
    status = audit["verdict"]["status"]
    if status == "inconclusive" and _policy(folder).get("release", {}).get("inconclusive") == "accept":
        return Check("verdict", "warning", "The audit is inconclusive, which the policy accepts.")
    problems = [] if status == "pass" else [f"the audit did not pass: {status}"]
    return check_of("verdict", problems, f"The audit of {audit['date']} passed.")


def check_images(documents: Documents, digest: str, images: int) -> Check:
    """Whether the documents speak of the images that lie there."""
    stated = {
        "release.json": (documents["release.json"]["dataset"], documents["release.json"]["images"]),
        **{
            name: (documents[name]["sets"]["synthetic"]["digest"], documents[name]["sets"]["synthetic"]["images"])
            for name in ("audit.json", "scores.json")
        },
    }
    problems = [
        f"{name} speaks of other images than these" for name, said in stated.items() if said != (digest, images)
    ]
    return check_of("images", problems, f"The documents speak of these {images} images, digest {digest[:12]}...")


def check_statement(folder: Path, documents: Documents) -> Check:
    """Whether the statement names the digest, verdict and last day of the audit, and runs and fetches nothing."""
    audit = documents["audit.json"]
    try:
        page = read_bounded(folder / "statement.html").decode()
    except (Unsound, UnicodeDecodeError):
        return check_of("statement", ["statement.html cannot be read"], "")
    needed = {
        "digest of the images": audit["sets"]["synthetic"]["digest"],
        "verdict": f'class="verdict {audit["verdict"]["status"]}"',
        "last day": audit["expires"],
    }
    problems = [
        f"statement.html does not state the {what} of audit.json" for what, text in needed.items() if text not in page
    ]
    if "<script" in page.lower():
        problems.append("statement.html runs a program")
    return check_of("statement", problems, "The statement names the digest, verdict and last day of the audit.")


def check_texts(folder: Path, documents: Documents) -> Check:
    """Whether what people read names the same images, day and terms."""
    release, audit = documents["release.json"], documents["audit.json"]
    needed = {
        "README.txt": (release["title"], audit["expires"]),
        "LICENSE.txt": (release["licence"].strip(),),
        "datasheet.md": (release["title"], release["dataset"], audit["expires"]),
    }
    problems = []
    for name, words in needed.items():
        try:
            text = read_bounded(folder / name).decode()
        except (Unsound, UnicodeDecodeError):
            problems.append(f"{name} cannot be read")
        else:
            problems += [] if all(word in text for word in words) else [f"{name} speaks of another release"]
    return check_of("texts", problems, f"{', '.join(needed)} name the same images, day and terms.")


def check_expiry(documents: Documents, today: date) -> Check:
    """Whether the statement still holds; an expired one is said, since nothing was changed."""
    expires = documents["audit.json"]["expires"]
    try:
        over = date.fromisoformat(expires) < today
    except ValueError:
        return check_of("expiry", ["audit.json names no day until which it holds"], "")
    if over:
        return Check("expiry", "warning", f"The statement held until {expires}; the audit must be repeated.")
    return Check("expiry", "pass", f"The statement holds until {expires}.")


def check_croissant(
    folder: Path, release: Mapping[str, Any], columns: Sequence[str], digests: Mapping[str, str]
) -> Check:
    """Whether ``croissant.json`` speaks of these files, columns and terms."""
    try:
        found = read_json(folder / "croissant.json")
        problems = _croissant(found, release, columns, digests)
    except Unsound as error:
        problems = [str(error)]
    except (KeyError, TypeError, AttributeError):
        problems = ["croissant.json lacks something that a package states"]
    return check_of("croissant", problems, "croissant.json speaks of these files, columns and terms.")


def _croissant(
    found: Mapping[str, Any], release: Mapping[str, Any], columns: Sequence[str], digests: Mapping[str, str]
) -> list[str]:
    problems = []
    if found["conformsTo"] != list(CONFORMS):
        problems.append("croissant.json conforms to another version")
    names = [one["name"] for one in found["creator"]]
    stated = (found["name"], found["description"], names, found["datePublished"])
    if stated != tuple(release[key] for key in ("title", "description", "creators", "created")):
        problems.append("croissant.json has another title, description, creator or day than release.json")
    if release["dataset"] not in found["citeAs"]:
        problems.append("croissant.json cites other images")
    for part in found["distribution"]:
        if part["@type"] == "cr:FileObject" and digests.get(part["contentUrl"]) != part["sha256"]:
            problems.append(f"croissant.json has another digest of {part['contentUrl']!a:.40}")
        elif part["@type"] == "cr:FileSet" and not any(
            part["includes"] == f"{folder}/{place}{ending}"
            for folder in ("images", "masks")
            for place in ("*", "*/*")
            for ending in ENDINGS.values()
        ):
            problems.append("croissant.json names files that a package does not have")
    named = [field["name"] for field in found["recordSet"][0]["field"]]
    if named[: len(columns)] != list(columns) or set(named) - {*columns, "image"}:
        problems.append("croissant.json names other columns than metadata.csv has")
    return problems


def _policy(folder: Path) -> dict[str, Any]:
    """What ``policy.toml`` holds; raises Unsound."""
    try:
        return tomllib.loads(read_bounded(folder / "policy.toml").decode())
    except (ValueError, RecursionError) as error:
        raise Unsound("policy.toml is no TOML") from error


def _changed_limits(policy: Mapping[str, Any], audit: Mapping[str, Any]) -> list[str]:
    """Whether the limits of the audit are those of the policy that lies beside it."""
    limits = policy.get("limits", {})
    changed = [name for name in LIMITS if name in limits and float(limits[name]) != audit["limits"].get(name)]
    problems = [f"the audit was judged by another limit of {name} than policy.toml has" for name in changed]
    signed = policy.get("signed_by", "")
    # A name that is also that of a file has been taken out of audit.json.
    if signed and signed != audit["signed_by"] and _LEFT_OUT not in audit["signed_by"]:
        problems.append("policy.toml and audit.json were signed by different people")
    return problems
