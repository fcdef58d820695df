"""Ctrl-C while a network is trained: the step is finished and a checkpoint written first."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType

__all__ = ["Interruption"]


class Interruption:
    """Remembers a first Ctrl-C until it is asked for; a second one ends everything at once.

    A context manager. Outside the main thread, where signals do not arrive, it does nothing.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before = None

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._remember)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
