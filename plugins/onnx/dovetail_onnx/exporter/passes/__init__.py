"""What is done to a finished graph on request: constants computed, batch norms folded, float32 made a half type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dovetail.errors import TypeMismatch, ValueRangeError

from .batch_norm import fold_batch_norm
from .folding import fold_constants
from .half import HALVES, to_half

__all__ = ["Requests"]


@dataclass(frozen=True)
class Requests:
    """The passes that an export asks for, in the order in which they run."""

    fold_constants: bool
    fold_batch_norm: bool
    half: str
    keep_io_types: bool
    op_block_list: tuple[str, ...]

    @classmethod
    def of(cls, constants: Any, norms: Any, half: Any, keep_io_types: Any, op_block_list: Sequence[str] | None) -> Requests:
        """Check and read the arguments of `export`."""
        named = {"fold_constants": constants, "fold_batch_norm": norms, "keep_io_types": keep_io_types}
        for name, value in named.items():
            if not isinstance(value, bool):
                raise TypeMismatch("export", f"{name} is {value!r}", "expected True or False")
        kind = _half(half)
        if not kind and (keep_io_types or op_block_list):
            raise ValueRangeError("export", "keep_io_types and op_block_list are given without half", "expected half=True beside them")
        if isinstance(op_block_list, str):
            raise TypeMismatch("export", f"op_block_list is {op_block_list!r}", 'expected a list of operators, ["Softmax"]')
        return cls(constants, norms, kind, keep_io_types, tuple(op_block_list or ()))

    def apply(self, proto: Any) -> None:
        """Run them on a model, in place."""
        if self.fold_constants:
            fold_constants(proto)
        if self.fold_batch_norm:
            fold_batch_norm(proto)
        if self.half:
            to_half(proto, self.half, self.keep_io_types, self.op_block_list)


def _half(given: Any) -> str:
    """The name of the type: "" for none, float16 for True, else what a name or a dtype says."""
    name = {True: "float16", False: "", None: ""}.get(given) if isinstance(given, bool | None) else getattr(given, "name", given)
    if name not in ("", *HALVES):
        raise ValueRangeError("export", f"half is {given!r}", f"expected False, True, {' or '.join(map(repr, HALVES))}")
    return str(name)
