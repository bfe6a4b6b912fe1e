"""HTTP requests to an instrument: httpx's requests and answers, h11's syntax, our streams and promises.

    link = Http(timeout_s=2.0).open("oven", Place("TCPIP::10.0.0.8::80::SOCKET"))
    answer = await link.get("/atmoweb", {"Temp1Read": ""}, parse)

An HTTP server may hang up after each answer. The next request then opens the connection anew, and the
instrument is asked who it is, as after any reopening.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import h11
import httpx

from galvanode.instrument.links.base import Place
from galvanode.instrument.links.stream import HungUp, StreamLink
from galvanode.instrument.links.visa import NINE_SIX_EIGHT_N_ONE
from galvanode.instrument.roles import InstrumentError

T = TypeVar("T")
_LONGEST = 4 * 2**20


class HttpRefused(InstrumentError):
    """The instrument refused a request with a status of 400 or above."""

    def __init__(self, name: str, request: httpx.Request, answer: httpx.Response) -> None:
        self.status = answer.status_code
        words = answer.text.strip()[:120] or answer.reason_phrase
        super().__init__(f"{name} refused {request.method} {request.url.raw_path.decode()}: {self.status} {words}")


@dataclass(frozen=True)
class Http:
    """How a family speaks HTTP."""

    timeout_s: float = 2.0
    headers: Mapping[str, str] | None = None
    """Sent with each request: an account, say."""

    def open(self, name: str, place: Place) -> HttpLink:
        """Return the link."""
        return HttpLink(name, place, self)


class HttpLink(StreamLink):
    """Requests to one server, one after the other."""

    def __init__(self, name: str, place: Place, settings: Http) -> None:
        super().__init__(name, place, settings.timeout_s, NINE_SIX_EIGHT_N_ONE)
        self._headers = dict(settings.headers or {})
        parts = place.resource.split("::")
        self._server = parts[1] if len(parts) > 1 else name

    async def get(self, path: str, parameters: Mapping[str, str], parse: Callable[[httpx.Response], T]) -> T:
        """Ask for a page and return what ``parse`` makes of it; see ``request``."""
        return await self.request("GET", path, parameters, None, parse)

    async def request(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, str],
        content: bytes | None,
        parse: Callable[[httpx.Response], T],
    ) -> T:
        """Send a request and return what ``parse`` makes of its answer.

        ``parse`` raises ``ValueError`` for an answer that does not fit: then the link is not believed any more, and
        ``Unfit`` raised. Raises ``LinkError``, and ``HttpRefused`` for a status of 400 and above.
        """
        request = httpx.Request(
            method, f"http://{self._server}{path}", params=dict(parameters), content=content, headers=self._headers
        )

        def cut(data: bytes, ended: bool) -> tuple[HttpRefused | _Parsed[T], bytes] | None:
            taken = _answer(request, data, ended)
            if taken is None:
                return None
            response, rest = taken
            if response.status_code >= 400:
                return HttpRefused(self.name, request, response), rest
            return _Parsed(parse(response)), rest

        question = _written(request)
        try:
            answer = await self._exchange(question, cut)
        except (
            HungUp
        ):  # it may have hung up while the question was under way; a GET may be asked again (RFC 9110, 9.2.2)
            if method != "GET":
                raise
            answer = await self._exchange(question, cut)
        if isinstance(answer, HttpRefused):
            raise answer
        return answer.value


@dataclass(frozen=True)
class _Parsed(Generic[T]):
    value: T


def _written(request: httpx.Request) -> bytes:
    connection = h11.Connection(h11.CLIENT)
    head = h11.Request(method=request.method.encode(), target=request.url.raw_path, headers=[*request.headers.raw])
    data = connection.send(head) or b""
    if body := request.read():
        data += connection.send(h11.Data(body)) or b""
    return data + (connection.send(h11.EndOfMessage()) or b"")


def _answer(request: httpx.Request, data: bytes, ended: bool) -> tuple[httpx.Response, bytes] | None:
    """Return the answer in what has come, and what is left; None if it is not complete. Raises ``ValueError``."""
    if not data:
        return None
    if len(data) > _LONGEST:
        raise ValueError(f"no end within {_LONGEST} bytes")
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST)
    connection.send(h11.Request(method=request.method.encode(), target=b"/", headers=[("host", "x")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    if ended:
        connection.receive_data(b"")
    head, body = None, b""
    try:
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                return None
            if isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                break
            elif isinstance(event, h11.ConnectionClosed):
                return None
    except h11.RemoteProtocolError as error:
        raise ValueError(str(error)) from error
    left, hung_up = connection.trailing_data
    must_close = connection.their_state is h11.MUST_CLOSE
    answer = httpx.Response(head.status_code, headers=[*head.headers.raw_items()], content=body, request=request)
    return answer, left or (b"closed" if must_close or hung_up else b"")
