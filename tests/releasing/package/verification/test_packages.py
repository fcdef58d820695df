"""Packages of every form verify, and what is said of them is printed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from fourfold.cli.verify import add_arguments, run
from fourfold.errors import InputError
from fourfold.releasing.package import write_package
from fourfold.releasing.package.sums import SUMS, fingerprint_of
from fourfold.releasing.verify import verify

TODAY = date(2026, 6, 30)


def test_a_package_verifies(release: Path) -> None:
    fingerprint = fingerprint_of((release / SUMS).read_bytes())
    found = verify(release, fingerprint.upper(), today=TODAY)
    assert found.ok
    assert found.problems == ()
    assert found.fingerprint == fingerprint
    assert all(check.status == "pass" for check in found.checks)


@pytest.mark.parametrize("form", ["nifti", "dicom"])
def test_volumes_verify(volumes: dict[str, Path], form: str) -> None:
    found = verify(volumes[form], today=TODAY)
    assert found.ok, found.problems


@pytest.mark.parametrize(("form", "bits"), [("png", 16), ("dicom", 8), ("dicom", 16)])
def test_pictures_of_every_depth_verify(tmp_path: Path, make, form: str, bits: int) -> None:
    write_package(tmp_path / "R", make["complete"](make["chests"](form=form, bits=bits), tmp_path))
    assert verify(tmp_path / "R", today=TODAY).ok


@pytest.mark.parametrize("form", ["png", "dicom"])
def test_colour_verifies(tmp_path: Path, make, form: str) -> None:
    images = np.random.default_rng(0).random((4, 3, 9, 7))
    findings = [{"a": 1.0, "b": row / 3} for row in range(4)]
    contents = make["contents"](make["prepared"](images, findings=findings), form=form)
    write_package(tmp_path / "R", make["complete"](contents, tmp_path))
    assert verify(tmp_path / "R", today=TODAY).ok


def test_an_expired_statement_is_said_and_not_held_against_the_package(release: Path) -> None:
    found = verify(release, today=date(2027, 4, 1))
    assert found.ok
    assert [check.status for check in found.checks if check.name == "expiry"] == ["warning"]
    assert all(
        check.status == "pass"
        for check in verify(release, "0" * 64, today=date(2027, 3, 31)).checks
        if check.name == "expiry"
    )


def test_images_that_look_nearly_the_same_are_said(tmp_path: Path, make) -> None:
    contents = make["chests"]()
    images = contents.images.load()
    images[1] = np.clip(images[0] * 0.97, 0, 1)
    images = make["prepared"](images, contents.images.labels.tolist())
    write_package(tmp_path / "R", make["complete"](replace(contents, images=images), tmp_path))
    found = verify(tmp_path / "R", today=TODAY)
    assert found.ok
    assert "2 look nearly the same" in next(check.sentence for check in found.checks if check.name == "duplicates")


def test_what_is_no_release_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no folder"):
        verify(tmp_path / "nothing")
    with pytest.raises(InputError, match="64 hexadecimal digits"):
        verify(tmp_path, "abc")
    assert not verify(tmp_path).ok


def _command(*arguments: str) -> int:
    import argparse

    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args(arguments))


def test_the_command_prints_each_check_and_the_fingerprint(release: Path, copy: Path, capsys) -> None:
    fingerprint = fingerprint_of((release / SUMS).read_bytes())
    assert _command(str(release), "--fingerprint", fingerprint) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1] == f"fingerprint {fingerprint}"
    assert printed.count(" pass ") >= 14
    (copy / "README.txt").write_text("other")
    assert _command(str(copy)) == 1
    assert "README.txt was changed" in capsys.readouterr().out


def test_the_command_prints_json(release: Path, capsys) -> None:
    assert _command(str(release), "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is True
    assert {"name", "status", "sentence"} == set(document["checks"][0])
