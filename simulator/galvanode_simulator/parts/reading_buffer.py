"""Reading buffers of the Keithley 2450: packed records in a ring, 32 bytes each."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Literal, NamedTuple

_RECORD = struct.Struct("<3dq")
_GROW_BY = 4096


class Record(NamedTuple):
    """One reading."""

    time: float
    """s of the instrument's clock."""
    value: float
    source: float
    flags: int
    """Functions and status words, packed by the instrument."""


class ReadingBuffer:
    """Holds up to ``capacity`` readings; when full, a CONT buffer forgets the oldest, a ONCE buffer stops."""

    def __init__(self, name: str, capacity: int, fill: Literal["CONT", "ONCE"]) -> None:
        self.name = name
        self.capacity = capacity
        self.fill: Literal["CONT", "ONCE"] = fill
        self._data = bytearray()
        self._room = 0
        self._first = 0
        self.first_time: float | None = None
        self.count = 0

    def clear(self) -> None:
        """Forget all readings."""
        self._data = bytearray()
        self._room = self._first = self.count = 0
        self.first_time = None

    def resize(self, capacity: int) -> None:
        """Change the capacity, which empties the buffer."""
        self.clear()
        self.capacity = capacity

    def append(self, record: Record) -> bool:
        """Keep a reading; return False if a ONCE buffer is full."""
        if self.first_time is None:
            self.first_time = record.time
        count = self.count
        if count < self.capacity:
            if count == self._room:
                self._data.extend(bytes(_RECORD.size * min(_GROW_BY, self.capacity - count)))
                self._room = len(self._data) // _RECORD.size
            _RECORD.pack_into(self._data, count * _RECORD.size, *record)
            self.count = count + 1
            return True
        if self.fill == "ONCE":
            return False
        _RECORD.pack_into(self._data, self._first * _RECORD.size, *record)
        self._first = (self._first + 1) % self.capacity
        return True

    def record(self, number: int) -> Record:
        """Return a reading by its number, 1 for the oldest."""
        if not 1 <= number <= self.count:
            raise IndexError(number)
        index = (self._first + number - 1) % self.capacity
        return Record(*_RECORD.unpack_from(self._data, index * _RECORD.size))

    def records(self, start: int, end: int) -> Iterator[Record]:
        """Yield readings ``start`` to ``end``, both included."""
        for number in range(start, end + 1):
            yield self.record(number)
