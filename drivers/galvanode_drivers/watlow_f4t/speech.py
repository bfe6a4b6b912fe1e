"""What is said to an F4T, whichever protocol it is said in. Temperatures are in the unit of the wire."""

from __future__ import annotations

from typing import Protocol

from galvanode.instrument.roles import Identity


class Speech(Protocol):
    """One protocol of the controller."""

    async def identity(self) -> Identity:
        """Ask for model, serial number and software."""
        ...

    async def in_celsius(self) -> bool:
        """Whether numbers on the wire are in Celsius; Fahrenheit otherwise."""
        ...

    async def limits(self) -> tuple[float, float]:
        """Lowest and highest set point."""
        ...

    async def temperature(self) -> float:
        """What is controlled: the air, or with a cascade the product."""
        ...

    async def user_set_point(self) -> float:
        """Set point of the user."""
        ...

    async def set_point(self, value: float) -> None:
        """Change the set point of the user."""
        ...

    async def switch_on(self) -> None:
        """Let the loop control."""
        ...

    async def switch_off(self) -> None:
        """Stop heating and cooling, and a profile."""
        ...

    async def is_on(self) -> bool:
        """Whether the loop controls."""
        ...

    async def is_off(self) -> bool:
        """Whether it neither heats nor cools."""
        ...

    async def end_profile(self) -> None:
        """End a profile that runs."""
        ...

    async def alarm(self) -> str | None:
        """What is wrong, in words; None if nothing is."""
        ...
