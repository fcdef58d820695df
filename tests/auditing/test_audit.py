from __future__ import annotations

import json
from datetime import date

import jsonschema
import numpy as np
import pytest
import torch

import fourfold as ff
from fourfold.auditing import audit_document, audit_schema, statement_of
from fourfold.errors import InputError
from fourfold.images import ImageSet, split_by_patient
from fourfold.images.phantoms import write_demonstration
from fourfold.images.split_record import record_split
from fourfold.privacy import LIMITS, Policy
from fourfold.score import Score

NOTHING_REQUIRED = Policy(required=(), copy_rate=0.2)
FILES = {"audit.json", "images.parquet", "index.html", "scores.json", "shareable.html", "statement.html"}


def only_copies(monkeypatch) -> None:
    """The stages are tested where they are made; here one is enough."""
    kept = tuple(metric for metric in ff.metrics() if metric.key == "privacy/highest_correlation")
    monkeypatch.setattr("fourfold.evaluation.metrics", lambda: kept)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("phantoms")
    write_demonstration(place, patients=40, size=24)
    return place


class Memoriser:
    """Gives back the stored image that is nearest to what it is shown."""

    value_range = (-1.0, 1.0)

    def __init__(self, images: np.ndarray) -> None:
        self.images = torch.from_numpy(2 * images - 1)

    def __call__(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        distances = torch.cdist(x.flatten(1), self.images.flatten(1))
        return self.images[distances.argmin(dim=1)]


def ask(folder, **more):
    return ff.audit(
        folder / "synthetic",
        folder / "training",
        folder / "holdout",
        features=("pixels",),
        store=False,
        day=date(2026, 3, 31),
        **more,
    )


def test_stages_end_as_their_endpoints_do(make_audit, make_scores) -> None:
    found = {stage.name: stage.status for stage in make_audit(make_scores(linked=80)).stages}
    assert found == {
        "validity": "pass",
        "copies": "pass",
        "membership": "pass",
        "worst case": "pass",
        "singling out, linkage, inference": "fail",
        "model": "does not apply",
    }
    blocked = Score("privacy", "exchangeability", 0.7, details={"blocker": "the sets differ"})
    statuses = [stage.status for stage in make_audit([blocked], Policy(scope="model")).stages]
    assert statuses == ["fail", *["not tested"] * 5]
    assert make_audit(make_scores()[1:2]).stages[0].status == "not tested"


def test_the_document_is_valid_and_names_nobody(make_audit, make_scores) -> None:
    jsonschema.Draft202012Validator.check_schema(audit_schema())
    for audit in (make_audit(), make_audit(make_scores(listed=4)), make_audit([], Policy(scope="model"))):
        document = audit_document(audit)
        jsonschema.validate(document, audit_schema())
        assert document["verdict"]["status"] == audit.status
        assert set(document["limits"]) == set(LIMITS)
        text = json.dumps(document)
        assert not [name for name in ("ward7", "MRN", "hospital", "scan_0") if name in text]


def test_the_document_holds_the_facts_behind_every_bound(make_audit) -> None:
    document = audit_document(make_audit())
    rate = next(row for row in document["endpoints"] if row["name"] == "copy_rate")
    assert rate["facts"] == {"count": 0, "size": 3500, "recall": 0.96, "null": 0.0}
    assert document["detection"]["patch_6"]["recall"] == 0.12
    assert document["false_alarms"] == 0.0
    assert document["expires"] == "2027-03-31"


def test_an_audit_of_phantoms_writes_everything_and_judges_by_the_policy(folder, tmp_path, monkeypatch) -> None:
    only_copies(monkeypatch)
    audit = ask(folder, policy=NOTHING_REQUIRED)
    assert audit.day == date(2026, 3, 31)
    page = audit.write(tmp_path / "audit")
    assert page == tmp_path / "audit" / "statement.html"
    assert {path.name for path in page.parent.iterdir()} == FILES
    written = json.loads((page.parent / "audit.json").read_text(encoding="utf-8"))
    jsonschema.validate(written, audit_schema())
    assert written["sets"]["synthetic"]["images"] == len(audit.evaluation.sets.synthetic)
    assert audit.evaluation.policy == NOTHING_REQUIRED


def test_scores_of_further_attacks_enter_the_verdict(folder, monkeypatch) -> None:
    only_copies(monkeypatch)
    entry = {"name": "model_auc", "stage": 5, "kind": "normal", "estimate": 0.9, "standard_error": 0.01, "size": 50}
    attack = Score("privacy", "loss_attack", 0.9, details={"endpoints": [entry]})
    audit = ask(folder, policy=Policy(scope="model"), further=[attack])
    assert audit.status == "fail"
    assert audit.evaluation.verdicts["privacy"].sentence == audit.sentence
    assert audit.evaluation["privacy/loss_attack"].value == 0.9
    assert ask(folder, further=[attack]).status == "inconclusive"


def test_a_model_that_is_shared_is_attacked(folder, monkeypatch) -> None:
    only_copies(monkeypatch)
    training = ask(folder).evaluation.sets.training.load()
    audit = ask(folder, model=Memoriser(training), policy=NOTHING_REQUIRED)
    assert audit.policy.scope == "model"
    area = next(endpoint for endpoint in audit.endpoints if endpoint.name == "model_auc")
    assert area.estimate > 0.95
    assert (audit.status, audit.stages[5].status) == ("fail", "fail")
    assert "attack on the model, area under the curve at least" in audit.sentence


def test_a_model_file_that_is_missing_is_said_before_the_work(tmp_path) -> None:
    with pytest.raises(InputError, match=r"none\.pt"):
        ff.audit("nowhere", "nowhere", "nowhere", model=tmp_path / "none.pt")


def test_the_record_of_a_split_shows_that_chance_decided(folder, monkeypatch) -> None:
    only_copies(monkeypatch)
    sets = ask(folder).evaluation.sets
    shares = {"training": 0.5, "holdout": 0.5}
    everyone = np.concatenate([sets.training.load(), sets.holdout.load()])
    patients = np.concatenate([sets.training.patients, sets.holdout.patients]).tolist()
    parts = split_by_patient(ImageSet.from_array(everyone, patients=patients), shares, seed=5)
    record = record_split(parts, shares, seed=5)
    options = {"features": ("pixels",), "store": False, "split": record}
    audit = ff.audit(sets.synthetic.load(), parts["training"], parts["holdout"], **options)
    assert audit.randomised
    assert "at random by fourfold split (seed 5)" in {fact.value for fact in statement_of(audit).scope}
    swapped = ff.audit(sets.synthetic.load(), sets.training.load(), sets.holdout.load(), **options)
    assert not swapped.randomised


def test_an_audit_needs_a_holdout() -> None:
    with pytest.raises(InputError, match=r"an audit needs a holdout.*fourfold split"):
        ff.audit(np.zeros((3, 1, 8, 8)), np.zeros((3, 1, 8, 8)), None)


def test_the_report_shows_what_decides(make_audit) -> None:
    from fourfold.report import render

    for edition in ("internal", "shareable"):
        said = render(make_audit().evaluation, edition)
        assert "What decides the verdict" in said
        assert "Membership attack, area under the curve" in said
