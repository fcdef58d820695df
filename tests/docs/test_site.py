"""The documentation is built without a warning, opens without a network, and has a page for whatever is public."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path

import pytest

import fourfold
from fourfold.cli.main import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"

pytestmark = pytest.mark.xdist_group("site")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    if find_spec("material") is None or find_spec("mkdocstrings_handlers") is None:
        pytest.skip("the site needs the extra [docs]")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


class Fetched(HTMLParser):
    """What a browser fetches when it opens a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag, attrs):
        known = dict(attrs)
        if tag in ("script", "img", "iframe", "source"):
            self.addresses.append(known.get("src") or "")
        if tag == "link" and known.get("rel") not in ("canonical", "prev", "next"):
            self.addresses.append(known.get("href") or "")


def test_no_page_asks_another_machine_for_anything(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        fetched = Fetched()
        fetched.feed(page.read_text(encoding="utf-8"))
        outside = [address for address in fetched.addresses if re.match(r"(\w+:)?//", address)]
        assert outside == [], page.name
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(@import|url\()\s*['\"]?(https?:)?//", sheet.read_text(encoding="utf-8")), sheet.name


def test_the_search_is_there_without_a_server(site):
    assert (site / "search" / "search_index.js").read_text(encoding="utf-8").startswith("var __index = ")
    assert "iframe-worker.js" in (site / "index.html").read_text(encoding="utf-8")


def test_every_command_is_on_its_page_with_its_options(site):
    page = (site / "reference" / "commands.html").read_text(encoding="utf-8")
    for name in COMMANDS:
        assert f'id="{name}"' in page, name
    for text in ("--train-split NAME", "fourfold adapt fit", "--write-policy FILE"):
        assert text in page


def test_a_function_is_documented_with_its_signature_and_parameters(site):
    page = (site / "reference" / "fidelity.html").read_text(encoding="utf-8")
    assert 'id="fourfold.fidelity.frechet_distance"' in page
    assert "Heusel" in page


def test_every_public_room_has_a_page():
    documented = set()
    for page in REFERENCE.glob("*.md"):
        documented |= set(re.findall(r"^::: (fourfold[\w.]*)$", page.read_text(encoding="utf-8"), re.MULTILINE))
    rooms = {f"fourfold.{name}" for name in fourfold.__all__ if find_spec(f"fourfold.{name}") is not None}
    assert rooms | {"fourfold", "fourfold.torchmetrics", "fourfold.monai"} <= documented
