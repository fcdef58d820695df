"""What somebody does to a package, honestly or not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fourfold.images.phantoms import phantoms
from fourfold.releasing.package import write_package
from fourfold.releasing.package.sums import SUMS, digest_of_file, sums_of
from fourfold.releasing.verify import Verification


@pytest.fixture(scope="session")
def failed() -> Callable[[Verification], set[str]]:
    """The names of the checks that failed."""
    return lambda found: {check.name for check in found.checks if check.status == "fail"}


@pytest.fixture(scope="session")
def sum_again() -> Callable[[Path], None]:
    """What somebody does who changes a package and hides it."""

    def write(folder: Path) -> None:
        files = [file for file in folder.rglob("*") if file.is_file() and file.name != SUMS]
        digests = {file.relative_to(folder).as_posix(): digest_of_file(file) for file in files}
        (folder / SUMS).write_bytes(sums_of(digests))

    return write


@pytest.fixture(scope="session")
def edit() -> Callable[[Path, str, Callable[[dict], None]], None]:
    """Changes a JSON document of a package."""

    def change_in(folder: Path, name: str, change: Callable[[dict], None]) -> None:
        document = json.loads((folder / name).read_text())
        change(document)
        (folder / name).write_text(json.dumps(document))

    return change_in


@pytest.fixture
def copy(release: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(release, tmp_path / "copy"))


@pytest.fixture(scope="session")
def volumes(tmp_path_factory: pytest.TempPathFactory, make) -> dict[str, Path]:
    """A package of volumes in each form; never write into them."""
    made = {}
    for form in ("nifti", "dicom"):
        folder = tmp_path_factory.mktemp(form)
        found = phantoms("brain", 2, images_per_patient=1, size=16, spatial_dims=3, seed=1)
        images = make["prepared"](found.images, found.labels.tolist())
        contents = make["contents"](images, masks=list(found.masks), form=form)
        write_package(folder / "R", make["complete"](contents, folder))
        made[form] = folder / "R"
    return made
