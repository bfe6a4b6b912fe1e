"""Connections to the database of a data directory."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from galvanode.errors import InvalidInput
from galvanode.store.schema import DATABASE, check_version, create_or_migrate

_BUSY_S = 10.0
"""How long a writer waits for another writer: the journal's commits and its seals take turns."""


_TURN = threading.Lock()
"""Writers of this process take turns in order; SQLite's own waiting polls, and may poll in vain for long."""


def open_for_writing(directory: Path) -> sqlite3.Connection:
    """Open the database, durable at every commit; create it where there is none.

    Raises ``StoreError`` if the file is another program's or of another version.
    """
    path = directory / DATABASE
    # Whoever may read a database may lock it. SQLite gives its log and its index the mode of the database.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        with _TURN:
            create_or_migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def writing(connection: sqlite3.Connection) -> Generator[None]:
    """One transaction: all of it is on disk afterwards, or (on any exception) nothing."""
    with _TURN:
        yield from _transaction(connection)


def _transaction(connection: sqlite3.Connection) -> Generator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def reading(directory: Path) -> Generator[sqlite3.Connection]:
    """One consistent view of the database, read-only; keep it short, for the log cannot shrink meanwhile.

    Raises ``InvalidInput`` if the directory holds no database, ``StoreError`` if it holds another one.
    """
    path = (directory / DATABASE).absolute()
    if not path.is_file():
        raise InvalidInput(f"{directory} holds no runs yet; --data names the directory of a station")
    uri = f"file:{quote(str(path))}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, timeout=_BUSY_S, isolation_level=None)
    try:
        connection.execute("BEGIN")
        check_version(connection, path)
        yield connection
    finally:
        connection.close()
