"""`python -m tools TARGET`: the twin of `make TARGET`."""

import sys


def _check_python() -> None:
    """Stop with a plain sentence on a Python that is too old, before anything newer than it is imported."""
    if sys.version_info < (3, 11):  # noqa: UP036
        found = "%d.%d (%s)" % (sys.version_info[0], sys.version_info[1], sys.executable)  # noqa: UP031
        sys.exit("Dovetail needs Python 3.11 or newer; this is Python " + found + ". Try: make TARGET PYTHON=python3.12")


if __name__ == "__main__":
    _check_python()
    from tools.targets import main

    sys.exit(main(sys.argv[1:]))
