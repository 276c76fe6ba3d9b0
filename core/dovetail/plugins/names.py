"""Who owns which name, and the names of the kinds; little enough to be read at the first op."""

from __future__ import annotations

import os
from functools import cache

__all__ = ["CLAIMS", "HOOK_KINDS", "KIND_NAMES", "is_module", "namespace_of", "normalise", "reserved_modules"]

#: The kinds in the order in which they are shown; ``kinds.KINDS`` has the fields of each.
KIND_NAMES = (
    *("models", "weights", "datasets", "transforms", "tokenizers", "metrics", "layers", "optimizers"),
    *("formats", "devices", "kernels", "lowerings", "commands", "collates", "schemes", "namespaces", "aliases"),
)

#: The kinds whose keys are not in a namespace, so that two plugins can claim the same one.
CLAIMS = {"formats", "devices", "kernels", "lowerings", "commands", "collates", "schemes", "namespaces"}

#: The kinds that have a registration hook; the others are read from manifests alone.
HOOK_KINDS = tuple(name for name in KIND_NAMES if name not in ("collates", "schemes", "namespaces", "aliases"))


def normalise(name: str) -> str:
    """Write a distribution's name as package indexes compare it.

    >>> normalise("Acme__Audio.Tools")
    'acme-audio-tools'
    """
    name = name.lower().replace("_", "-").replace(".", "-")
    while "--" in name:
        name = name.replace("--", "-")
    return name


def namespace_of(distribution: str) -> str:
    """Give the namespace that a distribution owns: short for ``dovetail-*``, its full normalised name for any other.

    >>> namespace_of("dovetail-audio"), namespace_of("Acme_Audio")
    ('audio', 'acme-audio')
    """
    return normalise(distribution).removeprefix("dovetail-")


_CORE = os.path.dirname(os.path.dirname(__file__))


@cache
def reserved_modules() -> set[str]:
    """Give the names of the core's own modules, which no plugin may take; ``cpu`` is also that of a first-party plugin."""
    return ({entry.name.partition(".")[0] for entry in os.scandir(_CORE)} | {"dovetail", "core"}) - {"cpu"}


def is_module(dotted: str) -> bool:
    """Whether ``dovetail.<dotted>`` is a module of the core.

    >>> is_module("utils.data"), is_module("utils.benchmark")
    (True, False)
    """
    path = os.path.join(_CORE, *dotted.split("."))
    return os.path.isdir(path) or os.path.exists(f"{path}.py")
