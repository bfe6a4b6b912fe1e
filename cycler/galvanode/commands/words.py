"""How commands say things to people."""

from __future__ import annotations


def duration_text(seconds: float) -> str:
    """Return a duration in the unit that people would use: s, min or h."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:,.2f} h"
