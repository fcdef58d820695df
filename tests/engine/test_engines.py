"""What every engine promises."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from fourfold.engine import LOCAL, LocalEngine, engine_named
from fourfold.engine.local import DEATHS_BORNE
from fourfold.errors import FourfoldError, InputError, MissingExtra, UnreadableImage

# Ray leaves files and sockets of its own to the collector, and warns of its own settings.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.*"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray.*"),
]


@pytest.fixture(scope="module")
def pieces():
    import pieces

    return pieces


def test_results_come_in_the_order_of_the_pieces(engine, pieces):
    assert list(engine.map(pieces.square, range(11))) == [k * k for k in range(11)]
    assert list(engine.map(pieces.slower_for_the_first, [0, 1, 2, 3])) == [0, 1, 2, 3]


def test_no_piece_gives_no_result(engine, pieces):
    assert list(engine.map(pieces.square, [])) == []
    assert list(engine.stream(pieces.Load, [])) == []


def test_there_is_at_least_one_worker(engine):
    assert engine.workers >= 1
    assert engine.leads
    assert engine.device("cpu") == "cpu"


def test_shared_arrays_reach_every_worker_whole_and_read_only(engine, pieces):
    rng = np.random.default_rng(0)
    matrix, vector = rng.normal(size=(60, 5)), rng.normal(size=5).astype(np.float32)
    shared = engine.share(matrix), engine.share(vector)
    rows = [slice(start, start + 10) for start in range(0, 60, 10)]
    found = np.concatenate(list(engine.map(pieces.Product(*shared), rows)))
    assert np.array_equal(found, matrix @ vector)
    assert shared[1].get().dtype == np.float32
    assert list(engine.map(pieces.Spoil(shared[0]), [0])) == ["read-only"]


def test_what_work_raises_arrives_as_it_was_raised(engine, pieces):
    with pytest.raises(UnreadableImage) as caught:
        list(engine.map(pieces.refuse, range(6)))
    assert str(caught.value) == "image-3.png: is damaged; replace or remove the file"
    assert list(engine.map(pieces.square, [2])) == [4]


def test_the_taker_may_stop_before_the_end(engine, pieces):
    taken = engine.map(pieces.square, range(40))
    assert next(iter(taken)) == 0
    if hasattr(taken, "close"):
        taken.close()
    assert list(engine.map(pieces.square, [3])) == [9]


def test_streamed_work_is_made_once_a_worker(engine, pieces, tmp_path):
    found = dict(engine.stream(pieces.Load(tmp_path, 3), range(12)))
    assert {place: list(values) for place, values in found.items()} == {k: [3 * k] * 3 for k in range(12)}
    assert 1 <= len(list(tmp_path.glob("loaded-*"))) <= engine.workers


def test_what_is_done_once_is_known_and_its_error_too(engine):
    assert engine.once(lambda: 7) == 7
    with pytest.raises(InputError, match=r"^no$"):
        engine.once(_refuse)


def _refuse():
    raise InputError("no")


@pytest.mark.parametrize("name", ["process_engine", "ray_engine"])
def test_a_piece_whose_worker_dies_is_done_again(name, request, pieces, tmp_path):
    engine = request.getfixturevalue(name)
    assert list(engine.map(pieces.DieOnce(tmp_path), range(9))) == [k * k for k in range(9)]
    assert (tmp_path / "died").exists()
    assert len(list(tmp_path.glob("2-*"))) == 2


def test_workers_that_always_die_are_given_up(pieces):
    with LocalEngine(2) as engine, pytest.raises(FourfoldError, match=f"died {DEATHS_BORNE + 1} times.*fewer workers"):
        list(engine.map(pieces.always_die, [0]))


def test_streamed_work_that_always_kills_its_worker_is_given_up(ray_engine, pieces):
    with pytest.raises(FourfoldError, match=r"died 4 times at the same piece.*fewer workers"):
        list(ray_engine.stream(pieces.AlwaysDie, [0]))


def test_streamed_work_that_lost_what_it_shares_is_done_again(monkeypatch):
    exceptions = pytest.importorskip("ray", reason="the extra [ray] is not installed").exceptions
    from fourfold.engine import ray_data
    from fourfold.engine.outcome import Outcome

    lost = Outcome(error=exceptions.RayError("lost with its machine"))
    rounds = iter([[(0, Outcome(5)), (1, lost)], [(1, Outcome(7))]])
    monkeypatch.setattr(ray_data, "_round", lambda *given: next(rounds))
    assert dict(ray_data.streamed(None, ["a", "b"], 2, False)) == {0: 5, 1: 7}


@pytest.mark.parametrize("name", ["process_engine", "ray_engine"])
def test_a_bounded_number_of_pieces_is_under_way(name, request, pieces, tmp_path):
    engine = request.getfixturevalue(name)
    taken = engine.map(pieces.DieOnce(tmp_path, at=-1), range(50))
    next(taken)
    time.sleep(0.5)
    begun = len(list(tmp_path.iterdir()))
    taken.close()
    assert begun <= 2 * engine.workers + 1


def test_work_runs_in_this_process_or_in_others(process_engine, pieces):
    import os

    assert LOCAL.here
    assert set(LOCAL.map(pieces.where, range(4))) == {os.getpid()}
    assert os.getpid() not in set(process_engine.map(pieces.where, range(4)))


def test_what_was_shared_is_removed_when_the_engine_is_closed():
    with LocalEngine(2) as engine:
        file = engine.share(np.zeros(3)).file
        assert file.exists()
        assert file.parent.stat().st_mode & 0o077 == 0
    assert not file.parent.exists()


ALONE = """
import os, sys, time
from pathlib import Path
from fourfold.engine import LocalEngine

def slow(piece):
    Path(sys.argv[1], str(os.getpid())).touch()
    time.sleep(600)

if __name__ == "__main__":
    list(LocalEngine(2).map(slow, range(2)))
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")
def test_processes_end_with_whoever_started_them_and_was_killed(tmp_path):
    (tmp_path / "alone.py").write_text(ALONE, encoding="utf-8")
    seen = tmp_path / "seen"
    seen.mkdir()
    started = subprocess.Popen([sys.executable, str(tmp_path / "alone.py"), str(seen)])
    try:
        _wait_until(lambda: len(list(seen.iterdir())) == 2)
    finally:
        started.kill()
        started.wait()
    _wait_until(lambda: not any(_lives(int(file.name)) for file in seen.iterdir()))


def _wait_until(reached, seconds=60.0):
    until = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < until
        time.sleep(0.1)


def _lives(number):
    status = Path(f"/proc/{number}/stat")
    # Where nobody collects it, a process that has ended stays behind as a zombie.
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_engines_by_name():
    assert engine_named("local") is LOCAL
    assert engine_named("local", workers=0) is LOCAL
    with engine_named("local", workers=3) as found:
        assert (found.workers, found.here) == (3, False)


def test_wrong_engines_are_refused(monkeypatch):
    with pytest.raises(InputError, match=r"^there is no engine 'dask'; engines are local, torchrun, ray$"):
        engine_named("dask")
    with pytest.raises(InputError, match=r"^--address belongs to --engine ray"):
        engine_named("local", address="auto")
    with pytest.raises(InputError, match=r"--nproc-per-node N$"):
        engine_named("torchrun", workers=2)
    with pytest.raises(InputError, match="0 or more workers, got -1"):
        LocalEngine(-1)


def test_torchrun_without_its_processes_says_how_to_start_them(monkeypatch):
    from torch import distributed

    from fourfold.engine.torchrun import TorchrunEngine

    monkeypatch.setattr(distributed, "is_initialized", lambda: False)
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(InputError, match=r"start the command as: torchrun --nproc-per-node N --no-python fourfold"):
        TorchrunEngine()


def test_workers_with_another_version_are_refused(ray_engine, monkeypatch):
    from fourfold.engine import ray

    ray._check_version()
    monkeypatch.setattr(ray, "__version__", "0.0.0-other")
    with pytest.raises(InputError, match=r"have Fourfold .* and this machine has 0\.0\.0-other; install the same"):
        ray._check_version()


def test_a_cluster_that_is_not_there_is_said(monkeypatch):
    ray = pytest.importorskip("ray", reason="the extra [ray] is not installed")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", _refuse_connection)
    with pytest.raises(InputError, match=r"^no Ray cluster at head:6379 \(ConnectionError\); check --address"):
        engine_named("ray", "head:6379")


def _refuse_connection(*given, **options):
    raise ConnectionError


def test_a_missing_ray_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=r"pip install 'fourfold\[ray\]'$"):
        engine_named("ray")
