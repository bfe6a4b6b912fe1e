"""Links over real sockets: late replies, lost connections, cancellation."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pyvisa

from galvanode.instrument.links.base import SIMULATOR_BACKEND, AnotherInstrument, LinkError, LinkTimeout, Place, Unfit
from galvanode.instrument.links.lines import LineLink, Lines, SocketLines
from galvanode.instrument.reading import BadReading, measured
from galvanode.instrument.roles import Identity
from galvanode_simulator.wire import Wire

SETTINGS = Lines(timeout_s=0.3)
Answer = Callable[[str], Awaitable[str | None]]


def open_line(name: str, backend: str, resource: str, settings: Lines) -> LineLink:
    return settings.open(name, Place(resource, backend))


@asynccontextmanager
async def listening(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """Serve each connection until the link hangs up or ``serve`` returns; yields the VISA resource name."""
    serving: set[asyncio.Task[None] | None] = set()

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        with contextlib.suppress(ConnectionError):  # the link hangs up whenever it does not believe
            await serve(reader, writer)
            writer.close()
            await writer.wait_closed()

    socket = await asyncio.start_server(connection, "127.0.0.1", 0)
    try:
        yield f"TCPIP::127.0.0.1::{socket.sockets[0].getsockname()[1]}::SOCKET"
    finally:
        socket.close()
        await asyncio.gather(*(task for task in serving if task is not None))


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[tuple[str, list[str]]]:
    """A line server; yields its VISA resource name and what it heard."""
    heard: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            text = line.decode().strip()
            heard.append(text)
            reply = await answer(text)
            if reply is None:
                break
            writer.write(reply.encode())

    async with listening(serve) as resource:
        yield resource, heard


async def echo(text: str) -> str:
    return text.upper() + "\n"


async def test_a_question_gets_its_answer():
    async with server(echo) as (resource, _):
        link = open_line("smu", "@py", resource, SETTINGS)
        assert await link.query("hello") == "HELLO"
        await link.close()


async def test_a_late_reply_is_never_taken_for_the_answer_to_the_next_question():
    async def slow_once(text: str) -> str:
        if text == "slow":
            await asyncio.sleep(0.5)
        return text.upper() + "\n"

    async with server(slow_once) as (resource, _):
        link = open_line("smu", "@py", resource, SETTINGS)
        with pytest.raises(LinkTimeout, match="did not answer in time"):
            await link.query("slow")
        await asyncio.sleep(0.4)  # the late reply has arrived by now
        assert await link.query("next") == "NEXT"
        await link.close()


async def test_a_cancelled_question_leaves_no_reply_behind():
    async def slow_once(text: str) -> str:
        if text == "slow":
            await asyncio.sleep(0.1)
        return text.upper() + "\n"

    async with server(slow_once) as (resource, _):
        link = open_line("smu", "@py", resource, SETTINGS)
        question = asyncio.create_task(link.query("slow"))
        await asyncio.sleep(0.05)
        question.cancel()
        with pytest.raises(asyncio.CancelledError):
            await question
        assert await link.query("next") == "NEXT"
        await link.close()


async def test_a_link_comes_back_after_the_instrument_hung_up():
    calls = 0

    async def hang_up_once(text: str) -> str | None:
        nonlocal calls
        calls += 1
        return None if calls == 2 else text.upper() + "\n"

    async with server(hang_up_once) as (resource, _):
        link = open_line("smu", "@py", resource, SETTINGS)
        assert await link.query("one") == "ONE"
        with pytest.raises(LinkError):
            await link.query("two")
        assert await link.query("three") == "THREE"
        await link.close()


async def test_nobody_there_is_said_with_name_and_resource():
    async with server(echo) as (resource, _):
        gone = resource
    link = open_line("smu7", "@py", gone, SETTINGS)
    with pytest.raises(LinkError, match=r"smu7 \(TCPIP::127"):
        await link.query("hello")
    await link.close()


async def test_one_slow_instrument_does_not_delay_another():
    async def slow(text: str) -> str:
        await asyncio.sleep(0.25)
        return text + "\n"

    async with server(slow) as (slow_resource, _), server(echo) as (fast_resource, _):
        slow_link = open_line("slow", "@py", slow_resource, SETTINGS)
        fast_link = open_line("fast", "@py", fast_resource, SETTINGS)
        assert isinstance(fast_link, SocketLines)
        waiting = asyncio.create_task(slow_link.query("x"))
        await asyncio.sleep(0)
        for _ in range(20):
            await fast_link.query("y")
        assert not waiting.done()
        await waiting
        await slow_link.close()
        await fast_link.close()


async def test_questions_asked_at_once_are_answered_each_its_own():
    async with server(echo) as (resource, _):
        link = open_line("smu", "@py", resource, SETTINGS)
        answers = await asyncio.gather(*(link.query(f"q{n}") for n in range(20)))
        assert answers == [f"Q{n}" for n in range(20)]
        await link.close()


# --- who is there, and what is believed --------------------------------------------------------------------


def identity(serial: str) -> Identity:
    return Identity("ACME", "100", serial, "1.0")


def ask_serial(link: LineLink) -> Callable[[], Awaitable[Identity]]:
    async def ask() -> Identity:
        return link.recognise(identity(await link.query("who")))

    return ask


@asynccontextmanager
async def instrument(*serials: str) -> AsyncIterator[tuple[LineLink, list[str]]]:
    """A link to an instrument that hangs up when told "die"; each connection is to the next serial number."""
    heard: list[str] = []
    left = list(serials)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serial = left.pop(0) if len(left) > 1 else left[0]
        while line := await reader.readline():
            text = line.decode().strip()
            heard.append(text)
            if text == "die":
                break
            writer.write(f"{serial if text == 'who' else text.upper()}\n".encode())

    async with listening(serve) as resource:
        link = SETTINGS.open("smu", Place(resource))
        link.identify_by(ask_serial(link))
        try:
            yield link, heard
        finally:
            await link.close()


async def test_after_a_reopening_the_identity_is_asked_before_anything_else():
    async with instrument("1") as (link, heard):
        await ask_serial(link)()
        with pytest.raises(LinkError):
            await link.query("die")
        assert await link.query("hello") == "HELLO"
        assert await link.query("again") == "AGAIN"
        assert heard == ["who", "die", "who", "hello", "again"]


async def test_another_serial_number_after_a_reopening_is_refused_until_the_former_is_back():
    async with instrument("1", "2", "1") as (link, heard):
        await ask_serial(link)()
        with pytest.raises(LinkError):
            await link.query("die")
        for _ in range(2):
            with pytest.raises(AnotherInstrument, match="number 2 answers where ACME 100 number 1 was"):
                await link.query("hello")
        assert "hello" not in heard
        link.distrust("somebody plugs the former one in again")
        assert await link.query("hello") == "HELLO"


async def test_what_makes_safe_is_said_at_once_to_whoever_is_there_and_verified_only_with_the_right_one():
    async with instrument("1", "2") as (link, heard):
        await ask_serial(link)()
        with pytest.raises(LinkError):
            await link.query("die")
        with link.urgent():
            await link.write("off")
        with pytest.raises(AnotherInstrument):
            await link.query("is it off")
        assert heard == ["who", "die", "off", "who"]


async def test_after_an_answer_that_does_not_fit_the_link_is_opened_anew():
    async with instrument("1") as (link, heard):
        await ask_serial(link)()
        assert await link.query("hello") == "HELLO"
        error = link.distrust("'HELLO' is no number")
        assert isinstance(error, LinkError)
        assert "smu: 'HELLO' is no number" in str(error)
        assert await link.query("next") == "NEXT"
        assert heard == ["who", "hello", "who", "next"]


async def test_a_doubled_reply_is_never_taken_for_the_answer_to_the_next_question():
    async def twice(text: str) -> str:
        return 2 * (text.upper() + "\n")

    async with server(twice) as (resource, _):
        link = SETTINGS.open("smu", Place(resource))
        assert [await link.query(f"q{n}") for n in range(5)] == [f"Q{n}" for n in range(5)]
        await link.close()


async def test_questions_asked_at_once_wait_while_it_is_asked_who_is_there():
    async with instrument("1") as (link, heard):
        await ask_serial(link)()
        link.distrust("for the test")
        assert await asyncio.gather(*(link.query(f"q{n}") for n in range(5))) == [f"Q{n}" for n in range(5)]
        assert heard == ["who", "who", "q0", "q1", "q2", "q3", "q4"]


# --- lines that come without being asked -----------------------------------------------------------------


@asynccontextmanager
async def talker() -> AsyncIterator[tuple[str, Callable[[bytes], Awaitable[None]]]]:
    """A server that says what the test wants it to; yields its VISA resource name and how to make it speak."""
    connected: asyncio.Future[asyncio.StreamWriter] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not connected.done():
            connected.set_result(writer)
        while await reader.readline():
            writer.write(b"answer\n")

    async def speak(data: bytes) -> None:
        writer = await connected
        writer.write(data)
        await writer.drain()
        await asyncio.sleep(0.05)

    async with listening(serve) as resource:
        yield resource, speak


async def test_lines_that_have_arrived_are_taken_without_waiting_and_the_rest_of_one_later():
    async with talker() as (resource, speak):
        link = open_line("em", "@py", resource, Lines(timeout_s=5.0))
        before = time.monotonic()
        assert await link.read_lines() == []
        await speak(b"one\ntwo\nthr")
        assert await link.read_lines() == ["one", "two"]
        assert await link.read_lines() == []
        await speak(b"ee\n\nfour")
        assert await link.read_lines() == ["three", ""]
        assert time.monotonic() - before < 1.0
        await link.close()


async def test_a_line_is_awaited_and_its_parts_are_put_together():
    async with talker() as (resource, speak):
        link = open_line("em", "@py", resource, SETTINGS)
        assert await link.read_lines() == []  # connects
        await speak(b"beg")
        waiting = asyncio.create_task(link.read_line())
        await asyncio.sleep(0.1)
        await speak(b"in\nnext\n")
        assert await waiting == "begin"
        assert await link.read_line() == "next"
        await link.close()


async def test_silence_is_a_timeout_after_which_nothing_is_lost():
    async with talker() as (resource, speak):
        link = open_line("em", "@py", resource, SETTINGS)
        assert await link.read_lines() == []
        await speak(b"hal")
        with pytest.raises(LinkTimeout, match="did not answer in time"):
            await link.read_line()
        await speak(b"f\n")
        assert await link.read_line() == "half"
        await link.close()


async def test_a_line_that_is_no_text_is_told_as_an_answer_that_does_not_fit():
    async with talker() as (resource, speak):
        link = open_line("em", "@py", resource, SETTINGS)
        assert await link.read_lines() == []
        await speak(b"one\n\x82two\n")
        assert await link.read_lines() == ["one"]
        with pytest.raises(Unfit, match=r"sent what is no text: b'\\x82two'"):
            await link.read_lines()
        assert await link.query("question") == "answer"
        await link.close()


@pytest.mark.parametrize("unasked", [b"part of a line", b"a line\n", b"one\ntwo\n"])
async def test_what_came_unasked_is_never_taken_for_the_answer_to_a_question(unasked: bytes):
    async with talker() as (resource, speak):
        link = open_line("em", "@py", resource, SETTINGS)
        assert await link.read_lines() == []
        await speak(unasked)
        assert await link.query("question") == "answer"
        await link.close()


async def test_an_instrument_that_never_ceases_to_speak_has_to_wait_and_fills_no_memory():
    sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        while True:
            writer.write(bytes(2**18))
            await writer.drain()
            sent += 2**18

    async with listening(serve) as resource:
        link = open_line("smu", "@py", resource, SETTINGS)
        await link.assure()
        at_rest = -1
        async with asyncio.timeout(20):
            while sent > at_rest:
                at_rest = sent
                await asyncio.sleep(0.3)
        assert sent < 32 * 2**20  # nearly all of it in the system's buffers of the two sockets
        with pytest.raises(LinkError):
            await link.query("question")
        await link.close()


async def test_a_line_that_is_no_text_is_told_and_the_link_opened_anew():
    async with talker() as (resource, speak):
        link = open_line("em", "@py", resource, SETTINGS)
        assert await link.read_lines() == []
        await speak(b"\xff\xfe\n")
        with pytest.raises(LinkError, match="no text"):
            await link.read_lines()
        assert await link.query("question") == "answer"
        await link.close()


async def test_what_an_instrument_says_in_megabytes_is_told_in_a_few_words():
    async def answer(_: str) -> str:
        return "9" * 2**20 + "\n"

    async with server(answer) as (resource, _):
        link = open_line("smu", "@py", resource, SETTINGS)
        with pytest.raises(BadReading) as refused:
            measured(await link.query("question"))
        assert len(str(refused.value)) < 2000
        await link.close()


@pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals; this system has none")
async def test_lines_of_a_serial_line_come_without_waiting_and_whole():
    import tty  # POSIX only

    ours, theirs = os.openpty()
    tty.setraw(theirs)
    try:
        link = open_line("em", "@py", f"ASRL{os.ttyname(theirs)}::INSTR", Lines(timeout_s=0.4))
        assert await link.read_lines() == []
        os.write(ours, b"one\ntwo\nthr")
        await asyncio.sleep(0.05)
        assert await link.read_lines() == ["one", "two"]
        with pytest.raises(LinkTimeout):
            await link.read_line()
        os.write(ours, b"ee\nfour\n")
        assert await link.read_line() == "three"
        assert await link.read_line() == "four"
        os.write(ours, b"\xe0five\n")
        with pytest.raises(Unfit, match=r"sent what is no text: b'\\xe0five'"):
            await link.read_line()
        await link.close()
    finally:
        os.close(ours)
        os.close(theirs)


# --- in process -------------------------------------------------------------------------------------------

RESOURCES = ["TCPIP::10.0.0.5::5025::SOCKET", "GPIB0::24::INSTR", "ASRL/dev/ttyUSB0::INSTR"]


@pytest.fixture(params=RESOURCES)
def simulated(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[LineLink, Wire]]:
    bench = tmp_path / "bench.yaml"
    bench.write_text(
        "title: t\ninstruments:\n  smu: {driver: keithley2450, "
        f"resource: '{request.param}', simulated: {{cell: resistor}}}}\n"
    )
    backend = f"{bench}@{SIMULATOR_BACKEND}"
    link = SETTINGS.open("smu", Place(request.param, backend))
    manager = pyvisa.ResourceManager(backend)
    yield link, manager.visalib.instruments["smu"].wire
    manager.close()


FIRST, SECOND = ":SOUR:CURR?", ":SOUR:VOLT?"


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "drop_reply"},
        {"kind": "delay_reply", "delay": "1 s"},
        {"kind": "double_reply"},
        {"kind": "truncate"},
        {"kind": "disconnect"},
    ],
    ids=lambda fault: fault["kind"],
)
async def test_no_fault_of_the_wire_makes_an_answer_belong_to_the_next_question(simulated, fault):
    link, wire = simulated
    await link.write(":SOUR:CURR 1e-3;:SOUR:VOLT 2")
    right = {question: await link.query(question) for question in (FIRST, SECOND)}
    for skip in range(3):
        wire.inject(**fault, count=1, skip=skip)
        for question in (FIRST, SECOND, FIRST, SECOND):
            with contextlib.suppress(LinkError):
                assert await link.query(question) == right[question]
    assert [await link.query(question) for question in right] == list(right.values())
