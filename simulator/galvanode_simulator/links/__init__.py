"""Ways to reach a simulated instrument from another process."""
