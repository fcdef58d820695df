"""A fabricated audit: scores of every stage, small sets with telling names, no metric computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest

from fourfold.auditing import Audit
from fourfold.comparison import Sets
from fourfold.evaluation import Evaluation, SetSummary, Verdict
from fourfold.images import ImageSet, Preparation, SplitRecord
from fourfold.privacy import Policy, judge
from fourfold.score import Score

DISGUISES = {
    "exact": 1.0,
    "noise": 1.0,
    "intensity": 1.0,
    "small_rotation": 1.0,
    "quarter_turn": 1.0,
    "mirror": 0.98,
    "shift": 0.97,
    "scale": 0.96,
    "crop_80": 0.98,
    "inversion": 1.0,
    "gamma": 1.0,
    "blur_1.5": 1.0,
    "blur_3": 0.62,
    "elastic": 0.71,
    "blend_50": 0.55,
    "patch_25": 0.97,
    "patch_6": 0.12,
    "jpeg": 1.0,
    "half_image": 0.97,
    "bias_field": 1.0,
}


def score(name: str, value: float | None, *endpoints: dict[str, Any], **fields: Any) -> Score:
    """A privacy score that reports endpoints."""
    details = {"endpoints": list(endpoints), **fields.pop("details", {})}
    return Score("privacy", name, value, details=details, **fields)


def fabricated_scores(listed: int = 0, images: int = 3500, recall: float = 0.96, **attack: float) -> list[Score]:
    """One score a stage, close to chance unless told otherwise."""
    power = {
        name: {"planted": 100, "found": round(100 * share), "attributed": round(100 * share), "recall": share}
        for name, share in DISGUISES.items()
    }
    copies = score(
        "copies",
        listed / images,
        {"name": "copies", "stage": 1, "kind": "count", "count": listed},
        {"name": "copy_rate", "stage": 1, "kind": "rate", "count": listed, "size": images, "recall": recall},
        null=0.0,
        interval=(0.0 if not listed else listed / images / 3, listed / images + 0.001),
        better="lower",
        null_source="holdout",
        details={
            "copies": listed,
            "patients": min(listed, 3),
            "images": images,
            "distinct_images": images,
            "holdout_images": 1200,
            "null_images": 2400,
            "false_discovery_rate": 0.05,
            "power": power,
        },
    )
    area = attack.get("area", 0.51)
    return [
        score("exchangeability", 0.5, details={"blocker": None}, reason=None),
        copies,
        score(
            "membership",
            area,
            {
                "name": "membership_auc",
                "stage": 2,
                "kind": "normal",
                "estimate": area,
                "standard_error": 0.02,
                "size": 400,
            },
            {"name": "membership_tpr", "stage": 2, "kind": "proportion", "count": 7, "size": 800},
        ),
        score(
            "worst_case",
            area,
            {
                "name": "worst_case_auc",
                "stage": 3,
                "kind": "normal",
                "estimate": 0.52,
                "standard_error": attack.get("error", 0.03),
                "size": 120,
            },
            {"name": "worst_case_tpr", "stage": 3, "kind": "proportion", "count": 1, "size": 240},
        ),
        score(
            "singling_out",
            0.0,
            {"name": "singling_out_excess", "stage": 4, "kind": "difference", "main": [4, 300], "control": [3, 300]},
        ),
        score(
            "linkage",
            0.0,
            {
                "name": "linkage_excess",
                "stage": 4,
                "kind": "difference",
                "main": [round(attack.get("linked", 12)), 240],
                "control": [11, 160],
            },
        ),
        score(
            "attribute_inference",
            0.0,
            {"name": "inference_excess", "stage": 4, "kind": "difference", "main": [150, 400], "control": [95, 260]},
        ),
    ]


def fabricated(
    scores: Sequence[Score] | None = None,
    policy: Policy | None = None,
    notes: Sequence[str] = (),
    split_by: str = "Data Integration Centre",
    randomised: bool = True,
) -> Audit:
    """An audit of the scores, with sets whose names must not travel."""
    rng = np.random.default_rng(3)
    policy = policy or Policy(signed_by="Dr A. Example, data protection officer")
    preparation = Preparation("range", 0.0, 1.0, (16, 16), 1)

    def images(role: str, size: int, patients: bool) -> ImageSet:
        owners = [f"MRN-{4711 + row // 2}-{role}" for row in range(size)] if patients else None
        found = ImageSet.from_array(rng.random((size, 1, 16, 16), dtype=np.float32), name=role, patients=owners)
        entries = tuple(
            replace(entry, path=f"ward7/{role}_scan_{row:03d}.dcm") for row, entry in enumerate(found.entries)
        )
        return replace(found, entries=entries, preparation=preparation)

    sets = Sets(images("training", 12, True), images("synthetic", 8, False), images("holdout", 10, True))
    sizes = {"training": (2400, 1200), "synthetic": (3500, None), "holdout": (1600, 800)}
    summaries = {
        role: SetSummary(role, f"/data/hospital/{role}", count, patients, {}, (1, 64, 64), f"{place:064x}")
        for place, (role, (count, patients)) in enumerate(sizes.items(), start=0xABCDEF)
    }
    scores = tuple(fabricated_scores() if scores is None else scores)
    judgement = judge(scores, policy)
    evaluation = Evaluation(
        scores=scores,
        verdicts={"privacy": Verdict("privacy", judgement.status, judgement.sentence, judgement.keys)},
        summaries=summaries,
        images={"path": np.array(sets.synthetic.paths, dtype=object)},
        training_images={"path": np.array(sets.training.paths, dtype=object)},
        extractors={},
        preparation=preparation.describe(),
        settings={"seed": 0, "fourfold": "0.1.0"},
        notes=tuple(notes),
        sets=sets,
        comparisons={},
        policy=policy,
    )
    record = SplitRecord(7, "patient", True, {}) if randomised else None
    return Audit(evaluation, judgement, date(2026, 3, 31), split_by, record, randomised)


@pytest.fixture(scope="session")
def make_audit() -> Callable[..., Audit]:
    """Builds an audit; see `fabricated`."""
    return fabricated


@pytest.fixture(scope="session")
def make_scores() -> Callable[..., list[Score]]:
    """The scores of an audit; see `fabricated_scores`."""
    return fabricated_scores
