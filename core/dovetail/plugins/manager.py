"""One manager per process: pluggy's view of the catalogue, and the rings in which a plugin's faults are held."""

from __future__ import annotations

import functools
import importlib
import sys
import threading
import time
import warnings
from collections import namedtuple
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from ..errors import NameClashError, PluginError, UnknownNameError
from ..hooks import HOOKS
from .bridge import Answers, attributed, implementations, manifest_plugin, new_pluggy, parameters, plain, publish, unfit
from .catalogue import Catalogue, Plugin, discover
from .crumbs import importing
from .names import namespace_of, normalise

if TYPE_CHECKING:
    import pluggy

__all__ = ["KernelClaim", "Manager", "Table", "get_manager", "reset"]

#: A kernel that a plugin offers; ``dtypes`` holds those that nobody else claims, in the order of the manifest.
KernelClaim = namedtuple("KernelClaim", "op device dtypes target plugin")

SLOW_IMPORT = 0.5  # seconds; noted beside the plugin

Row = tuple[Plugin, dict[str, Any]]


class Table:
    """All rows of one kind: key → (plugin, fields), and the keys that several claim and nobody was preferred for."""

    __slots__ = ("clashes", "rows")

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.clashes: dict[str, list[Plugin]] = {}

    def clash(self, kind: str, key: str) -> NameClashError:
        """Form the error that names everyone who claims ``key``."""
        claimants = self.clashes[key]
        names = " and ".join(plugin.label for plugin in claimants)
        hint = f'write prefer = ["{claimants[0].name}"] under [tool.dovetail] in pyproject.toml, or disable one'
        return NameClashError(f"{kind}.{key}: claimed by {names}; expected one claim; {hint}")


def _import(target: str) -> Any:
    module, _, name = target.partition(":")
    found: Any = importlib.import_module(module)
    for part in name.split(".") if name else ():
        found = getattr(found, part)
    return found


class Manager:
    """Answers what is registered, calls behaviour hooks and imports targets; each ring holds the faults of one plugin."""

    def __init__(self, catalogue: Catalogue | None = None) -> None:
        self.catalogue = discover() if catalogue is None else catalogue
        self._lock = threading.RLock()
        self._pm: pluggy.PluginManager | None = None
        self._modules: dict[str, dict[str, Callable[..., Any]]] = {}  # plugin → its hook implementations, once imported
        self._needed: set[str] = set()
        self._tables: dict[tuple[str, bool], Table] = {}
        self._targets: dict[tuple[str, str], Any] = {}
        self._asked: dict[tuple[str, str], Callable[..., Any] | None] = {}

    # ------------------------------------------------------------------------------------------------- targets

    def load(self, target: str, plugin: Plugin) -> Any:
        """Import ``package.module:name`` for a plugin; PluginError, the same one every time, when that fails."""
        kept = self._targets.get((target, plugin.name))
        if kept is None:
            try:
                kept = self._contain(plugin, f"importing {target}", target.partition(":")[0], functools.partial(_import, target))
            except PluginError as error:
                kept = error
            self._targets[target, plugin.name] = kept
        if isinstance(kept, PluginError):
            raise kept.with_traceback(None)
        return kept

    def _contain(self, plugin: Plugin, what: str, module: str, action: Callable[[], Any]) -> Any:
        """Run code that imports a plugin's module: Exception and SystemExit become a PluginError; KeyboardInterrupt goes through.

        No lock is held meanwhile: another thread may be inside the same import, asking for a table.
        """
        start = time.perf_counter()
        try:
            with nullcontext() if module in sys.modules else importing(plugin.name, plugin.version, what):
                result = action()
        except (Exception, SystemExit) as error:
            failure = f"{what}: {type(error).__name__}: {error}"
            plugin.stop("failed", failure, error)
            raise PluginError(f"plugin {plugin.label} failed while {failure}; expected it to work; {plugin.remedy}") from error
        if (seconds := time.perf_counter() - start) > SLOW_IMPORT:
            plugin.notes.append(f"{what} took {seconds:.1f} s; expected {SLOW_IMPORT} s at most")
        if plugin.state == "ready":
            plugin.state = "active"
        return result

    # --------------------------------------------------------------------------------------------------- hooks

    @property
    def pluggy(self) -> pluggy.PluginManager:
        """The plugin manager of pluggy: the core's defaults, and one manifest plugin for each plugin that counts."""
        with self._lock:
            if self._pm is None:
                self._pm = new_pluggy()
                for plugin in reversed(self.catalogue.usable):  # pluggy calls the last registered first
                    self._pm.register(manifest_plugin(plugin), name=plugin.name)
            return self._pm

    def call(self, hook: str, **arguments: Any) -> Any:
        """Call a behaviour hook, importing first the modules that implement it; ``audio/window`` is one that a plugin publishes."""
        if "/" in hook and hook not in self._needed:
            self.publish(hook)
        self._need(hook)
        return getattr(self.pluggy.hook, plain(hook))(**arguments)

    def ask(self, hook: str, key: str, **arguments: Any) -> Any:
        """Call a hook of the one plugin that claims ``key`` for it; None when nobody does, or the one that does not implement it."""
        if (hook, key) not in self._asked:
            self._asked[hook, key] = self._owner(hook, key)
        function = self._asked[hook, key]
        return None if function is None else function(**{name: arguments[name] for name in parameters(function)})

    def _owner(self, hook: str, key: str) -> Callable[..., Any] | None:
        kind = HOOKS[hook].claim
        table = self.table(kind)
        if key in table.clashes:
            raise table.clash(kind, key)
        plugin = table.rows[key][0] if key in table.rows else None
        if plugin is None or hook not in plugin.implements:
            return None
        self._need(hook)
        if hook not in self._modules.get(plugin.name, ()):
            raise PluginError(f"{hook}({key!r})", f"plugin {plugin.label} is {plugin.state}", plugin.reason, plugin.remedy)
        return attributed(self._modules[plugin.name][hook], plugin, hook)

    def publish(self, hook: str) -> None:
        """Make known a hook that a plugin publishes; UnknownNameError when no usable plugin does."""
        owner, _, name = hook.partition("/")
        by_name = {plugin.name: plugin for plugin in self.catalogue.usable}
        if name not in (by_name[owner].publishes if owner in by_name else ()):
            known = [f"{plugin.name}/{name}" for plugin in by_name.values() for name in plugin.publishes]
            raise UnknownNameError(f"plugins.call({hook!r})", "no usable plugin publishes this hook", f"expected one of {known}")
        publish(self.pluggy, hook, self.load(by_name[owner].publishes[name], by_name[owner]))

    def _need(self, hook: str) -> None:
        """Register the implementations of one hook, so that their order does not depend on which module was imported when.

        A plugin that fails here is left out, loudly when it meant to change what the core does.
        """
        if hook in self._needed:
            return
        for plugin in reversed(self.catalogue.usable):
            if hook in plugin.implements:
                try:
                    self._contain(plugin, f"importing its hook {hook}", plugin.module, functools.partial(self._register, plugin, hook))
                except PluginError as error:
                    if not hook.startswith("register_"):
                        warnings.warn(f"{error}; it is left out", RuntimeWarning, stacklevel=4)
        self._needed.add(hook)

    def _register(self, plugin: Plugin, hook: str) -> None:
        if plugin.name not in self._modules:
            self._modules[plugin.name] = implementations(self.pluggy, importlib.import_module(plugin.module))
            if silent := sorted(self._modules[plugin.name].keys() - set(map(plain, plugin.implements))):
                plugin.notes.append(f"{plugin.module} implements {', '.join(silent)}, which the manifest does not list; it is not called")
        implementation = self._modules[plugin.name].get(plain(hook))
        if implementation is None:
            raise LookupError(f"{plugin.module} has no @hookimpl {plain(hook)}, which its manifest lists")
        if wrong := unfit(implementation, hook):
            raise TypeError(wrong)
        name = f"{plugin.name}:{hook}"
        with self._lock:
            if not self.pluggy.has_plugin(name):
                self.pluggy.register(Answers({plain(hook): attributed(implementation, plugin, hook)}), name=name)

    # ------------------------------------------------------------------------------------------------ registry

    def table(self, kind: str, *, code: bool = True) -> Table:
        """All rows of a kind, asked once; with ``code=False`` the manifests' alone, and no module is imported."""
        table = self._tables.get((kind, code))
        if table is None:
            table = self._tables.setdefault((kind, code), self._merge(kind, self._answers(kind, code)))
        return table

    def _answers(self, kind: str, code: bool) -> list[tuple[Plugin, dict[str, Any]]]:
        """What each plugin has of a kind. Where no code takes part, pluggy would give back the manifests' rows, and is not imported."""
        hook = f"register_{kind}"
        if not code or not any(hook in plugin.implements for plugin in self.catalogue.usable):
            return [(plugin, plugin.rows(kind)) for plugin in self.catalogue.usable]
        self._need(hook)
        return [answer for answer in (self._checked(kind, *answer) for answer in self.call(hook)) if answer]

    def _checked(self, kind: str, plugin: Plugin, rows: Any) -> Row | None:
        """Check what code registered as strictly as a manifest; a fault leaves all of this answer out."""
        if rows is plugin.rows(kind):
            return plugin, rows
        from .kinds import KINDS
        from .manifest import check_rows

        own = plugin.distribution
        good, wrong = check_rows(KINDS[kind], rows, namespace_of(own), normalise(own).startswith("dovetail-"))
        wrong += [((kind, key), "is in the manifest as well") for key in sorted(good.keys() & plugin.rows(kind).keys())]
        if wrong:
            plugin.stop("failed", "; ".join(f"{'.'.join(map(str, where))}: {what}" for where, what in wrong))
            return None
        return plugin, good

    def _merge(self, kind: str, answers: list[Row]) -> Table:
        table = Table()
        disputed: dict[str, list[Row]] = {}
        for plugin, rows in sorted(answers, key=lambda answer: self.catalogue.plugins.index(answer[0])):
            for key in table.rows.keys() & rows.keys():
                disputed.setdefault(key, [table.rows[key]]).append((plugin, rows[key]))
            table.rows |= {key: (plugin, fields) for key, fields in rows.items()}
        for key in sorted(disputed):
            by_name = {plugin.name: (plugin, fields) for plugin, fields in disputed[key]}
            chosen = self.catalogue.settings.choose(f"{kind}.{key}", by_name)
            if chosen:
                table.rows[key] = by_name[chosen]
            else:
                del table.rows[key]
                table.clashes[key] = [plugin for plugin, _ in disputed[key]]
                if (text := str(table.clash(kind, key))) not in self.catalogue.notices:
                    self.catalogue.notices.append(text)
        return table

    def kernels(self) -> list[KernelClaim]:
        """All kernel claims that nobody disputes, for the op layer; never raises for a plugin's fault."""
        table = self.table("kernels")
        if table.clashes:
            first, *others = sorted(table.clashes)
            more = f" (and {len(others)} more: dovetail plugins list)" if others else ""
            warnings.warn(f"{table.clash('kernels', first)}{more}; until then the reference is used", RuntimeWarning, stacklevel=3)
        claims: dict[tuple[str, str, str, str], list[str]] = {}
        for plugin, fields in table.rows.values():
            claims.setdefault((fields["op"], fields["device"], fields["target"], plugin.name), []).append(fields["dtype"])
        return [KernelClaim(op, device, tuple(dtypes), target, name) for (op, device, target, name), dtypes in claims.items()]


# -------------------------------------------------------------------------------------------------- the manager

_manager: Manager | None = None
_creating = threading.RLock()


def get_manager(*, strict: bool | None = None) -> Manager:
    """The process's manager, made at the first use of any registry.

    A PluginError when a plugin that the project requires is not usable; with DOVETAIL_STRICT_PLUGINS=1 (or ``strict=True``) for any
    problem. ``strict=False`` raises neither.
    """
    global _manager
    with _creating:
        if _manager is None:
            _manager = Manager()
    catalogue = _manager.catalogue
    if strict is not False and (missing := catalogue.missing):
        raise PluginError("; ".join(missing))
    if (catalogue.settings.strict if strict is None else strict) and catalogue.problems:
        raise PluginError("DOVETAIL_STRICT_PLUGINS: " + "\n".join(catalogue.problems))
    return _manager


def reset() -> None:
    """Forget everything; the next use looks again at what is installed. Modules that were imported stay imported."""
    global _manager
    with _creating:
        _manager = None
