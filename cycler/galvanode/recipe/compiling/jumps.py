"""Labels and the ways to them: a ``goto`` is written before anybody knows which instruction it leads to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from galvanode.document import Document, did_you_mean, label
from galvanode.recipe.language.condition import Go
from galvanode.recipe.program import Action, End, Instruction, Jump, Loop, Step
from galvanode.yaml_text import DocumentPath

MOST_TAKEN = 10_000
"""How often a way back is taken at most where the recipe does not say."""


@dataclass
class Way:
    """One ``goto``: where it leads and how often it may be taken, once that is known."""

    to: DocumentPath = ()
    """The labelled item; empty for a way that the compiler makes."""
    at: DocumentPath = ()
    """Where the recipe says so."""
    at_most: int | None = None
    target: int | None = None


class Ways:
    """All the ways of a program. In an action a way stands as a negative target until all of them are known."""

    def __init__(self) -> None:
        self._ways: list[Way] = []

    def action(self, way: Way) -> Action:
        """Return an action that goes this way."""
        self._ways.append(way)
        return Action(do="goto", target=-len(self._ways))

    def settled(self, instructions: list[Instruction]) -> tuple[Instruction, ...]:
        """Return the instructions with every way in its place."""
        return tuple(map(self._settled, instructions) if self._ways else instructions)

    def _settled(self, instruction: Instruction) -> Instruction:
        if isinstance(instruction, Jump):
            return instruction.model_copy(update={"action": self._action(instruction.action)})
        if isinstance(instruction, Step) and instruction.until:
            return instruction.model_copy(update={"until": tuple(map(self._end, instruction.until))})
        if isinstance(instruction, Loop) and instruction.stop_when:
            return instruction.model_copy(update={"stop_when": tuple(map(self._end, instruction.stop_when))})
        return instruction

    def _end(self, end: End) -> End:
        then, otherwise = self._action(end.then), self._action(end.otherwise)
        if then is end.then and otherwise is end.otherwise:
            return end
        return end.model_copy(update={"then": then, "otherwise": otherwise})

    def _action(self, action: Action) -> Action:
        if action.target is None or action.target >= 0:
            return action
        way = self._ways[-action.target - 1]
        if way.target is None or way.at_most is None:
            raise AssertionError("a way that leads nowhere")
        return Action(do="goto", target=way.target, at_most=way.at_most)


class Labels:
    """The labels of one document, and the ways to them."""

    def __init__(self, document: Document, places: Mapping[str, DocumentPath], ways: Ways) -> None:
        """``places`` are the labelled items by their labels."""
        self._document = document
        self._places = places
        self._ways = ways
        self._reached: dict[DocumentPath, int] = {}
        self._to_come: list[Way] = []
        self._back: list[Way] = []

    def way(self, name: str, at: DocumentPath, blocks: tuple[DocumentPath, ...], at_most: int | None) -> Action:
        """Return the action of a ``goto`` at ``at``, inside the lists of items ``blocks``. Raises ``InvalidInput``."""
        to = self._places.get(name)
        if to is None:
            hint = did_you_mean(name, self._places) if self._places else "; no item of this recipe has a 'label'"
            raise self._document.error(at, f"{label(at)} leads to '{name[:40]}', which is no label{hint}")
        if to[:-1] not in blocks:
            said = f"{label(at)} leads to '{name}', into a block from outside; expected a label in a block around it"
            raise self._document.error(at, said)
        way = Way(to, at, at_most, self._reached.get(to))
        (self._to_come if way.target is None else self._back).append(way)
        return self._ways.action(way)

    def reach(self, item: DocumentPath, instruction: int) -> None:
        """Say with which instruction an item begins."""
        self._reached[item] = instruction

    def back_in(self, block: DocumentPath) -> list[Way]:
        """Return, once, the ways that lead back to an item of a list."""
        found = [way for way in self._back if way.to[:-1] == block]
        self._back = [way for way in self._back if way.to[:-1] != block]
        return found

    def close(self, most: int) -> None:
        """Settle the ways that lead forward: a circle they do not make, so they may be taken as often as is wanted."""
        for way in self._to_come:
            way.target = self._reached[way.to]
            way.at_most = most if way.at_most is None else way.at_most


def action_of(
    go: Go,
    at: DocumentPath,
    labels: Labels,
    blocks: tuple[DocumentPath, ...],
    breaks: Action | None,
    document: Document,
) -> Action:
    """Return the action that ``go``, written at ``at``, is.

    ``blocks`` are the lists of items around it, ``breaks`` is what leaves the innermost repeat, None outside of one.
    Raises ``InvalidInput``.
    """
    if go.do == "goto":
        return labels.way(go.label, at, blocks, None)
    if go.do != "break":
        return Action(do=go.do)
    if breaks is None:
        raise document.error(at, f"{label(at)} is 'break' outside of a 'repeat'; expected it inside of one")
    return breaks
