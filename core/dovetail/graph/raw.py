"""What a compiler stands on: the parts of an op's call and of a backward, by public names.

Nothing here is for programs. A plugin that replays recorded runs (dovetail-cpu's is one) takes tensors apart into arrays, edges and version
boxes as the engine does, so it moves with the minor versions of the core.
"""

from __future__ import annotations

from dovetail_numerics.generator import blocks
from dovetail_numerics.streams.draws import below, doubles, fractions
from dovetail_numerics.streams.integers import exchanged

from ..autograd.engine import Walk
from ..autograd.functional import grad
from ..autograd.modes import COLD, GRAD, STATE, enable_grad, observing
from ..autograd.node import CLASSES, Leaf, Node, Output, Tensor, changed, producer, tick, wrap
from ..dtypes import HALF
from ..generator import Generator, current
from ..nn._hooks import GLOBAL, TABLES
from ..ops._call import array, dispatch, finish_many, one, two
from ..ops._layout import IMAGES, afresh, converted
from ..ops._op import OPS
from ..ops._plan import Plan
from ..ops._prepare import attend, explain, lowered, note_view, raised, share, unwrap
from ..ops._quiet import IGNORE, hush, restore
from ..ops._viewing import view_of
from ..ops.contract import product
from ..ops.dropout import scaled
from ..ops.memory import alias

__all__ = [
    "CLASSES", "COLD", "GLOBAL", "GRAD", "HALF", "IGNORE", "IMAGES", "OPS", "STATE", "TABLES", "Generator", "Leaf", "Node", "Output",
    "Plan", "Tensor", "Walk", "afresh", "alias", "array", "attend", "below", "blocks", "changed", "converted", "current", "dispatch",
    "doubles", "enable_grad", "exchanged", "explain", "finish_many", "fractions", "grad", "hush", "lowered", "note_view", "observing",
    "one", "producer", "product", "raised", "restore", "scaled", "share", "tick", "two", "unwrap", "view_of", "wrap",
]  # fmt: skip
