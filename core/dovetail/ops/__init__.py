"""The ops, one file a family; importing this package makes them all known by name.

A family lists its public functions in `__all__`. Those whose first parameter is `input` are Tensor methods too, unless the
family says otherwise in METHODS. INPLACE names the methods that have a form `name_`, INPLACE_FUNCTIONS those whose `name_`
is also public; it is made of the op where the family does not define it. OPERATORS says what stands behind Python's.
"""

from __future__ import annotations

import importlib
from functools import wraps
from types import FunctionType, ModuleType
from typing import Any

from ..errors import TypeMismatch
from ._guard import guarded, placed
from ._keywords import OUT, keyed, unkeyed
from .inplace import inplace

__all__ = ["FAMILIES", "METHODS", "OPERATORS", "namespace"]

_NAMES = (
    "arithmetic", "powers", "division", "rounding", "limits", "complex", "trigonometry", "special", "elementwise",
    "compare", "select", "activation", "activation_more",
    "memory", "index", "assign", "views", "transpose", "strides",
    "join", "gather", "scatter", "diag", "shape", "create", "ranges", "compose", "info",
    "windows", "random", "random_draws", "random_fill", "reduce", "norms", "extremes", "scan", "sort", "counting",
    "softmax", "linalg", "spectral", "addends", "contract", "decompose", "matrices", "frames", "copies",
    "pad", "conv", "pool", "resize", "adaptive_pool", "fractional_pool", "grid", "norm", "dropout", "embedding", "distance",
    "loss", "loss_classes", "loss_margins", "ctc", "attention", "recurrent",
)  # fmt: skip

FAMILIES: list[ModuleType] = [importlib.import_module(f"{__name__}.{name}") for name in _NAMES]
OPERATORS: dict[str, Any] = {}
for _family in FAMILIES:
    for _name in {*_family.__all__, *OUT.intersection(getattr(_family, "FUNCTIONAL", ()))}:
        setattr(_family, _name, keyed(_name, getattr(_family, _name)))


def _first(function: Any) -> str:
    """The name of a function's first parameter."""
    if hasattr(function, "op"):
        return function.op.params[0]
    function = unkeyed(function)
    return function.__code__.co_varnames[0] if isinstance(function, FunctionType) and function.__code__.co_argcount else ""


def methods(family: ModuleType) -> dict[str, Any]:
    """The Tensor methods of a family, in-place forms included, by name."""
    found = {name: getattr(family, name) for name in getattr(family, "METHODS", None) or ()}
    if not hasattr(family, "METHODS"):
        found = {name: getattr(family, name) for name in family.__all__ if _first(getattr(family, name)) == "input"}
    for name in (*getattr(family, "INPLACE", ()), *getattr(family, "INPLACE_FUNCTIONS", ())):
        found[f"{name}_"] = vars(family).get(f"{name}_") or inplace(getattr(family, name))
    return found


def namespace() -> dict[str, Any]:
    """Every public function of the families, by name; two families that claim one name are an error."""
    found: dict[str, Any] = {}
    for family in FAMILIES:
        public = {name: guarded(_with_tuple(name, getattr(family, name))) for name in family.__all__}
        public |= {f"{name}_": METHODS[f"{name}_"] for name in getattr(family, "INPLACE_FUNCTIONS", ())}
        for name in found.keys() & public:
            raise NameError(f"{name!r} is public in two op families, one of them {family.__name__}")
        found |= public
    return placed("dovetail", found)


def _with_tuple(name: str, function: Any) -> Any:
    """The function of a method that takes sizes one by one: it takes them as a tuple alone, and refuses the rest."""
    word = {"reshape": "shape", "flip": "dims", "tile": "dims", "permute": "dims"}.get(name)
    if word is None:
        return function

    @wraps(function)
    def call(input: Any, *args: Any, **kwargs: Any) -> Any:
        if len(args) > 1:
            raise TypeMismatch(f"{name}()", f"takes 2 positional arguments but {len(args) + 1} were given")
        if args and not isinstance(args[0], tuple | list):
            raise TypeMismatch(f"{name}()", f"argument {word!r} (position 2) must be tuple of ints, not {type(args[0]).__name__}")
        return function(input, *args, **kwargs)

    return call


METHODS: dict[str, Any] = {name: guarded(keyed(name, function), 1) for family in FAMILIES for name, function in methods(family).items()}
for _family in FAMILIES:
    OPERATORS.update(getattr(_family, "OPERATORS", {}))
