"""A cluster of two machines, one of which goes away midway."""

import os
import subprocess
import sys

import numpy as np
import pytest

# In a process of its own, since a process knows one cluster at a time.
PROGRAM = """
import os
import sys
import time
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
import numpy as np
import pieces
import ray
from ray.cluster_utils import Cluster
from fourfold.engine import engine_named
from fourfold.features import extract
from fourfold.images import prepare
from fourfold.images.sets import ImageSet

folder = sys.argv[1]
small = {"num_cpus": 1, "object_store_memory": 80_000_000}
cluster = Cluster(initialize_head=True, head_node_args={**small, "include_dashboard": False})
second = cluster.add_node(**small)
image_set = prepare({"training": ImageSet.from_array(np.load(f"{folder}/images.npy"))})["training"]


def working():
    return [node for node in ray.nodes() if node["Alive"]]


def lose_the_second_machine():
    if second in cluster.worker_nodes:
        cluster.remove_node(second, allow_graceful=False)


def progress(task, done, total):
    if done >= 8:
        lose_the_second_machine()


with engine_named("ray", cluster.address) as engine:
    assert (engine.workers, len(working())) == (2, 2)
    shared = engine.share(np.arange(80.0).reshape(40, 2)), engine.share(np.ones(2))
    extractor = pieces.Moments(seconds=0.1)
    found = extract(image_set, extractor, batch_size=1, engine=engine, progress=progress)
    np.save(f"{folder}/features.npy", found)
    while len(working()) > 1:
        time.sleep(0.1)
    # What was shared before is still there, and tasks go to the machine that is left.
    assert list(engine.map(pieces.Product(*shared), range(20))) == [4.0 * k + 1 for k in range(20)]
cluster.shutdown()
"""


def test_a_machine_that_goes_away_costs_no_feature(tmp_path):
    pytest.importorskip("ray", reason="the extra [ray] is not installed")
    import pieces

    from fourfold.features import extract
    from fourfold.images import prepare
    from fourfold.images.sets import ImageSet

    images = np.random.default_rng(0).random((40, 1, 4, 4), dtype=np.float32)
    np.save(tmp_path / "images.npy", images)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, str(tmp_path)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    expected = extract(prepare({"training": ImageSet.from_array(images)})["training"], pieces.Moments())
    assert np.allclose(np.load(tmp_path / "features.npy"), expected, rtol=1e-6)
