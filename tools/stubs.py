"""What type checkers and editors see of names that are bound when the core is imported: `.pyi` files, from the live signatures.

`python -m tools.stubs` writes them; docs/decisions/0004-stubs.md says why they are kept in the repository.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["FILES", "brought", "main", "older_methods", "overloads", "parameters", "written"]

CORE = Path(__file__).resolve().parent.parent / "core" / "dovetail"
HEAD = '"""{}; written by `python -m tools.stubs`, held by tests/contracts/test_stubs.py."""\n\n'
FILES = ("tensor_methods.pyi", "ops/public.pyi", "nn/functional.pyi", "linalg.pyi", "return_types.pyi")

TUPLES = {  # made at their first call
    "_lu_with_info": "LU pivots info", "aminmax": "min max", "histogram": "hist bin_edges", "histogramdd": "hist bin_edges",
    "linalg_cholesky_ex": "L info", "linalg_inv_ex": "inverse info", "linalg_solve_ex": "result info",
    "linalg_lstsq": "solution residuals rank singular_values", "linalg_lu": "P L U", "linalg_lu_factor": "LU pivots",
    "lu_unpack": "P L U", "nanmedian": "values indices", "qr": "Q R", "slogdet": "sign logabsdet", "svd": "U S V",
    "triangular_solve": "solution cloned_coefficient",
}  # fmt: skip
_NAMED = "aminmax cummax cummin frexp geqrf histogram histogramdd kthvalue lu_unpack mode qr slogdet sort svd topk triangular_solve".split()
_PAIR = "tuple[Tensor, Tensor]"
RETURNS: dict[str, str] = {  # what an annotation leaves open; of all others it is a Tensor
    **{name: f"return_types.{name}" for name in _NAMED},
    **dict.fromkeys("dsplit hsplit vsplit tensor_split split unbind chunk split_with_sizes".split(), "tuple[Tensor, ...]"),
    **dict.fromkeys("dense_dim sparse_dim _nnz".split(), "builtins.int"),
    **dict.fromkeys("storage storage_type untyped_storage as_subclass tolist __array__ __dlpack__ __array_wrap__".split(), "Any"),
    **dict.fromkeys("__reduce_ex__ __torch_function__ grad_fn grad_dtype".split(), "Any"),
    "__dlpack_device__": "tuple[builtins.int, builtins.int]", "__iter__": "Iterator[Tensor]", "__reversed__": "Tensor",
    "is_coalesced": "builtins.bool", "item": "builtins.int | builtins.float | builtins.bool", "numpy": "np.ndarray[Any, Any]",
    "lu": f"{_PAIR} | tuple[Tensor, Tensor, Tensor]", "broadcast_shapes": "Size", "lstm_cell": _PAIR, "multi_head_attention_forward":
    "tuple[Tensor, Tensor | None]", "embedding_bag": "Tensor", "shape": "Size", "dtype": "dtypes.dtype", "device": "Device",
    "layout": "memory.layout", "grad": "Tensor | None", "_base": "Tensor | None", "ndim": "builtins.int", "nbytes": "builtins.int",
    "itemsize": "builtins.int", "to_padded_tensor": "Tensor", "names": "tuple[str | None, ...]",
}  # fmt: skip

_DIM = "dim: builtins.int, keepdim: builtins.bool = False"
_INVERSE = "return_inverse: Literal[True], return_counts: Literal[False] = False, dim: builtins.int | None = None"
_COUNTS = "return_inverse: Literal[False] = False, *, return_counts: Literal[True], dim: builtins.int | None = None"
_BOTH = "return_inverse: Literal[True], return_counts: Literal[True], dim: builtins.int | None = None"
_TRIPLE = "tuple[Tensor, Tensor, Tensor]"


def _unique(first: str, star: str = "") -> list[tuple[str, str]]:
    plain = "return_inverse: Literal[False] = False, return_counts: Literal[False] = False, dim: builtins.int | None = None"
    pairs = ((plain, "Tensor"), (star + _INVERSE, _PAIR), (_COUNTS, _PAIR), (star + _BOTH, _TRIPLE))
    return [(f"{first}{more}", kind) for more, kind in pairs]


def _extreme(name: str) -> list[tuple[str, str]]:
    kind = f"return_types.{name}"
    return [("input", "Tensor"), (f"input, {_DIM}", kind), ("input, other: Tensor", "Tensor")]


_MIDDLE = {name: [("input", "Tensor"), (f"input, {_DIM}", f"return_types.{name}")] for name in ("median", "nanmedian")}
OVERLOADS: dict[str, list[tuple[str, str]]] = {
    "max": _extreme("max"), "min": _extreme("min"), **_MIDDLE,
    "nonzero": [
        ("input, *, as_tuple: Literal[False] = False", "Tensor"),
        ("input, *, as_tuple: Literal[True]", "tuple[Tensor, ...]"),
    ],
    "unique": _unique("input, sorted: builtins.bool = True, ", "*, "),
    "unique_consecutive": _unique("input, "),
    "size": [("input, dim: None = None", "Size"), ("input, dim: builtins.int", "builtins.int")],
    "stride": [("input, dim: None = None", "tuple[builtins.int, ...]"), ("input, dim: builtins.int", "builtins.int")],
    "type": [("input, dtype: None = None", "str"), ("input, dtype: Any, non_blocking: builtins.bool = False", "Tensor")],
}  # fmt: skip
FREE: dict[str, list[tuple[str, str]]] = {
    "where": [
        ("condition: Tensor", "tuple[Tensor, ...]"),
        ("condition: Tensor, input: Operand, other: Operand, *, out: Tensor | None = None", "Tensor"),
    ],
    **{f"atleast_{n}d": [("tensor: Tensor, /", "Tensor"), ("*tensors: Any", "tuple[Tensor, ...]")] for n in (1, 2, 3)},
}

_FACTORED = "cholesky_ex eig eigh inv_ex lstsq lu lu_factor lu_factor_ex qr slogdet solve_ex svd".split()
_BY_PLUGINS = (  # no checker knows which are installed
    "distributed distributions mps mtia onnx overrides profiler signal sparse special text vision xpu".split()
)
_BINARY = "add sub mul truediv floordiv mod pow matmul and or xor lshift rshift lt le gt ge shift".split()
_BUILTIN = {"int", "float", "bool", "str", "complex"}
_KNOWN = {"tuple", "list", "None", "Tensor", "Any", "object", "dict", "Callable"}


def parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters of a public function, as `inspect.signature` tells them."""
    return list(inspect.signature(function).parameters.values())


def _note(note: Any, otherwise: str = "Any") -> str:
    """An annotation of the source, in words that mean the same inside the stub."""
    if note is inspect.Parameter.empty:
        return otherwise
    text = note if isinstance(note, str) else getattr(note, "__name__", "Any")
    tree = ast.parse(text, mode="eval")
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            if node.id in _BUILTIN:
                node.id = f"builtins.{node.id}"
            elif node.id == "Array":
                node.id = "Operand"
            elif node.id == "Device":
                pass
            elif node.id not in _KNOWN:
                return otherwise
        elif isinstance(node, ast.Attribute):
            return otherwise
    return ast.unparse(tree)


def _result(name: str, note: Any) -> str:
    """What a function returns."""
    text = note if isinstance(note, str) else getattr(note, "__name__", "Any") if note is not inspect.Signature.empty else "Any"
    found = _note(text.replace("Array", "Tensor")).replace("Operand", "Tensor")
    kinds = {"dtype": "dtypes.dtype", "Generator": "Generator", "RemovableHandle": "Handle", "Iterator[Any]": "Iterator[Tensor]"}
    if text in kinds:
        return kinds[text]
    return RETURNS.get(name, "Tensor") if found in ("Any", "tuple[Any, Any]") or name in RETURNS else found


def _default(value: Any) -> str:
    plain = value is None or value is True or value is False or (type(value) in (int, str) and len(repr(value)) < 20)
    return repr(value) if plain or (type(value) is float and value == value and abs(value) < 1e9) else "..."


def _signature(function: Callable[..., Any], out: bool, method: bool) -> str:
    """The parameters as they stand in a stub."""
    words, star = [], False
    given = parameters(function)
    for at, p in enumerate(given):
        if method and at == 0:
            words.append("self")
            continue
        if p.kind is p.KEYWORD_ONLY and not star:
            words.append("*")
            star = True
        star = star or p.kind is p.VAR_POSITIONAL
        if out and p.kind is p.VAR_KEYWORD:
            out = False
        mark = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        note = _note(p.annotation)
        if p.default is None and note not in ("Any", "object") and "None" not in note:
            note += " | None"
        words.append(f"{mark}{p.name}: {note}" + ("" if p.default is p.empty else f" = {_default(p.default)}"))
    if out and all(p.name != "out" for p in given):
        words += ([] if star else ["*"]) + ["out: Any = None"]
    return ", ".join(words)


def overloads(name: str, method: bool) -> list[tuple[str, str]]:
    """The forms of a function whose result depends on how it is called: pairs of parameters and result."""
    if not method and name in FREE:
        return FREE[name]
    first = "self" if method else "input: Tensor"
    return [(p.replace("input", first, 1), kind) for p, kind in OVERLOADS.get(name, ())] if method or name in dir_of() else []


def dir_of() -> list[str]:
    """The names of functions of `dovetail`."""
    from dovetail import ops

    return list(ops.namespace())


def _lines(name: str, function: Callable[..., Any], method: bool, out: bool = False) -> list[str]:
    forms = overloads(name, method)
    if forms:
        return [line for p, kind in forms for line in ("@overload", f"def {name}({p}) -> {kind}: ...")]
    note = inspect.signature(function).return_annotation
    ignore = "  # type: ignore[override]" if name in ("__eq__", "__ne__") else ""
    return [f"def {name}({_signature(function, out, method)}) -> {_result(name, note)}: ...{ignore}"]


_IMPORTS = """import builtins
from collections.abc import Callable, Iterator
from typing import Any, Literal, TypeAlias, overload

import numpy as np

"""


def older_methods() -> dict[str, Callable[..., Any]]:
    """Methods of Tensor that dovetail-torch has, as functions; `set_` is the core's and leaves what it lacks to them."""
    from dovetail_torch.faces.storage import METHODS

    return {name: method for name, method in METHODS.items() if inspect.isfunction(method) and name != "set_"}


def _methods() -> str:
    """The methods of Tensor."""
    from dovetail import Tensor

    text = HEAD.format("The attributes, operators and methods of Tensor") + _IMPORTS
    text += "from . import dtypes, return_types\nfrom .ops import memory\nfrom .autograd.node import Handle, Tensor\n"
    text += "from .device import Device\nfrom .size import Size\n\n"
    text += "Operand: TypeAlias = Tensor | complex | np.generic | np.ndarray[Any, Any]\n\nclass TensorMethods:\n"
    rows: list[str] = []
    plugins = {**older_methods(), **brought("")}
    for name in sorted(vars(Tensor)):
        value = plugins.get(name) or inspect.getattr_static(Tensor, name)
        if name.startswith("_") and not (name.startswith("__") or name in ("_base", "_version", "_nnz", "_indices", "_values")):
            continue
        if isinstance(value, property) or (type(value).__name__ == "getset_descriptor" and not name.startswith("__")):
            note = getattr(value.fget, "__annotations__", {}).get("return", "Any")
            flag = "builtins.bool" if name.startswith("is_") else _result(name, note)
            rows += ["@property", f"def {name}(self) -> {flag}: ..."]
            if getattr(value, "fset", None):
                rows += [f"@{name}.setter", f"def {name}(self, value: {flag}) -> None: ..."]
        elif inspect.isfunction(value) and name not in ("__init_subclass__", "__getattr__", "__repr__"):
            if (name[:2] == "__" and name.strip("_").removeprefix("r").removeprefix("i") in _BINARY) or name in ("__eq__", "__ne__"):
                kind = "object" if name in ("__eq__", "__ne__") else "Operand"
                rows.append(f"def {name}(self, other: {kind}) -> Tensor: ..." + ("  # type: ignore[override]" if kind == "object" else ""))
            else:
                rows += _lines(name, value, True)
    return text + "".join(f"    {row}\n" for row in rows)


def _takes_out(name: str, function: Any) -> bool:
    from dovetail.ops._keywords import OUT

    return function.op.alias is None if hasattr(function, "op") else name in OUT or name.endswith("_copy")


def _public() -> str:
    """The functions and values of `dovetail`."""
    import dovetail
    from dovetail import absent, dtypes, ops, tensor_legacy

    text = HEAD.format("The functions and types of the namespace `dovetail`") + _IMPORTS
    text += "from .. import dtypes, return_types\nfrom ..amp.autocast_mode import *\nfrom ..autograd.node import Handle, Tensor\n"
    text += "from ..compiler import compile as compile\nfrom ..device import Device\nfrom ..func import vmap as vmap\n"
    text += "from . import memory\nfrom .memory import layout as layout, memory_format as memory_format\n"
    text += "from ..generator import Generator\nfrom ..size import Size\nfrom ..tensor_methods import Operand\n" + _homes("") + "\n"
    values = {**{n: "dtypes.dtype" for n in (*dtypes.TYPES, *dtypes.ALIASES, *sorted(dtypes.LATER))}}
    names = {**ops.namespace(), **brought("")}
    for name, function in names.items():
        if not callable(function):
            kind = type(function).__name__
            values[name] = {"memory_format": "memory.memory_format", "layout": "memory.layout"}.get(kind, f"builtins.{kind}")
    values |= dict.fromkeys(_BY_PLUGINS, "Any")
    told, find, _ = absent.answers("dovetail")
    values |= {n: "Any" for n in told if n not in names and not callable(find(n))}
    text += "".join(f"{n}: {kind}\n" for n, kind in values.items())
    text += "".join(f"class {n}(Tensor): ...\n" for n in tensor_legacy.CLASSES_BY_TYPE)
    text += "".join(f"def {n}(*args: Any, **kwargs: Any) -> Any: ...\n" for n in told if n not in names and callable(find(n)))
    sparse = [n for n, home in dovetail._ELSEWHERE.items() if home == "sparse"]
    text += "".join(f"def {n}(*args: Any, **kwargs: Any) -> Tensor: ...\n" for n in sparse)
    for name, function in sorted(names.items()):
        if inspect.isfunction(function) and name not in ("vmap", "compile"):
            text += "".join(f"{line}\n" for line in _lines(name, function, False, _takes_out(name, function)))
    return text


def _homes(module: str) -> str:
    """Imports of what a module shows and plugins bring, or other modules of the core."""
    homes = tomllib.loads((CORE / "absent.toml").read_text(encoding="utf-8"))[module]["homes"]
    found = {name: importlib.import_module(f"dovetail.{home}").__name__ for name, home in homes.items()}
    return "".join(f"from {found[name]} import {name} as {name}\n" for name in sorted(homes.keys() - brought(module).keys()))


def brought(module: str) -> dict[str, Any]:
    """Functions (``@public_function``) that are imported when a module is first asked for them, which a stub declares as the others."""
    homes = tomllib.loads((CORE / "absent.toml").read_text(encoding="utf-8"))[module]["homes"]
    found = {name: getattr(importlib.import_module(f"dovetail.{home}"), name, None) for name, home in homes.items()}
    where = ("dovetail.ops.", "dovetail_science.")
    return {name: f for name, f in found.items() if hasattr(f, "__wrapped__") and f.__module__.startswith(where)}


def _functional() -> str:
    """The functions of `dovetail.nn.functional`, with those that plugins bring."""
    from dovetail.nn import functional

    text = HEAD.format("The functions of `dovetail.nn.functional`") + _IMPORTS
    text += "from ..autograd.node import Tensor\nfrom ..tensor_methods import Operand\n"
    text += _homes("nn.functional") + "\n"
    for name, function in sorted({**functional._gather(), **brought("nn.functional")}.items()):
        if inspect.isfunction(function):
            text += "".join(f"{line}\n" for line in _functional_lines(name, function))
    return text


_WITHOUT_OUT = ("diagonal", "matrix_exp")  # of linalg, as in PyTorch


def _linalg() -> str:
    """The functions of `dovetail.linalg`."""
    from dovetail import linalg

    text = HEAD.format("The functions of `dovetail.linalg`") + _IMPORTS
    text += "from . import return_types\nfrom .autograd.node import Tensor\nfrom .ops.decompose import LinAlgError as LinAlgError\n"
    text += "from .tensor_methods import Operand\n\n"
    for name in sorted([*linalg.__all__, *brought("linalg")]):
        function = getattr(linalg, name)
        if inspect.isfunction(function):
            kind = f"return_types.linalg_{name}" if name in _FACTORED else "Tensor"
            text += f"def {name}({_signature(function, name not in _WITHOUT_OUT, False)}) -> {kind}: ...\n"
    return text


def _functional_lines(name: str, function: Any) -> list[str]:
    if name.startswith(("adaptive_max_pool", "max_pool", "fractional_max_pool")) and name.endswith("_with_indices"):
        return [f"def {name}({_signature(function, False, False)}) -> {_PAIR}: ..."]
    given = _signature(function, False, False)
    if "return_indices: builtins.bool = False" in given or "return_indices: Any = False" in given:
        head, _, tail = given.partition("return_indices")
        tail = tail.partition("= False")[2]
        plain = f"def {name}({head}return_indices: Literal[False] = False{tail}) -> Tensor: ..."
        star = "" if "= " not in head or "*, " in head else "*, "
        return ["@overload", plain, "@overload", f"def {name}({head}{star}return_indices: Literal[True]{tail}) -> {_PAIR}: ..."]
    return [f"def {name}({given}) -> {_result(name, inspect.signature(function).return_annotation)}: ..."]


def _return_types() -> str:
    """The named tuples."""
    from dovetail import return_types

    fields = {name: getattr(return_types, name)._fields for name in return_types.__all__} | {n: tuple(f.split()) for n, f in TUPLES.items()}
    text = HEAD.format("The named tuples that functions of several results return")
    text += "from typing import NamedTuple\n\nfrom .autograd.node import Tensor\n"
    for name in sorted(fields):
        text += f"\nclass {name}(NamedTuple):\n" + "".join(f"    {field}: Tensor\n" for field in fields[name])
    return text


def written() -> dict[str, str]:
    """The texts of the files, by their paths below `core/dovetail`."""
    return dict(zip(FILES, (_methods(), _public(), _functional(), _linalg(), _return_types()), strict=True))


def main() -> int:
    """Write the files."""
    for name, text in written().items():
        (CORE / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(CORE.parent))
    raise SystemExit(main())
