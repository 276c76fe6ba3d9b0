"""What runs a cell in the page, as a notebook does: the last expression is shown, and so are the pictures that were drawn."""

from __future__ import annotations

import ast
import base64
import io
import logging
import sys
import traceback
import warnings
import zipfile
from typing import Any

__all__ = ["run"]

_NAMES: dict[str, Any] = {"__name__": "__main__"}
_MARK = "\x1e"  # stands around a picture in the output
_LIBRARY, _FILES = "/usr/local/lib/python315.zip", "/tmp/library"


def run(source: str) -> None:
    """Run a cell."""
    if "matplotlib" in source and _FILES not in sys.path:
        _unpack()
    try:
        tree = ast.parse(source, "<cell>")
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, "<cell>", "exec"), _NAMES)  # noqa: S102  (the reader's own code, in the reader's own page)
        if last is not None:
            _show(eval(compile(ast.Expression(last.value), "<cell>", "eval"), _NAMES))  # noqa: S307
    except BaseException as error:
        trace = error.__traceback__.tb_next if error.__traceback__ else None
        print("".join(traceback.format_exception(type(error), error, trace)), file=sys.stderr, end="")
    _pictures()
    sys.stdout.flush()
    sys.stderr.flush()


def _unpack() -> None:
    """Put Matplotlib into files: it opens its fonts and settings by their paths, which an archive has not."""
    with zipfile.ZipFile(_LIBRARY) as archive:
        archive.extractall(_FILES, [name for name in archive.namelist() if name.startswith("matplotlib/")])
    with zipfile.ZipFile(f"{_FILES}/matplotlib/mpl-data.zip") as data:
        data.extractall(f"{_FILES}/matplotlib/mpl-data")
    sys.path.insert(0, _FILES)
    warnings.filterwarnings("ignore", "FigureCanvasAgg is non-interactive")  # it is shown below the cell
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it says that its cache is in a temporary folder, as all is here


def _show(value: Any) -> None:
    if value is None:
        return
    drawn = getattr(value, "_repr_svg_", None)
    if drawn is None:
        print(repr(value))
    else:
        _picture("svg+xml", drawn().encode())


def _pictures() -> None:
    """Show the figures that are open, and close them."""
    if "matplotlib.pyplot" not in sys.modules:
        return
    from matplotlib import pyplot as plt

    for number in plt.get_fignums():
        file = io.BytesIO()
        plt.figure(number).savefig(file, format="png", dpi=110)
        _picture("png", file.getvalue())
    plt.close("all")


def _picture(kind: str, data: bytes) -> None:
    print(f"{_MARK}data:image/{kind};base64,{base64.b64encode(data).decode()}{_MARK}")
