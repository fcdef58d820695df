import json

import pytest

from fourfold.comparing.families import families_of, recipe_beside
from fourfold.errors import InputError


def test_a_family_is_given_or_the_recipe_beside_the_set_or_the_set_itself(tmp_path):
    for name in ("gan", "vae"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.json").write_text(json.dumps({"recipe": name}))
    sources = {"one": tmp_path / "gan", "two": str(tmp_path / "vae" / "metadata.csv"), "three": [1, 2]}
    assert families_of(sources, {"one": "mine"}) == {"one": "mine", "two": "vae", "three": "three (its own)"}


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"recipe": 3}'])
def test_what_is_no_record_of_a_model_gives_no_family(tmp_path, content):
    (tmp_path / "model.json").write_text(content)
    assert recipe_beside(tmp_path) is None


def test_a_family_of_a_set_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="a family was given for 'b'; the sets are 'a'"):
        families_of({"a": "x"}, {"b": "gan"})
