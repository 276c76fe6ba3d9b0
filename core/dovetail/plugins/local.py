"""Plugins in the project's own folders: ``[tool.dovetail] plugins = ["./my_plugin"]``, which count once the user trusts them."""

from __future__ import annotations

import os
import sys
from typing import Any

from .names import normalise
from .scan import GROUP, Found
from .settings import Settings

__all__ = ["find_plugins", "project_plugins"]


def project_plugins(settings: Settings) -> list[Found]:
    """The plugins of the project's own folders; from a trusted one its packages can be imported, last of all."""
    found = []
    for folder in settings.local:
        points, base = find_plugins(folder)
        found += points
        if folder in settings.trusted:
            sys.path += [base] if base not in sys.path else []
        else:
            refusal = f"the project, whose code is not trusted; to trust it: dovetail plugins trust {folder}"
            settings.disabled |= {normalise(point.name): refusal for point in points if not point.problem}
    return found


def find_plugins(folder: str) -> tuple[list[Found], str]:
    """Find the plugins of a folder, and the folder from which their packages are imported.

    It is a project, with the entry point in its pyproject.toml and the package beside it or in ``src``; or it is the package
    itself, with a dovetail.toml. A fault is a Found with a ``problem``.
    """
    import tomllib

    name = normalise(os.path.basename(folder))
    if os.path.isfile(os.path.join(folder, "dovetail.toml")):
        return [Found(name, f"{os.path.basename(folder)}:dovetail.toml", name, "local", folder)], os.path.dirname(folder)
    try:
        with open(os.path.join(folder, "pyproject.toml"), "rb") as file:
            project: dict[str, Any] = tomllib.load(file)["project"]
        points = project["entry-points"][GROUP]
        base = os.path.join(folder, "src")
        base = base if os.path.isdir(base) else folder
        version = str(project.get("version", "local"))
        return [Found(point, str(value), str(project["name"]), version, folder) for point, value in sorted(points.items())], base
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        expected = f"expected a package with a dovetail.toml, or a pyproject.toml with an entry point in {GROUP!r}"
        return [Found(name, "", name, "local", folder, f"{folder} is no plugin ({type(error).__name__}: {error}); {expected}")], folder
