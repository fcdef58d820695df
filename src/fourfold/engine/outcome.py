"""What a piece of work gave or raised, as it travels to whoever asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

__all__ = ["Outcome"]

R = TypeVar("R")


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """A result, or the error in its place.

    Parameters
    ----------
    result : object
    error : Exception or None
    """

    result: Any = None
    error: Exception | None = None

    @classmethod
    def of(cls, work: Callable[[], R]) -> Outcome[R]:
        """Do the work and keep what it raises."""
        try:
            return cls(result=work())
        except Exception as error:
            return cls(error=error)

    def get(self) -> R:
        """The result; raises what the work raised."""
        if self.error is not None:
            raise self.error
        return self.result
