"""Instrument families, one in each sub-package; the modules beside them are what several families share."""

from galvanode.instrument.family import FamiliesIn

FAMILIES = FamiliesIn(__name__, __path__)
"""Found through the entry point group `galvanode.families`."""
