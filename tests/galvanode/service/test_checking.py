"""What the web side says of a recipe before it is started."""

from __future__ import annotations

from galvanode.library import library
from galvanode.service.checking import check
from galvanode.service.models import CheckRequest

RECIPE = """\
title: t
parameters:
  unused: {default: 1 h}
record: {every: 1 min}
method:
  - rest: {for: 30 s}
"""


def test_the_schedule_tells_what_looks_wrong_by_line():
    cell = (library() / "cells" / "llzto-zni2.yaml").read_text()
    warnings = check(CheckRequest(recipe=RECIPE, cell=cell)).warnings
    assert [item.line for item in warnings] == [3, 6]
    assert "'unused' is not used" in warnings[0].text


def test_without_a_cell_nothing_is_warned_of():
    assert check(CheckRequest(recipe=RECIPE)).warnings == []
