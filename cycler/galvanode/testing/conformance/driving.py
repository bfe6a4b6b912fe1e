"""What every unit does that can drive a cell, however it is told to."""

from __future__ import annotations

from typing import Any

import pytest

from galvanode.instrument.links.base import LinkError
from galvanode.instrument.roles import InstrumentError, UnsafeState
from galvanode.testing.conformance.unit import UnitConformance
from galvanode.testing.instruments import Bound


class DrivingConformance(UnitConformance):
    """The safe state, whatever the unit was at. A role says how it is set to work."""

    async def _at_work(self, bound: Bound) -> Any:
        """Have a current flow."""
        raise NotImplementedError

    async def _safe(self, bound: Bound) -> None:
        """The unit is made safe, twice, and leaves the cell alone: no current, no voltage held."""
        for _ in range(2):
            await bound.unit.make_safe()
            assert bound.is_off()

    async def _safe_from_what_others_did(self, bound: Bound) -> None:
        """Each situation of the family's facts: at rest, and at work."""
        for situation, messages in self.family.facts.left.items():
            for at_work in (False, True):
                if at_work:
                    await self._at_work(bound)
                for message in messages:
                    bound.say(message)
                await bound.unit.make_safe()
                assert bound.is_off(), situation

    @pytest.mark.parametrize("kind", ["drop_reply", "garble", "truncate", "disconnect"])
    async def test_a_safe_state_that_could_not_be_read_back_is_never_taken_for_safe(
        self, bound: Bound, kind: str
    ) -> None:
        """Whatever happens to the answer."""
        await self._at_work(bound)
        bound.inject(kind)
        with pytest.raises((UnsafeState, LinkError, InstrumentError)):
            await bound.unit.make_safe()
        bound.inject()
        await self._safe(bound)
