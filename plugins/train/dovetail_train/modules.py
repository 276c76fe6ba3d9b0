"""What counters and checks stand on: ops and nodes of the graph as they run, and the modules in which they do."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, Self

from dovetail.autograd.engine import late
from dovetail.autograd.modes import observing
from dovetail.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

__all__ = ["Modules", "Watching"]


class Modules:
    """The modules whose forward is running in this thread, by PyTorch's names: the class of the outermost, then the path."""

    def __init__(self) -> None:
        self.names: Any = weakref.WeakKeyDictionary()
        self.seen: Any = weakref.WeakSet()
        self.running: list[Any] = []

    def __enter__(self) -> Modules:
        before = register_module_forward_pre_hook(self.entered)
        after = register_module_forward_hook(lambda module, args, out: self.left(module), always_call=True)
        self.handles = before, after
        return self

    def __exit__(self, *error: Any) -> None:
        for handle in self.handles:
            handle.remove()
        self.running.clear()

    def entered(self, module: Any, args: Any) -> None:
        """The forward of a module begins; that of the outermost names those within it."""
        if not self.running:
            self.name(module)
        self.running.append(module)

    def left(self, module: Any) -> None:
        """The forward of a module has ended, and of those within it that raised."""
        while self.running and self.running.pop() is not module:
            pass

    def name(self, module: Any) -> str:
        """The class of the outermost module and the path from there; as it was first met."""
        name = self.names.setdefault(module, type(module).__name__)
        if module not in self.seen:
            self.seen.add(module)
            for child, inner in module.named_children():
                self.names[inner] = f"{name}.{child}"
                self.name(inner)
        return name

    def parents(self) -> set[str]:
        """The names of all that run."""
        return {self.name(module) for module in self.running}


class Watching:
    """While the block runs, `_observe` runs each op of this thread, and `_node` is told of each node of the graph that has run.

    ``made`` is for what a subclass notes of nodes, for as long as they live; ``modules`` says which modules are running.
    """

    def __enter__(self) -> Self:
        self.made: Any = weakref.WeakKeyDictionary()
        self.modules = Modules().__enter__()
        self.watch = observing(self._observe)
        self.watch.__enter__()
        self.before, late.inspect = late.inspect, self._inspected
        return self

    def __exit__(self, *error: Any) -> None:
        late.inspect = self.before
        self.watch.__exit__(None, None, None)
        self.modules.__exit__()

    def _inspected(self, node: Any, grads: Any) -> None:
        if self.before is not None:
            self.before(node, grads)
        self._node(node, grads)

    def _observe(self, op: Any, args: Any, run: Callable[[], Any]) -> Any:
        raise NotImplementedError

    def _node(self, node: Any, grads: Any) -> None:
        raise NotImplementedError
