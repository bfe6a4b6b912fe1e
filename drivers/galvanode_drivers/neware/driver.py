"""Neware battery testers, through the interface for programs of a BTS 8 server (TCP, port 502).

A unit's channels run step files by themselves: whatever becomes of this program, they go on. The interface must be
switched on in the BTS client (Help, Mode settings; Neware gives the key).
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from galvanode.instrument.links.frames import FrameLink
from galvanode.instrument.reading import Reading
from galvanode.instrument.roles import (
    Capabilities,
    Envelope,
    Identity,
    InstrumentError,
    UnsafeState,
)
from galvanode.instrument.schedule import Followed, Record, Schedule, ScheduleState
from galvanode_drivers.neware import protocol
from galvanode_drivers.neware.options import NewareOptions
from galvanode_drivers.neware.protocol import Address, Now
from galvanode_drivers.neware.stepfile import Ratings, StepFile, write_step_file

T = TypeVar("T")

_OVER: dict[str, ScheduleState] = {"finish": "finished", "stop": "stopped", "protect": "protected"}
"""``workstatus`` of a channel whose output is off and that can be started."""
_AT_WORK: dict[str, ScheduleState] = {
    "working": "running",
    "pause": "paused",
    "waitStart": "running",
    "synCtrl": "running",
    "waitTimeOut": "paused",
}
_READ_BACK_S, _READ_BACKS = 0.2, 50
"""A server tells a change of state up to 5 s late."""


class Neware:
    """A unit: one connection to the server, and the channels of one of its units."""

    def __init__(self, link: FrameLink, options: NewareOptions) -> None:
        self.link = link
        self.options = options
        self.ratings = Ratings((options.voltage_min, options.voltage_max), options.current)
        self._addresses: dict[int, Address] = {}
        self._channels = {str(number): NewareChannel(self, number) for number in range(1, options.channels + 1)}

    @property
    def name(self) -> str:
        """Name of the unit in the bench file."""
        return self.link.name

    def channel(self, address: str) -> NewareChannel:
        """Return the channel of that address, ``1`` to ``8``."""
        return self._channels[address]

    async def identify(self) -> Identity:
        """Log in and ask what the server has. Raises ``InstrumentError`` if the unit is not among it."""
        await self._log_in()
        server = await self.ask(protocol.question("getdevinfo"), protocol.server)
        devices = sorted({item.devid for item in server.addresses})
        devid = self.options.devid if self.options.devid is not None else next(iter(devices), None)
        if devid not in devices or (self.options.devid is None and len(devices) > 1):
            told = ", ".join(map(str, devices)) or "none"
            raise InstrumentError(f"{self.name}: expected the option 'devid', one of the server's devices: {told}")
        unit = {
            item.chlid: item
            for item in server.addresses
            if (item.devid, item.subdevid) == (devid, self.options.subdevid)
        }
        if missing := [number for number in range(1, self.options.channels + 1) if number not in unit]:
            raise InstrumentError(
                f"{self.name}: device {devid}, unit {self.options.subdevid} has {len(unit)} channels, and none of "
                f"number {missing[0]}; check the options 'subdevid' and 'channels'"
            )
        self._addresses = unit
        serial = f"{devid}-{self.options.subdevid}"
        return self.link.recognise(Identity("NEWARE", f"BTS 8 devtype {unit[1].devtype}", serial, server.version))

    async def make_safe(self) -> None:
        """Stop every channel that is at work, verified by read-back. Raises ``UnsafeState``."""
        with self.link.urgent():
            await self._log_in()
            addresses = [await self.address(number) for number in range(1, self.options.channels + 1)]
            states = dict(zip(addresses, await self.now(addresses), strict=True))
            not_seen = {channel.number for channel in self._channels.values() if channel.start_not_seen}
            at_work = [where for where, state in states.items() if state.status not in _OVER or where.chlid in not_seen]
            if at_work:
                await self.stop(at_work)

    async def close(self) -> None:
        """Give the connection back. The channels go on with what they do."""
        await self.link.close()

    # For the channels

    async def ask(self, message: bytes, parse: Callable[[bytes], T]) -> T:
        """Ask the server. Raises ``LinkError``."""
        return await self.link.exchange(message, parse)

    async def address(self, number: int) -> Address:
        """Return where the server has a channel, which it is asked once."""
        if number not in self._addresses:
            await self.identify()
        return self._addresses[number]

    async def now(self, addresses: list[Address]) -> list[Now]:
        """Ask what channels do at this moment."""
        return await self.ask(protocol.each("inquire", addresses, ' aux="0" barcode="1"'), protocol.now(len(addresses)))

    async def stop(self, addresses: list[Address]) -> None:
        """Stop channels and see that they have. Raises ``UnsafeState``."""
        await self.ask(protocol.each("stop", addresses), protocol.accepted("stop", len(addresses)))
        still: list[str] = []
        for _ in range(_READ_BACKS):
            still = await self._at_work(addresses)
            if not still:
                return
            await asyncio.sleep(_READ_BACK_S)
        raise UnsafeState(f"{self.name}: {', '.join(still)} after a stop. Stop it at the BTS client, or by hand")

    async def _at_work(self, addresses: list[Address]) -> list[str]:
        """Which channels are at work, in words."""
        states = zip(addresses, await self.now(addresses), strict=True)
        return [f"{where} is {state.status!r}" for where, state in states if state.status not in _OVER]

    async def _log_in(self) -> None:
        greeting = protocol.login(self.options.username, self.options.password)
        if not await self.ask(greeting, protocol.logged_in):
            raise InstrumentError(f"{self.name}: the server refuses the user {self.options.username!r}")

    def keep_step_file(self, file: StepFile, name: str) -> str:
        """Write a step file where the server can read it; return its path there."""
        folder = self.options.step_files
        try:
            folder.mkdir(mode=0o700, exist_ok=True)  # not those above: they are a share that is not there, or misspelt
            handle, written = tempfile.mkstemp(prefix=".", suffix=".xml", dir=folder)
            with os.fdopen(handle, "wb") as stream:
                stream.write(file.xml)
            path = folder / f"{name}.xml"
            Path(written).chmod(0o644)  # the server may be another user; the folder says who may look
            Path(written).replace(path)
        except (OSError, ValueError) as error:  # the latter: a name that no folder can have
            raise InstrumentError(f"{self.name}: no step file can be written to {folder}: {error}") from error
        if self.options.step_files_at_server is None:
            return str(path.resolve())
        there = self.options.step_files_at_server
        separator = "\\" if "\\" in there else "/"
        return there.rstrip("\\/") + separator + path.name


class NewareChannel:
    """One channel: is handed a step file, runs it, and is followed."""

    def __init__(self, unit: Neware, number: int) -> None:
        self.unit = unit
        self.number = number
        ratings = unit.ratings
        self.capabilities = Capabilities(
            modes=frozenset({"rest", "current", "voltage"}),
            voltage=ratings.voltage,
            current=(-ratings.current, ratings.current),
            fastest_poll_s=5.0,  # the server tells nothing younger
            current_floor=5e-4 * ratings.current,
        )
        self._envelope: Envelope | None = None
        self._file = StepFile(b"")
        self._tag: str | None = None
        self._test = 0
        """The server's number of the test; 0 until it is known."""
        self.start_not_seen = False
        """A start was sent that the server has not told of: what it says of before proves nothing."""

    @property
    def name(self) -> str:
        """Name of the channel in the bench file."""
        return f"{self.unit.name}/{self.number}"

    async def identify(self) -> Identity:
        """Ask who answers."""
        return await self.unit.identify()

    def refuse(self, schedule: Schedule) -> None:
        """Raise ``CannotExpress`` for the first line that a step file cannot say."""
        write_step_file(schedule, self.unit.ratings)

    async def prepare(self, envelope: Envelope) -> None:
        """Remember the envelope; every step of a schedule that is started protects it."""
        self._envelope = envelope

    async def start(self, schedule: Schedule, tag: str) -> None:
        """Hand over a schedule. Raises ``CannotExpress``, ``InstrumentError`` or ``LinkError``."""
        if self._envelope is None:
            raise InstrumentError(f"{self.name}: start before prepare")
        file = write_step_file(schedule, self.unit.ratings, self._envelope, tag)
        address = await self.unit.address(self.number)
        state = await self._now()
        if state.status not in _OVER:
            whose = f" with {state.barcode!r}" if state.barcode else ""
            raise InstrumentError(f"{self.name} is {state.status!r}{whose}; it can be started when it is not at work")
        path = self.unit.keep_step_file(file, f"{self.unit.name}-{self.number}-{_as_name(tag)}")
        question = protocol.start(address, path, tag, self.unit.options.backup)
        self.start_not_seen = True
        (started,) = await self.unit.ask(question, protocol.accepted("start", 1))
        if not started:
            raise InstrumentError(
                f"{self.name}: the server did not start {path}; it must see that file, and the log of the BTS client "
                "says what it does not like"
            )
        await self._see_tag(tag)
        self.start_not_seen = False
        self._file, self._tag, self._test = file, tag, 0

    async def attached(self) -> str | None:
        """Return the barcode of what runs there, or was the last to run."""
        return (await self._now()).barcode or None

    def attach(self, schedule: Schedule, tag: str) -> None:
        """Follow what was started as that."""
        self._file, self._tag, self._test = write_step_file(schedule, self.unit.ratings), tag, 0

    async def follow(self, after: int) -> Followed:
        """Return the records after that, a thousand at most. Raises ``InstrumentError``, ``LinkError``."""
        if self._tag is None:
            raise InstrumentError(f"{self.name}: nothing is followed")
        state = await self._now(
            self._tag
        )  # before the count: what is over now has no more records than are counted then
        if state.barcode != self._tag:
            if not state.barcode:
                raise InstrumentError(f"{self.name}: the server has no {self._tag!r} any more; its records are lost")
            raise InstrumentError(
                f"{self.name}: {state.barcode!r} was started on it in the place of {self._tag!r}; its records are lost"
            )
        address = await self.unit.address(self.number)
        stored = None if state.status in _AT_WORK and self._test else await self._stored(address)
        records = await self._fetch(address, after)
        last = records[-1].number if records else after
        more = len(records) >= protocol.MOST_ROWS - 1 if stored is None else last < stored.rows
        state_now, reason = await self._state(address, state, handed_over=stored is None or (stored.whole and not more))
        now = Reading(state.voltage, state.current, None, False, None) if state_now == "running" else None
        return Followed(records, more, state_now, reason, now)

    async def stop(self) -> None:
        """Stop the channel, verified by read-back. Raises ``UnsafeState``."""
        address = await self.unit.address(self.number)
        (state,) = await self.unit.now([address])
        if self.start_not_seen or state.status not in _OVER:  # whatever it is
            await self.unit.stop([address])
        self.start_not_seen = False

    async def make_safe(self) -> None:
        """Stop the channel, whatever runs there, verified by read-back. Raises ``UnsafeState``."""
        with self.unit.link.urgent():
            await self.stop()

    async def close(self) -> None:
        """Nothing: the connection is the unit's."""

    async def _see_tag(self, tag: str) -> None:
        """Wait until the server tells the tag of what was started: by that alone it is known later for what it is."""
        told = ""
        for _ in range(_READ_BACKS):
            told = (await self._now()).barcode
            if told == tag:
                return
            await asyncio.sleep(_READ_BACK_S)
        raise InstrumentError(f"{self.name}: started as {tag!r}, and the server tells the barcode {told!r}")

    async def _now(self, tag: str | None = None) -> Now:
        """Ask what it does. What this driver does not know, or has not started, is believed when it is told twice."""
        address = await self.unit.address(self.number)
        (state,) = await self.unit.now([address])
        if not _is_known(state) or tag not in (None, state.barcode):
            self.unit.link.distrust(f"{state.status!r} with the barcode {state.barcode!r} was not expected")
            (state,) = await self.unit.now([address])
        if not _is_known(state):
            raise InstrumentError(f"{self.name} is {state.status!r}, which this driver does not know")
        return state

    async def _state(self, address: Address, state: Now, *, handed_over: bool) -> tuple[ScheduleState, str]:
        """How a schedule stands; one that is over goes on until all of its records can be fetched."""
        if state.status in _AT_WORK:
            return _AT_WORK[state.status], "" if state.status == "working" else state.status
        if not handed_over:
            return "running", "the server has not got all records yet"
        if state.status == "protect":
            code = await self.unit.ask(protocol.log(address), protocol.last_log_code)
            return "protected", f"protect (log code {code})"
        return _OVER[state.status], state.status

    async def _stored(self, address: Address) -> protocol.Stored:
        """Ask how much of the test there is. Raises ``InstrumentError`` if it is another test than it was."""
        stored = await self.unit.ask(protocol.stored(address), protocol.stored_reply)
        if self._test not in (0, stored.test):
            raise InstrumentError(f"{self.name}: test {stored.test} has taken the place of test {self._test}")
        self._test = stored.test
        return stored

    async def _fetch(self, address: Address, after: int) -> list[Record]:
        """Fetch what comes after a record. The one before is fetched with it: a step begins where its time does."""
        first = max(1, after)
        question = protocol.download(address, first, protocol.MOST_ROWS)
        rows = await self.unit.ask(question, protocol.rows(first, self._test))
        records: list[Record] = []
        before: protocol.Row | None = None
        for row in rows:
            if row.number > after:
                records.append(self._record(row, before))
            before = row
        return records

    def _record(self, row: protocol.Row, before: protocol.Row | None) -> Record:
        number = self._file.numbers.get(row.step)
        if number is None:
            raise InstrumentError(f"{self.name}: record {row.number} is of step {row.step}, which was not handed over")
        begins = before is None or before.step != row.step or row.time_s <= before.time_s
        return Record(row.number, number, begins, row.time_s, row.voltage, row.current, row.charge, row.energy)


def _is_known(state: Now) -> bool:
    return state.status in _OVER or state.status in _AT_WORK


def _as_name(tag: str) -> str:
    """A tag as a part of a file's name."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in tag)
