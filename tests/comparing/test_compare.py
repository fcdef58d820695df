import numpy as np
import pytest

import fourfold as ff
from fourfold.errors import InputError


def sets(tmp_path):
    rng = np.random.default_rng(0)
    return {"a": rng.random((12, 1, 8, 8), dtype=np.float32), "b": tmp_path / "nowhere"}


def test_a_set_that_is_not_there_is_told_before_the_first_is_evaluated(tmp_path):
    tasks = []
    with pytest.raises(InputError, match=r"nowhere: does not exist; correct the path of the set 'b'"):
        ff.compare(sets(tmp_path), tmp_path, progress=lambda task, done, total: tasks.append(task))
    assert not tasks


def test_a_wrong_metric_is_no_fault_of_a_set(tmp_path):
    with pytest.raises(InputError, match=r"^there is no axis or metric 'speed'"):
        ff.compare(sets(tmp_path), tmp_path, only=["speed"])
