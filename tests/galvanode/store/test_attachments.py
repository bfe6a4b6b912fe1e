"""Photos of a run: whole or not there, under the name of what is in them."""

import hashlib
import os
from pathlib import Path

import pytest

from galvanode.errors import InvalidInput
from galvanode.store import attachments as module
from galvanode.store.attachments import MAX_BYTES, attachments, find_attachment, save_attachment

JPEG = b"\xff\xd8\xff\xe1" + b"cell" * 100
PNG = b"\x89PNG\r\n\x1a\n" + b"cell" * 100


def test_a_photo_is_kept_once_under_its_sha256(tmp_path: Path) -> None:
    first, is_new = save_attachment(tmp_path, "r0001", JPEG)
    assert is_new
    assert first.name == f"{hashlib.sha256(JPEG).hexdigest()}.jpg"
    assert (first.media_type, first.size, first.path.read_bytes()) == ("image/jpeg", len(JPEG), JPEG)
    assert first.path.parent == tmp_path / "runs" / "r0001.attachments"
    again, is_new = save_attachment(tmp_path, "r0001", JPEG)
    assert (again, is_new) == (first, False)
    assert attachments(tmp_path, "r0001") == [first]
    assert find_attachment(tmp_path, "r0001", first.name) == first


def test_photos_are_listed_oldest_first_and_nothing_else_is(tmp_path: Path) -> None:
    first, _ = save_attachment(tmp_path, "r0001", PNG)
    second, _ = save_attachment(tmp_path, "r0001", JPEG)
    os.utime(first.path, (1, 1))
    for stray in ("note.txt", "0" * 64 + ".html", "abc.tmp"):
        (first.path.parent / stray).write_text("x")
    assert attachments(tmp_path, "r0001") == [first, second]
    assert attachments(tmp_path, "r0002") == []


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"<svg/>", b"\xff\xd8", JPEG[1:], b" " + PNG])
def test_anything_else_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(InvalidInput, match="expected a JPEG or a PNG"):
        save_attachment(tmp_path, "r0001", data)
    assert not list(tmp_path.rglob("*"))


def test_too_large_a_photo_is_refused(tmp_path: Path) -> None:
    assert save_attachment(tmp_path, "r0001", JPEG + bytes(MAX_BYTES - len(JPEG)))[1]
    with pytest.raises(InvalidInput, match="10 MB"):
        save_attachment(tmp_path, "r0001", JPEG + bytes(MAX_BYTES))


@pytest.mark.parametrize("run", ["../r0001", "r1", "", "r0001/..", "nonsense"])
def test_no_other_name_becomes_a_folder(tmp_path: Path, run: str) -> None:
    for act in (
        lambda: save_attachment(tmp_path, run, JPEG),
        lambda: attachments(tmp_path, run),
        lambda: find_attachment(tmp_path, run, "0" * 64 + ".jpg"),
    ):
        with pytest.raises(InvalidInput, match="is not a run"):
            act()
    assert not list(tmp_path.rglob("*"))


@pytest.mark.parametrize("name", ["", "..", "../r0001.bdf.parquet", "0" * 64 + ".jpg", "0" * 64 + ".jpg\n"])
def test_no_other_file_is_found(tmp_path: Path, name: str) -> None:
    save_attachment(tmp_path, "r0001", JPEG)
    with pytest.raises(InvalidInput, match="has no photo"):
        find_attachment(tmp_path, "r0001", name)


def test_a_kill_before_the_rename_leaves_no_photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module.os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        save_attachment(tmp_path, "r0001", JPEG)
    monkeypatch.undo()
    assert attachments(tmp_path, "r0001") == []
    assert save_attachment(tmp_path, "r0001", JPEG)[1]


def test_a_file_that_was_cut_off_is_written_again(tmp_path: Path) -> None:
    kept, _ = save_attachment(tmp_path, "r0001", JPEG)
    kept.path.write_bytes(JPEG[:10])
    again, is_new = save_attachment(tmp_path, "r0001", JPEG)
    assert is_new
    assert again.path.read_bytes() == JPEG
