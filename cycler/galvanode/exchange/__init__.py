"""Recipes as other programs write them: aurora-unicycler protocols and PyBaMM experiments, in and out.

Pure: text in, text out. What one side cannot say is refused with its name and its place, and never dropped.
"""

from galvanode.exchange.formats import FORMATS, Format, convert, exported, format_of
from galvanode.exchange.leaving import PARTS, Leaving

__all__ = ["FORMATS", "PARTS", "Format", "Leaving", "convert", "exported", "format_of"]
