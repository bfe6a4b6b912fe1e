"""The station's state in Prometheus' text format."""

from __future__ import annotations

from galvanode.service.models import Status

_CHAMBER_TEMPERATURE = "galvanode_chamber_temperature_celsius"
_CHANNEL_GAUGES = (
    ("voltage_volts", "voltage_V"),
    ("current_amperes", "current_A"),
    ("temperature_celsius", "temperature_degC"),
    ("test_time_seconds", "test_time_s"),
    ("samples", "samples"),
)


def exposition(status: Status, *, pages: int) -> str:
    """Return the metrics page."""
    lines = [
        "# TYPE galvanode_engine_up gauge",
        f"galvanode_engine_up {int(status.available)}",
        "# TYPE galvanode_live_pages gauge",
        f"galvanode_live_pages {pages}",
        "# TYPE galvanode_channel_state gauge",
    ]
    lines += [
        f"galvanode_channel_state{{channel={_label(channel.name)},state={_label(channel.state)}}} 1"
        for channel in status.channels
    ]
    for metric, field in _CHANNEL_GAUGES:
        lines.append(f"# TYPE galvanode_channel_{metric} gauge")
        for channel in status.channels:
            value = getattr(channel, field)
            if value is not None and status.available:
                lines.append(f"galvanode_channel_{metric}{{channel={_label(channel.name)}}} {value!r}")
    lines.append(f"# TYPE {_CHAMBER_TEMPERATURE} gauge")
    lines += [
        f"{_CHAMBER_TEMPERATURE}{{chamber={_label(chamber.name)}}} {chamber.temperature_degC!r}"
        for chamber in status.chambers
        if chamber.temperature_degC is not None and status.available
    ]
    return "\n".join(lines) + "\n"


def _label(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
