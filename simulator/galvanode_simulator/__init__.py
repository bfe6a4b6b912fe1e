"""Simulated cells and instruments that stand in for the real ones, byte for byte on the wire."""
