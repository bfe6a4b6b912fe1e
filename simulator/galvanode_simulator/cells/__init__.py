"""Simulated cells: physics in closed form, SI units, nothing of any instrument."""

from galvanode_simulator.cells.base import Cell
from galvanode_simulator.cells.li_symmetric import LiSymmetricCell
from galvanode_simulator.cells.parameters import PRESETS, LiSymmetricParameters
from galvanode_simulator.cells.resistor import ResistorCell

__all__ = ["PRESETS", "Cell", "LiSymmetricCell", "LiSymmetricParameters", "ResistorCell"]
