"""What the pages know of states and quantities: ``static/vocabulary.js``, written from the tables.

    python -m galvanode.service.vocabulary

writes it anew; a test holds it against the tables.
"""

from __future__ import annotations

import json
from pathlib import Path

from galvanode.quantities import SAMPLED
from galvanode.states import FINISHED, SHOWN, UNDER_WAY, RunState

PATH = Path(__file__).parent / "static" / "vocabulary.js"


def vocabulary() -> str:
    """Return the module's text."""
    columns = {
        quantity.name: {"label": quantity.column.label, "title": quantity.column.title, "unit": quantity.column.unit}
        for quantity in SAMPLED
        if quantity.column is not None
    }
    shown = {state: {"tone": look.tone, "shape": look.shape} for state, look in SHOWN.items()}
    parts = [
        "// Written by `python -m galvanode.service.vocabulary` from states.py and quantities.py.\n",
        "/** Every state of a run or a channel: its colour, and the shape that tells it apart without one.\n"
        " * @type {Record<string, {tone: string, shape: string}>} */\n"
        f"export const SHOWN = {json.dumps(shown, indent=2)};\n",
        "/** Nothing comes after these states. */\n"
        f"export const FINISHED = new Set({json.dumps(_in_order(FINISHED))});\n",
        "/** A channel carries the run out, or holds its position. */\n"
        f"export const UNDER_WAY = new Set({json.dumps(_in_order(UNDER_WAY))});\n",
        f"/** The columns of a sample by quantity. */\nexport const COLUMNS = {json.dumps(columns, indent=2)};\n",
    ]
    return "\n".join(parts)


def _in_order(states: frozenset[RunState]) -> list[str]:
    return [state for state in SHOWN if state in states]


if __name__ == "__main__":
    PATH.write_text(vocabulary(), encoding="utf-8")
