"""Progress bars on standard error, for whatever takes longer than a second."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from fourfold.comparison import Progress

__all__ = ["progress_bars"]

_PATIENCE_SECONDS = 1.0


@contextmanager
def progress_bars(quiet: bool = False) -> Iterator[Progress]:
    """Give a progress callback that draws a bar a task once the task has taken a second."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    begun: dict[str, float] = {}
    shown: dict[str, int] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, TimeRemainingColumn(), console=Console(stderr=True), disable=quiet) as bars:

        def progress(task: str, done: int, total: int) -> None:
            now = time.monotonic()
            begun.setdefault(task, now)
            # A task of one step cannot show how far it is, so its bar comes at once.
            if task not in shown and (total == 1 or now - begun[task] >= _PATIENCE_SECONDS):
                shown[task] = bars.add_task(task, total=total)
            if task in shown:
                bars.update(shown[task], completed=done, total=total)

        yield progress
