"""Plugins: what is installed, what it brings, and what is wrong with it.

``plugins.models``, ``plugins.weights`` … (one for each kind that has a registration hook) are registries. Importing this package
costs next to nothing: what is installed is looked for at the first use of a registry, and imported at the first use of what it brings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .catalogue import Plugin
    from .manager import KernelClaim

__all__ = ["call", "environment", "installed", "kernels_for_core", "load_target", "problems", "reset"]


def installed() -> list[Plugin]:
    """List every plugin that was found, whatever its state, in the order of distribution names."""
    from .manager import get_manager

    return list(get_manager().catalogue.plugins)


def problems() -> list[str]:
    """Say everything that is wrong with the installed plugins, one text each; those that are merely disabled are not wrong."""
    from .manager import get_manager

    return get_manager(strict=False).catalogue.problems


def call(hook: str, **arguments: Any) -> Any:
    """Call a behaviour hook by name; ``"audio/window"`` is the hook ``window`` that the plugin audio publishes.

    UnknownNameError when no usable plugin publishes it; what an implementation raises comes with a note that names its plugin.
    """
    from .manager import get_manager

    return get_manager().call(hook, **arguments)


def environment() -> dict[str, str]:
    """The environment for a worker process: it sees the plugins that are usable in this one, and no others."""
    import os

    return {**os.environ, "DOVETAIL_PLUGINS": ",".join(plugin.name for plugin in installed() if plugin.usable) or "none"}


def kernels_for_core() -> list[KernelClaim]:
    """List the kernels that plugins offer: (op, device, dtypes, target, plugin), for the op layer's first dispatch.

    A fault in a plugin leaves its kernels out and is among the ``problems()``; claims that clash are left out as well, with a warning.
    Nothing is imported; ``load_target(claim.target, claim.plugin)`` does that.
    """
    from .manager import get_manager

    return get_manager().kernels()


def load_target(target: str, plugin: str) -> Any:
    """Import ``"package.module:name"`` for a plugin. PluginError, which names the plugin and the remedy, when that fails."""
    from .manager import get_manager

    manager = get_manager()
    return manager.load(target, manager.catalogue[plugin])


def reset() -> None:
    """Look again at what is installed, at the next use; modules that were imported stay imported."""
    from .manager import reset

    reset()


def __getattr__(name: str) -> Any:
    if not name.startswith("_"):
        from .names import HOOK_KINDS

        if name in HOOK_KINDS:
            from .registry import registry

            return registry(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
