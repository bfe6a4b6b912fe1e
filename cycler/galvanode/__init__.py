"""Galvanode: battery cycler control and acquisition."""

__version__ = "0.1.0"
