"""checkpoint: run part of a model without keeping its intermediate values, and run it again when its gradient is due.

The part is recorded as usual; then every node of it gives up what it kept. The first of them that backward reaches
runs the part once more, with the same random numbers, and hands the nodes of that run's values to those of the first.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import reduce
from typing import Any

from ..errors import GradError, ValueRangeError
from ..generator import default_generator
from .modes import AUTOCAST, STATE, enable_grad, is_grad_enabled, no_grad
from .node import CLASSES, Leaf, Node, reached, tick

__all__ = ["CheckpointError", "checkpoint", "checkpoint_sequential", "noop_context_fn"]


class CheckpointError(GradError):
    """A part that did other things when it was run again."""


class _Random:
    """The random numbers of a run, for a second one."""

    def __init__(self) -> None:
        self.state = default_generator._get_state_array()
        self.seed = None
        if "cupy" in sys.modules:  # CuPy cannot copy a generator's state: both runs draw from a stream of their own
            self.seed = int(_gpu().stream().state.randint(0, 2**31 - 1))

    @contextmanager
    def on_gpu(self) -> Iterator[None]:
        """Draw from the stream of this seed."""
        if self.seed is None:
            yield
            return
        kept = _gpu().fork()
        _gpu().seed(self.seed)
        try:
            yield
        finally:
            _gpu().restore(kept)

    @contextmanager
    def again(self) -> Iterator[None]:
        """Draw the same numbers once more, and go on afterwards as if nothing had been drawn."""
        now = default_generator._get_state_array()
        default_generator._set_state_array(self.state)
        try:
            with self.on_gpu():
                yield
        finally:
            default_generator._set_state_array(now)


def _gpu() -> Any:
    from ..ops import _random_gpu

    return _random_gpu


def _tensors(value: Any) -> Iterator[Any]:
    """The tensors in nested results."""
    if value.__class__ in CLASSES:
        yield value
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
    elif isinstance(value, tuple | list):
        for one in value:
            yield from _tensors(one)


def _made_since(start: int, outs: Any) -> list[Node]:
    """The nodes behind results that keep something and are younger than `start`, in the order in which they were made."""
    nodes = reached([t._n for t in _tensors(outs) if t._n is not None], start)
    return sorted((n for n in nodes if n.__class__ is not Leaf and n.saved), key=lambda n: n.seq)


class _Part:
    """A checkpointed call: what it takes to run it again, and the values that this gave."""

    def __init__(self, function: Any, args: Any, kwargs: dict[str, Any], preserve: bool, contexts: Any, check: Any) -> None:
        self.function, self.args, self.kwargs, self.check = function, args, kwargs, check
        self.autocast = STATE.word & AUTOCAST, STATE.autocast
        self.first, self.second = contexts()
        self.random = _Random() if preserve else None
        self.values: dict[int, Any] = {}

    def run(self) -> Any:
        start = tick()
        with self.first, nullcontext() if self.random is None else self.random.on_gpu():
            outs = self.function(*self.args, **self.kwargs)
        nodes = _made_since(start, outs)
        self.made = [(n.plan.op.name, n.shape, n.dtype) for n in nodes]
        self.inputs = [(t, t._v[1]) for t in _tensors((self.args, self.kwargs))]
        for k, node in enumerate(nodes):
            node.plan, node.saved, node.boxes = _Dropped(node.plan), (self, k), ()
        return outs

    def value(self, k: int) -> Any:
        """What node `k` had kept."""
        if k not in self.values:
            self.fill()
        return self.values.pop(k)

    def fill(self) -> None:
        if any(t._v[1] != version for t, version in self.inputs):
            what = "an input of the checkpointed function has been modified by an inplace operation since"
            raise GradError("checkpoint", what, "the function is run again on it", "clone() it before changing")
        if self.check is None and STATE.walk.wanted is not None:
            what = "When use_reentrant=True, checkpoint is incompatible with .grad() or passing an `inputs` parameter to .backward()"
            raise GradError("checkpoint", what, "", "pass use_reentrant=False")
        start, before = tick(), (STATE.word, STATE.autocast)
        with enable_grad(), self.second, nullcontext() if self.random is None else self.random.again():
            STATE.word, STATE.autocast = STATE.word | self.autocast[0], self.autocast[1]
            try:
                nodes = _made_since(start, self.function(*self.args, **self.kwargs))
            finally:
                STATE.word, STATE.autocast = before
        made: list[Any] = [(n.plan.op.name, n.shape, n.dtype) for n in nodes]
        if made != self.made and (self.check != "none" or len(made) != len(self.made)):
            what = f"A different number of tensors was saved during the original forward and recomputation ({len(self.made)}, {len(made)})"
            if len(made) == len(self.made):
                first, then = next(pair for pair in zip(self.made, made, strict=True) if pair[0] != pair[1])
                what = f"Recomputed values have different metadata than during the forward pass: {first}, then {then}"
            raise CheckpointError("checkpoint", what, "the function does the same each time it is called")
        self.values = {k: (n.saved, n.plan) for k, n in enumerate(nodes)}


class _Dropped:
    """The plan of a node that has given up its values: the face of the plan that it had."""

    kept = ()

    def __init__(self, plan: Any) -> None:
        self.plan, self.op, self.frees = plan, plan.op, plan.frees

    def backward(self, g: Any, saved: Any) -> Any:
        part, k = saved
        values, plan = part.value(k)
        return plan.backward(g, values)

    def again(self, node: Node, g: Any) -> Any:
        """The same with the gradient recorded."""
        part, k = saved = node.saved
        node.saved, plan = part.value(k)
        try:
            return plan.again(node, g)
        finally:
            node.saved = saved


def noop_context_fn() -> tuple[Any, Any]:
    """Two contexts that do nothing: what `checkpoint` runs the function in when it is not told otherwise."""
    return nullcontext(), nullcontext()


def checkpoint(
    function: Callable[..., Any], *args: Any, use_reentrant: bool | None = None, context_fn: Any = noop_context_fn,
    determinism_check: str = "default", debug: bool = False, early_stop: bool = True, **kwargs: Any,
) -> Any:  # fmt: skip
    """``function(*args, **kwargs)``, whose intermediate values are not kept but computed again in backward (Chen et al., 2016).

    Random numbers come again, unless ``preserve_rng_state=False``. With ``use_reentrant=True`` (PyTorch's default, of which
    it warns) no gradient flows where no argument requires one; both ways give the gradients of the plain call.
    Raises a CheckpointError (RuntimeError) in backward if the function does something else the second time.

    >>> import dovetail as dv
    >>> from dovetail.utils.checkpoint import checkpoint
    >>> x = dv.tensor([2.], requires_grad=True)
    >>> checkpoint(lambda x: x.exp().log() * 3, x, use_reentrant=False).backward()
    >>> x.grad
    tensor([3.])
    """
    if use_reentrant is None:
        warnings.warn("checkpoint: pass use_reentrant explicitly; without it use_reentrant=True is taken, as PyTorch does", stacklevel=2)
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if use_reentrant and (kwargs or context_fn is not noop_context_fn):
        what = "Unexpected keyword arguments: " + ",".join(kwargs) if kwargs else "context_fn is only for use_reentrant=False"
        raise ValueRangeError("checkpoint", what, "", "pass use_reentrant=False")
    if determinism_check not in ("default", "none"):
        what = f"determinism_check should be one of {{'default', 'none'}}, but got {determinism_check}"
        raise ValueRangeError("checkpoint", what)
    if not is_grad_enabled():
        return function(*args, **kwargs)
    if use_reentrant and not any(t.__class__ in CLASSES and t._n is not None for t in args):
        warnings.warn("None of the inputs have requires_grad=True. Gradients will be None", stacklevel=2)
        with no_grad():
            return function(*args, **kwargs)
    return _Part(function, args, kwargs, preserve, context_fn, None if use_reentrant else determinism_check).run()


def checkpoint_sequential(functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, **kwargs: Any) -> Any:
    """Call the modules of a Sequential (or a list of functions) one after the other, checkpointed in segments but for the last.

    >>> import dovetail as dv
    >>> from dovetail.utils.checkpoint import checkpoint_sequential
    >>> checkpoint_sequential([dv.neg, dv.abs], 2, dv.ones(1, requires_grad=True), use_reentrant=False)
    tensor([1.], grad_fn=<AbsBackward0>)
    """
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueRangeError("checkpoint_sequential", "Unexpected keyword arguments: " + ",".join(kwargs))
    steps = list(functions.children()) if hasattr(functions, "children") else list(functions)

    def chain(some: list[Any]) -> Callable[[Any], Any]:
        return lambda x: reduce(lambda y, step: step(y), some, x)

    size = len(steps) // segments
    if size == 0 and segments > 1:
        raise ValueRangeError("checkpoint_sequential", f"{len(steps)} functions cannot be divided into {segments} segments")
    for start in range(0, size * (segments - 1), size or 1):
        part = chain(steps[start : start + size])
        input = checkpoint(part, input, use_reentrant=use_reentrant, preserve_rng_state=preserve)
    return chain(steps[size * (segments - 1) :])(input)
