import errno
import os
import stat
from dataclasses import replace

import pytest

from fourfold.errors import InputError
from fourfold.report import write_report, writer

FILES = {"index.html", "shareable.html", "scores.json", "images.parquet"}


@pytest.fixture(scope="module")
def evaluation(fabricate):
    """Without feature spaces, so that nothing is drawn."""
    return replace(fabricate(), comparisons={}, scores=())


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_report_is_four_files_and_the_first_screen_is_returned(evaluation, tmp_path):
    page = write_report(evaluation, tmp_path / "a" / "report")
    assert page == tmp_path / "a" / "report" / "index.html"
    assert set(contents(page.parent)) == FILES


def test_files_of_an_earlier_report_are_replaced_and_others_left_alone(evaluation, tmp_path):
    for name in ("index.html", "notes.txt"):
        (tmp_path / name).write_text("mine")
    write_report(evaluation, tmp_path)
    assert set(contents(tmp_path)) == FILES | {"notes.txt"}
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert (tmp_path / "index.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_the_same_evaluation_gives_the_same_files(evaluation, tmp_path):
    write_report(evaluation, tmp_path / "first")
    write_report(evaluation, tmp_path / "second")
    assert contents(tmp_path / "first") == contents(tmp_path / "second")


@pytest.mark.parametrize("written", [0, 2, 3])
def test_an_interruption_leaves_the_earlier_report_whole(evaluation, tmp_path, monkeypatch, written):
    before = dict.fromkeys(FILES, b"an earlier report")
    for name, content in before.items():
        (tmp_path / name).write_bytes(content)
    fsync, calls = os.fsync, []

    def interrupted(descriptor):
        if len(calls) == written:
            raise KeyboardInterrupt
        calls.append(descriptor)
        fsync(descriptor)

    monkeypatch.setattr(writer.os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_report(evaluation, tmp_path)
    assert contents(tmp_path) == before


def test_an_interruption_leaves_no_folder_where_there_was_none(evaluation, tmp_path, monkeypatch):
    def interrupted(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(writer.os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_report(evaluation, tmp_path / "report")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "the disk is full; free some space or choose another folder"),
        (errno.EACCES, "there is no permission to write there; choose another folder or change its permissions"),
        (errno.EIO, "Input/output error; choose another folder"),
    ],
)
def test_what_the_disk_refuses_is_one_sentence_naming_the_folder(evaluation, tmp_path, monkeypatch, number, said):
    def refused(descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(writer.os, "fsync", refused)
    folder = tmp_path / "report"
    with pytest.raises(InputError) as caught:
        write_report(evaluation, folder)
    assert str(caught.value) == f"the report cannot be written to {folder}: {said}"
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_is_said(evaluation, tmp_path):
    (tmp_path / "report").write_text("a file")
    with pytest.raises(InputError, match="a file is in the way; choose another folder or remove the file"):
        write_report(evaluation, tmp_path / "report")
    assert (tmp_path / "report").read_text() == "a file"


def test_a_folder_without_write_permission_is_said(evaluation, tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        with pytest.raises(InputError, match="there is no permission to write there"):
            write_report(evaluation, tmp_path)
    finally:
        tmp_path.chmod(stat.S_IRWXU)
