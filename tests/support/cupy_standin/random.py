"""``cupy.random``: NumPy's numbers under CuPy's signatures (the numbers themselves are not cuRAND's)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .array import unwrap, wrap
from .functions import stub
from .names import Entry, names, signature

__all__ = ["module_functions"]

_ALIASES = {"random": "random_sample", "ranf": "random_sample", "sample": "random_sample"}


def _draw(host: Any, name: str, entry: Entry) -> Callable[..., Any]:
    """Return one CuPy drawing function over a NumPy generator; ``dtype`` is CuPy's own argument."""
    spelled = signature(entry.detail)
    draw = getattr(host, name if isinstance(host, np.random.Generator) else _ALIASES.get(name, name))

    def function(*args: Any, **kwargs: Any) -> Any:
        bound = spelled.bind(*args, **kwargs)
        options = dict(bound.arguments)
        options |= options.pop("kwarg", {})
        dtype, out = options.pop("dtype", None), options.pop("out", None)
        if name in ("rand", "randn", "permutation", "shuffle"):
            result = draw(*unwrap(bound.args, []))
        else:
            result = draw(**{k: unwrap(v, []) for k, v in options.items()})
        if result is None:
            return None
        result = np.asarray(result).astype(dtype or np.asarray(result).dtype)
        if out is None:
            return wrap(result)
        out[...] = wrap(result)
        return out

    function.__name__ = name
    return function


class RandomState:
    """``cupy.random.RandomState``; array arguments are CuPy's, results too."""

    def __init__(self, seed: Any = None, method: Any = None) -> None:
        self._host = np.random.RandomState(seed)

    def __getattr__(self, name: str) -> Any:
        entry = names("cupy.random.RandomState").get(name)
        if entry is None or name.startswith("__"):
            raise AttributeError(f"'RandomState' object has no attribute {name!r}")
        return _draw(self._host, name, entry)

    def seed(self, seed: Any = None) -> None:
        """Begin the sequence of this seed."""
        self._host.seed(seed)


class Generator:
    """``cupy.random.Generator``: CuPy's has eighteen methods (no ``normal``, ``choice`` or ``permutation``)."""

    def __init__(self, bit_generator: Any = None) -> None:
        self._host = np.random.default_rng(bit_generator)

    def __getattr__(self, name: str) -> Any:
        entry = names("cupy.random.Generator").get(name)
        if entry is None:
            raise AttributeError(f"'Generator' object has no attribute {name!r}")
        return _draw(self._host, name, entry)


def module_functions() -> dict[str, Any]:
    """Return what ``cupy.random`` has: the functions draw from one state, which ``seed`` resets."""
    shared = RandomState(0)
    made: dict[str, Any] = {"RandomState": RandomState, "Generator": Generator, "seed": shared.seed}
    made["default_rng"] = lambda seed=None: seed if isinstance(seed, Generator) else Generator(seed)
    made["get_random_state"] = lambda: shared
    for name, entry in names("cupy.random").items():
        if entry.kind == "function" and name not in made:
            known = hasattr(shared._host, _ALIASES.get(name, name))
            made[name] = _draw(shared._host, name, entry) if known else stub(f"cupy.random.{name}")
    return made
