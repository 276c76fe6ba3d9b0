"""Module.to and its kin: one function applied to every parameter, gradient and buffer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from ..autograd.modes import no_grad
from ..autograd.node import Leaf, Tensor
from ..dtypes import from_numpy_dtype, to_numpy_dtype
from ..errors import DeviceError, TypeMismatch
from ..ops.create import empty_like
from ..tensor_attributes import _parse_to
from .parameter import is_lazy

__all__ = ["_Conversions"]


def _floating(name: str) -> Callable[[Any], Any]:
    def convert(self: Any) -> Any:
        return self._apply(lambda t: getattr(t, name)() if t.is_floating_point() else t)

    convert.__name__, convert.__doc__ = name, f"Convert floating parameters and buffers with ``Tensor.{name}``."
    return convert


class _Conversions:
    """The methods of Module that change the device or the type of its tensors."""

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Replace the data of every parameter and buffer, here and below, by what ``fn`` makes of it."""
        if recurse:
            for module in self.children():
                module._apply(fn)
        with no_grad():
            for p in self._parameters.values():
                if p is None:
                    continue
                grad = p.grad
                p.data = fn(p)
                if grad is not None and p._n.__class__ is Leaf:
                    grad.data = fn(grad)
            for name, b in self._buffers.items():
                if is_lazy(b):
                    b.data = fn(b)
                elif b is not None:
                    self._buffers[name] = fn(b)
        return self

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Convert in place: ``to(device)``, ``to(dtype)`` (floating ones only), ``to(tensor)``."""
        device, dtype, copying, layout = _parse_to(args, dict(kwargs))
        dtype = None if dtype is None else from_numpy_dtype(to_numpy_dtype(dtype))
        if dtype is not None and not (dtype.is_floating_point or dtype.is_complex):
            raise TypeMismatch("nn.Module.to", f"only accepts floating point or complex dtypes, but got desired dtype={dtype}")

        if copying:
            raise DeviceError("nn.Module.to", ".to() does not accept copy argument", "", "copy.deepcopy(module).to(…) keeps this one")

        def convert(t: Any) -> Any:
            floating = t.is_floating_point() or t.is_complex()
            t = t.to(device=device, dtype=dtype if floating else None)
            return t.contiguous(memory_format=layout) if layout is not None and t.ndim in (4, 5) else t

        return self._apply(convert)

    def to_empty(self, *, device: Any, recurse: bool = True) -> Self:
        """Move to a device without copying values."""
        return self._apply(lambda t: empty_like(t, device=device), recurse=recurse)

    def cpu(self) -> Self:
        """Bring it to the CPU."""
        return self._apply(lambda t: t.cpu())

    def cuda(self, device: Any = None) -> Self:
        """Bring it to a GPU."""
        return self._apply(lambda t: t.cuda(device))

    float, double, half, bfloat16 = map(_floating, ("float", "double", "half", "bfloat16"))

    def type(self, dst_type: Any) -> Self:
        """Convert every parameter and buffer to a type."""
        return self._apply(lambda t: t.type(dst_type))
