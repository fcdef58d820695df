"""The page of the command line, made from the parsers of the commands whenever the site is built."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from importlib import import_module

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from fourfold.cli.main import COMMANDS

PAGE = "reference/commands.md"
_WIDTH = "100"
_OPENING = """# Command line

What `fourfold COMMAND --help` prints. Exit codes: 0 done, 1 a requirement, check, policy or verification failed, 2 the
input or the call was wrong, 130 interrupted (the same command goes on from there), 70 a fault of Fourfold itself.

| command | |
|---|---|
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Enter the page among the files of the site."""
    # Help is as wide as the terminal, which nobody's build should depend on.
    os.environ["COLUMNS"] = _WIDTH
    files.append(File.generated(config, PAGE, content=commands_page()))
    return files


def commands_page() -> str:
    """Every command with its options, as Markdown."""
    rows = "".join(f"| [`{name}`](#{name}) | {summary} |\n" for name, summary in COMMANDS.items())
    return _OPENING + rows + "".join(_section(name) for name in COMMANDS)


def _section(name: str) -> str:
    summary = COMMANDS[name]
    parser = argparse.ArgumentParser(prog=f"fourfold {name}", description=f"{summary[0].upper()}{summary[1:]}.")
    import_module(f"fourfold.cli.{name}").add_arguments(parser)
    helps = "".join(f"\n```text\n{text}```\n" for text in _helps(parser))
    return f"\n## {name}\n{helps}"


def _helps(parser: argparse.ArgumentParser) -> Iterator[str]:
    """The help of a command, then that of the commands below it."""
    yield parser.format_help()
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from _helps(below)
