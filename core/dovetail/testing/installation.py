"""What `dovetail doctor` checks of the whole installation: versions, folders, plugins, claims."""

from __future__ import annotations

import os
import sys
import tempfile

from ..hooks import HOOK_API
from ..plugins.cache import cache_folder
from ..plugins.catalogue import Plugin
from ..plugins.kinds import KINDS
from ..plugins.manager import Manager, get_manager
from ..plugins.settings import config_folder

__all__ = ["look_around"]

Check = tuple[str, bool, str]  # what is checked, whether it is well, what was seen


def look_around() -> list[Check]:
    """The checks of ``dovetail doctor``: versions, folders, plugins, claims, and what plugins check themselves."""
    manager = get_manager(strict=False)
    for kind in KINDS:
        manager.table(kind)  # so that clashes, and code that fails to register, are among the problems
    checks = [*_versions(), *map(_folder, (cache_folder(), config_folder()))]
    for plugin in manager.catalogue.plugins:
        checks.append((f"plugin {plugin.name}", plugin.state in ("ready", "active", "disabled"), _about(plugin)))
        checks += [(f"plugin {plugin.name}: note", True, note) for note in plugin.notes]
    checks += [("plugins", False, text) for text in manager.catalogue.missing + manager.catalogue.notices]
    checks += [check for kind in KINDS if KINDS[kind].claim for check in _claims(kind, manager)]
    return checks + [check for answer in manager.call("doctor") for check in answer]


def _claims(kind: str, manager: Manager) -> list[Check]:
    """Who answers for the names of a kind, a plugin a line."""
    mine: dict[str, list[str]] = {}
    for key, (plugin, _) in sorted(manager.table(kind).rows.items()):
        mine.setdefault(plugin.label, []).append(key)
    if kind == "kernels" and not any("@cpu:" in key for keys in mine.values() for key in keys):
        mine["NumPy, for the processor; native kernels are faster: pip install dovetail-cpu"] = []
    return [(kind, True, f"{_few(keys)}answered by {label}") for label, keys in mine.items()]


def _few(names: list[str]) -> str:
    """Some names whole, many by their number.

    >>> _few([".png"]), _few(["abs", "acos", "acosh", "add", "all", "amax", "amin"])
    ('.png: ', '7, such as abs, acos, acosh: ')
    """
    if len(names) > 6:
        return f"{len(names)}, such as {', '.join(names[:3])}: "
    return f"{', '.join(names)}: " if names else ""


def _versions() -> list[Check]:
    import importlib.util

    import numpy

    from .. import __version__

    cupy = "installed" if importlib.util.find_spec("cupy") else 'not installed (for NVIDIA GPUs: pip install "dovetail[cuda]")'
    own = f"{__version__}, hook API {'.'.join(map(str, HOOK_API))}"
    seen = {"Python": sys.version.split()[0], "dovetail": own, "NumPy": numpy.__version__, "CuPy": cupy}
    return [(what, True, text) for what, text in seen.items()]


def _folder(path: str) -> Check:
    try:
        os.makedirs(path, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return f"folder {path}", True, "can be written"
    except OSError as error:
        return f"folder {path}", False, f"cannot be written ({error.strerror}); set DOVETAIL_CACHE or DOVETAIL_CONFIG to another"


def _about(plugin: Plugin) -> str:
    return f"{plugin.distribution} {plugin.version}: {plugin.state}{f', {plugin.reason}' if plugin.reason else ''}"
