"""What to do about a name of PyTorch's that is not there, or that differs."""

from __future__ import annotations

import difflib
import importlib

from dovetail.absent import instead

__all__ = ["DIFFERENT", "remedy"]

# Beside `dovetail.absent.instead`, which knows PyTorch's modules: prefix of a name → what to do. The longest prefix counts.
_INSTEAD = {
    "torch.compile": "it returns the function as it is, so the program runs the same",
    "torch.onnx": "use dovetail.onnx.export (pip install dovetail-onnx)",
    "torch.jit": "run the module as it is; dovetail.graph.trace records a run",
    "torch.sparse": "pip install dovetail-science, or use dense tensors",
    "torch.utils.data": "torchdata is not here: use a Dataset or a generator",
    "torch._": "this is internal to PyTorch; use a public name",
    "torchvision.models.detection": "detection models are not there yet",
    "torchvision.models.segmentation": "segmentation models are not there yet",
}

#: Name → how it differs; the whole table is the page "known differences" of the documentation.
DIFFERENT = {
    "torch.save": "writes safetensors, never pickle; PyTorch reads such a file with the safetensors package",
    "torch.load": "reads PyTorch's files by a closed list of types; whole pickled modules are refused",
    "torch.compile": "returns the function as it is",
    "torch.jit.script": "returns the module as it is",
    "torch.backends.cudnn.benchmark": "is kept and has no effect",
}


def remedy(name: str) -> str:
    """Say what to use in place of a name, or the nearest names that are there."""
    top, _, below = name.partition(".")
    if top == "torch" and (found := instead(below)):
        return found
    known = [prefix for prefix in _INSTEAD if f"{name}.".startswith(f"{prefix}." if not prefix.endswith("_") else prefix)]
    if known:
        return _INSTEAD[max(known, key=len)]
    from .finder import HOMES

    owner, _, last = name.rpartition(".")
    top, dot, rest = owner.partition(".")
    try:
        names = dir(importlib.import_module(f"{HOMES[top][0]}{dot}{rest}"))
    except (ImportError, KeyError):
        return "see the page of known differences for what there is"
    near = difflib.get_close_matches(last, [n for n in names if not n.startswith("_")], 3, 0.7)
    return f"nearest: {', '.join(near)}" if near else "see the page of known differences for what there is"
