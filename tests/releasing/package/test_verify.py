"""Verification finds every changed byte, and what was changed by somebody who made the digests anew."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import shutil
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest

from fourfold.cli.verify import add_arguments, run
from fourfold.errors import InputError
from fourfold.images.phantoms import phantoms
from fourfold.releasing.package import write_package
from fourfold.releasing.package.sums import SUMS, digest_of_file, fingerprint_of, parse_sums, sums_of
from fourfold.releasing.verify import Verification, verify

TODAY = date(2026, 6, 30)
FLIPS = 160


def _failed(found: Verification) -> set[str]:
    return {check.name for check in found.checks if check.status == "fail"}


def _sum_again(folder: Path) -> None:
    """What somebody does who changes a package and hides it."""
    files = [file for file in folder.rglob("*") if file.is_file() and file.name != SUMS]
    (folder / SUMS).write_bytes(sums_of({file.relative_to(folder).as_posix(): digest_of_file(file) for file in files}))


@pytest.fixture
def copy(release: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(release, tmp_path / "copy"))


@pytest.fixture(scope="module")
def volumes(tmp_path_factory: pytest.TempPathFactory, make) -> dict[str, Path]:
    """A package of volumes in each form."""
    made = {}
    for form in ("nifti", "dicom"):
        folder = tmp_path_factory.mktemp(form)
        found = phantoms("brain", 2, images_per_patient=1, size=16, spatial_dims=3, seed=1)
        images = make["prepared"](found.images, found.labels.tolist())
        contents = make["contents"](images, masks=list(found.masks), form=form)
        write_package(folder / "R", make["complete"](contents, folder))
        made[form] = folder / "R"
    return made


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
def test_files_that_come_go_or_are_something_else_are_found(copy: Path, change: Callable[[Path], None]) -> None:
    change(copy)
    assert _failed(verify(copy, today=TODAY)) & {"files", "bytes"}


@pytest.mark.parametrize("change", [_add, _hide, _remove, _rename, _link, _link_folder])
def test_new_digests_do_not_hide_them(copy: Path, change: Callable[[Path], None]) -> None:
    change(copy)
    _sum_again(copy)
    assert not verify(copy, today=TODAY).ok


def test_a_changed_package_with_new_digests_has_another_fingerprint(copy: Path) -> None:
    fingerprint = fingerprint_of((copy / SUMS).read_bytes())
    (copy / "shareable.html").write_text("nothing was found")
    _sum_again(copy)
    assert verify(copy, today=TODAY).ok
    assert _failed(verify(copy, fingerprint, today=TODAY)) == {"fingerprint"}


def _edit(folder: Path, name: str, change: Callable[[dict], None]) -> None:
    document = json.loads((folder / name).read_text())
    change(document)
    (folder / name).write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("name", "change", "check"),
    [
        ("release.json", lambda one: one.update(images=11), "agreement"),
        ("release.json", lambda one: one.update(images=12.0), "names"),
        ("release.json", lambda one: one.update(images=10**12), "names"),
        ("release.json", lambda one: one.update(shape=[1, 10**7, 10**7]), "pictures"),
        ("release.json", lambda one: one.update(shape=[1, 24, 25]), "pictures"),
        ("release.json", lambda one: one.update(dataset="0" * 64), "images"),
        ("release.json", lambda one: one["classes"].update(lesion=5), "labels"),
        ("release.json", lambda one: one["patients"].update(training=400), "agreement"),
        ("release.json", lambda one: one.update(title="Others"), "croissant"),
        ("release.json", lambda one: one.update(licence="CC0-1.0"), "texts"),
        ("release.json", lambda one: one.pop("screen"), "schemas"),
        ("release.json", lambda one: one.update(created="2026-01-01"), "agreement"),
        ("audit.json", lambda one: one["verdict"].update(status="fail"), "agreement"),
        ("audit.json", lambda one: one["verdict"].update(status="fail"), "verdict"),
        ("audit.json", lambda one: one["verdict"].update(status="inconclusive"), "verdict"),
        ("audit.json", lambda one: one["sets"]["synthetic"].update(digest="0" * 64), "images"),
        ("audit.json", lambda one: one["sets"]["training"].update(images=41), "agreement"),
        ("audit.json", lambda one: one["limits"].update(copy_rate=0.5), "agreement"),
        ("audit.json", lambda one: one.update(expires="2030-01-01"), "statement"),
        ("audit.json", lambda one: one.update(signed_by=7), "schemas"),
        ("scores.json", lambda one: one["sets"]["synthetic"].update(shape=[1, 9, 9]), "agreement"),
        ("scores.json", lambda one: one["sets"]["synthetic"].update(labels={"normal": 12}), "agreement"),
        ("croissant.json", lambda one: one["recordSet"][0]["field"].pop(1), "croissant"),
        ("croissant.json", lambda one: one["distribution"][0].update(sha256="0" * 64), "croissant"),
        ("croissant.json", lambda one: one["distribution"][-1].update(includes="../*.png"), "croissant"),
        ("croissant.json", lambda one: one.clear(), "croissant"),
    ],
)
def test_documents_that_contradict_the_images_or_each_other_are_found(copy, name, change, check) -> None:
    _edit(copy, name, change)
    _sum_again(copy)
    found = verify(copy, today=TODAY)
    assert check in _failed(found)
    assert "bytes" not in _failed(found)


@pytest.mark.parametrize(
    "policy", ["[limits]\ncopy_rate = 0.5\n", 'signed_by = "Somebody Else"', "[limits", "limits = 7"]
)
def test_a_policy_that_the_audit_was_not_judged_by_is_found(copy: Path, policy: str) -> None:
    (copy / "policy.toml").write_text(policy)
    _sum_again(copy)
    assert "agreement" in _failed(verify(copy, today=TODAY))


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a": NaN}', '{"schema": 1, "schema": 2}', "", "\ud800"])
def test_a_document_that_is_no_json_of_ours_is_found(copy: Path, text: str) -> None:
    (copy / "audit.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    _sum_again(copy)
    assert "schemas" in _failed(verify(copy, today=TODAY))


def _replace_in_table(folder: Path, old: str, new: str) -> None:
    file = folder / "metadata.csv"
    file.write_text(file.read_text().replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "check"),
    [
        ("path,label,mask", "path,label,patient", "names"),
        ("000002.png,normal", "000002.png,lesion", "labels"),
        ("images/000001.png", "images/000002.png", "names"),
        ("images/000001.png", "/etc/passwd", "names"),
        ("masks/000001.png", "masks/000002.png", "names"),
        ("masks/000001.png", "../masks/000001.png", "names"),
        ("normal", '"nor\nmal"', "labels"),
    ],
)
def test_a_table_that_says_something_else_is_found(copy: Path, old: str, new: str, check: str) -> None:
    _replace_in_table(copy, old, new)
    _sum_again(copy)
    assert check in _failed(verify(copy, today=TODAY))


def test_swapped_images_are_found(copy: Path) -> None:
    one, two = copy / "images" / "000001.png", copy / "images" / "000002.png"
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    _sum_again(copy)
    assert _failed(verify(copy, today=TODAY)) == {"images"}


def test_equal_images_are_found(copy: Path) -> None:
    (copy / "images" / "000002.png").write_bytes((copy / "images" / "000001.png").read_bytes())
    _sum_again(copy)
    assert "duplicates" in _failed(verify(copy, today=TODAY))


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _with_text(content: bytes) -> bytes:
    return content[:33] + _chunk(b"tEXt", b"Comment\0MRN-4711") + content[33:]


def _with_exif(content: bytes) -> bytes:
    return content[:-12] + _chunk(b"eXIf", b"MM\0*") + content[-12:]


def _with_bomb(content: bytes) -> bytes:
    return content[:33] + _chunk(b"IDAT", zlib.compress(bytes(1 << 24))) + content[-12:]


def _with_hidden_rows(content: bytes) -> bytes:
    return content[:33] + _chunk(b"IDAT", zlib.compress(bytes(25 * 24 + 1))) + content[-12:]


def _with_tail_in_stream(content: bytes) -> bytes:
    return content[:33] + _chunk(b"IDAT", zlib.compress(bytes(25 * 24)) + b"MRN-4711") + content[-12:]


def _larger(content: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", 1 << 20, 1 << 20, 8, 0, 0, 0, 0)
    return content[:8] + _chunk(b"IHDR", header) + content[33:]


@pytest.mark.parametrize(
    "change",
    [
        _with_text,
        _with_exif,
        _with_bomb,
        _with_hidden_rows,
        _with_tail_in_stream,
        _larger,
        lambda content: content + b"x",
        lambda content: b"GIF89a" + content[6:],
    ],
)
@pytest.mark.parametrize("folder", ["images", "masks"])
def test_pictures_that_hold_more_than_pixels_are_found(copy: Path, change, folder: str) -> None:
    file = copy / folder / "000004.png"
    file.write_bytes(change(file.read_bytes()))
    _sum_again(copy)
    found = verify(copy, today=TODAY)
    assert "pictures" in _failed(found)
    assert not any("MRN" in problem for problem in found.problems)


def _volume_with(content: bytes, place: int, words: bytes) -> bytes:
    plain = bytearray(gzip.decompress(content))
    plain[place : place + len(words)] = words
    return gzip.compress(bytes(plain), mtime=0)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: _volume_with(content, 148, b"MRN-4711"),
        lambda content: _volume_with(content, 228, b"MRN"),
        lambda content: _volume_with(content, 328, b"MRN"),
        lambda content: _volume_with(content, 132, struct.pack("<f", 4711.0)),
        lambda content: _volume_with(content, 348, b"\1"),
        lambda content: gzip.compress(gzip.decompress(content) + b"x", mtime=0),
        lambda content: gzip.compress(gzip.decompress(content), mtime=4711),
        lambda content: content + gzip.compress(b"x", mtime=0),
        lambda content: gzip.compress(bytes(1 << 24), mtime=0),
    ],
)
def test_volumes_that_hold_more_than_voxels_are_found(volumes, tmp_path: Path, change) -> None:
    copy = Path(shutil.copytree(volumes["nifti"], tmp_path / "copy"))
    file = copy / "images" / "000001.nii.gz"
    file.write_bytes(change(file.read_bytes()))
    _sum_again(copy)
    assert "pictures" in _failed(verify(copy, today=TODAY))


def _private(dataset: pydicom.Dataset) -> None:
    dataset.private_block(0x4711, "WARD", create=True).add_new(1, "LO", "MRN-4711")


def _comment(dataset: pydicom.Dataset) -> None:
    dataset.ImageComments = "MRN-4711"


def _patient(dataset: pydicom.Dataset) -> None:
    dataset.PatientID = "MRN-4711"


def _acquired(dataset: pydicom.Dataset) -> None:
    dataset.SyntheticData = "NO"


def _source(dataset: pydicom.Dataset) -> None:
    dataset.StudyInstanceUID = "1.2.840.113619.2.1"


def _version(dataset: pydicom.Dataset) -> None:
    dataset.SoftwareVersions = "MRN 4711"


def _station(dataset: pydicom.Dataset) -> None:
    dataset.file_meta.SourceApplicationEntityTitle = "WARD7"


def _preamble(dataset: pydicom.Dataset) -> None:
    dataset.preamble = b"MRN-4711".ljust(128, b"\0")


@pytest.mark.parametrize("change", [_private, _comment, _patient, _acquired, _source, _version, _station, _preamble])
def test_dicom_files_that_say_more_or_something_else_are_found(volumes, tmp_path: Path, change) -> None:
    copy = Path(shutil.copytree(volumes["dicom"], tmp_path / "copy"))
    file = copy / "images" / "000001" / "0002.dcm"
    dataset = pydicom.dcmread(BytesIO(file.read_bytes()))
    change(dataset)
    dataset.save_as(file, enforce_file_format=True)
    _sum_again(copy)
    found = verify(copy, today=TODAY)
    assert "pictures" in _failed(found)
    assert not any("MRN" in problem for problem in found.problems)


def test_a_uid_that_is_used_twice_is_found(volumes, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(volumes["dicom"], tmp_path / "copy"))
    first = pydicom.dcmread(copy / "images" / "000001" / "0001.dcm")
    file = copy / "images" / "000002" / "0001.dcm"
    dataset = pydicom.dcmread(BytesIO(file.read_bytes()))
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = first.SOPInstanceUID
    dataset.save_as(file, enforce_file_format=True)
    _sum_again(copy)
    assert any("a UID stands for two images" in problem for problem in verify(copy, today=TODAY).problems)


def test_an_expired_statement_is_said_and_not_held_against_the_package(release: Path) -> None:
    found = verify(release, today=date(2027, 4, 1))
    assert found.ok
    assert [check.status for check in found.checks if check.name == "expiry"] == ["warning"]
    assert all(
        check.status == "pass"
        for check in verify(release, "0" * 64, today=date(2027, 3, 31)).checks
        if check.name == "expiry"
    )


def test_an_inconclusive_audit_that_the_policy_accepts_is_said(copy: Path) -> None:
    _edit(copy, "audit.json", lambda one: one["verdict"].update(status="inconclusive"))
    _edit(copy, "release.json", lambda one: one["audit"].update(status="inconclusive"))
    page = (copy / "statement.html").read_text()
    (copy / "statement.html").write_text(page.replace("verdict pass", "verdict inconclusive"))
    _sum_again(copy)
    assert "verdict" in _failed(verify(copy, today=TODAY))
    with (copy / "policy.toml").open("a") as stream:
        stream.write('\n[release]\ninconclusive = "accept"\n')
    _sum_again(copy)
    found = verify(copy, today=TODAY)
    assert [check.status for check in found.checks if check.name == "verdict"] == ["warning"]
    assert "verdict" not in _failed(found)


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
