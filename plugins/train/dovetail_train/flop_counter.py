"""``dovetail.utils.flop_counter``: floating-point operations by module and operator, with PyTorch's names and counts."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Self

from dovetail import Tensor, nn
from dovetail.autograd.modes import STATE
from dovetail_train.flop_formulas import FORMULAS, Name, attention_flop, named, of_shapes, register_flop_formula
from dovetail_train.flop_lowering import FUSED, lowered
from dovetail_train.modules import Watching

__all__ = ["FlopCounterMode", "attention_flop", "register_flop_formula"]

_SUFFIXES = ("", "K", "M", "B", "T")
Count = tuple[str, int]


class FlopCounterMode(Watching):
    """Count the floating-point operations of what runs inside, forward and backward, and print a table at the end.

    Products and convolutions are counted, as in PyTorch: not what works element by element, nor what `mv` and `dot` do. As in PyTorch on
    a CPU, neither fused attention nor a float32 LSTM has a formula; where they ran, a warning says so and names what to give as
    `custom_mapping` (operators or their names, and formulas of shapes). `depth` is how many levels of modules the table has.

    >>> import dovetail as dv
    >>> model = dv.nn.Sequential(dv.nn.Linear(8, 4), dv.nn.ReLU(), dv.nn.Linear(4, 1))
    >>> with FlopCounterMode(display=False) as counter:
    ...     model(dv.ones(10, 8)).sum().backward()
    >>> counter.get_total_flops()
    1520
    >>> counter.get_flop_counts()["Sequential.0"]
    {<OpOverloadPacket(op='aten.addmm')>: 640, <OpOverloadPacket(op='aten.mm')>: 640}
    """

    def __init__(self, mods: Any = None, depth: int | None = 2, display: bool = True, custom_mapping: dict[Any, Any] | None = None) -> None:
        self.flop_counts: dict[str, dict[Any, int]] = defaultdict(lambda: defaultdict(int))
        self.depth, self.display = depth, display
        if mods is not None:
            warnings.warn("mods argument is not needed anymore, you can stop passing it", stacklevel=2)
        own = {named(k): v if getattr(v, "_get_raw", False) else of_shapes(v) for k, v in (custom_mapping or {}).items()}
        self.flop_registry: dict[str, Callable[..., int]] = {**FORMULAS, **own}

    def __enter__(self) -> Self:
        self.flop_counts.clear()
        self.waiting: dict[int, list[Count]] = defaultdict(list)  # backward -> what ran in it since its last node
        self.hidden: set[int] = set()  # weights of the LSTM layers that oneDNN would run
        self.uncounted: set[str] = set()
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        for waiting in self.waiting.values():
            self._add({"Global"}, waiting)
        if self.uncounted:
            names = ", ".join(sorted(self.uncounted))
            what = f"FlopCounterMode: PyTorch has no formula for {names}, which ran: give one as custom_mapping"
            warnings.warn(f'{what}, {{"{FUSED}": attention_flop}}' if FUSED in self.uncounted else what, stacklevel=2)
        if self.display:
            print(self.get_table(self.depth))

    def _observe(self, op: Any, args: Any, run: Callable[[], Any]) -> Any:
        out = run()
        found = [*self._counts(op, args, out)]
        parents = self.modules.parents()
        for result in out if isinstance(out, tuple | list) else (out,) if parents else ():
            node = result.grad_fn if parents and isinstance(result, Tensor) and result.requires_grad else None
            if node is not None:
                self.made.setdefault(node, parents)  # the modules in which it was made
        if STATE.walk is not None and not parents:
            self.waiting[id(STATE.walk)] += found
        else:
            self._add({"Global", *parents}, found)
        return out

    def _counts(self, op: Any, args: Any, out: Any) -> list[Count]:
        own = self.flop_registry.get(op.name)
        if own is not None:
            return [(Name(op.name), own(*args, out_val=out))]
        found = []
        for name, given, result in lowered(op, args, out, STATE.walk is not None, self._in_lstm(op, args)):
            formula = self.flop_registry.get(name)
            if formula is not None:
                found.append((Name(name), formula(*given, out_val=result)))
            else:
                self.uncounted.add(name)
        return found

    def _in_lstm(self, op: Any, args: Any) -> bool:
        """Whether this is a layer of an LSTM that PyTorch gives to oneDNN: of floats of at most 32 bits, not packed."""
        if op.name not in ("lstm_layer", "lstm_layer_grad"):
            return False
        given = dict(zip(op.params, args, strict=True))
        weight = given["w_hh"].data_ptr()
        inner = self.modules.running[-1] if self.modules.running else None
        small = given["input"].element_size() <= 4 and given["lengths"] is None
        if op.name == "lstm_layer" and isinstance(inner, nn.LSTM) and not inner.proj_size and small:
            self.hidden.add(weight)
            return True
        return op.name == "lstm_layer_grad" and weight in self.hidden

    def _node(self, node: Any, grads: Any) -> None:
        """A node of the graph has run: what came since the one before it belongs to the modules that made it."""
        waiting = self.waiting.pop(id(STATE.walk), [])
        if waiting and getattr(getattr(node.plan, "op", None), "name", "") in ("matmul", "addmm"):
            waiting = _of_vectors(node, waiting)
        self._add({"Global", *self.made.get(node, ())}, waiting)

    def _add(self, parents: Any, found: list[Count]) -> None:
        for parent in parents if found else ():
            for name, flops in found:
                self.flop_counts[parent][name] += flops

    def get_total_flops(self) -> int:
        """All that was counted."""
        return sum(self.flop_counts["Global"].values())

    def get_flop_counts(self) -> dict[str, dict[Any, int]]:
        """By module (``"Global"`` is everything), then by operator."""
        return {module: dict(counts) for module, counts in self.flop_counts.items()}

    def get_table(self, depth: int | None = None) -> str:
        """The counts as a table: modules down to `depth`, the operators of each, and their part of the whole."""
        depth = 999999 if depth is None and self.depth is None else self.depth if depth is None else depth
        whole = self.get_total_flops()
        rows, covered = [], False
        for module in sorted(self.flop_counts):
            level = module.count(".") + 1
            if module != "Global" and level <= depth:  # type: ignore[operator]
                covered |= sum(self.flop_counts[module].values()) >= whole
                rows += self._rows(module, level - 1, whole)
        if "Global" in self.flop_counts and not covered:
            rows = self._rows("Global", 0, whole) + [(f" {name}", *rest) for name, *rest in rows]
        return _table([("Module", "FLOP", "% Total"), *(rows or [("Global", "0", "0%")])])

    def _rows(self, module: str, indent: int, whole: int) -> list[tuple[str, ...]]:
        counts, pad = self.flop_counts[module], " " * indent
        suffix = max(0, min(len(_SUFFIXES) - 1, (len(str(whole)) - 2) // 3))
        lines = [(pad + module, sum(counts.values())), *((f"{pad} - {name}", count) for name, count in counts.items())]
        return [(name, _shown(count, suffix), f"{count / whole:.2%}" if whole else "0%") for name, count in lines]


def _shown(count: int, suffix: int) -> str:
    return f"{count / 1000**suffix:.3f}{_SUFFIXES[suffix]}" if suffix else str(count)


def _of_vectors(node: Any, found: list[Count]) -> list[Count]:
    """What PyTorch counts behind a product with a vector: nothing, unless the vector is the first factor and the other a matrix."""
    a, b = (None if edge is None else edge.shape for edge in node.edges[-2:])
    dims = len(node.shape)
    if (b is not None and len(b) == 1) or (b is None and len(a) == dims + 1):
        return []
    if (a is not None and len(a) == 1) or (a is None and len(b) == dims + 1):
        given = [2 * a[0] * node.shape[0]] if a is not None else []
        given += [2 * b[0] * b[1]] if b is not None else []
        return [(Name("aten.mm"), flops) for flops in given] if dims == 1 else []
    return found


def _table(rows: list[tuple[str, ...]]) -> str:
    """Rows as text: a line under the head, the first column to the left, the others to the right."""
    widths = [max(len(head) + 2, *(len(row[at]) for row in rows[1:])) for at, head in enumerate(rows[0])]
    lines = [[f"{cell:{'>' if at else '<'}{widths[at]}}" for at, cell in enumerate(row)] for row in rows]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join("  ".join(line).rstrip() for line in lines)
