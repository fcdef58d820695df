"""Runs the blocks of a tutorial in order, in an empty folder, and holds what they print against what the page says.

    python running.py PAGE FOLDER

A ``python`` block shares its names with those before it, an ``sh`` block runs in a shell that stops at the first error,
and a ``text`` block is what the block before it prints; ``...`` stands for anything. Blocks of other languages are for
reading.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_BLOCK = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LOOSELY = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Block:
    """One fenced block: the line of the page on which its text begins, its language, its text."""

    line: int
    language: str
    text: str


def blocks_of(page: str) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    for found in _BLOCK.finditer(page):
        yield Block(page.count("\n", 0, found.start(2)) + 1, found[1], found[2])


def run_page(page: str, name: str) -> None:
    """Run every block in the present folder; raises SystemExit with the place where page and output differ."""
    names: dict[str, Any] = {"__name__": "__main__"}
    printed: str | None = None
    for block in blocks_of(page):
        if block.language == "text":
            if printed is None:
                raise SystemExit(f"{name}:{block.line}: nothing that runs stands before this output")
            if not doctest.OutputChecker().check_output(block.text, printed, _LOOSELY):
                raise SystemExit(f"{name}:{block.line}: the page says\n{block.text}\nand printed was\n{printed}")
            printed = None
        elif block.language == "python":
            printed = _python(block, names, name)
        elif block.language == "sh":
            printed = _shell(block, name)


def _python(block: Block, names: dict[str, Any], name: str) -> str:
    # Tracebacks then show the line of the page.
    code = compile("\n" * (block.line - 1) + block.text, name, "exec")
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code, names)
    return printed.getvalue()


def _shell(block: Block, name: str) -> str:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    done = subprocess.run(
        ["sh", "-e", "-c", block.text], capture_output=True, text=True, env={**os.environ, "PATH": path}, check=False
    )
    if done.returncode:
        raise SystemExit(f"{name}:{block.line}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    source = Path(sys.argv[1]).resolve()
    os.chdir(sys.argv[2])
    run_page(source.read_text(encoding="utf-8"), source.name)
