"""A package made of phantoms, with an audit and scores that were never computed but agree with the images."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fourfold.images import ImageSet, Preparation
from fourfold.images.phantoms import phantoms
from fourfold.privacy import LIMITS, Policy, write_policy
from fourfold.releasing.package import Contents, folder_digest, open_images, write_package, write_pictures

DAY = date(2026, 3, 31)
SECRET = bytes(range(32))


def prepared(images: np.ndarray, labels: list[str] | None = None, findings: list[dict[str, float]] | None = None):
    """A prepared set in memory, with values in [0, 1]."""
    found = ImageSet.from_array(images.astype(np.float32), name="synthetic", labels=labels)
    if findings is not None:
        entries = tuple(replace(entry, labels=one) for entry, one in zip(found.entries, findings, strict=True))
        found = replace(found, entries=entries)
    return replace(found, preparation=Preparation("range", 0.0, 1.0, images.shape[2:], images.shape[1]))


def contents_of(images: ImageSet, **options: Any) -> Contents:
    """Contents without documents and record."""
    terms = {
        "title": "Phantom chests",
        "description": "Radiographs of nobody.",
        "licence": "CC-BY-4.0",
        "creators": ("A Hospital",),
        "day": DAY,
        "secret": SECRET,
    }
    return Contents(images=images, **{**terms, **options})


def documents_of(contents: Contents, folder: Path) -> dict[str, bytes]:
    """What an audit of the images would leave, with everything agreeing."""
    staged = folder / "staged"
    write_pictures(staged, contents)
    digest = folder_digest(open_images(staged, contents.form))
    sets = {
        "training": {"images": 40, "patients": 20, "digest": "1" * 64},
        "holdout": {"images": 20, "patients": 10, "digest": "2" * 64},
        "synthetic": {"images": len(contents.images), "patients": None, "digest": digest},
    }
    audit = {
        "schema": "fourfold.audit/1",
        "date": DAY.isoformat(),
        "expires": "2027-03-31",
        "verdict": {"status": "pass", "sentence": "Every attack stays below its limit.", "scores": []},
        "scope": "images",
        "signed_by": "Dr A. Example",
        "split_by": "",
        "randomised": True,
        "limits": {name: Policy().limit(name) for name in LIMITS},
        "required": list(Policy().required),
        "sets": sets,
        "stages": [],
        "endpoints": [
            {
                **{"name": "copies", "stage": 1, "score": "privacy/copies", "of": "", "facts": {}, "estimate": 0.0},
                **{"lower": 0.0, "upper": 0.0, "limit": 0.0, "p": 1.0, "adjusted": 1.0, "status": "pass"},
                **{"needed": None, "unit": "images"},
            }
        ],
        "missing": [],
        "blockers": [],
        "detection": {},
        "false_alarms": 0.0,
        "not_tested": ["Attacks that are not known yet."],
        "assumptions": [],
        "settings": {},
    }
    scaling = {"rule": "range", "low": 0.0, "high": 255.0}
    labelled = contents.images.labels is not None
    scores = {
        "schema": "fourfold.scores/1",
        "sets": {
            role: {
                **one,
                "labels": contents.classes if role == "synthetic" and labelled else {},
                "shape": list(contents.images.shape),
                "scaling": scaling,
                "skipped": 0,
            }
            for role, one in sets.items()
        },
        **{"verdict": {"privacy": "pass"}, "verdicts": {}, "scores": [], "extractors": {}},
        **{"preparation": scaling, "settings": {}, "notes": []},
    }
    page = f'<!DOCTYPE html><section class="verdict pass"></section><dd>{audit["expires"]}</dd><code>{digest}</code>'
    policy = write_policy(folder / "policy.toml")
    return {
        "audit.json": json.dumps(audit).encode(),
        "scores.json": json.dumps(scores).encode(),
        "statement.html": page.encode(),
        "shareable.html": b"<!DOCTYPE html><p>evidence</p>",
        "policy.toml": policy.read_bytes(),
    }


def record_of() -> dict[str, Any]:
    """What only the pipeline knows."""
    return {
        "mode": "calibrated",
        "preparation": {"rule": "range", "low": 0.0, "high": 255.0},
        "generator": {"recipe": "gaussian", "digest": "3" * 64},
        "candidates": {"drawn": 100, "rounds": 2, "given_up": 0},
        "screen": {"accepted": 0.4, "features": ["pixels", "radiomics"]},
        "selection": {"rule": "first", "kept": 12},
        "audit": {"status": "pass", "endpoints": 1},
        "utility": {"difference": {"value": -0.004, "interval": [-0.02, 0.01]}},
        "patients": {"training": 20, "holdout": 10},
        "earlier_releases": 0,
        "policy": {"singling_out": 0.05},
    }


def complete(contents: Contents, folder: Path) -> Contents:
    """The same with documents and record."""
    return replace(contents, documents=documents_of(contents, folder), record=record_of())


def chests(count: int = 12, **options: Any) -> Contents:
    """Labelled radiographs with masks."""
    found = phantoms("chest", count, images_per_patient=1, size=24, seed=5)
    options = {"masks": list(found.masks), **options}
    return contents_of(prepared(found.images, found.labels.tolist()), **options)


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package that verifies; never write into it."""
    folder = tmp_path_factory.mktemp("package")
    write_package(folder / "R", complete(chests(), folder))
    return folder / "R"


@pytest.fixture(scope="session")
def make() -> dict[str, Callable[..., Any]]:
    """The functions above, by name."""
    return {
        "chests": chests,
        "complete": complete,
        "contents": contents_of,
        "documents": documents_of,
        "prepared": prepared,
        "record": record_of,
    }
