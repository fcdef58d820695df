"""The page as a browser sees it: Chromium over its debugging pipe, with the network watched."""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fourfold.report import write_report

PATIENCE = 60
ENTER, TAB = {"key": "Enter", "code": "Enter", "text": "\r"}, {"key": "Tab", "code": "Tab"}
VIRTUAL_KEYS = {"Enter": 13, "Tab": 9}


class Browser:
    """One page of a headless Chromium, spoken to in the DevTools protocol.

    Attributes
    ----------
    events : list of dict
        Everything the page reported: requests, console messages, exceptions.
    """

    def __init__(self, program: str, profile: Path) -> None:
        self.events: list[dict[str, Any]] = []
        self._number = 0
        self._rest = b""
        self._session: str | None = None
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        # Chromium reads commands from descriptor 3 and answers on descriptor 4.
        given = [fcntl.fcntl(theirs_in, fcntl.F_DUPFD, 10), fcntl.fcntl(theirs_out, fcntl.F_DUPFD, 10)]

        def arrange() -> None:
            os.dup2(given[0], 3)
            os.dup2(given[1], 4)

        self._process = subprocess.Popen(
            [
                program,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--no-first-run",
                f"--user-data-dir={profile}",
                "--window-size=1366,768",
                "--remote-debugging-pipe",
                "about:blank",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(3, 4),
            preexec_fn=arrange,
        )
        for descriptor in (theirs_in, theirs_out, *given):
            os.close(descriptor)
        self._out, self._in = ours_out, ours_in
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to one command."""
        self._number += 1
        command = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            command["sessionId"] = self._session
        os.write(self._out, json.dumps(command).encode() + b"\0")
        while True:
            message = self._next()
            if message.get("id") == self._number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]
            self.events.append(message)

    def open(self, path: Path, scheme: str = "light") -> None:
        """Load a page and wait until it is complete."""
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.events.clear()
        self.ask("Page.navigate", url=path.as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._next())

    def run(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        found = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in found:
            raise RuntimeError(found["exceptionDetails"]["exception"]["description"])
        return found["result"].get("value")

    def press(self, key: dict[str, str]) -> None:
        """Press and release a key."""
        code = {"windowsVirtualKeyCode": VIRTUAL_KEYS[key["key"]]}
        self.ask("Input.dispatchKeyEvent", type="keyDown", **key, **code)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **key, **code)

    def of(self, method: str) -> list[dict[str, Any]]:
        """The parameters of every event of one kind since the page was opened."""
        return [event["params"] for event in self.events if event.get("method") == method]

    def close(self) -> None:
        """End the browser."""
        self._process.kill()
        self._process.wait()
        os.close(self._out)
        os.close(self._in)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            if not select.select([self._in], [], [], PATIENCE)[0]:
                raise RuntimeError(f"the browser said nothing for {PATIENCE} s")
            read = os.read(self._in, 1 << 20)
            if not read:
                raise RuntimeError("the browser ended")
            self._rest += read
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium, or the reason why there is none."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        pytest.skip("needs Chromium on the path, to open the report in; on Debian: apt-get install chromium")
    started = Browser(program, tmp_path_factory.mktemp("profile"))
    yield started
    started.close()


@pytest.fixture(scope="module")
def page(evaluation, tmp_path_factory) -> Path:
    return write_report(evaluation, tmp_path_factory.mktemp("report"))


@pytest.mark.parametrize("name", ["index.html", "shareable.html"])
def test_a_browser_finds_the_four_answers_and_nothing_goes_wrong(browser, page, evaluation, name):
    browser.open(page.with_name(name))
    said = browser.run("[...document.querySelectorAll('.answer')].map(answer => answer.innerText)")
    assert len(said) == 4
    for text, verdict in zip(said, evaluation.verdicts.values(), strict=True):
        assert verdict.sentence in text
        assert verdict.status in text
    assert browser.run("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    troubles = [
        entry
        for entry in (*browser.of("Log.entryAdded"), *browser.of("Runtime.consoleAPICalled"))
        if entry.get("entry", entry).get("level", entry.get("type")) in ("error", "warning")
    ]
    assert troubles == []
    assert browser.of("Runtime.exceptionThrown") == []


@pytest.mark.parametrize("name", ["index.html", "shareable.html"])
def test_opening_the_page_asks_for_nothing_but_the_page(browser, page, name):
    browser.open(page.with_name(name))
    browser.run("document.querySelectorAll('details').forEach(part => { part.open = true })")
    browser.run("scrollTo(0, document.body.scrollHeight)")
    asked = {request["request"]["url"] for request in browser.of("Network.requestWillBeSent")}
    assert {url for url in asked if not url.startswith("data:")} == {page.with_name(name).as_uri()}


def test_the_first_screen_of_a_laptop_holds_the_four_answers(browser, page):
    browser.open(page)
    assert browser.run("document.documentElement.scrollWidth <= innerWidth")
    assert browser.run(
        "[...document.querySelectorAll('.answer')].every(answer => answer.getBoundingClientRect().bottom <= 768)"
    )


@pytest.mark.parametrize(("scheme", "label"), [("light", "Dark page"), ("dark", "Light page")])
def test_the_page_follows_the_reader_in_light_and_dark_and_can_be_switched(browser, page, scheme, label):
    browser.open(page, scheme)
    ground = "getComputedStyle(document.body).backgroundColor"
    ink = "getComputedStyle(document.querySelector('svg.plot')).color"
    before = browser.run(f"[{ground}, {ink}]")
    assert browser.run("document.getElementById('theme').innerText") == label
    browser.run("document.getElementById('theme').click()")
    after = browser.run(f"[{ground}, {ink}]")
    assert before[0] != after[0]
    assert before[1] != after[1]
    browser.run("document.getElementById('theme').click()")
    assert browser.run(f"[{ground}, {ink}]") == before
    browser.run("localStorage.clear()")


def test_the_page_can_be_walked_with_the_keyboard(browser, page):
    browser.open(page)
    browser.press(TAB)
    assert browser.run("document.activeElement.innerText") == "Skip to the four answers"
    assert browser.run("document.activeElement.getBoundingClientRect().left") >= 0
    browser.press(ENTER)
    assert browser.run("location.hash") == "#answers"
    browser.run("document.querySelector('#fidelity details summary').focus()")
    browser.press(ENTER)
    assert browser.run("document.querySelector('#fidelity details').open")


def test_a_hostile_file_name_does_not_run(browser, page):
    browser.open(page)
    assert "<script>alert(1)</script>.png" in browser.run("document.body.innerText")
    assert browser.of("Page.javascriptDialogOpening") == []
    assert browser.run("document.scripts.length") == 1
