"""What every unit does, whatever the role of its channels."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from galvanode.instrument.family import Family, Role
from galvanode.instrument.links.base import AnotherInstrument, LinkError
from galvanode.instrument.roles import (
    Chamber,
    CyclerChannel,
    InstrumentError,
    ScriptedChannel,
    SequencedChannel,
    Unit,
)
from galvanode.testing.instruments import Bound, HandClock, bound, nobody, time_by_hand

ROLES: dict[Role, type] = {
    "cycler": CyclerChannel,
    "analyzer": ScriptedChannel,
    "sequencer": SequencedChannel,
    "chamber": Chamber,
}


class UnitConformance:
    """Tests of one family; ``conformance_of`` makes them."""

    family: Family

    @pytest.fixture
    def clock(self) -> Iterator[HandClock]:
        """Simulated time that stands still."""
        with time_by_hand() as clock:
            yield clock

    @pytest.fixture
    def bound(self, clock: HandClock, tmp_path: Path) -> Iterator[Bound]:
        """The driver at its simulated instrument."""
        with bound(self.family, tmp_path, clock) as one:
            yield one

    def test_the_family_says_what_it_is(self) -> None:
        """Makers, models and a title for people; a driver and a simulator that can be imported."""
        family = self.family
        assert family.name.isidentifier()
        assert family.title
        assert all(family.makers)
        assert all(family.models)
        assert inspect.getdoc(family.load_driver())
        assert family.load_simulator() is not None

    def test_a_channel_has_the_methods_of_its_role_typed_and_explained(self, bound: Bound) -> None:
        """As ``galvanode.instrument.roles`` has them."""
        assert isinstance(bound.unit, Unit)
        assert isinstance(bound.channel, ROLES[self.family.role])
        for thing, role in ((bound.unit, Unit), (bound.channel, ROLES[self.family.role])):
            for verb in (verb for verb in dir(role) if not verb.startswith("_") and verb != "channel"):
                expected = getattr(role, verb, None)
                if not callable(expected):
                    continue
                own = getattr(type(thing), verb)
                assert inspect.iscoroutinefunction(own) == inspect.iscoroutinefunction(expected), verb
                assert inspect.getdoc(own), verb
                assert list(inspect.signature(own).parameters) == list(inspect.signature(expected).parameters), verb
                assert typing.get_type_hints(own) == typing.get_type_hints(expected), verb

    def test_making_a_driver_says_nothing_to_the_instrument(self, bound: Bound) -> None:
        """A bench is opened to look at it, too."""
        assert bound.tap.heard == []

    async def test_identify_says_who_answers(self, bound: Bound) -> None:
        """Maker, model, serial number and firmware, and the same again."""
        identity = await bound.unit.identify()
        assert all((identity.manufacturer, identity.model, identity.serial, identity.firmware))
        assert await bound.unit.identify() == identity

    async def test_identify_has_the_link_remember_who_answers(self, bound: Bound) -> None:
        """So that another instrument at the same address is never taken for it after a reopening."""
        unit, link = bound.another_driver()
        identity = await unit.identify()
        with pytest.raises(AnotherInstrument):
            link.recognise(replace(identity, model=f"{identity.model} of another make"))
        await unit.close()

    async def test_identify_refuses_an_instrument_of_another_family(self, bound: Bound) -> None:
        """Whatever it answers."""
        for answer in self.family.facts.strangers:
            bound.tap.instead = lambda _, answer=answer: answer
            with pytest.raises((InstrumentError, LinkError)):
                await bound.unit.identify()

    async def test_silence_is_told(self, bound: Bound) -> None:
        """And the instrument is found again when it speaks."""
        bound.tap.instead = nobody
        with pytest.raises(LinkError):
            await bound.unit.identify()
        bound.tap.instead = lambda _: None
        assert await bound.unit.identify()

    @pytest.mark.parametrize(
        "fault", [{"kind": "drop_reply"}, {"kind": "delay_reply", "delay": "30 s"}, {"kind": "truncate"}]
    )
    async def test_after_a_lost_answer_the_next_question_gets_its_own(
        self, bound: Bound, fault: dict[str, Any]
    ) -> None:
        """A late answer is never taken for the next one."""
        expected = await bound.unit.identify()
        bound.inject(**fault, count=1)
        with pytest.raises((LinkError, InstrumentError)):
            await bound.unit.identify()
        assert await bound.unit.identify() == expected

    async def test_a_link_that_hung_up_is_told_and_comes_back(self, bound: Bound) -> None:
        """Also if the instrument does not accept the first connection."""
        await bound.unit.identify()
        bound.inject("disconnect", count=1)
        bound.inject("refuse_connection", count=1)
        for _ in range(2):
            with pytest.raises(LinkError):
                await bound.unit.identify()
        assert await bound.unit.identify()
