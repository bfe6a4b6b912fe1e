"""``python -m galvanode``: how the supervisor starts its children."""

from galvanode.cli import main

main()
