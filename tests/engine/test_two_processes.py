"""Two processes of torchrun do half of the work each and know all of it."""

import os
import subprocess
import sys

import numpy as np
import pytest

from fourfold.features import FeatureStore

PROGRAM = """
import os
import sys
import numpy as np
import pieces
from fourfold.engine import engine_named
from fourfold.errors import InputError, UnreadableImage
from fourfold.features import FeatureStore, extract
from fourfold.images import prepare
from fourfold.images.sets import ImageSet

folder = sys.argv[1]
other = os.fork()  # after the imports, which take longer than everything else
rank = 0 if other else 1
os.environ["RANK"] = os.environ["LOCAL_RANK"] = str(rank)
engine = engine_named("torchrun")
assert (engine.workers, engine.leads, engine.device("cuda")) == (2, rank == 0, f"cuda:{rank}")
shared = engine.share(np.arange(20.0).reshape(10, 2)), engine.share(np.ones(2))
rows = list(engine.map(pieces.Product(*shared), range(9)))
assert rows == [4.0 * k + 1 for k in range(9)], rows
assert len(set(engine.map(pieces.where, range(6)))) == 2
try:
    list(engine.map(pieces.refuse, range(8)))
except UnreadableImage as error:
    assert "image-3.png" in str(error)
else:
    raise SystemExit("nobody refused")
assert engine.once(os.getpid) == (os.getpid() if rank == 0 else os.getppid())
images = np.load(f"{folder}/images.npy")
image_set = prepare({"training": ImageSet.from_array(images)})["training"]
# Each process has a folder of its own: only that of process 0 may be written.
store = FeatureStore(f"{folder}/store{rank}")
found = [extract(image_set, pieces.Moments(), store=store, batch_size=4, engine=engine) for _ in range(2)]
assert np.array_equal(*found)
np.save(f"{folder}/features{rank}.npy", found[0])
engine.close()
if other:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(other, 0)[1]))
os._exit(0)
"""


def test_two_processes_share_the_work(tmp_path, meeting):
    import pieces

    from fourfold.features import extract
    from fourfold.images import prepare
    from fourfold.images.sets import ImageSet

    images = np.random.default_rng(0).random((41, 1, 4, 4), dtype=np.float32)
    np.save(tmp_path / "images.npy", images)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        env={**os.environ, **meeting, "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    image_set = prepare({"training": ImageSet.from_array(images)})["training"]
    expected = extract(image_set, pieces.Moments())
    for rank in (0, 1):
        assert np.load(tmp_path / f"features{rank}.npy") == pytest.approx(expected, rel=1e-6)
    assert len(FeatureStore(tmp_path / "store0").space(pieces.Moments(), image_set.preparation)) == 41
    assert not (tmp_path / "store1").exists()
