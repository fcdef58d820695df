"""Verification finds every changed byte, and files that come, go or are something else."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from fourfold.releasing.package.sums import SUMS, digest_of_file, fingerprint_of, parse_sums
from fourfold.releasing.verify import verify

TODAY = date(2026, 6, 30)
FLIPS = 160


def test_every_flipped_bit_is_found(copy: Path) -> None:
    rng = np.random.default_rng(7)
    files = sorted(path for path in copy.rglob("*") if path.is_file())
    known = {file: file.read_bytes() for file in files}
    chosen = [*files, copy / SUMS, *(files[place] for place in rng.integers(len(files), size=FLIPS - len(files)))]
    for file in chosen:
        content = bytearray(known[file])
        content[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
        file.write_bytes(content)
        assert not verify(copy, today=TODAY).ok, f"a flipped bit of {file.name} went unnoticed"
        file.write_bytes(known[file])
    assert verify(copy, today=TODAY).ok


def test_every_byte_of_the_digests_counts(release: Path) -> None:
    content = (release / SUMS).read_bytes()
    sums = parse_sums(content)
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 1
        with contextlib.suppress(ValueError):
            assert parse_sums(bytes(changed)) != sums


def _add(folder: Path) -> None:
    (folder / "images" / "000013.png").write_bytes(b"x")


def _hide(folder: Path) -> None:
    (folder / ".note").write_text("x")


def _remove(folder: Path) -> None:
    (folder / "images" / "000003.png").unlink()


def _rename(folder: Path) -> None:
    (folder / "images" / "000003.png").rename(folder / "images" / "000033.png")


def _link(folder: Path) -> None:
    (folder / "images" / "000003.png").rename(folder.parent / "kept.png")
    (folder / "images" / "000003.png").symlink_to(folder.parent / "kept.png")


def _link_folder(folder: Path) -> None:
    (folder / "masks").rename(folder.parent / "masks")
    (folder / "masks").symlink_to(folder.parent / "masks")


def _pipe(folder: Path) -> None:
    (folder / "README.txt").unlink()
    os.mkfifo(folder / "README.txt")


def _lower(folder: Path) -> None:
    (folder / SUMS).write_bytes((folder / SUMS).read_bytes().upper())


def _windows(folder: Path) -> None:
    (folder / SUMS).write_bytes((folder / SUMS).read_bytes().replace(b"\n", b"\r\n"))


def _unsorted(folder: Path) -> None:
    (folder / SUMS).write_bytes(b"".join(reversed((folder / SUMS).read_bytes().splitlines(keepends=True))))


def _longer(folder: Path) -> None:
    with (folder / SUMS).open("ab") as stream:
        stream.write(b"\n")


def _escape(folder: Path) -> None:
    (folder.parent / "outside").write_text("x")
    line = f"{digest_of_file(folder.parent / 'outside')}  ../outside\n".encode()
    (folder / SUMS).write_bytes(line + (folder / SUMS).read_bytes())


@pytest.mark.parametrize(
    "change",
    [_add, _hide, _remove, _rename, _link, _link_folder, _pipe, _lower, _windows, _unsorted, _longer, _escape],
)
def test_files_that_come_go_or_are_something_else_are_found(failed, copy: Path, change: Callable[[Path], None]) -> None:
    change(copy)
    assert failed(verify(copy, today=TODAY)) & {"files", "bytes"}


@pytest.mark.parametrize("change", [_add, _hide, _remove, _rename, _link, _link_folder])
def test_new_digests_do_not_hide_them(sum_again, copy: Path, change: Callable[[Path], None]) -> None:
    change(copy)
    sum_again(copy)
    assert not verify(copy, today=TODAY).ok


def test_a_changed_package_with_new_digests_has_another_fingerprint(failed, sum_again, copy: Path) -> None:
    fingerprint = fingerprint_of((copy / SUMS).read_bytes())
    (copy / "shareable.html").write_text("nothing was found")
    sum_again(copy)
    assert verify(copy, today=TODAY).ok
    assert failed(verify(copy, fingerprint, today=TODAY)) == {"fingerprint"}


def test_swapped_images_are_found(failed, sum_again, copy: Path) -> None:
    one, two = copy / "images" / "000001.png", copy / "images" / "000002.png"
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    sum_again(copy)
    assert failed(verify(copy, today=TODAY)) == {"images"}


def test_equal_images_are_found(failed, sum_again, copy: Path) -> None:
    (copy / "images" / "000002.png").write_bytes((copy / "images" / "000001.png").read_bytes())
    sum_again(copy)
    assert "duplicates" in failed(verify(copy, today=TODAY))
