"""What the tutorials tell a reader to type runs, in order, and prints what they say."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

RUNNER = Path(__file__).with_name("running.py")
TUTORIALS = sorted((Path(__file__).resolve().parents[2] / "docs" / "tutorials").glob("*.md"))


@pytest.fixture
def running():
    specification = importlib.util.spec_from_file_location("running", RUNNER)
    module = importlib.util.module_from_spec(specification)
    sys.modules["running"] = module
    specification.loader.exec_module(module)
    yield module
    del sys.modules["running"]


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_a_tutorial_does_what_it_says(page, tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "FOURFOLD_STORE": str(tmp_path / "store")}
    (tmp_path / "work").mkdir()
    done = subprocess.run(
        [sys.executable, str(RUNNER), str(page), str(tmp_path / "work")],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_a_tutorial_shows_what_its_steps_print(page, running):
    languages = [block.language for block in running.blocks_of(page.read_text(encoding="utf-8"))]
    assert set(languages) <= {"python", "sh", "text", "toml", "console"}
    assert languages.count("text") >= 2


PAGE = """
```python
a = 2
print(a + 1)
```

```text
3
```

```sh
echo "written" > file
cat file
```

```text
writ...
```

```console
rm -rf everything
```
"""


def test_blocks_run_in_order_and_share_names_and_folder(tmp_path, monkeypatch, running):
    monkeypatch.chdir(tmp_path)
    running.run_page(PAGE, "page.md")
    assert (tmp_path / "file").read_text(encoding="utf-8") == "written\n"


def test_an_output_that_differs_is_told_with_its_line(tmp_path, monkeypatch, running):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"^page\.md:8: the page says\n4\n\nand printed was\n3\n"):
        running.run_page(PAGE.replace("\n3\n", "\n4\n"), "page.md")


def test_a_command_that_fails_is_told_with_its_exit_code(tmp_path, monkeypatch, running):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"^page\.md:12: exit code 3"):
        running.run_page(PAGE.replace("cat file", "exit 3"), "page.md")
