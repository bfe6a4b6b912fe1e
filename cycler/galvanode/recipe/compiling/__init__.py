"""A recipe bound to a cell and to its parameters becomes a program."""
