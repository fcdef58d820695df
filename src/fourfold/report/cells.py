"""Text in tables that a spreadsheet opens."""

from __future__ import annotations

__all__ = ["cell"]


def cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula.

    Examples
    --------
    >>> cell("=1+1"), cell("a.png")
    ("'=1+1", 'a.png')
    """
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text
