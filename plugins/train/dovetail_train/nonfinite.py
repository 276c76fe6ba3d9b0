"""Where a NaN or an infinity comes from: the op, the module and the line of the program; and a cheap check for every step."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from math import isfinite
from typing import Any

import numpy as np

import dovetail
from dovetail import Tensor
from dovetail.autograd.graph import get_gradient_edge
from dovetail.autograd.modes import STATE
from dovetail.errors import NonFiniteError
from dovetail_train.modules import Watching

__all__ = ["check_finite", "nonfinite_check"]

_OURS = tuple(os.path.dirname(os.path.abspath(file)) + os.sep for file in (dovetail.__file__, __file__))
_UNSET = ("empty", "empty_like", "new_empty", "empty_strided")  # what is in them is left to chance
Place = tuple[str, str, int]  # module, file and line


def _tensors(values: Any) -> Iterator[Tensor]:
    for value in values if isinstance(values, tuple | list) else (values,):
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, tuple | list):
            yield from _tensors(value)


def _wrong(t: Tensor) -> str:
    """What is not finite in a tensor: "nan", "inf", "-inf" (the worst of them), or nothing."""
    if not (t.is_floating_point() or t.is_complex()) or not t.numel():
        return ""
    t = t.detach()
    if t.device.type == "cpu" and t.dtype in _PLAIN:
        if t.numel() < _SMALL:
            a = t.numpy().ravel("K")
            with np.errstate(all="ignore"):
                total = np.dot(a, a)
        else:
            total = t.sum().item()  # its kernel has several threads
        if isfinite(total):  # one quick pass; what overflows is looked at again
            return ""
    if t.is_complex():
        return _wrong(t.real) or _wrong(t.imag)
    if bool(t.isfinite().all()):
        return ""
    return "nan" if bool(t.isnan().any()) else "inf" if bool(t.isposinf().any()) else "-inf"


_PLAIN = (dovetail.float32, dovetail.float64)
_SMALL = 20_000


def _line() -> tuple[str, int]:
    """File and line of the program that is running, outside of Dovetail."""
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_OURS):
        frame = frame.f_back
    return (frame.f_code.co_filename, frame.f_lineno) if frame is not None else ("?", 0)


class nonfinite_check(Watching):
    """Inside, the first op that makes a NaN or an infinity, forward or backward, is a NonFiniteError that says where.

    It names the op, the module and the line of the program, and whether the value was made there or came in with an argument. What is
    ``-inf`` on purpose, as in a mask, may pass through; where an op makes it of finite numbers it is reported. Each op costs a pass over
    its result, so this is for the hunt; `check_finite` is for every step. The error has ``op``, ``module``, ``file``, ``line``, ``kind``.

    >>> import dovetail as dv
    >>> with nonfinite_check():
    ...     dv.zeros(2).log()
    Traceback (most recent call last):
    dovetail.errors.NonFiniteError: log: the result holds -inf, made here of finite arguments, in no module, at ...
    """

    def _place(self) -> Place:
        running = self.modules.running
        return (self.modules.name(running[-1]) if running else "", *_line())

    def _observe(self, op: Any, args: Any, run: Callable[[], Any]) -> Any:
        out = run()
        if STATE.walk is not None and not self.modules.running:  # inside a rule; its result is looked at when the node has run
            return out
        place: Place | None = None
        for result in _tensors(out):
            if result.requires_grad and not result.is_leaf:
                place = place or self._place()
                self.made.setdefault(get_gradient_edge(result).node, place)  # where its op was called
            kind = "" if op.name in _UNSET or op.alias == "always" else _wrong(result)  # a view shows what was looked at
            if kind:
                self._forward(op, args, kind, place or self._place())
        return out

    def _forward(self, op: Any, args: Any, kind: str, place: Place) -> None:
        """Tell of a result; a -inf that came in with an argument, or was given as a number, is left alone."""
        given = list(zip(op.params, args, strict=False))
        bad = [(name, _wrong(t), t) for name, value in given for t in _tensors(value)]
        numbers = [(name, v) for name, v in given if isinstance(v, float) and not isfinite(v)]
        found = next(((name, what, t) for name, what, t in bad if what == "nan" or (what and what == kind)), None)
        if kind != "nan" and (numbers or any(what == "-inf" for _, what, _ in bad if kind == "-inf")):
            return
        if found is not None:
            text = f"it came in with argument {found[0]!r}, which holds {found[1]}{self._known(found[2])}"
            raise _error(op.name, f"the result holds {kind}: {text},", kind, place, "look at what makes that argument: data, or weights")
        odd = next((f"; argument {name!r} holds {what}" for name, what, _ in bad if what), "")
        how = "made here of finite arguments" if not odd and not numbers else f"made here{odd}"
        raise _error(op.name, f"the result holds {kind}, {how},", kind, place, "look for 0/0, log or root of 0, or an overflow")

    def _known(self, t: Tensor) -> str:
        """The name of a parameter or buffer of the modules that run."""
        for root in self.modules.running[:1]:
            for name, held in (*root.named_parameters(), *root.named_buffers()):
                if held is t or held.data_ptr() == t.data_ptr():
                    return f" ({name} of {type(root).__name__})"
        return ""

    def _node(self, node: Any, grads: Any) -> None:
        for at, g in enumerate(grads):
            if g is not None and node.edges[at] is not None and isinstance(g, Tensor):
                kind = _wrong(g)
                if kind:
                    name = getattr(getattr(node.plan, "op", None), "name", None) or node.name()
                    text = f"the gradient of its argument {at} holds {kind}, made in backward ({node.name()}) of finite values,"
                    place = self.made.get(node, ("", "?", 0))
                    raise _error(name, text, kind, place, "look for a root, norm or power at 0; where() does not stop a gradient")


def _error(op: str, text: str, kind: str, place: Place, remedy: str) -> NonFiniteError:
    module, file, line = place
    error = NonFiniteError(op, f"{text} in {f'module {module}' if module else 'no module'}, at {file}:{line}", "", remedy)
    error.op, error.module, error.file, error.line, error.kind = op, module, file, line, kind  # type: ignore[attr-defined]
    return error


def check_finite(loss: Any, model: Any = None, step: int | None = None) -> None:
    """Raise a NonFiniteError when the loss, or a gradient of the model's parameters, is not finite: cheap enough for every step.

    Call it between ``backward()`` and ``step()``, so that no such step reaches the weights. It names the parameters.

    >>> import dovetail as dv
    >>> check_finite(dv.tensor(1.0))
    >>> check_finite(dv.tensor(float("nan")), step=7)
    Traceback (most recent call last):
    dovetail.errors.NonFiniteError: check_finite: the loss is nan at step 7; ...
    """
    when = "" if step is None else f" at step {step}"
    remedy = "run the step again inside nonfinite_check(), which says where it is made"
    value = float(loss.detach()) if isinstance(loss, Tensor) else float(loss)
    if not isfinite(value):
        raise NonFiniteError("check_finite", f"the loss is {value}{when}", "expected a finite number", remedy)
    if model is None:
        return
    named = [(name, p.grad) for name, p in model.named_parameters() if p.grad is not None]
    plain = [g.detach().numpy() for _, g in named if g.device.type == "cpu" and g.dtype in _PLAIN]
    with np.errstate(all="ignore"):
        if len(plain) == len(named) and isfinite(sum(float(np.vdot(a, a)) for a in plain)):  # the squared norm, which few steps overflow
            return
    bad = [name for name, g in named if _wrong(g)]
    if bad:
        text = f"the gradients of {len(bad)} of {len(named)} parameters are not finite{when}: {', '.join(bad[:5])}"
        raise NonFiniteError("check_finite", text + (" …" if len(bad) > 5 else ""), f"the loss is {value:.6g}", remedy)
