"""Writes the files of a report, whole or not at all."""

from __future__ import annotations

import base64
import contextlib
import errno
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from fourfold.errors import InputError
from fourfold.report.evidence import figures
from fourfold.report.machine import images_parquet, scores_json
from fourfold.report.page import Edition, Page, build

if TYPE_CHECKING:
    from fourfold.evaluation import Evaluation

__all__ = [
    "check_writable",
    "problem_of",
    "render",
    "rendered",
    "replace_files",
    "templates",
    "write_page",
    "write_report",
]


def write_report(evaluation: Evaluation, folder: Path, beside: Mapping[str, bytes] | None = None) -> Path:
    """Write ``index.html``, ``shareable.html``, ``scores.json`` and ``images.parquet``.

    The files are completed in a hidden folder inside `folder` and then renamed, ``index.html`` last: whatever
    interrupts the writing, no file is ever half-written, and files of an earlier report stay until they are
    replaced.

    Parameters
    ----------
    evaluation : Evaluation
    folder : Path
        Created where it does not exist; other files in it are left alone.
    beside : mapping of str to bytes, or None
        Further files by name, which appear with the report or not at all.

    Returns
    -------
    Path
        Of ``index.html``.

    Raises
    ------
    InputError
        Where the folder cannot be written to, or the disk is full.
    """
    plots = figures(evaluation)
    contents = {
        **(beside or {}),
        "images.parquet": images_parquet(evaluation),
        "scores.json": scores_json(evaluation),
        "shareable.html": _html(build(evaluation, "shareable", plots)).encode("utf-8"),
        "index.html": _html(build(evaluation, "internal", plots)).encode("utf-8"),
    }
    return write_page(folder, contents)


def write_page(folder: str | os.PathLike[str], contents: Mapping[str, bytes]) -> Path:
    """Write the files of a report, ``index.html`` the last; all appear, or none.

    Parameters
    ----------
    folder : path
        Created where it does not exist; other files in it are left alone.
    contents : mapping of str to bytes
        By name.

    Returns
    -------
    Path
        Of ``index.html``.

    Raises
    ------
    InputError
        Where the folder cannot be written to, or the disk is full.
    """
    folder = Path(folder)
    created = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        replace_files(folder, contents)
    except OSError as error:
        raise InputError(f"the report cannot be written to {folder}: {problem_of(error)}") from error
    finally:
        # Succeeds only where nothing was written.
        if created:
            with contextlib.suppress(OSError):
                folder.rmdir()
    return folder / "index.html"


def check_writable(folder: str | os.PathLike[str]) -> None:
    """Find out before the work, not after it, whether a report can be written; leaves nothing behind.

    Raises
    ------
    InputError
        Where the folder cannot be created or written to.
    """
    folder = Path(folder)
    nearest = folder
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    try:
        with tempfile.TemporaryDirectory(prefix=".report-", dir=nearest):
            pass
    except OSError as error:
        raise InputError(f"the report cannot be written to {folder}: {problem_of(error)}") from error


def render(evaluation: Evaluation, edition: Edition) -> str:
    """One edition as a self-contained HTML page.

    Parameters
    ----------
    evaluation : Evaluation
    edition : {"internal", "shareable"}
    """
    return _html(build(evaluation, edition, figures(evaluation)))


def templates() -> Environment:
    """The templates of all pages: whatever they are given is escaped, and a name they lack is an error."""
    environment = Environment(
        loader=PackageLoader("fourfold.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["breakable"] = _breakable
    return environment


def rendered(template: str, page: object) -> str:
    """A page as HTML; the script is allowed by its hash, everything else that could be fetched is forbidden.

    Parameters
    ----------
    template : str
        Its file among the templates.
    page : object
        What the template calls ``page``.
    """
    environment = templates()
    script = environment.get_template("page.js.j2").render().strip()
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    return environment.get_template(template).render(page=page, script=script, script_digest=digest)


def _html(page: Page) -> str:
    return rendered("page.html.j2", page)


def _breakable(text: str) -> Markup:
    """A path that a narrow column may break after its separators."""
    return Markup(re.sub(r"(?<=[/_\\])(?=\w)", "<wbr>", str(escape(text))))


def replace_files(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write every file beside its place, flushed to disk, then rename all."""
    partial = Path(tempfile.mkdtemp(prefix=".report-", dir=folder))
    try:
        for name, content in contents.items():
            with (partial / name).open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
        for name in contents:
            (partial / name).replace(folder / name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def problem_of(error: OSError) -> str:
    """What is wrong and what to do, a clause without a full stop."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "the disk is full; free some space or choose another folder"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "there is no permission to write there; choose another folder or change its permissions"
    if error.errno in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
        return "a file is in the way; choose another folder or remove the file"
    return f"{error.strerror or error}; choose another folder"
