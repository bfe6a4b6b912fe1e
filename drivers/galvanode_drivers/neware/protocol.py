"""Questions to a BTS 8 server and what its replies say. XML; framing is the link's.

A reply is matched to its question by the name of its command and by order: a real server names the wrong ``subdevid``
in some. ``ValueError`` is a reply that does not fit the question.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

FRAME_END = b"#\r\n"
MOST_ROWS = 1000
"""Rows that one download brings at most."""
_MISSPELT = {"download": ("donwload_resp", "download_resp"), "downloadlog": ("donwloadlog_resp", "downloadlog_resp")}
"""As real servers spell their replies."""
_COULOMBS_PER_AH, _JOULES_PER_WH = 3600.0, 3600.0


class Address(NamedTuple):
    """One channel of a server."""

    ip: str
    devtype: int
    devid: int
    subdevid: int
    chlid: int

    def attributes(self, *, ip: bool = True) -> str:
        """As a question names it."""
        where = f'devtype="{self.devtype}" devid="{self.devid}" subdevid="{self.subdevid}" chlid="{self.chlid}"'
        return f'ip="{self.ip}" {where}' if ip else where

    def __str__(self) -> str:
        return f"{self.devid}-{self.subdevid}-{self.chlid}"


class Now(NamedTuple):
    """What a channel does at this moment."""

    status: str
    barcode: str
    voltage: float
    """V."""
    current: float
    """A."""
    log_code: str


class Stored(NamedTuple):
    """How much of the last test can be fetched."""

    test: int
    rows: int
    whole: bool
    """The test is over and all of it is there."""


class Row(NamedTuple):
    """One record of a test, SI."""

    number: int
    step: int
    time_s: float
    voltage: float
    current: float
    charge: float
    energy: float
    wall_time: str
    """Of the server's computer, in its own time zone: ``2025-12-28 22:29:05``."""


def question(command: str, body: str = "") -> bytes:
    """Return a question without its end."""
    head = '<?xml version="1.0" encoding="UTF-8" ?><bts version="1.0">'
    return f"{head}<cmd>{command}</cmd>{body}</bts>\n\n".encode()


def listed(elements: Sequence[str]) -> str:
    """Return elements as the list of a question."""
    return f'<list count = "{len(elements)}">{"".join(elements)}</list>'


def login(username: str, password: str) -> bytes:
    """Return the greeting."""
    who = f"<username>{escape(username)}</username><password>{escape(password)}</password>"
    return question("connect", f"{who}<type>bfgs</type>")


def start(address: Address, path: str, barcode: str, backup: str | None) -> bytes:
    """Return the question that starts a channel with a step file, by its path on the server's computer."""
    element = f"<start {address.attributes()} barcode={quoteattr(barcode)}>{escape(path)}</start>"
    elements = listed([element])
    if backup is None:
        return question("start", elements)
    kept = (
        f'<backup backupdir={quoteattr(backup)} remotedir="" filenametype="0" customfilename="" addtimewhenrepeat="0" '
        'createdirbydate="0" filetype="0" backupontime="1" backupontimeinterval="720" backupfree="1" />'
    )
    return question("start", elements.replace("</list>", f"{kept}</list>"))


def each(command: str, addresses: Sequence[Address], more: str = "", content: str = "true") -> bytes:
    """Return a question about channels: ``stop``, ``inquire``, ``light`` ..."""
    tag = {"getchlstatus": "status"}.get(command, command)
    elements = [f"<{tag} {address.attributes()}{more}>{content}</{tag}>" for address in addresses]
    return question(command, listed(elements))


def stored(address: Address) -> bytes:
    """Return the question how much can be fetched."""
    return question("inquiredf", listed([f'<chl {address.attributes(ip=False)} testid="0" />']))


def download(address: Address, first: int, count: int) -> bytes:
    """Return the question for rows of the last test, from number ``first`` on."""
    what = f'auxid="0" testid="0" startpos="{first}" count="{count}"'
    return question("download", f"<download {address.attributes(ip=False)} {what}/>")


def log(address: Address) -> bytes:
    """Return the question for the log of the last test."""
    return question("downloadlog", f'<download {address.attributes(ip=False)} testid="0"/>')


# Replies


def reply(data: bytes, command: str) -> ET.Element:
    """Return a reply's root. Raises ``ValueError`` if it is none to that command."""
    text = data.decode("utf-8")
    if "<!DOCTYPE" in text:
        raise ValueError("a document type in a reply")
    try:
        root = ET.fromstring(text.strip())  # noqa: S314  without a document type there are no entities to expand
    except ET.ParseError as error:
        raise ValueError(f"a reply that is no XML ({error})") from None
    said = (root.findtext("cmd") or "").strip()
    if root.tag != "bts" or said not in _MISSPELT.get(command, (f"{command}_resp",)):
        raise ValueError(f"the reply {said!r} to {command!r}")
    return root


def logged_in(data: bytes) -> bool:
    """Tell whether the server knows who asks."""
    return (reply(data, "connect").findtext("result") or "").strip() == "ok"


class Server(NamedTuple):
    """What a server has."""

    addresses: tuple[Address, ...]
    version: str


def server(data: bytes) -> Server:
    """Read what devices there are."""
    root = reply(data, "getdevinfo")
    found = [
        Address(
            item.get("ip", "127.0.0.1"),
            _integer(item, "devtype"),
            _integer(item, "devid"),
            _integer(item, "subdevid"),
            _integer(item, "Channelid"),
        )
        for item in root.findall("middle/channel")
    ]
    client = root.find("client")
    return Server(tuple(found), "unknown" if client is None else client.get("version", "unknown"))


def accepted(command: str, count: int) -> Callable[[bytes], list[bool]]:
    """Return the reader of ``ok`` and ``false``, one for each channel, in the order of the question."""

    def read(data: bytes) -> list[bool]:
        found = [(item.text or "").strip() == "ok" for item in reply(data, command).findall(f"list/{command}")]
        if len(found) != count:
            raise ValueError(f"{len(found)} answers for {count} channels")
        return found

    return read


def now(count: int) -> Callable[[bytes], list[Now]]:
    """Return the reader of what channels do at this moment, in the order of the question."""

    def read(data: bytes) -> list[Now]:
        found = [
            Now(
                item.get("workstatus", ""),
                item.get("barcode", ""),
                _number(item, "voltage"),
                _number(item, "current"),
                item.get("log_code", ""),
            )
            for item in reply(data, "inquire").findall("list/inquire")
        ]
        if len(found) != count:
            raise ValueError(f"{len(found)} answers for {count} channels")
        return found

    return read


def stored_reply(data: bytes) -> Stored:
    """Read how much can be fetched."""
    item = reply(data, "inquiredf").find("list/chl")
    if item is None:
        raise ValueError("no channel in the reply")
    return Stored(_integer(item, "testid"), _integer(item, "count"), (item.text or "").strip() == "true")


def rows(first: int, test: int) -> Callable[[bytes], list[Row]]:
    """Return the reader of a download: rows numbered from ``first`` on without a gap."""

    def read(data: bytes) -> list[Row]:
        root = reply(data, "download")
        asked = root.find("download")
        if asked is None or _integer(asked, "testid") != test:
            raise ValueError("rows of another test")
        found = [_row(item) for item in root.findall("list/data")]
        if [row.number for row in found] != list(range(first, first + len(found))):
            raise ValueError(f"rows that are not numbered from {first} on")
        return found

    return read


def last_log_code(data: bytes) -> str:
    """Read the code of the last line of a log; empty if there is none."""
    lines = reply(data, "downloadlog").findall("list/data")
    return lines[-1].get("log_code", "") if lines else ""


def _row(item: ET.Element) -> Row:
    return Row(
        _integer(item, "seqid"),
        _integer(item, "stepid"),
        _number(item, "testtime") / 1e3,
        _number(item, "volt"),
        _number(item, "curr"),
        abs(_number(item, "cap")) * _COULOMBS_PER_AH,
        abs(_number(item, "eng")) * _JOULES_PER_WH,
        item.get("atime", ""),
    )


def _integer(item: ET.Element, name: str) -> int:
    return int(item.get(name, ""))


def _number(item: ET.Element, name: str) -> float:
    """A number; NaN for ``--``, as where nothing is at work: what is not told is not 0."""
    text = item.get(name, "")
    return math.nan if text == "--" else float(text)
