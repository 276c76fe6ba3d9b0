"""The names of ``torch._dynamo``, ``_inductor`` and ``_functorch`` that programs set and call: here they change neither speed nor answers.

`dovetail.compile` has no such settings: they are kept, and what is read is what was set, or PyTorch's default.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from dovetail.compiler import OptimizedModule, allow_in_graph, compile, disable, is_compiling, reset

__all__ = [
    "OptimizedModule", "Settings", "allow_in_graph", "compile", "config", "disable", "graph_break", "is_compiling", "mark_dynamic",
    "mark_static", "maybe_mark_dynamic", "optimize", "reset",
]  # fmt: skip
__path__: list[str] = []  # `import torch._dynamo.config` asks for a package


class Settings(ModuleType):
    """A module of settings without effect: any may be set, and those that were set, or that programs often read, have a value.

    >>> some = Settings("config", suppress_errors=False)
    >>> with some.patch(suppress_errors=True):
    ...     some.suppress_errors
    True
    >>> some.suppress_errors
    False
    """

    def __init__(self, name: str, **values: Any) -> None:
        super().__init__(name, "Settings that are kept and have no effect.")
        self.__dict__.update(values)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{self.__name__}.{name}: no program has set it; settings of PyTorch's compiler have no effect here")

    @contextlib.contextmanager
    def patch(self, changes: Any = None, value: Any = None, **more: Any) -> Iterator[None]:
        """A block with other values: by name, as a dict, or one name and its value."""
        changes = {changes: value} if isinstance(changes, str) else {**(changes or {}), **more}
        before = dict(self.__dict__)
        self.__dict__.update(changes)
        try:
            yield
        finally:
            self.__dict__.clear()
            self.__dict__.update(before)


config = Settings(
    "torch._dynamo.config", accumulated_cache_size_limit=256, assume_static_by_default=True, automatic_dynamic_shapes=True,
    cache_size_limit=8, capture_dynamic_output_shape_ops=False, capture_scalar_outputs=False, optimize_ddp=True, recompile_limit=8,
    suppress_errors=False, verbose=False,
)  # fmt: skip
inductor_config = Settings(
    "torch._inductor.config", conv_1x1_as_mm=False, coordinate_descent_check_all_directions=False, coordinate_descent_tuning=False,
    cpp=Settings("cpp"), epilogue_fusion=True, fallback_random=False, freezing=False, fx_graph_cache=True, max_autotune=False,
    shape_padding=True, triton=Settings("triton"),
)  # fmt: skip
functorch_config = Settings("torch._functorch.config", donated_buffer=False)
functorch = Settings("torch._functorch", config=functorch_config, __path__=[])
inductor = Settings("torch._inductor", config=inductor_config, __path__=[])


def is_dynamo_supported() -> bool:
    """False: `compile` is Dovetail's own."""
    return False


def optimize(backend: Any = "inductor", *, nopython: bool = False, **_: Any) -> Callable[[Any], Any]:
    """A decorator that compiles, as programs wrote before ``torch.compile``.

    >>> import dovetail as dv
    >>> optimize("eager")(lambda x: x + 1)(dv.ones(1))
    tensor([2.])
    """
    return lambda model: compile(model, fullgraph=nopython, backend=backend)


def mark_dynamic(t: Any, index: Any, **_: Any) -> None:
    """Nothing: what is compiled is compiled for each shape."""


maybe_mark_dynamic = mark_static = mark_dynamic


def graph_break(msg: str = "") -> None:
    """Nothing: code between two operations of a function needs no break."""
