"""The VISA library of the simulator: sessions to the simulated instruments of one bench file."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from pyvisa import constants, rname
from pyvisa.constants import ResourceAttribute, StatusCode
from pyvisa.errors import InvalidSession, VisaIOError
from pyvisa.highlevel import VisaLibraryBase
from pyvisa.util import LibraryPath

from galvanode_simulator.bench import SimulatedInstrument, read_and_build
from galvanode_simulator.wire import Disconnected
from pyvisa_galvanode.session import Session


def parse_specification(text: str) -> tuple[Path, int]:
    """Return bench file and seed of ``path/bench.yaml?seed=3``. Raises ``ValueError``."""
    path, question, options = text.rpartition("?")
    if not question:
        path, options = text, ""
    seed = 0
    for option in filter(None, options.split("&")):
        key, _, value = option.partition("=")
        if key != "seed" or not value.isdigit():
            raise ValueError(f"{text}: {option!r}; expected a bench file, or 'bench.yaml?seed=3'")
        seed = int(value)
    if not path:
        raise ValueError("no bench file given; expected ResourceManager('bench.yaml@galvanode')")
    return Path(path), seed


class GalvanodeVisaLibrary(VisaLibraryBase):
    """Simulated instruments in this process. They last as long as the resource manager."""

    sessions: dict[Any, Session]
    instruments: dict[str, SimulatedInstrument]
    """By the name in the bench file."""

    @staticmethod
    def get_library_paths() -> tuple[LibraryPath, ...]:
        """No bench file is found by itself."""
        return ()

    @staticmethod
    def get_debug_info() -> dict[str, str]:
        """For ``pyvisa-info``."""
        return {"Version": "simulator of Galvanode"}

    def _init(self) -> None:
        self._handles = itertools.count(1)
        self.sessions = {}
        self.instruments = {}
        self._by_resource: dict[str, SimulatedInstrument] = {}
        self._manager: Any = None

    # Resource manager

    def open_default_resource_manager(self) -> tuple[Any, StatusCode]:
        """Read the bench file and build its instruments. Raises ``InvalidInput``."""
        path, seed = parse_specification(str(self.library_path))
        self.instruments = read_and_build(path, seed)
        self._by_resource = {_canonical(instrument.resource): instrument for instrument in self.instruments.values()}
        self._manager = next(self._handles)
        return self._manager, self._done(self._manager)

    def list_resources(self, session: Any, query: str = "?*::INSTR") -> tuple[str, ...]:
        """Resource names of the simulated instruments that fit the query."""
        names = [str(rname.ResourceName.from_string(one.resource)) for one in self.instruments.values()]
        return rname.filter(names, query)

    def open(
        self,
        session: Any,
        resource_name: str,
        access_mode: constants.AccessModes = constants.AccessModes.no_lock,
        open_timeout: int = constants.VI_TMO_IMMEDIATE,
    ) -> tuple[Any, StatusCode]:
        """Open a session to a simulated instrument."""
        try:
            name = rname.ResourceName.from_string(resource_name)
        except rname.InvalidResourceName:
            raise VisaIOError(StatusCode.error_invalid_resource_name) from None
        instrument = self._by_resource.get(str(name).upper())
        if instrument is None:
            raise VisaIOError(StatusCode.error_resource_not_found)
        try:
            instrument.wire.connect()
        except Disconnected:
            raise VisaIOError(StatusCode.error_timeout) from None
        handle = next(self._handles)
        self.sessions[handle] = Session(name, instrument.wire)
        return handle, self._done(handle)

    def close(self, session: Any) -> StatusCode:
        """Close a session, or the resource manager with all of them."""
        if session == self._manager:
            self.sessions.clear()
            self._manager = None
        elif self.sessions.pop(session, None) is None:
            return StatusCode.success  # events and closed sessions: nothing to give back
        return self._done(session)

    # Messages

    def write(self, session: Any, data: bytes) -> tuple[int, StatusCode]:
        """Send bytes to the instrument."""
        try:
            self._session(session).write(data)
        except VisaIOError as error:
            self._failed(session, error)
            raise
        self._last_status = self._last_status_in_session[session] = StatusCode.success
        return len(data), StatusCode.success

    def read(self, session: Any, count: int) -> tuple[bytes, StatusCode]:
        """Read up to ``count`` bytes."""
        try:
            data, status = self._session(session).read(count)
        except VisaIOError as error:
            self._failed(session, error)
            raise
        self._last_status = self._last_status_in_session[session] = status
        return data, status

    def clear(self, session: Any) -> StatusCode:
        """Device clear."""
        self._session(session).clear()
        return self._done(session)

    def flush(self, session: Any, mask: constants.BufferOperation) -> StatusCode:
        """Discard input if the mask says so; output is never buffered."""
        discard = (
            constants.BufferOperation.discard_read_buffer
            | constants.BufferOperation.discard_read_buffer_no_io
            | constants.BufferOperation.discard_receive_buffer
            | constants.BufferOperation.discard_receive_buffer2
        )
        if mask & discard:
            self._session(session).discard_input()
        return self._done(session)

    def read_stb(self, session: Any) -> tuple[int, StatusCode]:
        """Serial poll: what ``*STB?`` says."""
        replies = self._session(session).wire.exchange(b"*STB?")
        if not replies or not replies[0].data.strip().isdigit():
            raise VisaIOError(StatusCode.error_nonsupported_operation)
        return int(replies[0].data), self._done(session)

    def assert_trigger(self, session: Any, protocol: constants.TriggerProtocol) -> StatusCode:
        """Group execute trigger: ``*TRG``."""
        self._session(session).write(b"*TRG\n")
        return self._done(session)

    # Attributes, locks and events

    def get_attribute(self, session: Any, attribute: Any) -> tuple[Any, StatusCode]:
        """Value of a VISA attribute."""
        if session == self._manager:
            raise VisaIOError(StatusCode.error_nonsupported_attribute)
        try:
            return self._session(session).get(ResourceAttribute(attribute)), self._done(session)
        except (KeyError, ValueError):
            raise VisaIOError(StatusCode.error_nonsupported_attribute) from None

    def set_attribute(self, session: Any, attribute: Any, attribute_state: Any) -> StatusCode:
        """Set a VISA attribute."""
        try:
            self._session(session).set(ResourceAttribute(attribute), attribute_state)
        except (KeyError, ValueError):
            raise VisaIOError(StatusCode.error_nonsupported_attribute) from None
        return self._done(session)

    def lock(
        self, session: Any, lock_type: constants.Lock, timeout: int, requested_key: str | None = None
    ) -> tuple[str, StatusCode]:
        """Grant every lock: there is one process."""
        self._session(session)
        return requested_key or "", self._done(session)

    def unlock(self, session: Any) -> StatusCode:
        """Give a lock back."""
        self._session(session)
        return self._done(session)

    def disable_event(self, session: Any, event_type: Any, mechanism: Any) -> StatusCode:
        """No events come from here."""
        return StatusCode.success

    def discard_events(self, session: Any, event_type: Any, mechanism: Any) -> StatusCode:
        """No events come from here."""
        return StatusCode.success

    # Helpers

    def _session(self, handle: Any) -> Session:
        session = self.sessions.get(handle)
        if session is None:
            raise InvalidSession
        return session

    def _done(self, session: Any) -> StatusCode:
        self._last_status = self._last_status_in_session[session] = StatusCode.success
        return StatusCode.success

    def _failed(self, session: Any, error: VisaIOError) -> None:
        self._last_status = self._last_status_in_session[session] = StatusCode(error.error_code)


def _canonical(resource: str) -> str:
    return str(rname.ResourceName.from_string(resource)).upper()
