"""Where the plugin subsystem meets pluggy: the specifications, the manifests as plugins, and whose fault an exception is."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from ..errors import PluginError
from ..hooks import HOOKS
from .catalogue import Plugin
from .names import HOOK_KINDS

if TYPE_CHECKING:
    import pluggy

__all__ = [
    "Answers",
    "attributed",
    "blamed",
    "implementations",
    "manifest_plugin",
    "new_pluggy",
    "outdated",
    "parameters",
    "plain",
    "publish",
    "unfit",
]


_YIELDS = 0x2A0  # of a code object's flags: a generator, a coroutine, an asynchronous generator


class Answers:
    """What is registered with pluggy: hook implementations as attributes; two are never equal."""

    def __init__(self, hooks: dict[str, Callable[..., Any]]) -> None:
        vars(self).update(hooks)


def new_pluggy() -> pluggy.PluginManager:
    """Make pluggy's manager with the hooks specified and the core's own answers registered."""
    import pluggy

    class PluginManager(pluggy.PluginManager):
        def parse_hookimpl_opts(self, plugin: object, name: str) -> Any:
            return None if name.startswith("_") else super().parse_hookimpl_opts(plugin, name)  # most of dir(), and slow to look at

    marker = pluggy.HookspecMarker("dovetail")
    manager = PluginManager("dovetail")
    specs: Any = Answers({name: marker(hook.spec, firstresult=hook.first_result) for name, hook in HOOKS.items()})
    manager.add_hookspecs(specs)
    from . import defaults

    manager.register(defaults, name="core")
    return manager


def plain(hook: str) -> str:
    """The name of a hook's function: ``audio_window`` for the hook ``audio/window`` that the plugin audio publishes."""
    return hook.replace("/", "_").replace("-", "_")


def publish(manager: pluggy.PluginManager, hook: str, spec: Callable[..., Any]) -> None:
    """Make known the specification of a hook that a plugin publishes."""
    from ..hooks import hookspec

    if not hasattr(manager.hook, plain(hook)):
        marked: Any = Answers({plain(hook): spec if hasattr(spec, "dovetail_spec") else hookspec(spec)})
        manager.add_hookspecs(marked)


def manifest_plugin(plugin: Plugin) -> Answers:
    """Make the object that answers registration hooks with the rows of one manifest."""
    from ..hooks import hookimpl

    def answer(kind: str) -> Callable[[], tuple[Plugin, dict[str, Any]]]:
        return hookimpl(lambda: (plugin, plugin.rows(kind)))

    return Answers({f"register_{kind}": answer(kind) for kind in HOOK_KINDS if kind in plugin.kinds})


def implementations(manager: pluggy.PluginManager, module: Any) -> dict[str, Callable[..., Any]]:
    """List a module's hook implementations by the hook that each is for."""
    options = {name: manager.parse_hookimpl_opts(module, name) for name in dir(module)}
    return {(opts.get("specname") or name): getattr(module, name) for name, opts in options.items() if opts}


def unfit(implementation: Any, hook: str) -> str:
    """Say why a function cannot answer a hook, or nothing: one that yields would be called, and do nothing."""
    options, yields = implementation.dovetail_impl, implementation.__code__.co_flags & _YIELDS
    if not yields or options["wrapper"] or options["hookwrapper"] or hook == "doctor":
        return ""
    return f"{hook} is a generator or a coroutine; expected a function that returns its answer, or @hookimpl(wrapper=True)"


def attributed(implementation: Callable[..., Any], plugin: Plugin, hook: str) -> Callable[..., Any]:
    """Wrap a hook implementation so that its faults carry its plugin's name; pluggy still sees its own arguments and options."""
    options = implementation.dovetail_impl
    where = f"hook {hook}"
    _warn_of_deprecation(implementation, hook)

    @functools.wraps(implementation)
    def call(*arguments: Any, **named: Any) -> Any:
        with blamed(plugin, where):
            return implementation(*arguments, **named)

    @functools.wraps(implementation)
    def wrap(*arguments: Any, **named: Any) -> Any:
        with blamed(plugin, where):
            return (yield from implementation(*arguments, **named))

    @functools.wraps(implementation)
    def register(*arguments: Any, **named: Any) -> Any:
        try:
            return plugin, implementation(*arguments, **named)
        except (Exception, SystemExit) as error:
            plugin.stop("failed", f"{where}: {type(error).__name__}: {error}", error)
            return None

    @functools.wraps(implementation)
    def checks() -> Any:
        try:
            return [(f"{plugin.name}: {what}", bool(well), str(seen)) for what, well, seen in implementation()]
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # a user who stops a check that hangs learns whose it is
            return [(f"{plugin.name}: {where}", False, f"{type(error).__name__}: {error}; {plugin.remedy}")]

    if options["wrapper"] or options["hookwrapper"]:
        return wrap
    return checks if hook == "doctor" else register if hook.startswith("register_") else call


def parameters(implementation: Any) -> tuple[str, ...]:
    """The arguments that a hook implementation asks for."""
    code = getattr(implementation, "__wrapped__", implementation).__code__
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


def outdated(implementation: Callable[..., Any], hook: str) -> list[str]:
    """Say whether the hook, or which argument that an implementation asks for, is on its way out."""
    deprecated = HOOKS[hook].deprecated if hook in HOOKS else ""
    if isinstance(deprecated, str):
        return [f"hook {hook} is deprecated: {deprecated}"] if deprecated else []
    asked = [name for name in parameters(implementation) if name in deprecated]
    return [f"argument {name!r} of hook {hook} is deprecated: {deprecated[name]}" for name in asked]


def _warn_of_deprecation(implementation: Callable[..., Any], hook: str) -> None:
    """Warn at the implementation's own line."""
    code = implementation.__code__
    for text in outdated(implementation, hook):
        warnings.warn_explicit(text, DeprecationWarning, code.co_filename, code.co_firstlineno, implementation.__module__)


@contextmanager
def blamed(plugin: Plugin, where: str) -> Iterator[None]:
    """Let exceptions through with a note that names the plugin; the first note stands. A SystemExit becomes a PluginError."""
    try:
        yield
    except Exception as error:
        if not getattr(error, "_dovetail_plugin", ""):
            error.add_note(f"raised by plugin {plugin.label} in {where}; {plugin.remedy}")
            with suppress(AttributeError):
                error._dovetail_plugin = plugin.name
        raise
    except SystemExit as error:
        what = f"plugin {plugin.label} called sys.exit({error.code!r}) in {where}"
        raise PluginError(f"{what}; expected a result or an exception; {plugin.remedy}") from error
