"""`python -m dovetail COMMAND`: the twin of the `dovetail` command."""

from __future__ import annotations

from dovetail.cli import main

if __name__ == "__main__":
    main()
