"""Instrument drivers, found through the entry point group `galvanode.drivers`."""
