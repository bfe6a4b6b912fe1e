"""Runs: the state machine, step execution, limits, checkpoints, and the supervisor over it all."""
