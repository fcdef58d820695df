"""A plan from the first measurement to the file."""

import argparse
import json

import jsonschema
import pytest

from fourfold.cli import plan as command
from fourfold.errors import InputError
from fourfold.images.phantoms import phantoms
from fourfold.planning import Sizes, plan
from fourfold.planning.document import plan_document, plan_schema, read_constants, write_plan
from fourfold.planning.table import duration, lines, operations, size

ONLY = ["fidelity/precision", "variety/vendi_score"]
SMALL = {"features": ("histogram",), "only": ONLY, "image_size": 16}


@pytest.fixture(scope="module")
def planned():
    return plan(60, 60, 30, **SMALL)


def test_a_plan_has_every_step_with_time_and_memory(planned):
    names = [step.name for step in planned.steps]
    assert names == ["reading", "features", "neighbours", "draws", *ONLY]
    assert planned.timed
    assert planned.seconds.wall > 0
    assert all(step.seconds.wall >= step.seconds_at_best.wall >= 0 for step in planned.steps)
    assert planned.memory > planned.held > 0
    assert planned.passes == 6


def test_the_document_is_valid_and_its_constants_give_the_same_plan(planned, tmp_path):
    document = plan_document(planned)
    jsonschema.Draft202012Validator(plan_schema()).validate(document)
    file = write_plan(planned, tmp_path / "plan.json")
    constants = read_constants(file)
    assert constants == planned.constants
    again = plan(60, 60, 30, **SMALL, constants=constants)
    assert again.steps == planned.steps
    larger = plan(60_000, 60_000, 3_000, **SMALL, constants=constants)
    assert larger.seconds.wall > planned.seconds.wall


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "is no plan"),
        ('{"schema": "fourfold.plan/1"}', "is a plan of another version; measure again"),
        ('{"schema": "fourfold.plan/2"}', "its constants are damaged"),
        ('{"schema": "fourfold.plan/2", "constants": {"shape": 3}}', "its constants are damaged"),
    ],
)
def test_damaged_constants_are_refused(text, message, tmp_path):
    file = tmp_path / "plan.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_constants(file)


def test_missing_constants_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"cannot be read \(No such file or directory\)"):
        read_constants(tmp_path / "none.json")


def test_constants_of_other_spaces_are_refused(planned):
    with pytest.raises(InputError, match="do not cover the feature space 'pixels'"):
        plan(60, 60, features=("pixels",), constants=planned.constants)


def test_without_a_measurement_there_are_counts_alone():
    found = plan(60, 60, 30, **SMALL, measure=False)
    assert not found.timed
    assert found.seconds.wall == 0
    assert found.passes == 6
    assert found.multiplications > 0
    assert found.memory > 0
    text = "\n".join(lines(found))
    assert "Nothing was timed" in text
    jsonschema.Draft202012Validator(plan_schema()).validate(plan_document(found))


def test_sets_in_files_give_their_sizes_and_shapes(tmp_path):
    for name, first in (("training", 0), ("synthetic", 100)):
        phantoms("chest", 26, images_per_patient=1, size=20, first_patient=first).write(tmp_path / name)
    found = plan(tmp_path / "synthetic", tmp_path / "training", **{**SMALL, "only": ["variety/vendi_score"]})
    assert found.sizes == Sizes(26, 26)
    assert found.constants.shape == (1, 20, 20)


def test_wrong_calls_are_refused(tmp_path):
    with pytest.raises(InputError, match="either the sizes of all sets or the sets themselves"):
        plan(60, tmp_path, **SMALL)
    with pytest.raises(InputError, match="knows the engines local and ray, got 'mars'"):
        plan(60, 60, **SMALL, engine="mars")
    with pytest.raises(InputError, match="--workers must be at least 1, got 0"):
        plan(60, 60, **SMALL, workers=0)


def parsed(*words):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args([*words, "--quiet"])


def test_the_command_prints_a_table_and_writes_the_plan(planned, tmp_path, capsys):
    constants, file = write_plan(planned, tmp_path / "constants.json"), tmp_path / "plan.json"
    words = ["--train-size", "1000000", "--synthetic-size", "1000000", "--features", "histogram", "--json", str(file)]
    words += ["--only", ONLY[0], "--only", ONLY[1], "--engine", "ray", "--workers", "16"]
    assert command.run(parsed(*words, "--constants", str(constants))) == 0
    said = capsys.readouterr().out
    assert "neighbours (histogram)" in said
    assert "16 workers of a cluster" in said
    assert "in all" in said
    written = json.loads(file.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(plan_schema()).validate(written)
    assert written["sets"] == {"training": 1_000_000, "synthetic": 1_000_000}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--train-size", "10"], "give SYN and --train T, or --synthetic-size and --train-size"),
        (["syn", "--synthetic-size", "10", "--train", "t"], "the synthetic set is given and its size as well"),
        (["--train-size", "0", "--synthetic-size", "10", "--no-measure"], "the training set has 0 images"),
    ],
)
def test_the_command_refuses_what_contradicts_itself(words, message):
    with pytest.raises(InputError, match=message):
        command.run(parsed(*words))


def test_lengths_of_time_and_numbers_are_told_in_fitting_units():
    assert [duration(seconds) for seconds in (0.31, 300, 9000, 400_000)] == ["0.3 s", "5.0 min", "2.5 h", "4.6 days"]
    assert [size(number) for number in (5 << 20, 3 << 30)] == ["5 MiB", "3.0 GiB"]
    assert [operations(number) for number in (1e9, 1e12, 1e15)] == ["2.0 GFLOP", "2.0 TFLOP", "2.0 PFLOP"]
