"""The interface of a BTS 8 server to programs: XML over TCP, one question at a time, ``#`` and a line end after each.

    <?xml version="1.0" encoding="UTF-8" ?><bts version="1.0"><cmd>inquire</cmd><list count = "1">
    <inquire ip="127.0.0.1" devtype="27" devid="21" subdevid="1" chlid="2" aux="0" barcode="1">true</inquire>
    </list></bts>\\n\\n#\\r\\n

Replies are as a real BTS 8.0 gives them (aurora-neware's captures), its slips among them: ``donwload_resp``, a
``subdevid`` of 1 whichever it is in ``getchlstatus_resp``, no ``step_id`` where nothing is at work.
"""

from __future__ import annotations

import struct
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from galvanode.clock import process_clock
from galvanode_simulator.faults import Fault
from galvanode_simulator.framing import Framer, MarkerFramer
from galvanode_simulator.neware.channel import STARTABLE, Channel
from galvanode_simulator.neware.models import TICK_S
from galvanode_simulator.neware.records import Layer, Row
from galvanode_simulator.neware.stepfile import StepFileError, read_step_file

FRAME_END = b"#\r\n"
"""Ends a question; a reply has two empty lines before it."""
MOST_ROWS = 1000
"""Rows of one download."""
DEVICE_TYPE = 27
"""A BTS 8.5 controller, as in the captures."""
_WORKING_CODE = 102000
_AS = 3600.0
_Address = tuple[int, int, int]


class NewareInterface:
    """The bytes side of a server that has one unit."""

    def __init__(
        self,
        channels: Mapping[int, Channel],
        devid: int = 21,
        subdevid: int = 1,
        *,
        password: str = "neware",  # noqa: S107  the maker's own
    ) -> None:
        """``channels`` by their number in the unit, from 1."""
        self._password = password
        self._channels: dict[_Address, Channel] = {
            (devid, subdevid, number): channel for number, channel in channels.items()
        }
        self._handlers: dict[str, Callable[[ET.Element], list[str]]] = {
            "connect": self._connect,
            "getdevinfo": self._devices,
            "getchlstatus": self._status,
            "inquire": self._inquire,
            "inquiredf": self._data_files,
            "download": self._download,
            "downloadlog": self._download_log,
            "downloadStepLayer": self._download_steps,
            "start": self._start,
            "stop": self._stop,
            "continue": self._continue,
            "light": self._light,
            "clearflag": self._clear_flag,
        }

    # What a wire asks of a device

    def framer(self) -> Framer:
        """Return what cuts the bytes of one connection into questions."""
        return MarkerFramer(FRAME_END)

    def receive(self, message: bytes) -> bytes:
        """Execute one question and return the reply with its end. Channels live when they are asked about."""
        try:
            text = message.decode("utf-8").strip()
            root = ET.fromstring(text) if "<!DOCTYPE" not in text else None  # noqa: S314  no document type, no entities
        except (UnicodeDecodeError, ET.ParseError):
            root = None
        if root is None or root.tag != "bts":
            return b""
        command = (root.findtext("cmd") or "").strip()
        handler = self._handlers.get(command)
        if handler is None:
            return b""
        name = _MISSPELT.get(command, command)
        lines = [f"  <cmd>{name}_resp</cmd>", *handler(root)]
        head = ['<?xml version="1.0" encoding="UTF-8"?>', '<bts version="1.0">']
        return "\r\n".join([*head, *lines, "</bts>"]).encode() + b"\n\n" + FRAME_END

    def advance(self) -> None:
        """Let simulated time pass until now."""
        now = process_clock().now()
        for channel in self._channels.values():
            channel.live_until(now)

    def play(self, fault: Fault, on: bool) -> None:
        """Begin or end a fault of the instrument itself: a stop that is answered, and not done."""
        if fault.kind == "stuck_output":
            for channel in self._channels.values():
                channel.stuck_output = on

    def query_error(self, code: int) -> None:
        """A broken exchange leaves no trace here."""

    # Commands

    def _connect(self, root: ET.Element) -> list[str]:
        said = (root.findtext("username"), root.findtext("password"), root.findtext("type"))
        return [f"  <result>{'ok' if said == ('admin', self._password, 'bfgs') else 'false'}</result>"]

    def _devices(self, root: ET.Element) -> list[str]:
        lines = ['  <serverip count="1">', '    <server ip="127.0.0.1" port="3306" />', "  </serverip>"]
        lines.append(f'  <middle count="{len(self._channels)}">')
        self.advance()
        for (device, unit, place), channel in self._channels.items():
            where = f'ip="127.0.0.1" devtype="{DEVICE_TYPE}" devid="{device}" subdevid="{unit}" Channelid="{place}"'
            lines.append(f"    <channel {where}>{_word(channel.status in STARTABLE)}</channel>")
        return [*lines, "</middle>"]

    def _status(self, root: ET.Element) -> list[str]:
        return self._each(root, "status", lambda channel: channel.status, ' reservepause="1"', unit_slip=True)

    def _inquire(self, root: ET.Element) -> list[str]:
        asked = root.findall("list/inquire")
        lines = [self._now(element) for element in asked]
        return [f'  <list count="{len(lines)}">', *lines, "  </list>"]

    def _now(self, asked: ET.Element) -> str:
        address, channel = self._find(asked)
        dev = f"{DEVICE_TYPE}-{address[0]}-{address[1]}-{address[2]}-0"
        if channel is None:
            return f'    <inquire dev="{dev}" workstatus="false" />'
        seconds, charge, energy = channel.counted
        volts, amps = channel.measure()
        step = channel.step
        working = channel.status in ("working", "pause")
        fields = {
            "dev": dev,
            "cycle_id": str(channel.cycle if step is not None else 1),
            **({"step_id": str(step.number)} if step is not None else {}),
            "step_type": step.kind.word if step is not None else "--",
            "workstatus": channel.status,
            **({"barcode": channel.test.barcode} if asked.get("barcode") == "1" else {}),
            "current": _short(amps),
            "voltage": _short(volts),
            "capacity": _short(charge / _AS),
            "energy": _short(energy / _AS),
            "totaltime": _short(channel.seconds_at_work, 1),
            "relativetime": _short(seconds, 1),
            "open_or_close": "0",
            "log_code": str(_WORKING_CODE if working else 0),
        }
        return f"    <inquire {_attributes(fields)} />"

    def _data_files(self, root: ET.Element) -> list[str]:
        lines: list[str] = []
        for asked in root.findall("list/chl"):
            address, channel = self._find(asked)
            if channel is None:
                lines.append(f'    <chl {_where(address)} testid="0" count="0">false</chl>')
                continue
            shown = channel.test.shown(process_clock().now())
            numbers = f'testid="{channel.test.number}" count="{shown}"'
            lines.append(f"    <chl {_where(address)} {numbers}>{_word(channel.whole)}</chl>")
        return [f'  <list count="{len(lines)}">', *lines, "  </list>"]

    def _download(self, root: ET.Element) -> list[str]:
        asked = root.find("download")
        if asked is None:
            return []
        address, channel = self._find(asked)
        first, count = _integer(asked, "startpos"), min(MOST_ROWS, _integer(asked, "count"))
        shown = 0 if channel is None else channel.test.shown(process_clock().now())
        rows = [] if channel is None or first < 1 else channel.test.rows[first - 1 : min(first - 1 + count, shown)]
        number = 0 if channel is None else channel.test.number
        head = f'  <download {_where(address)} testid="{number}" startpos="{first}" count="{count}" auxid="0" />'
        return [head, *_list([_row(row) for row in rows])]

    def _download_log(self, root: ET.Element) -> list[str]:
        asked = root.find("download")
        address, channel = self._find(asked)
        number, entries = (0, []) if channel is None else (channel.test.number, channel.test.log)
        lines = [
            f'<data seqid="{item.number}" log_code="{item.code}" atime="{_time(item.unix)}" />' for item in entries
        ]
        return [f'  <download {_where(address)} testid="{number}" log_lever="0" />', *_list(lines)]

    def _download_steps(self, root: ET.Element) -> list[str]:
        asked = root.find("downloadStepLayer")
        address, channel = self._find(asked)
        number, layers = (0, []) if channel is None else (channel.test.number, channel.test.layers)
        head = f'  <downloadStepLayer {_where(address)} testid="{number}" />'
        return [head, *_list([_layer(index, layer) for index, layer in enumerate(layers, 1)])]

    def _start(self, root: ET.Element) -> list[str]:
        lines: list[str] = []
        for asked in root.findall("list/start"):
            address, channel = self._find(asked)
            started = channel is not None and self._begin(channel, (asked.text or "").strip(), asked.get("barcode", ""))
            lines.append(f'    <start ip="127.0.0.1" {_where(address)}>{"ok" if started else "false"}</start>')
        return [f'  <list count="{len(lines)}">', *lines, "  </list>"]

    @staticmethod
    def _begin(channel: Channel, path: str, barcode: str) -> bool:
        """Start a channel with the file at a path of this computer."""
        try:
            return channel.start(read_step_file(Path(path).read_bytes()), barcode)
        except (OSError, ValueError, StepFileError):
            return False

    def _stop(self, root: ET.Element) -> list[str]:
        return self._each(root, "stop", lambda channel: "ok" if channel.stop() else "false")

    def _continue(self, root: ET.Element) -> list[str]:
        return self._each(root, "continue", lambda channel: "ok" if channel.resume() else "false")

    def _light(self, root: ET.Element) -> list[str]:
        return self._each(root, "light", lambda channel: "ok")

    def _clear_flag(self, root: ET.Element) -> list[str]:
        return self._each(root, "clearflag", lambda channel: "false")  # true only where an alarm was set

    def _each(
        self,
        root: ET.Element,
        tag: str,
        answer: Callable[[Channel], str],
        more: str = "",
        *,
        unit_slip: bool = False,
    ) -> list[str]:
        lines: list[str] = []
        for asked in root.findall(f"list/{tag}"):
            address, channel = self._find(asked)
            said = (address[0], 1, address[2]) if unit_slip else address
            text = "false" if channel is None else answer(channel)
            lines.append(f'    <{tag} ip="127.0.0.1" {_where(said)}{more}>{text}</{tag}>')
        return [f'  <list count="{len(lines)}">', *lines, "  </list>"]

    def _find(self, asked: ET.Element | None) -> tuple[_Address, Channel | None]:
        if asked is None:
            return (0, 0, 0), None
        address = (_integer(asked, "devid"), _integer(asked, "subdevid"), _integer(asked, "chlid"))
        channel = self._channels.get(address)
        if channel is not None:
            channel.live_until(process_clock().now())
        return address, channel


_MISSPELT = {"download": "donwload", "downloadlog": "donwloadlog"}


def _row(row: Row) -> str:
    fields: dict[str, Any] = {
        "seqid": row.number,
        "stepid": row.step,
        "cycleid": row.cycle,
        "steptype": row.word,
        "testtime": _milliseconds(row),
        "atime": _time(row.unix),
        "volt": _single(row.voltage),
        "curr": _single(row.current),
        "cap": _single(row.charge / _AS),
        "eng": _single(row.energy / _AS),
    }
    return f"<data {_attributes(fields)} />"


def _layer(index: int, layer: Layer) -> str:
    first, last = layer
    fields: dict[str, Any] = {
        "startseqid": first.number,
        "endseqid": last.number,
        "stepindex": index,
        "stepid": last.step,
        "cycleid": last.cycle,
        "steptype": last.word,
        "steptime": _milliseconds(last),
        "endatime": _time(last.unix),
        "startvolt": _single(first.voltage),
        "endvolt": _single(last.voltage),
        "startcurr": _single(first.current),
        "endcurr": _single(last.current),
        "cap": _single(last.charge / _AS),
        "eng": _single(last.energy / _AS),
        "dcir": 0,
    }
    return f"<data {_attributes(fields)} />"


def _list(lines: list[str]) -> list[str]:
    if not lines:
        return ['  <list count="0" />']
    return [f'  <list count="{len(lines)}">', *(f"    {line}" for line in lines), "  </list>"]


def _attributes(fields: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={quoteattr(str(value))}" for name, value in fields.items())


def _where(address: _Address) -> str:
    return f'devtype="{DEVICE_TYPE}" devid="{address[0]}" subdevid="{address[1]}" chlid="{address[2]}"'


def _integer(element: ET.Element, name: str) -> int:
    try:
        return int(element.get(name, "0"))
    except ValueError:
        return 0


def _milliseconds(row: Row) -> int:
    return round(row.tick * TICK_S * 1000.0)


def _single(value: float) -> str:
    """A number as single precision keeps it, in the digits that the server prints."""
    return f"{struct.unpack('<f', struct.pack('<f', value))[0]:.15g}"


def _short(value: float, digits: int = 4) -> str:
    """A number with so many decimals at most, as the live reply has it."""
    return f"{round(value, digits) + 0.0:.{digits}f}".rstrip("0").rstrip(".")


def _word(yes: bool) -> str:
    return "true" if yes else "false"


def _time(unix: float) -> str:
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%d %H:%M:%S")
