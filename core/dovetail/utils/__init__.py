"""The import paths that PyTorch programs use: ``utils.data``, ``utils.checkpoint`` and kin."""

from __future__ import annotations

import weakref
from typing import Any

from ..absent import answers
from ..autograd.node import Leaf
from ..errors import GradError, TypeMismatch
from . import checkpoint, data, dlpack, hooks, model_zoo

__all__ = ["checkpoint", "data", "dlpack", "hooks", "model_zoo", "set_module", "swap_tensors"]

_, __getattr__, __dir__ = answers(__name__)
_PARTS = ("__class__", "__dict__", "_a", "_n", "_v", "_kept_grad", "_b")


def set_module(obj: Any, mod: str) -> None:
    """Give an object another ``__module__``. Raises a TypeError for a name that is no string."""
    if not isinstance(mod, str):
        raise TypeMismatch("set_module", "The mod argument should be a string")
    obj.__module__ = mod


def swap_tensors(t1: Any, t2: Any) -> None:
    """Let two tensor objects change places: values, history, gradient, class and attributes.

    >>> import dovetail as dv
    >>> a, b = dv.zeros(1), dv.ones(2)
    >>> swap_tensors(a, b); a
    tensor([1., 1.])
    """
    for t in (t1, t2):
        if weakref.getweakrefs(t) and t._n.__class__ is not Leaf:
            raise GradError("swap_tensors", "Cannot swap a tensor that has weakref associated with it")
    held = [[getattr(t, name, None) for name in _PARTS] for t in (t2, t1)]
    for t, parts in zip((t1, t2), held, strict=True):
        for name, part in zip(_PARTS, parts, strict=True):
            setattr(t, name, part)
        if t._n.__class__ is Leaf:
            t._n.owner = weakref.ref(t)
