"""Simulated cells: physics in closed form, SI units, nothing of any instrument."""

from galvanode_simulator.cells.base import Cell, CellParameters
from galvanode_simulator.cells.blocking import BlockingCell, BlockingParameters
from galvanode_simulator.cells.capacitor import CapacitorCell, CapacitorParameters
from galvanode_simulator.cells.composite import CompositeCell, CompositeParameters
from galvanode_simulator.cells.full_cell import FullCell
from galvanode_simulator.cells.full_cell_parameters import FullCellParameters
from galvanode_simulator.cells.li_symmetric import LiSymmetricCell
from galvanode_simulator.cells.parameters import PRESETS, LiSymmetricParameters
from galvanode_simulator.cells.presets import CELLS, build_cell
from galvanode_simulator.cells.resistor import ResistorCell

__all__ = [
    "CELLS",
    "PRESETS",
    "BlockingCell",
    "BlockingParameters",
    "CapacitorCell",
    "CapacitorParameters",
    "Cell",
    "CellParameters",
    "CompositeCell",
    "CompositeParameters",
    "FullCell",
    "FullCellParameters",
    "LiSymmetricCell",
    "LiSymmetricParameters",
    "ResistorCell",
    "build_cell",
]
