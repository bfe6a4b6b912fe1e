"""What simulated instruments of several families are made of: sources, converters, buffers."""
