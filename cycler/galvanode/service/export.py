"""Files to take away, written in a folder of their own and removed once they were sent."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from galvanode.service.problems import Busy
from galvanode.service.records import Records
from galvanode.store.export import export_run

MAX_WAITING = 4

Format = Literal["bdf", "bdf-csv", "battery-archive"]


@dataclass(frozen=True)
class Made:
    """One file, in a folder that is only for it."""

    path: Path
    folder: Path

    def remove(self) -> None:
        """Remove it with its folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


class Exports:
    """Makes exports one at a time: each reads a whole run."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._one = asyncio.Lock()
        self._waiting = 0

    async def make(self, run: str, kind: Format) -> Made:
        """Return the file, a zip where the export has a metadata file beside it.

        Raises ``UnknownRun`` and ``Busy``. The caller removes it.
        """
        if self._waiting >= MAX_WAITING:
            raise Busy("too many exports at once; try again")
        self._waiting += 1
        try:
            async with self._one:
                await self._records.run(run)
                return await self._records.do(lambda: self._make(run, kind))
        finally:
            self._waiting -= 1

    def _make(self, run: str, kind: Format) -> Made:
        folder = Path(tempfile.mkdtemp(prefix="galvanode-export-"))
        try:
            files = export_run(self._records.store, run, kind, folder)
            if len(files) == 1:
                return Made(files[0], folder)
            archive = folder / f"{run}-{kind}.zip"
            with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
                for path in files:
                    packed.write(path, path.name)
            return Made(archive, folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
