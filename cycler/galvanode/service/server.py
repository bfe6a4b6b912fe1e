"""The web process: the application behind uvicorn, open to this machine only unless told otherwise."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import uvicorn

from galvanode.engine.control import ControlClient
from galvanode.service.app import create_app
from galvanode.service.broker import MqttSettings
from galvanode.service.listening import listen
from galvanode.service.security import LOOPBACK_NAMES, is_loopback, station_token

MAX_CONNECTIONS = 128
MAX_LIVE_MESSAGE_BYTES = 16 * 1024
"""From a page: a list of runs."""


async def serve_web(data_dir: Path, host: str, port: int, *, mqtt: MqttSettings | None = None) -> None:
    """Serve the web side until SIGINT or SIGTERM.

    Beyond loopback a token is needed; it is made and shown on the terminal the first time.
    ``GALVANODE_ALLOWED_HOSTS`` (names with commas between) adds names under which the station is reached;
    without ``mqtt`` ``GALVANODE_MQTT_URL`` counts. Raises ``InvalidInput`` if the port cannot be had or an
    environment variable is not valid.
    """
    mqtt = mqtt or MqttSettings.from_environment(os.environ)
    token = None
    if not is_loopback(host):
        token, is_new = station_token(data_dir)
        if is_new:
            sys.stderr.write(f"Token to log in with (kept in {data_dir / 'web-token'}): {token}\n")
    listening = listen(host, port)
    app = create_app(
        data_dir,
        ControlClient(data_dir),
        token=token,
        allowed_hosts=_host_names(host),
        any_address=token is not None,
        mqtt=mqtt,
    )
    config = uvicorn.Config(
        app,
        log_level="warning",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="on",
        ws="websockets-sansio",
        ws_max_size=MAX_LIVE_MESSAGE_BYTES,
        ws_per_message_deflate=False,
        ws_ping_interval=10,
        ws_ping_timeout=10,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=20,
        timeout_graceful_shutdown=2,
    )
    with listening:
        await uvicorn.Server(config).serve(sockets=[listening])


def _host_names(host: str) -> list[str]:
    """Return the names under which the station answers."""
    names = list(LOOPBACK_NAMES)
    if not is_loopback(host):
        names += [host, socket.gethostname(), socket.getfqdn()]
    more = os.environ.get("GALVANODE_ALLOWED_HOSTS", "")
    return names + [name.strip() for name in more.split(",") if name.strip()]
