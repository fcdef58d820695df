"""What Fourfold raises when it cannot go on.

    FourfoldError            anything the user can mend; one sentence, no traceback at the command line
    ├── InputError           an image, a table, an option or a combination of sets is wrong
    │   └── UnreadableImage  one file cannot be read as an image
    └── MissingExtra         an optional package is needed; the message holds the install command

A message names what was wrong, in which file, and what to do. It never holds pixels, and never a
patient identifier taken from inside a file.
"""

from __future__ import annotations

__all__ = ["FourfoldError", "InputError", "MissingExtra", "UnreadableImage"]


class FourfoldError(Exception):
    """Base of every error that a user can mend. Exit code 2 at the command line."""


class InputError(FourfoldError):
    """The input or the call is wrong."""


class UnreadableImage(InputError):
    """One file cannot be read as an image.

    Parameters
    ----------
    path : str
        The file as the user knows it.
    problem : str
        What is wrong with it, a clause without a full stop.
    remedy : str
        What to do about it, a clause without a full stop.
    """

    def __init__(self, path: str, problem: str, remedy: str = "replace or remove the file") -> None:
        self.path = str(path)
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{self.path}: {problem}; {remedy}")

    def __reduce__(self) -> tuple[type, tuple[str, str, str]]:
        return (type(self), (self.path, self.problem, self.remedy))


class MissingExtra(FourfoldError):
    """An optional package is needed for what was asked."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        self.package = package
        self.extra = extra
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed; "
            f"install it with: pip install 'fourfold[{extra}]'"
        )
