"""Engines under test, each started once."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

HERE = str(Path(__file__).parent)


def pytest_collection_modifyitems(items):
    """One process of the test run starts the clusters, and not each of them."""
    for item in items:
        if Path(str(item.fspath)).parent == Path(HERE):
            item.add_marker(pytest.mark.xdist_group("engines"))


def free_port() -> int:
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        return chosen.getsockname()[1]


@pytest.fixture(scope="session", autouse=True)
def pieces_can_be_imported():
    """Workers are processes of their own and load the work of the tests by its name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(HERE)
        patch.setenv("PYTHONPATH", os.pathsep.join([HERE, *filter(None, [os.environ.get("PYTHONPATH")])]))
        # Ray's workers step back behind every other process, which on a busy machine is a wait of minutes.
        patch.setenv("RAY_worker_niceness", "0")
        yield
    sys.modules.pop("pieces", None)


@pytest.fixture(scope="session")
def meeting():
    """Where the processes of a torchrun meet, as environment variables."""
    return {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}


@pytest.fixture(scope="session")
def ray_engine(pieces_can_be_imported):
    pytest.importorskip("ray", reason="the extra [ray] is not installed")
    from fourfold.engine.ray import RayEngine

    with RayEngine(workers=2, object_store=100_000_000) as engine:
        yield engine


@pytest.fixture(scope="session")
def process_engine(pieces_can_be_imported):
    from fourfold.engine import LocalEngine

    with LocalEngine(2) as engine:
        yield engine


@pytest.fixture(scope="module")
def torchrun_engine():
    """Of one module only: while its process group is there, every other test of the process would be distributed."""
    from fourfold.engine.torchrun import TorchrunEngine

    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("RANK", 0), ("WORLD_SIZE", 1), ("MASTER_ADDR", "127.0.0.1"), ("MASTER_PORT", free_port())):
            patch.setenv(name, str(value))
        engine = TorchrunEngine()
    # A cluster that is started from here on must not take itself for a part of that group.
    with engine:
        yield engine


@pytest.fixture(params=["local", "processes", "torchrun", "ray"])
def engine(request):
    from fourfold.engine import LOCAL

    fixture = {"processes": "process_engine", "torchrun": "torchrun_engine", "ray": "ray_engine"}
    return LOCAL if request.param == "local" else request.getfixturevalue(fixture[request.param])
