import numpy as np
import pytest


@pytest.fixture(scope="session")
def spread():
    """Rows, shape (n, d), whose j-th column has the standard deviation j to the power of -`power`."""

    def drawn(n, d, power, seed):
        rng = np.random.default_rng(seed)
        return (rng.normal(size=(n, d)) / np.arange(1, d + 1) ** power).astype(np.float32)

    return drawn
