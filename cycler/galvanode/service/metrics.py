"""The station's state and its counts for Prometheus, in the format that the scraper asks for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import get_args

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from galvanode.quantities import SAMPLED
from galvanode.service.models import ChannelState, Status
from galvanode.states import RunState
from galvanode.store.tally import Tallies

_READINGS = [(quantity.metric, quantity.told, quantity.name) for quantity in SAMPLED if quantity.metric]


@dataclass(frozen=True, eq=False)
class Station(Collector):
    """What is known of a station at one moment. ``tallies`` None: there is no record yet, or it is busy."""

    status: Status
    pages: int
    tallies: Tallies | None

    def collect(self) -> Iterator[Metric]:
        """Give every metric, with help and type."""
        yield _gauge("engine_up", "1 while the engine answers.", int(self.status.available))
        yield _gauge("live_pages", "Web pages that follow the live stream.", self.pages)
        yield _states(self.status.channels)
        if self.status.available:
            yield from self._readings()
        if self.status.engine is not None and self.status.engine.commit_failures is not None:
            failures = self.status.engine.commit_failures
            help_ = "Commits that the disk did not take, since the engine started."
            yield CounterMetricFamily("galvanode_commit_failures", help_, failures)
        if self.tallies is not None:
            yield from _counts(self.tallies)

    def _readings(self) -> Iterator[Metric]:
        for name, help_, quantity in _READINGS:
            values = ((channel.name, channel.live(quantity)) for channel in self.status.channels)
            yield _gauges(f"channel_{name}", help_, "channel", values)
        yield _auxiliary(self.status.channels)
        temperatures = ((chamber.name, chamber.temperature_degC) for chamber in self.status.chambers)
        yield _gauges("chamber_temperature_celsius", "Temperature in the chamber.", "chamber", temperatures)
        healthy = ((chamber.name, int(chamber.ok)) for chamber in self.status.chambers)
        yield _gauges("chamber_ok", "1 while the chamber answers and reports no alarm.", "chamber", healthy)


def exposition(station: Station, accept: str) -> tuple[bytes, str]:
    """Return the metrics page and its media type, for what an ``Accept`` header says."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(station)
    encode, media_type = choose_encoder(accept)
    return encode(registry), media_type


def _gauge(name: str, help_: str, value: float) -> Metric:
    return GaugeMetricFamily(f"galvanode_{name}", help_, value)


def _gauges(name: str, help_: str, label: str, values: Iterable[tuple[str, float | None]]) -> Metric:
    family = GaugeMetricFamily(f"galvanode_{name}", help_, labels=[label])
    for of, value in values:
        if value is not None:
            family.add_metric([of], value)
    return family


def _auxiliary(channels: Iterable[ChannelState]) -> Metric:
    help_ = "What the channel reads beside voltage and current, in the unit of its column."
    family = GaugeMetricFamily("galvanode_channel_auxiliary", help_, labels=["channel", "name"])
    for channel in channels:
        for name, value in channel.auxiliary.items():
            if value is not None:
                family.add_metric([channel.name, name], value)
    return family


def _states(channels: Iterable[ChannelState]) -> Metric:
    family = GaugeMetricFamily(
        "galvanode_channel_state", "1 for the state that the channel is in.", labels=["channel", "state"]
    )
    for channel in channels:
        family.add_metric([channel.name, channel.state], 1)
    return family


def _counts(tallies: Tallies) -> Iterator[Metric]:
    """Counts out of the record: they go on where they were when a process is restarted."""
    yield _counter("late_polls", "Readings that began late.", tallies.late_polls)
    yield _counter("link_errors", "Messages to an instrument or from it that were lost.", tallies.link_errors)
    yield _counter("trips", "Runs that a limit or a fault ended.", tallies.trips)
    yield _counter("unsafe_outputs", "Times that a safe state could not be read back.", tallies.unsafe)
    yield _gauges(
        "runs", "Runs in the record, by state.", "state", ((each, tallies.runs[each]) for each in get_args(RunState))
    )


def _counter(name: str, help_: str, by_channel: Counter[str]) -> Metric:
    family = CounterMetricFamily(f"galvanode_{name}", help_, labels=["channel"])
    for channel, count in sorted(by_channel.items()):
        family.add_metric([channel], count)
    return family
