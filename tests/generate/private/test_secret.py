"""The secret that noise and draws come from: kept for its owner alone."""

from __future__ import annotations

import stat

import pytest
import torch
from scipy import stats

from fourfold.errors import InputError
from fourfold.generate.training.secret import SECRET_FILE, Secret, keep_secret

KEY = Secret(bytes(range(32)))


def test_numbers_of_a_secret_are_normal_and_differ_between_keys_purposes_and_places():
    drawn = KEY.normal(200_000, "noise", 3, 0).numpy()
    assert stats.kstest(drawn, "norm").pvalue > 1e-3
    assert torch.equal(KEY.normal(5, "noise", 3, 0), Secret(bytes(range(32))).normal(5, "noise", 3, 0))
    apart = {KEY.number("rows", 3), KEY.number("rows", 4), KEY.number("seed", 3), Secret(bytes(32)).number("rows", 3)}
    assert len(apart) == 4
    # Places that a generator of 32 bits would take for the same.
    assert KEY.number("rows", 5) != KEY.number("rows", 5 + 2**32)


def test_the_secret_is_kept_for_its_owner_alone_and_taken_up_again(tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    first = keep_secret(tmp_path, {"steps": 5, "epsilon": 2.0})
    assert stat.S_IMODE((tmp_path / SECRET_FILE).stat().st_mode) == 0o600
    assert keep_secret(tmp_path, {"steps": 5, "epsilon": 2.0}).hex() == first.hex()
    assert first.hex() not in repr(first)
    assert keep_secret(other, {}).hex() != first.hex()
    with pytest.raises(InputError, match=r"begun with steps = 5 and is now asked to go on with 6"):
        keep_secret(tmp_path, {"steps": 6, "epsilon": 2.0})
    (tmp_path / SECRET_FILE).write_text("{")
    with pytest.raises(InputError, match="cannot be read, so this private training cannot go on"):
        keep_secret(tmp_path, {"steps": 5, "epsilon": 2.0})
