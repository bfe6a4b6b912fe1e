"""The verbs of a recipe, one module each: its fields and words, what it checks and what it becomes.

A new verb is a module here and its line in ``VERBS`` (docs/explanation/verbs.md).
"""

from __future__ import annotations

from galvanode.recipe.verbs.chamber import Chamber
from galvanode.recipe.verbs.charge import Charge
from galvanode.recipe.verbs.constant_current import ConstantCurrent
from galvanode.recipe.verbs.constant_power import ConstantPower
from galvanode.recipe.verbs.constant_resistance import ConstantResistance
from galvanode.recipe.verbs.constant_voltage import ConstantVoltage
from galvanode.recipe.verbs.cyclic_voltammetry import CyclicVoltammetry
from galvanode.recipe.verbs.discharge import Discharge
from galvanode.recipe.verbs.impedance import Impedance
from galvanode.recipe.verbs.operator import Operator
from galvanode.recipe.verbs.plate import Plate
from galvanode.recipe.verbs.profile import Profile
from galvanode.recipe.verbs.rest import Rest
from galvanode.recipe.verbs.step import Verb
from galvanode.recipe.verbs.strip import Strip
from galvanode.recipe.verbs.sweep import Sweep

VERBS: dict[str, type[Verb]] = {
    verb.word: verb
    for verb in (
        Rest,
        ConstantCurrent,
        Plate,
        Strip,
        ConstantPower,
        ConstantResistance,
        ConstantVoltage,
        Charge,
        Discharge,
        Sweep,
        CyclicVoltammetry,
        Impedance,
        Profile,
        Operator,
        Chamber,
    )
}
"""By the word that a recipe uses, in the order that people are shown."""
