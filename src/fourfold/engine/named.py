"""An engine by its name, as the command line asks for one."""

from __future__ import annotations

from fourfold.engine.engine import Engine
from fourfold.engine.local import LOCAL, LocalEngine
from fourfold.errors import InputError

__all__ = ["ENGINES", "engine_named"]

ENGINES = ("local", "torchrun", "ray")


def engine_named(name: str, address: str | None = None, workers: int | None = None) -> Engine:
    """The engine of a name.

    Parameters
    ----------
    name : {"local", "torchrun", "ray"}
    address : str or None
        Of a Ray cluster; None starts one on this machine.
    workers : int or None
        Pieces under way at once; None or 0 for this process (local), or for all processors of the cluster (ray).
        ``torchrun`` has as many as it was started with.

    Raises
    ------
    InputError
        Where there is no such engine, or an address or a number of workers does not go with it.
    MissingExtra
        Where Ray is asked for and not installed.
    """
    if name not in ENGINES:
        raise InputError(f"there is no engine {name!r}; engines are {', '.join(ENGINES)}")
    if address is not None and name != "ray":
        raise InputError(f"--address belongs to --engine ray; the engine {name!r} has none")
    if name == "local":
        return LocalEngine(workers) if workers else LOCAL
    if name == "torchrun":
        from fourfold.engine.torchrun import TorchrunEngine

        if workers:
            raise InputError("--workers does not go with --engine torchrun; give torchrun itself --nproc-per-node N")
        return TorchrunEngine()
    from fourfold.engine.ray import RayEngine

    return RayEngine(address, workers or None)
