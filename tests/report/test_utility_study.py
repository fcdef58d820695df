import json
import re

import jsonschema
import pytest

from fourfold.errors import InputError
from fourfold.report.utility_study import (
    render_utility_study,
    sentences,
    utility_document,
    utility_schema,
    write_utility_study,
)
from fourfold.report.utility_wording import standing
from fourfold.utility.study import ArmResult, Contrast, Estimate, Findings, SetCounts, Subgroup, UtilityStudy

HOSTILE = "<img onerror=alert(1)>"
DIGEST = 64 * "a"


def arm(name, images, value, **more):
    values = {"auc": Estimate(value, (value - 0.02, value + 0.02)), "ece": Estimate(None), "auc/ill": Estimate(value)}
    facts = {"total": 100, "augmented": False, "before": None, "seeds": (value, value)}
    groups = (Subgroup("sex", HOSTILE, 30, Estimate(value, (value, value))),)
    return ArmResult(name, images, values=values, subgroups=groups, **{**facts, **more})


def contrast(question, subject, own, control, value, standing, **more):
    found = Estimate(value, (value - 0.03, value + 0.03), 0.01)
    facts = {"real": 100, "added": 100, "null_interval": (-0.02, 0.02), "adjusted": 0.02, "share": 0.9}
    groups = (Subgroup("sex", "F", 30, found),)
    parts = {"values": {"auc/ill": found}, "subgroups": groups, "difference": found}
    return Contrast(question, subject, own, control, standing=standing, **{**facts, **parts, **more})


@pytest.fixture(scope="module")
def study():
    arms = (
        arm("100 real", {"real": 100}, 0.9),
        arm(f"100 {HOSTILE}", {HOSTILE: 100}, 0.8),
        arm("100 fresh real", {"fresh real": 100}, 0.9),
        arm(f"50 real + 100 {HOSTILE}", {"real": 50, HOSTILE: 100}, 0.85),
        arm("50 real, repeated to 150", {"real": 50}, 0.84),
        arm(f"100 real, after 100 {HOSTILE}", {"real": 100}, 0.85, before=(HOSTILE, 100)),
    )
    names = [one.name for one in arms]
    contrasts = (
        contrast("substitution", HOSTILE, names[1], names[0], -0.1, "worse"),
        contrast("substitution", "fresh real", names[2], names[0], 0.0, "not told apart"),
        contrast("learning curve", HOSTILE, names[3], names[4], 0.01, "better", real=50, null_interval=None),
        contrast("transfer", HOSTILE, names[5], names[0], 0.0, "unknown", difference=Estimate(None), adjusted=None),
    )
    task = {"kind": "classification", "names": ["ill", "well"], "exclusive": True, "network": "/home/me/net.pt"}
    findings = Findings("intra-task", task, "auc", 200, 150, arms, contrasts)
    names = ("real", "test", "fresh real", HOSTILE)
    return UtilityStudy(
        sets={name: SetCounts(100, None if name == HOSTILE else 90, DIGEST) for name in names},
        findings=(findings,),
        settings={"seeds": 2, "halvings": 0, "steps": 3, "seed": 0, "fresh_part": None},
        preparation={"rule": "range", "low": 0.0, "high": 255.0, "shape": [16, 16]},
        notes=("Something limits it: /data/patients/one.png.",),
    )


def test_the_document_keeps_its_schema(study):
    jsonschema.Draft202012Validator.check_schema(utility_schema())
    document = json.loads(json.dumps(utility_document(study), allow_nan=False))
    jsonschema.validate(document, utility_schema())
    document["findings"][0]["contrasts"][0]["standing"] = "fine"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, utility_schema())


def test_the_leading_answers_say_value_control_and_chance(study):
    said = sentences(study)
    assert said[0] == (
        f"{HOSTILE}: 100 images of it in place of as many real ones: area under the ROC curve 0.800 beside 0.900, "
        "0.100 lower (0.070 to 0.130), p 0.020 after Holm."
    )
    assert any("cannot be told on these test images" in one for one in said)
    assert any(one.startswith("Fresh real") and not one.endswith("after Holm.") for one in said)


def test_the_page_escapes_names_and_fetches_nothing(study):
    page = render_utility_study(study)
    assert HOSTILE not in page
    assert "&lt;img onerror=alert(1)&gt;" in page
    assert re.search(r"Content-Security-Policy. content=.default-src 'none'", page)
    fetched = re.findall(r"(?:src|href)=\"([^\"]+)\"", page)
    assert all(one.startswith("#") for one in fetched)
    assert page.count('<svg class="plot"') == 3


def test_neither_file_names_a_path(study, tmp_path):
    page = write_utility_study(study, tmp_path / "utility")
    assert {file.name for file in page.parent.iterdir()} == {"index.html", "utility.json"}
    for file in page.parent.iterdir():
        text = file.read_text(encoding="utf-8")
        assert "/home/me" not in text
        assert "one.png" not in text


def test_a_folder_that_cannot_be_written_is_said(study, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="a file is in the way"):
        write_utility_study(study, tmp_path / "file")


def test_a_difference_that_the_correction_undoes_is_said_to_be_one(study):
    alone = Estimate(-0.012, (-0.021, -0.004), 0.004)
    found = contrast("substitution", HOSTILE, "a", "b", 0.0, "not told apart", difference=alone, adjusted=0.15)
    assert standing(found).startswith("told apart by itself")
    unsure = Estimate(0.0, (-0.1, 0.1), 0.05)
    wide = contrast("substitution", HOSTILE, "a", "b", 0.0, "not told apart", difference=unsure)
    assert standing(wide).startswith("not told apart")
