"""Figures from acquired data. Pure: tables in, results out.

``analyse`` runs analyses by the names that recipes use. Nothing here knows where the data come from; the
parameters of a simulated cell are out of reach. What is named here is imported when it is first asked for: an
engine needs a detector, and none of the fits.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from galvanode.analysis.catalogue import ANALYSES, PLOTS, analyse, plots
    from galvanode.analysis.impedance import impedance_table
    from galvanode.analysis.model import Accuracy, Plot, Result, RunData
    from galvanode.analysis.polarisation import polarisation_table
    from galvanode.analysis.rate import capacity_table

__all__ = [
    "ANALYSES",
    "PLOTS",
    "Accuracy",
    "Plot",
    "Result",
    "RunData",
    "analyse",
    "capacity_table",
    "impedance_table",
    "plots",
    "polarisation_table",
]

_WHERE = {
    "ANALYSES": "catalogue",
    "PLOTS": "catalogue",
    "analyse": "catalogue",
    "plots": "catalogue",
    "impedance_table": "impedance",
    "Accuracy": "model",
    "Plot": "model",
    "Result": "model",
    "RunData": "model",
    "polarisation_table": "polarisation",
    "capacity_table": "rate",
}


def __getattr__(name: str) -> object:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
