"""Prompts and reports as a condition, with the small vocabulary of the house."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from fourfold.errors import InputError
from fourfold.generate.conditioning import Conditioning, Request
from fourfold.generate.conditioning.text import TextPart
from fourfold.generate.conditioning.vocabulary import LONGEST, Vocabulary
from fourfold.images import ImageSet

REPORTS = ["No acute disease.", "Left pleural effusion", "Mild edema, no effusion"]


def image_set(texts, column="report", classes=None):
    images = ImageSet.from_array(np.zeros((len(texts), 1, 4, 4), np.float32), name="training", labels=classes)
    entries = tuple(replace(entry, columns={column: text}) for entry, text in zip(images.entries, texts, strict=True))
    return replace(images, entries=entries)


def fit(texts, request=None, patients=None, **more):
    patients = np.arange(len(texts)) if patients is None else patients
    return Conditioning.fit(["text"], image_set(texts, **more), patients, request)


def personal_reports():
    """Thirty reports: three sentences in turn, each with a name, a date and a number of its own."""
    names = [f"Q{chr(97 + row)}zyx" for row in range(30)]
    return [f"{REPORTS[row % 3]} Patient {names[row]}, MRN {7000 + row}, 1{row:02d}3 seen." for row in range(30)], names


def test_words_of_one_patient_are_never_in_the_model_file():
    texts, names = personal_reports()
    conditioning = fit(texts)
    written = json.dumps(conditioning.record()).lower() + repr(conditioning.arrays())
    assert "effusion" in written
    for row, name in enumerate(names):
        assert name.lower() not in written
        assert str(7000 + row) not in written
        assert f"1{row:02d}3" not in written


def test_a_word_that_one_patient_has_in_many_reports_is_still_theirs():
    texts = ["no finding"] * 10 + ["no finding for Schmidt"] * 10
    conditioning = fit(texts, patients=np.array([*range(10), *[10] * 10]))
    assert conditioning.part("text").words.words == ("finding", "no")
    assert "Schmidt" not in json.dumps(conditioning.record())


def test_rare_words_become_the_unknown_word():
    texts, _ = personal_reports()
    part = fit(texts).part("text")
    rare = part.encode(np.array(["effusion Qazyx"], dtype=object)).tokens
    other = part.encode(np.array(["Effusion 99999!"], dtype=object)).tokens
    assert torch.equal(rare, other)
    assert rare[0, 1] == 1
    assert rare[0, 0] > 1
    assert (rare[0, 2:] == 0).all()


def test_words_beyond_the_length_are_cut_and_their_share_is_recorded():
    texts = ["edema " * (LONGEST + 5)] * 5 + ["edema"] * 15
    conditioning = fit(texts)
    words = conditioning.record()[0]["words"]
    assert (words["length"], words["cut"]) == (LONGEST, 0.25)
    assert conditioning.encode(conditioning.read(image_set(texts))).tokens.shape == (20, LONGEST)


def test_encoding_depends_on_the_text_alone():
    texts, _ = personal_reports()
    part = fit(texts).part("text")
    column = np.array(texts, dtype=object)
    order = np.random.default_rng(0).permutation(30)
    together = part.encode(column).tokens
    assert torch.equal(part.encode(column[order]).tokens, together[order])
    assert torch.equal(part.encode(column[:1]).tokens, together[:1])


def test_withheld_texts_are_nothing_but_padding():
    conditioning = fit(REPORTS * 5)
    condition = conditioning.encode(conditioning.read(image_set(REPORTS))).withheld(torch.tensor([True, False, True]))
    assert (condition.tokens[[0, 2]] == 0).all()
    assert (condition.tokens[1] > 0).any()
    assert torch.equal(conditioning.withheld(2).tokens, condition.tokens[[0, 2]])


def test_the_vocabulary_does_not_depend_on_the_order_of_the_set():
    texts, _ = personal_reports()
    order = np.random.default_rng(0).permutation(30)
    assert fit([texts[row] for row in order]).record() == fit(texts).record()


def test_whole_texts_that_patients_share_are_drawn_by_their_frequency():
    texts = ["no  finding"] * 20 + ["edema"] * 10 + ["edema of Schmidt"] * 4
    conditioning = fit(texts)
    drawn = list(conditioning.draw(range(2000)).columns["text"])
    assert set(drawn) == {"no finding", "edema"}
    assert drawn.count("edema") / 2000 == pytest.approx(1 / 3, abs=0.04)


def test_drawn_texts_fit_the_class():
    images = image_set(["clear"] * 10 + ["edema"] * 10, classes=["well"] * 10 + ["ill"] * 10)
    drawn = Conditioning.fit(["class", "text"], images, np.arange(20)).draw(range(100))
    assert ((drawn.columns["text"] == "edema") == (drawn.columns["class"] == "ill")).all()


def test_where_every_text_is_a_patient_s_own_nothing_is_drawn():
    texts, _ = personal_reports()
    with pytest.raises(InputError, match=r'--condition-value text="\.\.\.", or a table of prompts'):
        fit(texts).draw([0])


def test_a_typed_text_reaches_the_network_and_the_table():
    conditioning = fit(REPORTS * 5)
    drawn = conditioning.draw([0, 1], {"text": " left   effusion "})
    assert conditioning.table(drawn) == [{"text": "left effusion"}] * 2
    assert (conditioning.encode(drawn).tokens[:, :2] > 1).all()
    with pytest.raises(InputError, match="knows none of the words of 'fracture'; it knows 8 words, such as acute"):
        conditioning.draw([0], {"text": "fracture"})
    with pytest.raises(InputError, match="the text is empty"):
        conditioning.draw([0], {"text": "  "})


def test_a_restored_part_is_the_same():
    texts = REPORTS * 5
    conditioning = fit(texts)
    again = Conditioning.restore(json.loads(json.dumps(conditioning.record())), conditioning.arrays())
    assert again.record() == conditioning.record()
    conditions = conditioning.read(image_set(texts))
    assert torch.equal(again.encode(conditions).tokens, conditioning.encode(conditions).tokens)
    assert (again.draw(range(20)).columns["text"] == conditioning.draw(range(20)).columns["text"]).all()


@pytest.mark.parametrize("column", ["text", "Prompt", "REPORT", "caption", "Findings", "impression"])
def test_usual_names_of_the_column_are_recognised(column):
    assert fit(REPORTS * 5, column=column).part("text").column == column


def test_prompts_may_stand_in_a_column_of_another_name():
    conditioning = fit(REPORTS * 5, Request(text="radiologist"), column="radiologist")
    assert list(conditioning.read(image_set(["edema"], column="prompt")).columns["text"]) == ["edema"]


def test_accents_and_capitals_do_not_make_another_word():
    vocabulary = Vocabulary(("kardiomegalie", "ödem"), 4)
    assert torch.equal(vocabulary.encode(["ÖDEM"]).tokens, vocabulary.encode(["o\u0308dem"]).tokens)


@pytest.mark.parametrize(
    ("texts", "request_", "message"),
    [
        (["edema"] * 9 + [" "], None, "training[9]: has no text in the column 'report'"),
        (["edema"] * 9, Request(text="note"), "has no column 'note' of texts; there are: report"),
        ([f"word{chr(97 + row)}" for row in range(9)], None, "no word occurs in the texts of 5 patients or more"),
        (["edema"] * 9, Request(private=True), "a private model may not take its words from the patients' texts"),
    ],
)
def test_bad_texts_are_refused_in_words(texts, request_, message):
    with pytest.raises(InputError) as error:
        fit(texts, request_)
    assert message in str(error.value)


def test_a_set_without_texts_is_told_how_a_column_may_be_called():
    with pytest.raises(InputError, match="has no column of texts; call one text, prompt, report"):
        fit(REPORTS, column="notes")


def test_a_vocabulary_needs_no_file_of_its_own():
    part = fit(REPORTS * 5).part("text")
    assert isinstance(part, TextPart)
    with pytest.raises(InputError, match="needs no file of its own"):
        part.locate("somewhere")
