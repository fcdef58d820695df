import warnings

import pytest

from fourfold.errors import InputError
from fourfold.features.weights import read_arrays


def test_a_damaged_state_dict_is_refused_without_a_warning(tmp_path):
    (tmp_path / "net.pt").write_bytes(b"\x80\x04evil")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with pytest.raises(InputError, match="cannot be read as a PyTorch"):
            read_arrays(tmp_path / "net.pt")
    assert not told
