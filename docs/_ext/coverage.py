"""How much of PyTorch is here, by namespace: a line `[coverage]: <> ()` becomes a table of names, counted when the page is read.

PyTorch's names stand in pytorch-names.json, recorded with PyTorch installed: `python docs/_ext/coverage.py`.
"""

from __future__ import annotations

import importlib
import inspect
import json
from pathlib import Path
from typing import Any

__all__ = ["NAMES", "missing", "recorded", "setup"]

NAMES = Path(__file__).with_name("pytorch-names.json")
SPACES = """Tensor nn nn.functional nn.init nn.utils optim optim.lr_scheduler autograd linalg fft utils.data special distributions
sparse""".split()


def recorded() -> dict[str, list[str]]:
    """PyTorch's public names by namespace ("" is the top), and its version under "version"."""
    return json.loads(NAMES.read_text(encoding="utf-8"))


def missing(space: str, names: list[str]) -> list[str]:
    """Those names of a namespace that are not here."""
    place: Any = importlib.import_module("dovetail")
    for part in filter(None, space.split(".")):
        try:
            place = getattr(place, part)
        except (AttributeError, ImportError):
            return names
    return [name for name in names if not _has(place, name)]


def _has(place: Any, name: str) -> bool:
    """Attribute access as a program does it: a name that is refused with an error is not here."""
    try:
        return getattr(place, name, None) is not None
    except Exception:
        return False


def table() -> str:
    """The table, with the missing names folded away."""
    lines, folded = ["| namespace | PyTorch's names | here |", "|---|---:|---:|"], []
    for space, names in recorded().items():
        if space == "version":
            continue
        lack, title = missing(space, names), f"torch.{space}".rstrip(".")
        lines.append(f"| `{title}` | {len(names)} | {len(names) - len(lack)} |")
        if 0 < len(lack) < len(names):
            folded.append(f"`{title}` lacks: {', '.join(f'`{name}`' for name in lack)}.")
    fold = ":::{dropdown} What is missing, name by name\n" + "\n\n".join(folded) + "\n:::"
    return "\n".join(lines) + "\n\n" + fold


def record() -> dict[str, Any]:
    """The names that PyTorch's own documentation of overriding lists, and the classes of its namespaces."""
    import torch
    import torch.distributions
    import torch.utils.data
    from torch.overrides import get_overridable_functions

    functions = {getattr(space, "__name__", ""): names for space, names in get_overridable_functions().items()}
    found: dict[str, Any] = {"version": torch.__version__.partition("+")[0]}
    found[""] = sorted(
        {n for n in functions["torch"] if isinstance(n, str)} | {f.__name__ for f in functions["torch"] if not isinstance(f, str)}
    )
    for space in SPACES:
        place: Any = torch
        for part in space.split("."):
            place = getattr(place, part)
        found[space] = sorted(name for name in _public(place, space))
    found[""] = sorted(n for n in found[""] if not n.startswith("_") and hasattr(torch, n))
    return found


def _public(place: Any, space: str) -> set[str]:
    listed = getattr(place, "__all__", None) or dir(place)
    if space == "Tensor":
        listed = [n for n in dir(place) if getattr(getattr(place, n, None), "__doc__", None)]
    names = {n for n in listed if not n.startswith("_") and not inspect.ismodule(getattr(place, n, None))}
    if not getattr(place, "__all__", None) and space != "Tensor":
        homes = {n: getattr(getattr(place, n), "__module__", None) or "" for n in names if callable(getattr(place, n))}
        names = {n for n, home in homes.items() if home.startswith("torch") and home not in _HELPERS and n != "Tensor"}
    return {n for n in names if not n.endswith("_notes")}


_HELPERS = {"torch.overrides", "torch._jit_internal", "torch._VF"}


def _source_read(app: Any, docname: str, source: list[str]) -> None:
    source[0] = source[0].replace("[coverage]: <> ()", table()) if "[coverage]: <> ()" in source[0] else source[0]


def setup(app: Any) -> None:
    """Count when a page is read that asks for it."""
    app.connect("source-read", _source_read)


if __name__ == "__main__":
    NAMES.write_text(json.dumps(record(), indent=0) + "\n", encoding="utf-8")
