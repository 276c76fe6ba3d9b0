"""The command line of the recipes: what is wrong with it is said before the minutes of training, not after."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

__all__ = ["arguments"]


def arguments(about: str, *numbers: str, written: str = "path", read: str = "") -> list[Any]:
    """What the command line says: the ``path`` or ``folder`` that is written; a file that is ``read`` instead of made, and ``numbers``.

    The last two may be left out, and are not in the list then. ``about`` is the recipe's docstring.
    """
    first, _, rest = about.partition("\n\n")
    parser = argparse.ArgumentParser(description=first, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(written, type=Path, help="where the result is saved")
    if read:
        parser.add_argument(read, type=Path, nargs="?", help="a file that holds what is otherwise made first")
    for name in numbers:
        parser.add_argument(name, type=int, nargs="?", help="a number in place of the one that was used")
    given = vars(parser.parse_args())
    where, kept = given[written], given.get(read)
    if not where.parent.is_dir():
        parser.error(f"{written}: there is no folder {where.parent}")
    if where.is_dir() and written == "path":
        parser.error(f"{written}: {where} is a folder; expected the name of a file")
    if kept and not kept.is_file():
        parser.error(f"{read}: there is no file {kept}")
    return [str(value) if isinstance(value, Path) else value for value in given.values() if value is not None]
