from dataclasses import replace

import numpy as np
import pytest

from fourfold.report.redaction import Redaction, plain


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("read from /mnt/data/x.png today", "read from (name left out) today"),
        (r"C:\scans\a is broken", "(name left out) is broken"),
        ("~/store was full", "(name left out) was full"),
        ("scan 3.dcm has no pixels", "scan (name left out) has no pixels"),
        ("volume.nii.gz#12: truncated", "(name left out): truncated"),
    ],
)
def test_paths_and_file_names_are_left_out_of_free_text(text, said):
    assert Redaction().text(text) == said


@pytest.mark.parametrize(
    "text",
    [
        "real/synthetic at 1/2 of 90 images, and/or 3 / 4",
        "Naeem et al. 2020, https://proceedings.mlr.press/v119/naeem20a",
        "coverage 0.81 [0.76, 0.86] where fresh real images would score 0.96.",
        "variety/coverage@radiomics",
        "half of the training patients (e.g. 20)",
    ],
)
def test_ordinary_words_are_left_alone(text):
    assert Redaction().text(text) == text


def test_names_of_the_sets_are_left_out_wherever_they_are_quoted(evaluation):
    redaction = Redaction.of(evaluation)
    text = "ward7/MRN-4712/scan_003.dcm and scan_003.dcm of MRN-4712, the folder /data/hospital/training"
    assert redaction.text(text) == (
        "(name left out) and (name left out) of (name left out), the folder (name left out)"
    )


def test_a_folder_with_an_ordinary_name_does_not_take_the_word_away(evaluation):
    named = {
        role: replace(summary, path=role if role == "training" else f"sets/{role}")
        for role, summary in evaluation.summaries.items()
    }
    text = "the training set, sets/holdout and the holdout set"
    said = "the training set, (name left out) and the holdout set"
    assert Redaction.of(replace(evaluation, summaries=named)).text(text) == said


def test_names_are_left_out_of_keys_and_nested_values():
    redaction = Redaction(("patient-a",))
    assert redaction.value({"patient-a": ["patient-a", 1, {"x": "patient-a!"}]}) == {
        "(name left out)": ["(name left out)", 1, {"x": "(name left out)!"}]
    }


def test_a_name_inside_a_longer_word_is_not_that_name():
    assert Redaction(("cart12",)).text("cart123 and cart12") == "cart123 and (name left out)"


def test_plain_values_hold_only_what_json_can_hold():
    mixed = {1: np.int64(3), "a": (np.nan, np.bool_(True)), "s": np.array(["x"]), "p": {2.5: None}}
    assert plain(mixed) == {"1": 3, "a": [None, True], "s": ["x"], "p": {"2.5": None}}
