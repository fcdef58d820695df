"""Metrics of a training on several devices: two processes that each see a part agree with one that sees all."""

import os
import subprocess
import sys

import numpy as np
import pytest

from fourfold import fidelity, variety

# The second process sees no holdout image, and the two see different numbers of images.
PROGRAM = """
import os
import sys
import numpy as np
import torch
from torch import distributed
from fourfold.monai import CumulativeSetMetric
from fourfold.torchmetrics import Coverage, FrechetDistance, LikelihoodDivergence

folder = sys.argv[1]
other = os.fork()  # after the imports, which take longer than everything else
rank = 0 if other else 1
sets = {role: torch.from_numpy(rows) for role, rows in np.load(f"{folder}/sets.npz").items()}
part = {role: rows[:35] if rank == 0 else rows[35:] for role, rows in sets.items() if role != "holdout"}
if rank == 0:
    part["holdout"] = sets["holdout"]
distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
asked = [Coverage(), FrechetDistance(4), LikelihoodDivergence()]
for metric in asked:
    for role, rows in part.items():
        for batch in rows.split(15):
            metric.update(batch, real=role != "synthetic", holdout=role == "holdout")
cumulative = CumulativeSetMetric("kernel_distance")
cumulative(y_pred=part["synthetic"], y=part["training"])
values = [float(metric.compute()) for metric in asked] + [float(cumulative.aggregate())]
np.save(f"{folder}/values{rank}.npy", values)
distributed.destroy_process_group()
if other:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(other, 0)[1]))
"""


def test_two_processes_agree_with_one(tmp_path):
    rng = np.random.default_rng(0)
    sets = {"training": rng.normal(size=(80, 4)), "synthetic": 0.8 * rng.normal(size=(60, 4)) + 0.3}
    sets["holdout"] = rng.normal(size=(40, 4))
    np.savez(tmp_path / "sets.npz", **sets)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    training, synthetic, holdout = sets["training"], sets["synthetic"], sets["holdout"]
    expected = [
        variety.coverage(training, synthetic),
        fidelity.frechet_distance(training, synthetic),
        fidelity.likelihood_divergence(training, holdout, synthetic),
        fidelity.kernel_distance(training, synthetic),
    ]
    for rank in (0, 1):
        assert np.load(tmp_path / f"values{rank}.npy") == pytest.approx(expected, rel=1e-9)
