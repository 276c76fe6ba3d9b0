"""Parameters that are functions of other parameters, computed whenever they are read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ...autograd.modes import no_grad
from ...autograd.node import CLASSES, Tensor
from ...errors import AssertedError, ValueRangeError, say
from ..containers import ModuleDict, ModuleList
from ..module import Module
from ..parameter import Parameter

__all__ = [
    "ParametrizationList", "cached", "is_parametrized", "register_parametrization", "remove_parametrizations",
    "transfer_parametrizations_and_params", "type_before_parametrizations",
]  # fmt: skip

_CACHE: dict[tuple[int, str], Any] = {}
_caching = 0


@contextmanager
def cached() -> Iterator[None]:
    """Compute each parametrized tensor once within the block."""
    global _caching
    _caching += 1
    try:
        yield
    finally:
        _caching -= 1
        if not _caching:
            _CACHE.clear()


def _put(module: Module, name: str, value: Any) -> None:
    if isinstance(value, Parameter):
        module.register_parameter(name, value)
    else:
        module.register_buffer(name, value)


class ParametrizationList(ModuleList):
    """The parametrizations of one tensor, called in order on ``original`` (or ``original0``, ``original1`` …)."""

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        if not modules:
            raise ValueRangeError("ParametrizationList", "ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        start = self._back(original, NotImplementedError)
        self.is_tensor = start.__class__ in CLASSES
        if self.is_tensor:
            if start.shape != original.shape or start.dtype != original.dtype:
                held: Any = Parameter(start, original.requires_grad) if isinstance(original, Parameter) else start
            else:
                held = original
                if start is not original:
                    held.data = start.data
            _put(self, "original", held)
        else:
            self.ntensors = len(start)
            for i, t in enumerate(start):
                trained = isinstance(original, Parameter) and t.is_floating_point()
                _put(self, f"original{i}", Parameter(t.detach().clone(), original.requires_grad) if trained else t)
        if not unsafe:
            with no_grad():
                _check("ParametrizationList", self(), original)

    def _back(self, value: Any, *passed: type[Exception]) -> Any:
        """Through the right inverses, last first, as far as there are such."""
        with no_grad():
            for module in reversed(list(self)):
                if hasattr(module, "right_inverse"):
                    with contextlib.suppress(*passed):
                        value = module.right_inverse(value)
        return value

    def _originals(self) -> list[Any]:
        return [self.original] if self.is_tensor else [getattr(self, f"original{i}") for i in range(self.ntensors)]

    def right_inverse(self, value: Tensor) -> None:
        """Set the originals so that the result is this value, as the parametrizations' own right inverses say."""
        for module in self:
            if not hasattr(module, "right_inverse"):
                what = f"parametrization {type(module).__name__} does not implement right_inverse"
                raise RuntimeError(say("parametrize", what, "a parametrized tensor can be assigned to only with one"))
        new = self._back(value)
        with no_grad():
            for held, t in zip(self._originals(), [new] if self.is_tensor else new, strict=True):
                held.copy_(t)

    def forward(self) -> Tensor:
        first, *rest = list(self)
        x = first(*self._originals())
        for module in rest:
            x = module(x)
        return x


def _check(where: str, new: Any, old: Any) -> None:
    if new.__class__ not in CLASSES:
        raise ValueRangeError(where, f"A parametrization must return a tensor. Got {type(new).__name__}")
    for what in ("dtype", "shape"):
        a, b = getattr(new, what), getattr(old, what)
        if a != b:
            text = f"Registering a parametrization may not change the {what} of the tensor, unless `unsafe` flag is enabled"
            raise ValueRangeError(where, text, f"got {a} for {b}")


def register_parametrization(module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False) -> Module:
    """Make ``module.tensor_name`` the result of ``parametrization`` on what it was; a second one is applied to the first's result.

    The former tensor is ``module.parametrizations.tensor_name.original``. Raises a ValueError for a name that is no
    parameter or buffer, or (unless ``unsafe``) a change of shape or type.

    >>> import dovetail as dv
    >>> class Square(dv.nn.Module):
    ...     def forward(self, x):
    ...         return x * x
    >>> layer = register_parametrization(dv.nn.Linear(2, 2), "weight", Square())
    >>> bool((layer.weight >= 0).all()), layer.__class__.__name__
    (True, 'ParametrizedLinear')
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        held = module.parametrizations[tensor_name]
        if not unsafe:
            with no_grad():
                now = getattr(module, tensor_name)
                _check("register_parametrization", parametrization(now), now)
        held.append(parametrization)
        held.unsafe |= unsafe
    elif tensor_name in module._parameters or tensor_name in module._buffers:
        original: Any = getattr(module, tensor_name)
        made = ParametrizationList([parametrization], original, unsafe=unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            kind = type(module)
            module.__class__ = type(f"Parametrized{kind.__name__}", (kind,), {"__module__": kind.__module__, "_parametrized_from": kind})
            module.parametrizations = ModuleDict()
        setattr(type(module), tensor_name, _property(tensor_name))
        module.parametrizations[tensor_name] = made
    else:
        what = f"Module '{module}' does not have a parameter, a buffer, or a parametrized element with name '{tensor_name}'"
        raise ValueRangeError("register_parametrization", what)
    return module


def _property(name: str) -> property:
    def get(self: Any) -> Any:
        if (id(self), name) in _CACHE:
            return _CACHE[id(self), name]
        value = self.parametrizations[name]()
        if _caching:
            _CACHE[id(self), name] = value
        return value

    def put(self: Any, value: Tensor) -> None:
        self.parametrizations[name].right_inverse(value)

    return property(get, put)


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether a tensor of a module (or any) is parametrized."""
    held = module.__dict__.get("_modules", {}).get("parametrizations")
    if not isinstance(held, ModuleDict) or "_parametrized_from" not in type(module).__dict__:
        return False
    return bool(len(held)) if tensor_name is None else tensor_name in held


def remove_parametrizations(module: Module, tensor_name: str, leave_parametrized: bool = True) -> Module:
    """Make a tensor ordinary again, with its present value or (not ``leave_parametrized``) with the original one.

    Raises a ValueError where it is not parametrized, or the original is several tensors.
    """
    if not is_parametrized(module, tensor_name):
        raise ValueRangeError("remove_parametrizations", f"Module {module} does not have a parametrization on {tensor_name}")
    held = module.parametrizations[tensor_name]
    originals = held._originals()
    original = originals[0]
    if leave_parametrized:
        with no_grad():
            value = getattr(module, tensor_name).detach().clone()
        if held.is_tensor and value.shape == original.shape and value.dtype == original.dtype:
            original.data = value
        else:
            original = Parameter(value) if any(t.requires_grad for t in originals) else value
    elif not held.is_tensor:
        what = "a tensor that is parametrized in terms of a sequence of tensors."
        raise ValueRangeError("remove_parametrizations", f"Cannot leave unparametrized (`leave_parametrized=False`) {what}")
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    _put(module, tensor_name, original)
    if not len(module.parametrizations):
        del module.parametrizations
        module.__class__ = type(module)._parametrized_from
    return module


def type_before_parametrizations(module: Module) -> type:
    """The class that a module had before it was parametrized."""
    return type(module)._parametrized_from if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(from_module: Module, to_module: Module, tensor_name: str | None = None) -> Module:
    """Parametrize one module as another is, and give it the other's originals."""
    if not is_parametrized(from_module):
        raise AssertedError("transfer_parametrizations_and_params", "from_module is not parametrized")
    for name in from_module.parametrizations if tensor_name is None else [tensor_name]:
        source = from_module.parametrizations[name]
        if name not in to_module._parameters and name not in to_module._buffers:
            _put(to_module, name, Parameter(getattr(from_module, name).detach().clone()))
        for parametrization in source:
            register_parametrization(to_module, name, parametrization, unsafe=source.unsafe)
        for mine, theirs in zip(to_module.parametrizations[name]._originals(), source._originals(), strict=True):
            mine.data = theirs.detach().clone()
    return to_module
