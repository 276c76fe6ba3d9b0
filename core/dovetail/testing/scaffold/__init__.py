"""The scaffold of a plugin: ``dovetail plugins new audio --with model,dataset`` writes a package whose tests pass with no edit.

A folder of ``templates`` holds what a kind adds: its rows (``manifest.toml``) and its files (``NAME.py.txt``); ``base`` holds the rest.
In them, ``$name`` is the plugin's name, ``$package`` its package, ``$distribution`` its distribution, ``$Name`` a class's prefix.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from string import Template

from ...plugins.catalogue import first_party
from ...plugins.names import namespace_of, normalise, reserved_modules

__all__ = ["KINDS", "write"]

_TEMPLATES = Path(__file__).with_name("templates")

#: What a plugin can be made with.
KINDS = tuple(sorted(path.name for path in _TEMPLATES.iterdir() if path.is_dir() and path.name != "base"))


def write(name: str, kinds: list[str], folder: Path | None = None, distribution: str = "") -> Path:
    """Write the package; the folder must be new or empty. ValueError for a name that no plugin can have.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as here:
    ...     made = write("bells", ["model"], Path(here) / "bells")
    ...     sorted(path.name for path in (made / "dovetail_bells").iterdir())
    ['__init__.py', 'dovetail.toml', 'models.py', 'py.typed']
    """
    own = normalise(distribution or f"dovetail-{normalise(name).removeprefix('dovetail-')}")
    plugin = namespace_of(own)
    _check(plugin, own)
    package = own.replace("-", "_")
    words = {
        "name": plugin, "distribution": own, "package": package, "Name": plugin.title().replace("-", ""), "ident": plugin.replace("-", "_"),
    }  # fmt: skip
    folder = folder or Path(own)
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty; expected a new folder")
    manifest = ['# What this plugin brings. Nothing of it is imported until it is first used.\n\napi = ">=1.1,<2"\n']
    code = folder / package
    for template in [_TEMPLATES / "base", *(_TEMPLATES / kind for kind in kinds)]:
        for path in sorted(template.rglob("*")):
            if path.is_file() and path.name != "manifest.toml":
                base = folder if template.name == "base" else code
                where = base / str(path.relative_to(template)).replace("package", package).removesuffix(".txt")
                _write(where, _filled(path, words))
    hooks = sorted(hook for kind in kinds for hook in _HOOKS.get(kind, ()))
    if hooks:
        manifest.append(f'hooks = {{ module = "{package}.hooks", implements = [{", ".join(map(_quoted, hooks))}] }}\n')
        parts = [_filled(_TEMPLATES / kind / "hooks.py.txt", words) for kind in kinds if kind in _HOOKS]
        _write(code / "hooks.py", _joined(parts))
    manifest += [
        "\n" + _filled(_TEMPLATES / kind / "manifest.toml", words) for kind in kinds if (_TEMPLATES / kind / "manifest.toml").exists()
    ]
    _write(code / "dovetail.toml", "".join(manifest))
    _write(code / "py.typed", "")
    return folder


_HOOKS = {"format": ("decode_sample",), "hook": ("build_model", "doctor")}  # kind → the hooks in its hooks.py.txt


def _check(plugin: str, distribution: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", plugin):
        raise ValueError(f"{plugin!r} cannot be a plugin's name; expected letters, digits and dashes, such as 'audio'")
    if plugin.replace("-", "_") in reserved_modules():
        raise ValueError(f"{plugin!r} is a module of the core; expected another name")
    if plugin in first_party() and distribution == f"dovetail-{plugin}":
        raise ValueError(f"{distribution} is a first-party distribution; expected another name")


def _filled(path: Path, words: dict[str, str]) -> str:
    return Template(path.read_text(encoding="utf-8")).substitute(words)


def _joined(parts: list[str]) -> str:
    """One hooks.py of several: their imports first, each once."""
    imports = {line for part in parts for line in part.splitlines() if line.startswith(("import ", "from "))}
    future = "from __future__ import annotations"
    bodies = [re.sub(r'^""".*?"""\n', "", part, flags=re.S) for part in parts]
    bodies = ["\n".join(line for line in body.splitlines() if line not in imports).strip() for body in bodies]
    plain = sorted(line for line in imports - {future} if not line.startswith("from dovetail"))
    head = [future, "", *plain, *([""] if plain else []), *sorted(line for line in imports if line.startswith("from dovetail"))]
    return '"""What happens when: the hooks that the manifest lists."""\n\n' + "\n".join(head) + "\n\n\n" + "\n\n\n".join(bodies) + "\n"


def _quoted(text: str) -> str:
    return f'"{text}"'


def _write(path: Path, text: str) -> None:
    os.makedirs(path.parent, exist_ok=True)
    path.write_text(text, encoding="utf-8")
