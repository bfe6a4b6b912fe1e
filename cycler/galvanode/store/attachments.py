"""Attachments: photos that answer a run's questions, kept beside its samples under their own sha256.

A file is written aside, synced and renamed, so that a name in the folder is a whole photo; and since the name says
what is in it, nothing there ever changes.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from galvanode.errors import InvalidInput
from galvanode.store.schema import RUNS, run_number

MAX_BYTES = 10 * 1024 * 1024
"""Largest photo that is taken."""

_KINDS = {
    "jpg": ("image/jpeg", b"\xff\xd8\xff"),
    "png": ("image/png", b"\x89PNG\r\n\x1a\n"),
}
"""Ending -> media type and the bytes that such a file begins with."""

_NAME = re.compile(r"([0-9a-f]{64})\.(jpg|png)")


@dataclass(frozen=True, slots=True)
class Attachment:
    """One photo of a run."""

    name: str
    """``<sha256>.jpg`` or ``<sha256>.png``."""
    sha256: str
    media_type: str
    size: int
    """Bytes."""
    path: Path


def check_photo(data: bytes) -> str:
    """Return the ending of a photo's name, by what it begins with; raise ``InvalidInput`` for one that is not taken."""
    if len(data) > MAX_BYTES:
        raise InvalidInput(f"the photo has {len(data) / 2**20:.1f} MB; {MAX_BYTES // 2**20} MB are the most")
    for ending, (_, magic) in _KINDS.items():
        if data.startswith(magic):
            return ending
    raise InvalidInput("the file is no photo that can be kept; expected a JPEG or a PNG")


def save_attachment(directory: Path, run: str, data: bytes) -> tuple[Attachment, bool]:
    """Keep a photo of a run durably; return it, and whether it is new there.

    Raises ``InvalidInput`` for what is no JPEG or PNG or larger than ``MAX_BYTES``, and for a run's name that is none.
    """
    ending = check_photo(data)
    folder = _folder(directory, run)
    name = f"{hashlib.sha256(data).hexdigest()}.{ending}"
    path = folder / name
    is_new = not (path.is_file() and path.stat().st_size == len(data))
    if is_new:
        folder.mkdir(parents=True, exist_ok=True)
        _write_aside(path, data)
    return _attachment(path), is_new


def attachments(directory: Path, run: str) -> list[Attachment]:
    """Return the photos of a run, oldest first; raise ``InvalidInput`` if that is no run's name."""
    folder = _folder(directory, run)
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if _NAME.fullmatch(path.name)]
    return [_attachment(path) for path in sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name))]


def find_attachment(directory: Path, run: str, name: str) -> Attachment:
    """Return one photo of a run; raise ``InvalidInput`` if there is none of that name."""
    path = _folder(directory, run) / name
    if not _NAME.fullmatch(name) or not path.is_file():
        raise InvalidInput(f"run {run} has no photo {name[:80]!r}")
    return _attachment(path)


def _folder(directory: Path, run: str) -> Path:
    run_number(run)  # a name that is none never becomes part of a path
    return directory / RUNS / f"{run}.attachments"


def _attachment(path: Path) -> Attachment:
    sha256, _, ending = path.name.partition(".")
    return Attachment(path.name, sha256, _KINDS[ending][0], path.stat().st_size, path)


def _write_aside(path: Path, data: bytes) -> None:
    aside = path.with_name(f"{secrets.token_hex(8)}.tmp")
    try:
        with aside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    for folder in (path.parent, path.parent.parent):
        _sync(folder)


def _sync(folder: Path) -> None:
    """Make a folder's new names durable; Windows opens no folders, and needs none of this."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
