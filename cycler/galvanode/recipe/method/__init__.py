"""The whole of a recipe: its text as items, and how they become a program."""
