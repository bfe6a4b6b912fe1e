"""Where the MQTT broker is, from the environment or a URL."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from galvanode.errors import InvalidInput


@dataclass(frozen=True)
class MqttSettings:
    """Where the broker is and who we are there. The password is never shown."""

    host: str
    port: int
    station: str
    base: str = "galvanode"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    ca_file: str | None = None

    @classmethod
    def from_url(cls, url: str, environ: Mapping[str, str] | None = None) -> MqttSettings:
        """Read ``mqtt[s]://[user[:password]@]host[:port][/base][?station=name]``.

        ``GALVANODE_MQTT_PASSWORD``, ``GALVANODE_MQTT_CA`` (a PEM file) and ``GALVANODE_STATION`` add what
        does not belong on a command line. Raises ``InvalidInput``.
        """
        environ = environ or {}
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise InvalidInput("the broker's port is no port number", source="mqtt") from None
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
            raise InvalidInput("expected a broker such as 'mqtt://broker:1883' or 'mqtts://...'", source="mqtt")
        tls = parts.scheme == "mqtts"
        station = parse_qs(parts.query).get("station", [""])[0] or environ.get("GALVANODE_STATION", "")
        password = unquote(parts.password) if parts.password else environ.get("GALVANODE_MQTT_PASSWORD")
        return cls(
            host=parts.hostname,
            port=port if port is not None else (8883 if tls else 1883),
            station=topic_level(station or socket.gethostname()),
            base="/".join(topic_level(level) for level in parts.path.split("/") if level) or "galvanode",
            username=unquote(parts.username) if parts.username else None,
            password=password,
            tls=tls,
            ca_file=environ.get("GALVANODE_MQTT_CA") if tls else None,
        )

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> MqttSettings | None:
        """Return what ``GALVANODE_MQTT_URL`` says, None if it is not set. Raises ``InvalidInput``."""
        url = environ.get("GALVANODE_MQTT_URL", "")
        return cls.from_url(url, environ) if url else None

    def topic(self, *levels: str) -> str:
        """Return a topic of this station."""
        return "/".join((self.base, self.station, *(topic_level(level) for level in levels)))


def topic_level(name: str) -> str:
    """Return the name without what MQTT gives a meaning (``/ + # $``) and without control characters."""
    return re.sub(r"[/+#$\x00-\x1f\x7f]", "_", name) or "_"
