"""A Ray cluster: one that runs already, or one started on the spot for as long as the engine lives.

Pieces are tasks. Ray does a task again whose worker or machine dies. At most two pieces a worker are under way, so
that what lies in the object store is bounded by the pieces and never by the sets.
"""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import numpy as np

from fourfold import __version__
from fourfold.engine.engine import Engine, Shared
from fourfold.engine.order import Order
from fourfold.errors import FourfoldError, InputError, MissingExtra

__all__ = ["RayEngine"]

P = TypeVar("P")
R = TypeVar("R")
OBJECT_STORE = 1 << 30
"""Bytes of the object store of a cluster that is started on the spot."""
RETRIES = 3
"""How often Ray does a piece again whose worker died."""
_TOKENS = itertools.count()


@dataclass(frozen=True)
class Kept(Shared):
    """An array in Ray's object store.

    Parameters
    ----------
    reference : ray.ObjectRef
    """

    reference: Any

    def get(self) -> np.ndarray:
        """The array, mapped from the store of this machine, which fetches it once."""
        import ray

        return ray.get(self.reference)


class RayEngine(Engine):
    """A Ray cluster.

    Parameters
    ----------
    address : str or None
        Of a cluster, for example ``"auto"`` or ``"head:6379"``; None uses the one that this process is connected to
        already, else the one in the environment variable ``RAY_ADDRESS``, else starts one on this machine.
    workers : int or None
        How many pieces can be under way at once, one processor each; None for as many as the cluster has.
    object_store : int
        Bytes of the object store of a cluster that is started here.

    Raises
    ------
    MissingExtra
        Where Ray is not installed.
    InputError
        Where the cluster cannot be reached, or has another version of Fourfold or none.
    """

    name: ClassVar[str] = "ray"

    def __init__(
        self, address: str | None = None, workers: int | None = None, object_store: int = OBJECT_STORE
    ) -> None:
        if workers is not None and workers < 1:
            raise InputError(f"the engine 'ray' takes 1 or more workers, got {workers}")
        # Nothing leaves the machine unless the user asked for it.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        # Ray's own processes write to the terminal what their logs hold as well.
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
        try:
            import ray
        except ImportError as error:
            raise MissingExtra("ray", "ray", "the engine 'ray'") from error
        self._ray = ray
        address = address or os.environ.get("RAY_ADDRESS")
        self._owned = not ray.is_initialized()
        if self._owned:
            _connect(address, workers, object_store)
        if address is not None:
            _check_version()
        self._workers = workers or max(int(ray.cluster_resources().get("CPU", 1)), 1)
        self._do = ray.remote(num_cpus=1, max_retries=RETRIES)(_do)

    @property
    def workers(self) -> int:
        """How many pieces can be under way at once."""
        return self._workers

    def share(self, array: np.ndarray) -> Shared:
        """Put the array into the object store; it stays there as long as something refers to it."""
        return Kept(self._ray.put(np.asarray(array)))

    def map(self, work: Callable[[P], R], pieces: Sequence[P]) -> Iterator[R]:
        """Yield ``work(piece)`` for each piece, in order."""
        # In a list a reference stays a reference, so that a worker loads the work once and not for every piece.
        token, travelling = f"{os.getpid()}-{next(_TOKENS)}", [self._ray.put(work)]
        order = Order(lambda piece: self._do.remote(token, travelling, piece), pieces, 2 * self.workers)
        try:
            for reference in order.handles():
                result = self._taken(reference)
                order.taken()
                yield result
        finally:
            for reference in order.under_way():
                self._ray.cancel(reference)

    def stream(
        self, make: Callable[[], Callable[[P], R]], pieces: Sequence[P], accelerated: bool = False
    ) -> Iterator[tuple[int, R]]:
        """As `Engine.stream`, by the actors of a Ray Data set."""
        from fourfold.engine.ray_data import streamed

        return streamed(make, pieces, self.workers, accelerated)

    def close(self) -> None:
        """End the connection, and the cluster where the engine started it."""
        if self._owned and self._ray.is_initialized():
            self._ray.shutdown()

    def _taken(self, reference: Any) -> Any:
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            raise _plain(error, self._ray) from error


def _connect(address: str | None, workers: int | None, object_store: int) -> None:
    import ray

    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    try:
        if address is None:
            ray.init("local", num_cpus=workers, object_store_memory=object_store, include_dashboard=False, **quiet)
        else:
            ray.init(address=address, **quiet)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        place = "on this machine" if address is None else f"at {address}"
        raise InputError(
            f"no Ray cluster {place} ({type(error).__name__}); check --address, and that `ray status` works there"
        ) from error


def _check_version() -> None:
    """Workers that know another Fourfold would give other numbers."""
    import ray

    try:
        found = ray.get(ray.remote(num_cpus=1)(_version).remote())
    except ray.exceptions.RayError:
        found = None
    if found != __version__:
        raise InputError(
            f"the workers of the Ray cluster have {'no Fourfold' if found is None else f'Fourfold {found}'} "
            f"and this machine has {__version__}; install the same version on all of them"
        )


def _version() -> str:
    from fourfold import __version__ as found

    return found


def _plain(error: Exception, ray: Any) -> BaseException:
    """The error as a user should hear of it: what the work raised, or that workers died."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ray.exceptions.RayTaskError) and seen.cause is not None:
            return seen.cause
        seen = seen.__cause__
    return FourfoldError(
        f"the Ray cluster could not finish ({type(error).__name__}): workers died again and again, mostly for want "
        "of memory; use fewer --workers or smaller pieces"
    )


_latest: tuple[str, Any] = ("", None)


def _do(token: str, travelling: list[Any], piece: Any) -> Any:
    """One piece; work that came with an earlier piece is kept, with whatever it has loaded."""
    global _latest
    if _latest[0] != token:
        import ray

        _latest = (token, ray.get(travelling[0]))
    return _latest[1](piece)
