"""What a run leaves behind: journal, sealed files, reading, export.

The engine writes through ``galvanode.store.journal``, everybody else reads through
``galvanode.store.read``; both work on one data directory and may live in different processes.
"""
