"""Links over real sockets: late replies, lost connections, cancellation."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from galvanode.instrument.link import LinkError, LinkSettings, LinkTimeout, ThreadedLink, open_link

SETTINGS = LinkSettings(timeout_s=0.3)
Answer = Callable[[str], Awaitable[str | None]]


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
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    try:
        yield f"TCPIP::127.0.0.1::{port}::SOCKET", heard
    finally:
        listening.close()


async def echo(text: str) -> str:
    return text.upper() + "\n"


async def test_a_question_gets_its_answer():
    async with server(echo) as (resource, _):
        link = open_link("smu", "@py", resource, SETTINGS)
        assert await link.query("hello") == "HELLO"
        await link.close()


async def test_a_late_reply_is_never_taken_for_the_answer_to_the_next_question():
    async def slow_once(text: str) -> str:
        if text == "slow":
            await asyncio.sleep(0.5)
        return text.upper() + "\n"

    async with server(slow_once) as (resource, _):
        link = open_link("smu", "@py", resource, SETTINGS)
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
        link = open_link("smu", "@py", resource, SETTINGS)
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
        link = open_link("smu", "@py", resource, SETTINGS)
        assert await link.query("one") == "ONE"
        with pytest.raises(LinkError):
            await link.query("two")
        assert await link.query("three") == "THREE"
        await link.close()


async def test_nobody_there_is_said_with_name_and_resource():
    async with server(echo) as (resource, _):
        gone = resource
    link = open_link("smu7", "@py", gone, SETTINGS)
    with pytest.raises(LinkError, match=r"smu7 \(TCPIP::127"):
        await link.query("hello")
    await link.close()


async def test_one_slow_instrument_does_not_delay_another():
    async def slow(text: str) -> str:
        await asyncio.sleep(0.25)
        return text + "\n"

    async with server(slow) as (slow_resource, _), server(echo) as (fast_resource, _):
        slow_link = open_link("slow", "@py", slow_resource, SETTINGS)
        fast_link = open_link("fast", "@py", fast_resource, SETTINGS)
        assert isinstance(fast_link, ThreadedLink)
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
        link = open_link("smu", "@py", resource, SETTINGS)
        answers = await asyncio.gather(*(link.query(f"q{n}") for n in range(20)))
        assert answers == [f"Q{n}" for n in range(20)]
        await link.close()


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
        writer.close()

    async def speak(data: bytes) -> None:
        writer = await connected
        writer.write(data)
        await writer.drain()
        await asyncio.sleep(0.05)

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    try:
        yield f"TCPIP::127.0.0.1::{port}::SOCKET", speak
    finally:
        listening.close()
        if connected.done():
            connected.result().close()
            await connected.result().wait_closed()


async def test_lines_that_have_arrived_are_taken_without_waiting_and_the_rest_of_one_later():
    async with talker() as (resource, speak):
        link = open_link("em", "@py", resource, LinkSettings(timeout_s=5.0))
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
        link = open_link("em", "@py", resource, SETTINGS)
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
        link = open_link("em", "@py", resource, SETTINGS)
        assert await link.read_lines() == []
        await speak(b"hal")
        with pytest.raises(LinkTimeout, match="did not answer in time"):
            await link.read_line()
        await speak(b"f\n")
        assert await link.read_line() == "half"
        await link.close()


async def test_the_part_of_a_line_stands_before_the_answer_to_a_question():
    async with talker() as (resource, speak):
        link = open_link("em", "@py", resource, SETTINGS)
        assert await link.read_lines() == []
        await speak(b"part of ")
        assert await link.read_lines() == []
        assert await link.query("question") == "part of answer"
        await link.close()


@pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals; this system has none")
async def test_lines_of_a_serial_line_come_without_waiting_and_whole():
    import tty  # POSIX only

    ours, theirs = os.openpty()
    tty.setraw(theirs)
    try:
        link = open_link("em", "@py", f"ASRL{os.ttyname(theirs)}::INSTR", LinkSettings(timeout_s=0.4))
        assert await link.read_lines() == []
        os.write(ours, b"one\ntwo\nthr")
        await asyncio.sleep(0.05)
        assert await link.read_lines() == ["one", "two"]
        with pytest.raises(LinkTimeout):
            await link.read_line()
        os.write(ours, b"ee\nfour\n")
        assert await link.read_line() == "three"
        assert await link.read_line() == "four"
        await link.close()
    finally:
        os.close(ours)
        os.close(theirs)
