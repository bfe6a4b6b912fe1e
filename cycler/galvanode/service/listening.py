"""The socket that the web side listens on, or why it cannot be had."""

from __future__ import annotations

import socket

from galvanode.errors import InvalidInput


def check_address(host: str, port: int) -> None:
    """Raise ``InvalidInput`` now if the web side could not listen there later."""
    listen(host, port).close()


def listen(host: str, port: int) -> socket.socket:
    """Return the listening socket; raise ``InvalidInput`` where it cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
        except BaseException:
            listening.close()
            raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise InvalidInput(f"cannot listen on {host} port {port}: {reason}; try another --port") from None
    return listening
