"""Write the table of CuPy's own names, signatures and type lists; run once where the real CuPy is installed (no GPU is needed).

Usage: ``python tests/support/cupy_standin/record.py > tests/support/cupy_names.txt``
"""

from __future__ import annotations

import ast
import gc
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["main"]

MODULES = """cupy cupy.linalg cupy.fft cupy.random cupy.lib cupy.lib.stride_tricks cupy.exceptions cupy.cuda cupy.cuda.runtime
cupy.cuda.nccl cupyx cupyx.scipy cupyx.scipy.special""".split()
CLASSES = """cupy.ndarray cupy.ufunc cupy.random.RandomState cupy.cuda.Device cupy.cuda.Stream cupy.cuda.Event
cupy.cuda.MemoryPool cupy.cuda.MemoryPointer cupy.cuda.PinnedMemoryPool cupy.cuda.nccl.NcclCommunicator""".split()
# CuPy keeps these behind its functions; their type lists say which dtypes the function takes.
HIDDEN = {
    "where": "cupy._sorting.search:_where_ufunc",
    "clip": "cupy._core._routines_math:clip",
    "round": "cupy._core.core:_round_ufunc",
    "angle": "cupy._core._routines_math:angle",
}

NOT_CUPYS = {*dir(object), "__module__", "__pyx_vtable__", "__slots__"} - {"__eq__", "__hash__", "__repr__", "__str__", "__format__"}


def spell(signature: inspect.Signature) -> str:
    """Return parameters as ``a axis= * out= **kwargs``: ``=`` marks an optional one."""
    words, star = [], False
    parameters = [p for p in signature.parameters.values() if p.name != "self"]
    for i, p in enumerate(parameters):
        if p.kind is p.KEYWORD_ONLY and not star:
            words.append("*")
            star = True
        if p.kind is p.VAR_POSITIONAL:
            star = True
        mark = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        words.append(mark + p.name + ("" if p.default is p.empty else "="))
        if p.kind is p.POSITIONAL_ONLY and (i + 1 == len(parameters) or parameters[i + 1].kind is not p.POSITIONAL_ONLY):
            words.append("/")
    return " ".join(words)


def parse(text: str) -> str:
    """Return the parameters that a docstring's first line or a source line spells."""
    text = re.sub(r"\b(_ndarray_base|tuple|bytes|Py_ssize_t|size_t|intptr_t|int|bint|str|NcclConfig) (?=\w)", "", text)
    arguments = ast.parse(f"def f({text}): pass").body[0].args  # type: ignore[attr-defined]
    words = [a.arg for a in arguments.posonlyargs] + (["/"] if arguments.posonlyargs else []) + [a.arg for a in arguments.args]
    for i in range(1, len(arguments.defaults) + 1):
        words[-i] += "="
    if arguments.vararg:
        words.append("*" + arguments.vararg.arg)
    elif arguments.kwonlyargs:
        words.append("*")
    words += [a.arg + ("" if d is None else "=") for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    words += ["**" + arguments.kwarg.arg] if arguments.kwarg else []
    return " ".join(w for w in words if w not in ("self", "cls"))


def types(function: Any) -> str:
    def code(dtypes: tuple[Any, ...]) -> str:
        import numpy as np

        return "".join(np.dtype(t).char for t in dtypes)

    ops = function._ops.ops
    return ",".join(("!" if "routine=None" in repr(op) else "") + f"{code(op.in_types)}->{code(op.out_types)}" for op in ops)


def describe(value: Any, name: str) -> tuple[str, str]:
    """Return the kind and the detail of one public object."""
    import numpy as np

    if type(value).__name__ == "ufunc":
        promote = getattr(value._ops.promote_types, "__name__", "-")
        return "ufunc", f"{value.nin} {value.nout} {value._default_casting} {value._scatter_op or '-'} {promote} {types(value)}"
    if type(value).__name__ == "_GUFunc":
        return "gufunc", value.__name__
    if inspect.ismodule(value):
        return "module", ""
    if value is None or isinstance(value, (bool, int, float, str)):
        return "value", repr(value)
    if isinstance(value, type):
        return "type", "numpy" if getattr(np, name, None) is value else ""
    if value is getattr(np, name, None):
        return "numpy", ""
    try:
        return "function", spell(inspect.signature(value))
    except (TypeError, ValueError):
        match = re.match(r"[\w.]+\((.*)\)", (getattr(value, "__doc__", None) or "").strip())
        if not callable(value):
            return "attribute", ""
        try:
            return "function", parse(match.group(1)) if match else "*args **kwargs"
        except SyntaxError:
            return "function", "*args **kwargs"


def scipy_linalg(folder: Path) -> Iterator[str]:
    """Read cupyx.scipy.linalg from its source: importing it needs CUDA's libraries."""
    for line in ast.parse((folder / "__init__.py").read_text()).body:
        if not isinstance(line, ast.ImportFrom) or "uarray" in (line.module or ""):
            continue
        source = (folder / f"{(line.module or '').rpartition('.')[2]}.py").read_text()
        functions = {f.name: f for f in ast.parse(source).body if isinstance(f, ast.FunctionDef)}
        for alias in line.names:
            if alias.name in functions:
                yield f"cupyx.scipy.linalg:{alias.name}\tfunction\t{parse(ast.unparse(functions[alias.name].args))}"


def lines() -> Iterator[str]:
    import cupy
    from cupy.random._generator_api import Generator

    for path in MODULES:
        module = importlib.import_module(path)
        for name in sorted(dir(module)):
            if name == "__version__" or not (name.startswith("_") or name in ("annotations", "np", "warnings", "contextlib")):
                yield f"{path}:{name}\t" + "\t".join(describe(getattr(module, name), name))
    owners = [(path, importlib.import_module(path.rpartition(".")[0])) for path in CLASSES]
    members = [(path, getattr(owner, path.rpartition(".")[2])) for path, owner in owners] + [("cupy.random.Generator", Generator)]
    for path, owner in members:
        for name in sorted(dir(owner)):
            if not name.startswith("_") or (path == "cupy.ndarray" and name.startswith("__") and name not in NOT_CUPYS):
                yield f"{path}:{name}\t" + "\t".join(describe(getattr(owner, name), name))
    for name, where in HIDDEN.items():
        module, attribute = where.split(":")
        yield f"hidden:{name}\t" + "\t".join(describe(getattr(importlib.import_module(module), attribute), name))
    for reduction in gc.get_objects():
        if type(reduction).__name__ == "_SimpleReductionKernel":
            yield f"reductions:{reduction.name.removeprefix('cupy_')}\treduction\t{types(reduction)}"
    yield from scipy_linalg(Path(cupy.__file__).parents[1] / "cupyx" / "scipy" / "linalg")


def main() -> None:
    """Print the table."""
    print("# CuPy's own names (module:name, kind, detail), written by cupy_standin/record.py from the installed CuPy. Do not edit.")
    print("# Detail: of a function its parameters (= marks an optional one); of a ufunc nin, nout, casting, scatter op,")
    print("# promotion hook and types (E: bfloat16, !: refused).")
    print("\n".join(lines()))


if __name__ == "__main__":
    main()
