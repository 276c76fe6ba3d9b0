"""Random tensors: for one seed, PyTorch's numbers on the CPU (on a GPU, CuPy's), and the seeds themselves."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from ..autograd.node import Tensor, wrap
from ..device import module_for, to_device
from ..dtypes import int64, to_numpy_dtype
from ..errors import TypeMismatch
from ..generator import Generator, current, default_generator
from ._layout import like
from ._prepare import told
from ._random import Draw, bounds, deliver, demand_floating, fill, made, normals, plain, shape_of, tensor_argument, unpack_seed, whole

__all__ = [
    "get_rng_state", "initial_seed", "manual_seed", "rand", "rand_like", "randint", "randint_like", "randn", "randn_like", "randperm",
    "seed", "set_rng_state",
]  # fmt: skip
METHODS = ()


def manual_seed(seed: Any) -> Generator:
    """Restart the random numbers of every device at a seed, and return the CPU's generator.

    Raises a ValueError for a seed that does not fit into 64 bits.

    >>> import dovetail as dv
    >>> dv.manual_seed(0).initial_seed(), dv.rand(2)
    (0, tensor([0.4963, 0.7682]))
    """
    default_generator.manual_seed(unpack_seed(seed))
    _seed_gpu()
    return default_generator


def _seed_gpu() -> None:
    gpu = sys.modules.get(f"{__package__}._random_gpu")  # streams not yet made take the seed when they are
    if gpu is not None:
        gpu.seed(default_generator.initial_seed())


def seed() -> int:
    """Restart the random numbers at a seed from the operating system, and return it.

    >>> import dovetail as dv
    >>> dv.seed() == dv.initial_seed()
    True
    """
    default_generator.seed()
    _seed_gpu()
    return default_generator.initial_seed()


def initial_seed() -> int:
    """The seed with which the random numbers began.

    >>> import dovetail as dv
    >>> _ = dv.manual_seed(7); dv.initial_seed()
    7
    """
    return current().initial_seed()


def get_rng_state() -> Tensor:
    """The CPU generator's state: a uint8 tensor of 5056 bytes, interchangeable with PyTorch's.

    >>> import dovetail as dv
    >>> dv.get_rng_state().shape
    dovetail.Size([5056])
    """
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Continue the CPU's random numbers from a state. Raises a RuntimeError or TypeError for what is none.

    >>> import dovetail as dv
    >>> state = dv.get_rng_state(); first = dv.rand(1)
    >>> dv.set_rng_state(state); bool(dv.rand(1) == first)
    True
    """
    default_generator.set_state(new_state)


def _get_state(self: Generator) -> Tensor:
    """The state as a uint8 tensor of 5056 bytes."""
    return wrap(self._get_state_array())


def _set_state(self: Generator, new_state: Tensor) -> Generator:
    """Continue from what ``get_state`` returned, and return the generator."""
    if not isinstance(new_state, Tensor):
        raise TypeMismatch("set_state", f"expected a uint8 tensor, but got {type(new_state).__name__}")
    if new_state._a.dtype != np.uint8:
        raise TypeMismatch("set_state", f"RNG state must be a uint8 tensor, not {new_state.dtype}")
    self._set_state_array(new_state._a)
    return self


Generator.get_state, Generator.set_state = _get_state, _set_state


def rand(
    *size: Any, generator: Any = None, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, pin_memory: bool = False, **more: Any,
) -> Tensor:  # fmt: skip
    """Uniform numbers of [0, 1): ``rand(2, 3)`` or ``rand((2, 3))``.

    Raises a RuntimeError for an integer dtype or a negative length.

    >>> import dovetail as dv
    >>> _ = dv.manual_seed(0); dv.rand(3)
    tensor([0.4963, 0.7682, 0.0885])
    """
    return made("rand", plain("uniform"), shape_of("rand", size, **more), generator, out, dtype, device, requires_grad)


def randn(
    *size: Any, generator: Any = None, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, pin_memory: bool = False, **more: Any,
) -> Tensor:  # fmt: skip
    """Normal numbers of mean 0 and variance 1: ``randn(2, 3)`` or ``randn((2, 3))``.

    Raises a RuntimeError for an integer dtype or a negative length.

    >>> import dovetail as dv
    >>> _ = dv.manual_seed(0); dv.randn(3)
    tensor([ 1.5410, -0.2934, -2.1788])
    """
    return made("randn", normals(), shape_of("randn", size, **more), generator, out, dtype, device, requires_grad)


def randint(
    *args: Any, generator: Any = None, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, pin_memory: bool = False, **more: Any,
) -> Tensor:  # fmt: skip
    """Integers of [low, high), uniform: ``randint(high, size)`` or ``randint(low, high, size)``; int64 by default.

    Raises a RuntimeError where low >= high or the type cannot hold the bounds.

    >>> import dovetail as dv
    >>> _ = dv.manual_seed(0); dv.randint(0, 10, (4,))
    tensor([4, 9, 3, 0])
    """
    values = list(args)
    size = more.pop("size") if "size" in more else values.pop() if values else None
    high = more.pop("high") if "high" in more else values.pop() if values else None
    low = more.pop("low") if "low" in more else values.pop() if values else 0
    if values or more or size is None or high is None:
        remedy = "randint(high, size) or randint(low, high, size)"
        raise TypeMismatch("randint()", "received an invalid combination of arguments", "", remedy)
    if not isinstance(size, tuple | list):
        raise TypeMismatch("randint()", f"argument 'size' must be tuple of ints, not {type(size).__name__}")
    draw = plain("random_", *bounds("randint", low, high))
    return made("randint", draw, shape_of("randint", (size,)), generator, out, dtype, device, requires_grad, int64)


def _permuted(streams: Any, gen: Any, shape: tuple[int, ...], kind: Any, order: Any) -> Any:
    return streams.randperm(gen, shape[0], kind)


def randperm(
    n: int, *, generator: Any = None, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """A random permutation of 0 … n - 1, int64 by default.

    Raises a RuntimeError for a negative n, or one that the type cannot count to.

    >>> import dovetail as dv
    >>> _ = dv.manual_seed(0); dv.randperm(6)
    tensor([2, 5, 3, 0, 1, 4])
    """
    (count,) = shape_of("randperm", (whole("randperm", "n", n),))
    return made("randperm", _permuted, (count,), generator, out, dtype, device, requires_grad, int64)


def _like(
    where: str, input: Any, draw: Draw, dtype: Any, device: Any, requires_grad: bool, generator: Any, integers: bool = False
) -> Tensor:
    """What is drawn, in a tensor laid out as another one."""
    a = tensor_argument(where, "input", input)
    kind = a.dtype if dtype is None else to_numpy_dtype(dtype)
    if not integers:
        demand_floating(where, kind, complex_too=True)
    t = deliver(like(a, kind) if device is None else module_for(to_device(device)).empty(a.shape, kind))
    fill(where, t, generator, draw)
    if generator is None and device is None:
        told("drawn", t, lambda x: fill(where, wrap(like(x, kind)), None, draw)._a, input)
    return deliver(t._a, None, True) if requires_grad else t


def rand_like(
    input: Tensor, *, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False,
    memory_format: Any = None, generator: Any = None, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """Uniform numbers of [0, 1) in the shape, type and layout of another tensor.

    >>> import dovetail as dv
    >>> _ = dv.manual_seed(0); dv.rand_like(dv.zeros(3))
    tensor([0.4963, 0.7682, 0.0885])
    """
    return _like("rand_like", input, plain("uniform"), dtype, device, requires_grad, generator)


def randn_like(
    input: Tensor, *, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False,
    memory_format: Any = None, generator: Any = None, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """Normal numbers of mean 0 and variance 1 in the shape, type and layout of another tensor.

    >>> import dovetail as dv
    >>> _ = dv.manual_seed(0); dv.randn_like(dv.zeros(3))
    tensor([ 1.5410, -0.2934, -2.1788])
    """
    return _like("randn_like", input, normals(), dtype, device, requires_grad, generator)


def randint_like(
    input: Tensor, *args: Any, low: Any = None, high: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, memory_format: Any = None, generator: Any = None, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """Integers of [low, high) in the shape, type and layout of another tensor: ``randint_like(input, high)`` or ``(input, low, high)``.

    >>> import dovetail as dv
    >>> _ = dv.manual_seed(0); dv.randint_like(dv.zeros(3), 10)
    tensor([4., 9., 3.])
    """
    values = list(args)
    high = values.pop() if high is None and values else high
    low = values.pop() if low is None and values else 0 if low is None else low
    if values or high is None:
        raise TypeMismatch("randint_like()", "received an invalid combination of arguments", "", "randint_like(input, low, high)")
    draw = plain("random_", *bounds("randint_like", low, high))
    return _like("randint_like", input, draw, dtype, device, requires_grad, generator, integers=True)
