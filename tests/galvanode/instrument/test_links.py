"""What every kind of link promises, at every kind of connection, with every fault of the wire."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.galvanode.instrument.devices import KINDS, MARKER, TIMEOUT_S, WAYS, Kind, connected

from galvanode.instrument.links.base import AnotherInstrument, LinkError, LinkTimeout, Place
from galvanode.instrument.links.frames import EndMarker, Frames, Framing, LengthPrefix
from galvanode.instrument.links.http import Http, HttpLink, HttpRefused
from galvanode.instrument.links.modbus import ModbusRefused, ModbusRtu, ModbusTcp
from galvanode.instrument.roles import Identity
from galvanode_simulator.framing import Framer, LineFramer, MarkerFramer
from galvanode_simulator.framing_http import HttpFramer
from galvanode_simulator.framing_modbus import ModbusRtuFramer, ModbusTcpFramer
from galvanode_simulator.links.serial_pty import AVAILABLE

BY_NAME = {kind.name: kind for kind in KINDS}
every_kind = pytest.mark.parametrize("kind", KINDS, ids=str)
every_way = pytest.mark.parametrize(
    "way",
    [
        pytest.param(way, marks=pytest.mark.skipif(way == "serial" and not AVAILABLE, reason="needs pseudo-terminals"))
        for way in WAYS
    ],
)
every_fault = pytest.mark.parametrize(
    "fault",
    [
        {"kind": "drop_reply"},
        {"kind": "delay_reply", "delay": f"{1.5 * TIMEOUT_S} s"},
        {"kind": "double_reply"},
        {"kind": "garble"},
        {"kind": "truncate"},
        {"kind": "disconnect"},
        {"kind": "refuse_connection"},
    ],
    ids=lambda fault: fault["kind"],
)


@every_kind
@every_way
async def test_every_question_gets_its_answer(kind: Kind, way: str, tmp_path: Path):
    async with connected(kind, way, tmp_path) as (link, _):
        for n in range(5):
            assert await kind.ask(link, n) == kind.answer(n)


@every_kind
@every_way
@every_fault
async def test_no_fault_of_the_wire_puts_another_answer_in_place_of_the_right_one(
    kind: Kind, way: str, fault: dict[str, Any], tmp_path: Path
):
    async with connected(kind, way, tmp_path) as (link, wire):
        assert await kind.ask(link, 0) == kind.answer(0)
        wire.inject(**fault, count=1)
        for n in range(1, 7):
            with contextlib.suppress(LinkError):
                # A line of text has no check sum: what is garbled in it can only be told by its meaning.
                assert await kind.ask(link, n) == kind.answer(n)
        assert await kind.ask(link, 7) == kind.answer(7)


@every_kind
@pytest.mark.parametrize("way", ["tcp", "in process"])
async def test_an_instrument_that_keeps_silent_is_given_up_in_time(kind: Kind, way: str, tmp_path: Path):
    async with connected(kind, way, tmp_path) as (link, wire):
        await kind.ask(link, 0)
        wire.inject("drop_reply", count=1)
        async with asyncio.timeout(100 * TIMEOUT_S):
            with pytest.raises(LinkTimeout, match=r"it \(TCPIP::.*\) did not answer in time"):
                await kind.ask(link, 1)


@every_kind
async def test_after_a_reopening_the_identity_is_asked_first_and_another_serial_number_refused(
    kind: Kind, tmp_path: Path
):
    serial, asked = "1", []

    async def identify() -> Identity:
        asked.append(await kind.ask(link, 9))
        return link.recognise(Identity("ACME", "100", serial, ""))

    async with connected(kind, "tcp", tmp_path) as (link, wire):
        link.identify_by(identify)
        await identify()
        wire.inject("disconnect", count=1)
        with contextlib.suppress(LinkError):  # HTTP asks again by itself
            await kind.ask(link, 1)
        assert await kind.ask(link, 2) == kind.answer(2)
        assert asked == [kind.answer(9)] * 2
        serial = "2"
        link.distrust("for the test")
        for _ in range(2):
            with pytest.raises(AnotherInstrument, match="number 2 answers where ACME 100 number 1 was"):
                await kind.ask(link, 3)
        serial = "1"
        assert await kind.ask(link, 4) == kind.answer(4)


@every_kind
async def test_a_cancelled_question_leaves_no_answer_behind(kind: Kind, tmp_path: Path):
    async with connected(kind, "tcp", tmp_path) as (link, wire):
        await kind.ask(link, 0)
        wire.inject("delay_reply", delay="0.1 s", count=1)
        question = asyncio.create_task(kind.ask(link, 1))  # type: ignore[arg-type]
        await asyncio.sleep(0.03)
        question.cancel()
        with pytest.raises(asyncio.CancelledError):
            await question
        assert await kind.ask(link, 2) == kind.answer(2)


@every_kind
async def test_questions_asked_at_once_are_answered_each_its_own(kind: Kind, tmp_path: Path):
    async with connected(kind, "tcp", tmp_path) as (link, _):
        answers = await asyncio.gather(*(kind.ask(link, n) for n in range(10)))
        assert answers == [kind.answer(n) for n in range(10)]


@every_kind
async def test_nobody_there_is_said_with_name_and_resource(kind: Kind):
    link = kind.settings.open("chamber7", Place("TCPIP::127.0.0.1::1::SOCKET"))
    with pytest.raises(LinkError, match=r"chamber7 \(TCPIP::127\.0\.0\.1::1::SOCKET\)"):
        await kind.ask(link, 1)
    await link.close()


# --- Modbus and HTTP: refusals are answers ----------------------------------------------------------------


@pytest.mark.parametrize("kind", [BY_NAME["modbus-tcp"], BY_NAME["modbus-rtu"]], ids=str)
async def test_an_exception_of_modbus_is_an_error_for_people_and_leaves_the_link_as_it_is(kind: Kind, tmp_path: Path):
    async with connected(kind, "tcp", tmp_path) as (link, _):
        modbus: Any = link
        with pytest.raises(
            ModbusRefused, match=r"it refused to read registers 1000 to 1001: it has no such register"
        ) as refusal:
            await modbus.read_holding(1000, 2)
        assert refusal.value.code == 2
        assert not modbus._dirty
        await modbus.write(5, [1, 2, 3])
        with pytest.raises(ModbusRefused, match="write register 1200"):
            await modbus.write(1200, [1])


@pytest.mark.parametrize("settings", [ModbusTcp(7, TIMEOUT_S), ModbusRtu(7, TIMEOUT_S)])
async def test_another_unit_on_the_bus_keeps_silent(settings: Any, tmp_path: Path):
    name = "modbus-tcp" if isinstance(settings, ModbusTcp) else "modbus-rtu"
    kind = BY_NAME[name]
    other = Kind(name, settings, kind.device, kind.ask, kind.answer)
    async with connected(other, "tcp", tmp_path) as (link, _):
        with pytest.raises(LinkTimeout):
            await kind.ask(link, 1)


async def test_a_refusal_of_http_is_an_error_with_the_servers_words(tmp_path: Path):
    async with connected(BY_NAME["http"], "tcp", tmp_path) as (link, _):
        http: Any = link
        with pytest.raises(HttpRefused, match="it refused GET /nothing: 404 answer to /nothing"):
            await http.get("/nothing", {}, lambda response: response.text)
        assert await BY_NAME["http"].ask(http, 3) == "answer to /q3"


async def test_a_message_may_not_contain_its_own_end():
    link = Frames(EndMarker(b"END")).open("it", Place("TCPIP::127.0.0.1::1::SOCKET"))
    with pytest.raises(ValueError, match="end marker"):
        await link.tell(b"the END is near")
    await link.close()


# --- framing: whatever the packets ------------------------------------------------------------------------

pieces = st.lists(st.integers(1, 7), max_size=30)


def cut_up(data: bytes, sizes: list[int]) -> list[bytes]:
    parts, at = [], 0
    for size in sizes:
        parts.append(data[at : at + size])
        at += size
    return [*parts, data[at:]]


@pytest.mark.parametrize("framing", [EndMarker(MARKER), LengthPrefix(), LengthPrefix(size=2, at=3, order="little")])
@given(bodies=st.lists(st.binary(min_size=3, max_size=40), max_size=5), sizes=pieces)
def test_frames_are_the_same_however_they_arrive(framing: Framing, bodies: list[bytes], sizes: list[int]):
    bodies = [body.replace(b"#", b"") + b"abc" for body in bodies]
    data, found = b"", []
    for part in cut_up(b"".join(framing.wrap(body) for body in bodies), sizes):
        data += part
        while (taken := framing.cut(data)) is not None:
            found.append(taken[0])
            data = taken[1]
    assert (found, data) == (bodies, b"")


@pytest.mark.parametrize("framing", [EndMarker(MARKER, longest=50), LengthPrefix(longest=50)])
@given(junk=st.binary(max_size=120))
def test_any_bytes_are_a_frame_or_wait_for_more_or_are_refused(framing: Framing, junk: bytes):
    try:
        taken = framing.cut(junk)
    except ValueError:
        return
    if taken is not None:
        assert len(taken[0]) + len(taken[1]) < len(junk)


REQUESTS: dict[str, tuple[Callable[[], Framer], list[bytes], list[bytes]]] = {
    "lines": (LineFramer, [b"*IDN?\r\n", b":READ?\n", b"\n"], [b"*IDN?", b":READ?", b""]),
    "marker": (lambda: MarkerFramer(b"\r"), [b"*IDN?\r", b":READ?\r"], [b"*IDN?", b":READ?"]),
    "modbus tcp": (
        ModbusTcpFramer,
        [bytes.fromhex("000100000006010300640002"), bytes.fromhex("00020000000301030a")],
        [],
    ),
    "modbus rtu": (ModbusRtuFramer, [bytes.fromhex("01030064000285d4"), bytes.fromhex("010600010003980b")], []),
    "http": (
        HttpFramer,
        [b"GET /a?b=1 HTTP/1.1\r\nHost: x\r\n\r\n", b"PUT /b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"],
        [],
    ),
}


@pytest.mark.parametrize("name", REQUESTS)
@given(sizes=pieces)
def test_a_simulated_instrument_hears_the_same_messages_however_they_arrive(name: str, sizes: list[int]):
    make, sent, expected = REQUESTS[name]
    framer = make()
    heard = [message for part in cut_up(b"".join(sent), sizes) for message in framer.feed(part)]
    assert heard == (expected or sent)
    assert framer.pending == b""


@pytest.mark.parametrize("name", REQUESTS)
@given(junk=st.binary(max_size=80))
def test_no_bytes_bring_a_framer_down(name: str, junk: bytes):
    make, sent, _ = REQUESTS[name]
    framer = make()
    framer.feed(junk)
    framer.clear()
    assert framer.feed(sent[0])


# --- HTTP as servers in instruments speak it --------------------------------------------------------------


@asynccontextmanager
async def http_server(*answers: bytes) -> AsyncIterator[tuple[HttpLink, list[bytes]]]:
    """A link to a server that gives each connection one answer and hangs up; yields what it heard as well."""
    heard: list[bytes] = []
    left = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(left.pop(0))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    link = Http(timeout_s=1.0).open("oven", Place(f"TCPIP::127.0.0.1::{server.sockets[0].getsockname()[1]}::SOCKET"))
    try:
        yield link, heard
    finally:
        await link.close()
        server.close()


PLAIN = b"HTTP/1.0 200 OK\r\nContent-Type: Unknown\r\n\r\n{'Temp1Read': 23.5,}"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{'T\r\n14\r\nemp1Read': 23.5,}   \r\n0\r\n\r\n"


@pytest.mark.parametrize("answer", [PLAIN, CHUNKED], ids=["until it hangs up", "chunked"])
async def test_a_server_may_end_its_answers_as_it_likes_and_hang_up_after_each(answer: bytes):
    async with http_server(*[answer] * 3) as (link, heard):
        for _ in range(3):
            assert "23.5" in await link.get("/atmoweb", {"Temp1Read": ""}, lambda response: response.text)
        assert [request.split(b" HTTP")[0] for request in heard] == [b"GET /atmoweb?Temp1Read="] * 3
        assert b"Host: 127.0.0.1" in heard[0]


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", b"hello\r\n\r\n"])
async def test_what_is_no_whole_answer_is_an_error_of_the_link(answer: bytes):
    async with http_server(answer, PLAIN) as (link, _):
        with pytest.raises(LinkError, match="oven"):
            await link.get("/atmoweb", {}, lambda response: response.text)
        assert "23.5" in await link.get("/atmoweb", {}, lambda response: response.text)


async def test_an_answer_that_does_not_parse_is_an_error_of_the_link():
    async with http_server(PLAIN, PLAIN) as (link, _):
        with pytest.raises(LinkError, match="is no answer"):
            await link.get("/atmoweb", {}, lambda response: response.json())
        assert await link.get("/atmoweb", {}, lambda response: response.status_code) == 200


async def test_a_question_that_met_a_server_hanging_up_is_asked_again_and_an_order_is_not():
    async with http_server(b"", PLAIN) as (link, heard):
        assert "23.5" in await link.get("/atmoweb", {}, lambda response: response.text)
        assert len(heard) == 2
    async with http_server(b"", PLAIN) as (link, heard):
        with pytest.raises(LinkError, match="hung up"):
            await link.request("POST", "/atmoweb", {}, b"TempSet=25", lambda response: response.text)
        assert len(heard) == 1
