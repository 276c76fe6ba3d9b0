"""Which modules are running, by name: for counters and checks that watch ops."""

from __future__ import annotations

import weakref
from typing import Any

from dovetail.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

__all__ = ["Modules"]


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
