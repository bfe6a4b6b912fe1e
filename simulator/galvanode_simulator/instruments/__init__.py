"""Simulated instruments: a model that knows physics, an interface that knows bytes."""
