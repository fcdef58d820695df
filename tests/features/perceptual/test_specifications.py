"""``tuned:PATH`` and ``dreamsim:PATH``, as features are named everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import fourfold as ff
from fourfold.errors import InputError
from fourfold.features import get
from fourfold.features.perceptual import Tuning, ruled, tune, write_tuned
from fourfold.images import prepare


def test_a_tuned_extractor_is_a_feature_space_like_any_other(tmp_path: Path) -> None:
    images = prepare({"images": ff.phantoms("chest", 8, size=24).to_image_set()}, scaling="0:1")["images"]
    options = Tuning("mlp", steps=1, hidden=8)
    network = tune(get("pixels?size=8"), ruled(images, 8), options)
    folder = write_tuned(tmp_path / "tuned", network, "pixels?size=8", options, {"tuned_on": "8 triplets"})
    found = get(f"mine=tuned:{folder}")
    assert found.name == "mine"
    batch = torch.from_numpy(images.load([0, 1]))
    assert torch.equal(found(batch), network(batch))
    with pytest.raises(InputError, match="there is no option 'size'"):
        get(f"tuned:{folder}?size=3")


def test_dreamsim_names_the_files_that_are_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs files that are not there: clip_vitb32_pretrain"):
        get(f"dreamsim:{tmp_path}?variant=clip_vitb32")
