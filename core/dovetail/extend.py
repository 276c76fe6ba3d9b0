"""The public path for authors of plugins, on one screen.

| to bring | use |
|---|---|
| an op with its gradient | ``@op``, ``Array``, ``Arrays``, ``Fixed``, ``xp``; ``results`` for several, ``underived`` for none |
| a function that stands among those of ``dovetail`` | ``@public_function``: it takes `axis=`, `keepdims=`, `out=` |
| a faster kernel for an op | ``Kernel``, named in the manifest under ``[kernels.OP]``; ``on_num_threads`` where it has threads |
| a layer or a model | ``Module``, ``Parameter`` |
| an optimizer | ``Optimizer``, or ``MultiTensorOptimizer`` with ``@update`` |
| a dataset, a sampler | ``Dataset``, ``IterableDataset``, ``Sampler`` |
| a gradient of one's own for a Python function | ``Function`` |
| a tensor whose elements are not one array | ``OtherTensor``, with ``__torch_function__`` |
| behaviour | ``@hookimpl`` for the hooks of ``dovetail.hooks``, ``@hookspec`` for hooks that the plugin publishes |
| an error that reads like the house's | the classes of ``dovetail.errors``: ``ShapeError(where, what, expected, remedy)`` |

>>> from dovetail.extend import Array, op, xp
>>> @op(dtypes="float", name="example/softclip")
... def softclip(input: Array) -> Array:
...     return input / (1 + xp(input).abs(input))
>>> _ = softclip.vjp(lambda g, input: g / (1 + input.abs()) ** 2)
>>> import dovetail as dv
>>> softclip(dv.tensor([-1.0, 3.0]))
tensor([-0.5000,  0.7500])
"""

from __future__ import annotations

from .autograd import Function
from .data import Dataset, IterableDataset, Sampler
from .device import xp
from .hooks import HOOK_API, hookimpl, hookspec
from .nn import Module, Parameter
from .ops._guard import public_function
from .ops._op import Array, Arrays, Fixed, op
from .ops._override import OtherTensor
from .ops._refuse import underived
from .ops._results import results
from .ops.info import on_num_threads
from .ops.kernels import Kernel
from .optim import Optimizer
from .optim._multi import Bunch, MultiTensorOptimizer, update

__all__ = [
    "HOOK_API", "Array", "Arrays", "Bunch", "Dataset", "Fixed", "Function", "IterableDataset", "Kernel", "Module",
    "MultiTensorOptimizer", "Optimizer", "OtherTensor", "Parameter", "Sampler", "hookimpl", "hookspec", "on_num_threads", "op",
    "public_function", "results", "underived", "update", "xp",
]  # fmt: skip
