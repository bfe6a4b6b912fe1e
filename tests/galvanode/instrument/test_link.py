"""Links over real sockets: late replies, lost connections, cancellation."""

from __future__ import annotations

import asyncio
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
