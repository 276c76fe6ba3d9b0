"""to_c(): a model as one C99 file that needs neither Python nor memory at run time."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dovetail.errors import UnsupportedError, ValueRangeError

__all__ = ["CProgram", "UnsupportedNodes", "to_c"]

_INSIDE = 1 << 20  # numbers that a compiler reads in a few seconds; more go into a file of their own


class UnsupportedNodes(UnsupportedError):
    """Nodes of a model for which there is no C; ``nodes`` has them all, as (where, operator)."""

    nodes: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class CProgram:
    """What `to_c` wrote: the files, the function's prototype, and how much memory it has."""

    files: tuple[str, ...]
    prototype: str
    inputs: dict[str, tuple[int, ...]]  # the shape of one sample
    outputs: dict[str, tuple[int, ...]]
    memory: int  # bytes of static memory
    weights: int  # numbers


def to_c(
    model: Any,
    path: str | os.PathLike[str],
    *args: Any,
    weights: str | os.PathLike[str] | None = "auto",
    example: bool = False,
    batch: bool = True,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
) -> CProgram:
    """Write a model as a C99 program: ``path`` (``net.c``), its header ``net.h``, and what else is asked for.

    ``model`` is a module, a function, or the path of an ONNX file; ``args`` is an example of its inputs, which a file with
    fixed sizes does not need. The program has the one function ``int net_run(size_t n, const float *input, float *output)``,
    which computes ``n`` samples one after the other; nothing is allocated, memory and constants are static.

    ``batch`` says that the first dimension of every input counts samples, which is checked by running the model on two of them;
    without it, one sample is a whole call on tensors of the example's shapes. ``weights`` keeps the constants in the C file (None), or puts
    them into a file of this name beside it, which ``net_load`` reads; "auto" does so past a million numbers. ``example`` writes
    ``net_main.c``, which reads samples from its standard input.

    Raises UnsupportedNodes, which lists every node that has no C; a ShapeError where sizes are missing; a ValueRangeError where
    samples depend on each other; and what `export` raises.

    >>> import tempfile, dovetail as dv
    >>> folder = tempfile.mkdtemp()
    >>> made = to_c(dv.nn.Linear(3, 2), f"{folder}/net.c", dv.ones(1, 3))
    >>> made.prototype, made.inputs
    ('int net_run(size_t n, const float *input, float *output)', {'input': (3,)})
    """
    from .build import built

    target = Path(path)
    if target.suffix != ".c":
        raise ValueRangeError("to_c", f"path is {os.fspath(path)!r}", "expected a name that ends in .c")
    if not _plain(target.stem):
        raise ValueRangeError(
            "to_c", f"path is {os.fspath(path)!r}", "expected a name of letters, digits and signs that C's #include can have"
        )
    program = built(model, target, args, batch, input_names, output_names)
    aside = _aside(weights, target, program.constants.count)
    program.constants.aside = bool(aside)
    return _written(program, target, aside, example)


def _aside(weights: Any, target: Path, count: int) -> str:
    """The name of the side file, "" for none."""
    if weights is None or (weights == "auto" and count <= _INSIDE):
        return ""
    name = f"{target.stem}.bin" if weights == "auto" else os.fspath(weights)
    if Path(name).name != name or not _plain(name) or name in (target.name, f"{target.stem}.h", f"{target.stem}_main.c"):
        raise ValueRangeError("to_c", f"weights is {name!r}", "expected a file name without a folder, for a file beside the program")
    return name


def _plain(name: str) -> bool:
    from .text import comment

    return comment(name) == name and '"' not in name


def _written(program: Any, target: Path, aside: str, example: bool) -> CProgram:
    from dovetail.io.atomic import replacing

    from . import files

    stem = target.stem
    found: list[tuple[Path, Iterable[str] | bytes]] = []
    if aside:
        found.append((target.with_name(aside), program.constants.file()))
    found.append((target.with_suffix(".h"), files.header(program, aside)))
    if example:
        found.append((target.with_name(f"{stem}_main.c"), files.example(program, stem, aside)))
    found.append((target, files.source(program, stem, aside)))
    for place, content in found:
        with replacing(place) as temporary:
            if isinstance(content, bytes):
                temporary.write_bytes(content)
            else:
                with open(temporary, "w", encoding="ascii", newline="\n") as file:
                    file.writelines(_lines(content))
    return CProgram(
        tuple(str(place) for place, _ in found),
        program.prototype,
        {port.name: port.shape for port in program.inputs},
        {port.name: port.shape for port in program.outputs},
        files.bytes_of(program),
        program.constants.count,
    )


def _lines(content: Iterable[str]) -> Iterator[str]:
    return (f"{line}\n" for line in content)
