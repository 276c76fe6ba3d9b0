"""What a recorded run depends on: the state that it reads, which every later call compares, and what makes it no constant program.

While a function runs for the first time, a profile function sees each call that it makes. Code of its own (and of plugins)
may read what can be compared later and call what has no effect; anything else is refused, with the line that did it.
"""

from __future__ import annotations

import dis
import functools
import sys
import types
from collections import OrderedDict
from enum import Enum
from typing import Any, TypeVar

import numpy as np

from dovetail import Tensor, dtype
from dovetail.device import Device
from dovetail.graph.raw import TABLES
from dovetail.nn import Buffer, Module, Parameter

__all__ = ["PLAIN", "TENSORS", "Refused", "Watch", "in_core"]

PLAIN = frozenset({int, float, bool, complex, str, bytes, type(None), type(Ellipsis), dtype, Device, range})
TENSORS = frozenset({Tensor, Parameter, Buffer})
_LIMIT = 20_000  # things to compare before each call

# Functions of Tensor and of the ops whose answer is a value or depends on one, or that act on more than their result.
_READS = set(
    """
    item tolist numpy data_ptr __bool__ __float__ __int__ __index__ __complex__ __contains__ __format__ __repr__ __array__ __dlpack__
    _version grad_fn storage untyped_storage get_rng_state initial_seed is_nonzero equal allclose nonzero argwhere masked_select unique
    unique_consecutive histogram histogramdd
    repeat_interleave tensor_split multi_margin_loss multilabel_margin_loss embedding_renorm_ embedding_bag multinomial
    pack_padded_sequence pad_packed_sequence unpad_sequence ctc_loss resize_ set_ apply_ map_ map2_
    backward grad requires_grad_ retain_grad register_hook register_post_accumulate_grad_hook manual_seed seed checkpoint
    """.split()
)
_BUILTINS = set(
    """
    abs all any callable chr divmod format getattr hasattr hash isinstance issubclass iter len max min next ord pow round setattr sorted
    sum repr __build_class__ __import__
    """.split()
)
_MODULES = {"math", "operator", "_operator", "itertools", "functools", "_functools", "_warnings", "_collections", "_abc", "cmath"}
_STATELESS = {
    "math", "cmath", "operator", "functools", "itertools", "collections", "typing", "types", "enum", "dataclasses", "abc", "contextlib",
    "copy", "warnings", "string", "numbers", "re", "inspect", "numpy", "builtins",
}  # fmt: skip
_METHODS = (str, bytes, list, tuple, dict, set, frozenset, int, float, complex, bool, slice, range, type, types.MappingProxyType,
            types.GeneratorType, type({}.items()), type({}.keys()), type({}.values()))  # fmt: skip
_QUIET = (type, types.BuiltinFunctionType, np.ufunc, np.generic, staticmethod, classmethod, property, Enum, type(len.__call__),
          types.GetSetDescriptorType, types.MemberDescriptorType, types.WrapperDescriptorType, types.MethodDescriptorType,
          types.GenericAlias, types.UnionType, TypeVar)  # fmt: skip


class Refused(Exception):
    """A run that cannot be repeated without Python."""


def _top(frame: Any) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def in_core(name: str) -> bool:
    """Whether a top-level package is the core, or ours."""
    return name in ("dovetail", "dovetail_numerics", "dovetail_cpu")


def _library(name: str) -> bool:
    return name == "numpy" or (name in sys.stdlib_module_names and name != "__main__")


def _place(frame: Any) -> str:
    """The line of the user's that a frame works for."""
    while frame is not None and (in_core(_top(frame)) or _library(_top(frame))):
        frame = frame.f_back
    return "" if frame is None else f" ({frame.f_code.co_filename}:{frame.f_lineno}, in {frame.f_code.co_name})"


class Watch:
    """The state that a function can read, as it was before the run, and the profile function that follows the run."""

    def __init__(self, root: Any, strict: bool) -> None:
        self.strict, self.reason = strict, ""
        self.items: list[tuple[Any, Any, Any]] = []  # container, key, what was there
        self.sizes: list[tuple[Any, int]] = []
        self.cells: list[tuple[Any, Any]] = []
        self.tensors: dict[int, Any] = {}  # by their arrays
        self.made: dict[int, Any] = {}  # arrays that a factory made of plain numbers in this run
        self.reads = _READS
        self.quiet = 0  # above 0 while a kernel runs: it runs again in each replay
        self._seen: dict[int, Any] = {}
        self._unknown: list[tuple[Any, str]] = []
        self._codes: dict[Any, set[str]] = {}  # the user's code that has run
        self._nested: set[Any] = set()
        self._closures: dict[Any, list[Any]] = {}
        self.visit(root)

    # --- the state ------------------------------------------------------------------------------------------------

    def visit(self, value: Any, name: Any = "", names: Any = ()) -> None:
        """Note what a value consists of; `names` are those that the code which reads it mentions."""
        kind = type(value)
        if kind in PLAIN or id(value) in self._seen:
            return
        self._seen[id(value)] = value
        if len(self.items) > _LIMIT:
            self.refuse("there is too much state to compare before each call")
        elif kind in TENSORS:
            self.tensors[id(value._a)] = value
            if vars(value):
                self._inside(vars(value), vars(value).items())
        elif isinstance(value, Tensor):
            self._unknown.append((name, kind.__name__))
        elif kind is list or kind is tuple or isinstance(value, tuple):
            self._inside(value, enumerate(value))
        elif kind is dict or kind is OrderedDict:
            self._inside(value, value.items())
        elif isinstance(value, types.ModuleType):
            self._module(value, names)
        elif kind is types.FunctionType:
            self._function(value)
        elif kind is types.MethodType:
            self.visit(value.__self__, name)
            self.visit(value.__func__, name)
        elif kind is functools.partial:
            for part in (value.func, value.args, value.keywords):
                self.visit(part, name)
        elif kind is staticmethod or kind is classmethod:
            self.visit(value.__func__)
        elif kind is property:
            self.visit(value.fget)
        elif isinstance(value, type):
            self._class(value)
        elif isinstance(value, _QUIET) or (kind is frozenset and all(type(v) in PLAIN for v in value)):
            return
        elif isinstance(value, Module) or (hasattr(value, "__dict__") and not hasattr(value, "__next__") and not in_core(_owner(kind))):
            self.visit(kind)
            fields = vars(value)
            skipped = TABLES if isinstance(value, Module) else ()
            self._inside(fields, [(k, v) for k, v in fields.items() if k not in skipped])
            if any("__slots__" in vars(c) and vars(c)["__slots__"] for c in kind.__mro__ if not in_core(_owner(c))):
                self._unknown.append((name, kind.__name__))
        elif not in_core(_owner(kind)):
            self._unknown.append((name, kind.__name__))

    def _inside(self, container: Any, entries: Any) -> None:
        if type(container) is not tuple:
            self.sizes.append((container, len(container)))
        for key, v in entries:
            self.items.append((container, key, v))
            self.visit(v, key)

    def _module(self, module: Any, names: Any) -> None:
        top = module.__name__.partition(".")[0]
        random = top == "numpy" and ("random" in names or "random" in module.__name__)
        if in_core(top) or _owner(type(module)) == "dovetail_torch" or (top in _STATELESS and not random):
            return
        if _library(top) or not str(getattr(module, "__file__", "")).endswith(".py"):
            self._unknown.append((None, f"module {module.__name__}"))
        else:
            for n in names:
                if n in vars(module):
                    self.items.append((vars(module), n, vars(module)[n]))
                    self.visit(vars(module)[n], n, names)

    def _function(self, function: Any) -> None:
        top = _owner(function)
        if in_core(top) or _library(top):
            if not in_core(top) and top not in _STATELESS:
                self._unknown.append((None, f"function of module {top}"))
            return
        self._closures.setdefault(function.__code__, []).append(function)
        self.visit(getattr(function, "__wrapped__", None))
        if function.__code__ in self._codes:
            self._own(function)

    def _own(self, function: Any) -> None:
        """The variables of its own and the defaults of a function that runs."""
        for cell in function.__closure__ or ():
            try:
                held = cell.cell_contents
            except ValueError:
                continue
            self.cells.append((cell, held))
            self.visit(held)
        for part in (function.__defaults__, function.__kwdefaults__):
            self.visit(part)

    def _class(self, kind: Any) -> None:
        for c in kind.__mro__:
            if in_core(_owner(c)) or _library(_owner(c)) or (c is not kind and id(c) in self._seen):
                continue
            self._seen[id(c)] = c
            for key, v in list(vars(c).items()):
                if type(v) in (types.FunctionType, staticmethod, classmethod, property):
                    self.visit(v)
                elif not key.startswith("__") and type(v) not in _QUIET:
                    self.items.append((vars(c), key, v))
                    self.visit(v, key)

    def holds(self) -> bool:
        """Whether the state is what it was."""
        try:
            for container, key, value in self.items:
                found = container[key]
                if found is not value and not (found.__class__ is value.__class__ and value.__class__ in PLAIN and found == value):
                    return False
            for container, n in self.sizes:
                if len(container) != n:
                    return False
            return all(cell.cell_contents is value for cell, value in self.cells)
        except (KeyError, IndexError, ValueError):
            return False

    # --- the run --------------------------------------------------------------------------------------------------

    def refuse(self, why: str, frame: Any = None) -> None:
        """Note the first reason; where nothing but the whole graph will do, the run ends here."""
        if not self.reason:
            self.reason = why + ("" if frame is None else _place(frame))
            if self.strict:
                raise Refused(self.reason)

    def __enter__(self) -> Watch:
        self._before = sys.getprofile()
        sys.setprofile(self._see)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(self._before)

    def _see(self, frame: Any, event: str, arg: Any) -> None:
        if self.quiet or self.reason:
            return
        if event == "call":
            self._call(frame)
        elif event == "c_call":
            self._builtin(frame, arg)
        elif (
            event == "return" and arg.__class__ in TENSORS and frame.f_code.co_name in _FACTORIES and frame.f_globals["__name__"] in _MAKERS
        ):
            made = [arg._a] if arg._n is None and _numbers(frame.f_locals.get("data")) else []
            self.made.update({id(a): a for a in made})

    def _call(self, frame: Any) -> None:
        code, top = frame.f_code, _top(frame)
        if in_core(top):
            if code.co_name in self.reads and top == "dovetail":
                self.refuse(f"{code.co_name.strip('_')}() reads a value, or acts on more than its result", frame)
            return
        if _library(top) or code in self._codes:
            return
        read = set()
        for step in dis.get_instructions(code):
            if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                read.add(step.argval)
            elif step.opname in ("STORE_GLOBAL", "DELETE_GLOBAL", "DELETE_ATTR"):
                self.refuse(f"{code.co_name} changes {step.argval}", frame)
        if {*code.co_freevars} - {"__class__"} and code not in self._closures and code not in self._nested:
            self.refuse(f"{code.co_name} has variables of its own that cannot be compared", frame)
        self._codes[code] = {*code.co_names}
        for function in self._closures.get(code, ()):
            self._own(function)
        self._nested.update(_codes_in(code))
        for name in read:
            if name in frame.f_globals:
                self.items.append((frame.f_globals, name, frame.f_globals[name]))
                self.visit(frame.f_globals[name], name, code.co_names)

    def _builtin(self, frame: Any, function: Any) -> None:
        name, own, top = function.__name__, getattr(function, "__self__", None), _top(frame)
        if in_core(top):
            drawing = frame.f_globals["__name__"].startswith(("dovetail_numerics.streams", "dovetail_numerics.generator"))
            if name in ("item", "tolist") and isinstance(own, np.ndarray) and not drawing:
                self.refuse("a value is read", frame)
            return
        outer = frame
        while outer is not None and _library(_top(outer)):
            outer = outer.f_back
        if outer is None or in_core(_top(outer)) or isinstance(own, _METHODS) or own is None:
            return
        module = own.__name__ if isinstance(own, types.ModuleType) else ""
        if (name not in _BUILTINS) if module == "builtins" else module not in _MODULES:
            self.refuse(f"it calls {name}(), whose effect or answer may be another each time", frame)

    def rules(self) -> Watch:
        """The same for the gradient rules, which the engine calls by names that are refused in the run itself."""
        self.reads = _READS - {"backward", "grad"}
        return self

    def finish(self) -> None:
        """After the run: refuse what it changed, and what it read that cannot be compared."""
        names = set().union(*self._codes.values()) if self._codes else set()
        for name, kind in self._unknown:
            if not isinstance(name, str) or name in names or not name:
                self.refuse(f"it can read a {kind}{f' ({name})' if name else ''}, whose changes cannot be seen")
        if not self.holds():
            self.refuse("it changes the state that it reads")


def _owner(kind: Any) -> str:
    return str(kind.__module__).partition(".")[0]


def _numbers(data: Any) -> bool:
    return all(map(_numbers, data)) if type(data) in (list, tuple) else type(data) in PLAIN


def _codes_in(code: Any) -> set[Any]:
    found = {c for c in code.co_consts if isinstance(c, types.CodeType)}
    return found.union(*map(_codes_in, found)) if found else found


_FACTORIES = set(
    "zeros ones full arange eye linspace logspace tensor zeros_like ones_like full_like new_zeros new_ones new_full scalar_tensor "
    "tril_indices triu_indices range".split()
)

_MAKERS = {"dovetail.ops.create", "dovetail.ops.ranges", "dovetail.ops.convert"}
