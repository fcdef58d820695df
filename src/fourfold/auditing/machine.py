"""``audit.json``: the statement for programs, versioned; it names no file and no patient."""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib import resources
from typing import TYPE_CHECKING, Any

from fourfold.auditing.statement import assumptions, untested
from fourfold.privacy import LIMITS
from fourfold.report import Redaction, plain

if TYPE_CHECKING:
    from fourfold.auditing.audit import Audit

__all__ = ["SCHEMA", "audit_document", "audit_json", "audit_schema"]

SCHEMA = "fourfold.audit/1"


def audit_document(audit: Audit) -> dict[str, Any]:
    """The audit as JSON can hold it.

    Returns
    -------
    dict
        Valid under `audit_schema`.
    """
    evaluation, judgement, policy = audit.evaluation, audit.judgement, audit.policy
    copies = next((score for score in evaluation.axis("privacy") if score.name == "copies" and score.applies), None)
    document = {
        "schema": SCHEMA,
        "date": audit.day.isoformat(),
        "expires": audit.expires.isoformat(),
        "verdict": {"status": judgement.status, "sentence": judgement.sentence, "scores": judgement.keys},
        "scope": policy.scope,
        "signed_by": policy.signed_by,
        "split_by": audit.split_by,
        "randomised": audit.randomised,
        "limits": {name: policy.limit(name) for name in LIMITS},
        "required": policy.required,
        "sets": {
            role: {"images": summary.images, "patients": summary.patients, "digest": summary.digest}
            for role, summary in evaluation.summaries.items()
        },
        "stages": [asdict(stage) for stage in audit.stages],
        "endpoints": [
            {
                "name": endpoint.name,
                "stage": endpoint.stage,
                "score": endpoint.score,
                "of": endpoint.of,
                "facts": asdict(endpoint.proof),
                "estimate": endpoint.estimate,
                "lower": endpoint.lower,
                "upper": endpoint.upper,
                "limit": endpoint.limit,
                "p": endpoint.p,
                "adjusted": endpoint.adjusted,
                "status": endpoint.status,
                "needed": endpoint.needed,
                "unit": endpoint.unit,
            }
            for endpoint in audit.endpoints
        ],
        "missing": [{"endpoint": name, "reason": reason} for name, reason in judgement.missing],
        "blockers": judgement.blockers,
        "detection": {} if copies is None else copies.details.get("power", {}),
        "false_alarms": None if copies is None or copies.null_source != "holdout" else copies.null,
        "not_tested": untested(audit),
        "assumptions": assumptions(audit),
        "settings": evaluation.settings,
    }
    return Redaction.of(evaluation).value(plain(document))


def audit_json(audit: Audit) -> bytes:
    """``audit.json``: UTF-8, never NaN or Infinity."""
    return (json.dumps(audit_document(audit), ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode()


def audit_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of ``audit.json``."""
    return json.loads(resources.files("fourfold.auditing").joinpath("audit.schema.json").read_text(encoding="utf-8"))
