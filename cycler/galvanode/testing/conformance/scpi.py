"""Drivers that are a table of SCPI settings."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from typing import Any

import pytest

from galvanode.instrument.reading import BadReading
from galvanode.instrument.roles import InstrumentError, OutOfRange
from galvanode.instrument.scpi import Setting
from galvanode.testing.conformance.unit import UnitConformance
from galvanode.testing.instruments import NO_NUMBERS, Bound


class ScpiConformance(UnitConformance):
    """Every line of the table keeps its promise."""

    def _settings(self) -> Iterator[tuple[str, Setting[Any]]]:
        for kind in type.mro(self.family.load_driver()):  # type: ignore[arg-type]
            for key, value in vars(kind).items():
                if isinstance(value, Setting):
                    yield key, value

    def test_every_setting_has_one_argument_a_question_and_what_belongs_to_its_kind(self) -> None:
        """A number has limits and a unit; anything else says how it is read."""
        for key, setting in self._settings():
            assert setting.command.count("{") == 1, key
            assert setting.query.endswith("?"), key
            if setting.choices is not None:
                assert all(setting.choices), key
                assert len(set(setting.choices)) == len(setting.choices), key
                assert setting.cast is not None, key
            elif setting.limits is not None:
                low, high = setting.limits
                assert math.isfinite(low), key
                assert low < high < math.inf, key
                assert setting.unit, key
            else:
                assert setting.cast is not None, f"{key} is a number without limits"

    async def test_every_setting_takes_its_limits_and_its_choices_and_reads_back_what_was_set(
        self, bound: Bound
    ) -> None:
        """At the simulated instrument, which refuses what the real one does."""
        for key, setting in self._settings():
            values: tuple[Any, ...] = (False, True)
            if setting.choices is not None:
                values = setting.choices
            elif setting.limits is not None:
                low, high = setting.limits
                values = (low, high, 0.0) if low <= 0 <= high else (low, high)
            for value in values:
                await getattr(bound.unit, key).set(value)
                assert await getattr(bound.unit, key).get() == value, key
        assert await bound.unit.clear_errors() == []

    async def test_a_setting_that_reads_back_as_no_number_is_no_value(self, bound: Bound) -> None:
        """Not-a-number is never a setting."""
        for key, setting in self._settings():
            if setting.limits and setting.cast is None:
                bound.inject("reading", value="9.91E37", count=1)
                with pytest.raises(BadReading):
                    await getattr(bound.unit, key).get()

    def test_a_number_is_sent_with_its_digits_or_refused(self) -> None:
        """Never clipped, never rounded away."""
        draw = random.Random(1)
        for key, setting in self._settings():
            if setting.limits is None:
                continue
            low, high = setting.limits
            for value in (*(draw.uniform(low, high) for _ in range(50)), low, high):
                sent = float(setting.message(value).split()[-1])
                assert sent == pytest.approx(value, rel=1e-6, abs=1e-15), key
            for value in (math.nextafter(high, math.inf), math.nextafter(low, -math.inf), *NO_NUMBERS):
                with pytest.raises(OutOfRange):
                    setting.message(value)

    async def test_an_error_of_the_instrument_is_told_in_its_own_words(self, bound: Bound) -> None:
        """As its error queue has it."""
        key, setting = next((key, one) for key, one in self._settings() if one.limits is not None)
        bound.inject("scpi_error", code=-221, count=1)
        with pytest.raises(InstrumentError, match="Settings conflict"):
            await getattr(bound.unit, key).set(setting.limits[1] if setting.limits else 0.0)
