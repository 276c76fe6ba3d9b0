"""Parameters that are functions of other parameters, computed whenever they are read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

from ...autograd.modes import no_grad
from ...autograd.node import CLASSES, Tensor
from ...errors import GradError, ValueRangeError, say
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
        shape, dtype = original.shape, original.dtype
        start = self._back(original, NotImplementedError)
        self.is_tensor = start.__class__ in CLASSES
        if self.is_tensor:
            if start.dtype != dtype or start.device != original.device:
                what = "When `right_inverse` outputs one tensor, it may not change the dtype or the device"
                raise ValueRangeError("ParametrizationList", what, f"got {start.dtype} on {start.device} for {dtype} on {original.device}")
            original.data = start.data  # the same tensor, which an optimizer may hold already
            _put(self, "original", original)
        else:
            self._need_tensors(start)
            self.ntensors = len(start)
            for i, t in enumerate(start):
                held = Parameter(t.detach(), original.requires_grad) if isinstance(original, Parameter) else t
                _put(self, f"original{i}", held.requires_grad_(original.requires_grad))
        if not unsafe:
            with no_grad():
                new = self()
            _check("ParametrizationList", new, dtype, shape)

    @staticmethod
    def _need_tensors(value: Any) -> None:
        """A ValueError for what is neither a tensor nor a sequence of tensors."""
        what = "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...)."
        if not isinstance(value, Sequence):
            raise ValueRangeError("ParametrizationList", f"{what} Got {type(value).__name__}")
        for i, t in enumerate(value):
            if t.__class__ not in CLASSES:
                raise ValueRangeError("ParametrizationList", f"{what} Got element {i} of the sequence with type {type(t).__name__}.")

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
        held = self._originals()
        if self.is_tensor and new.__class__ not in CLASSES:
            raise ValueRangeError("parametrize", f"`right_inverse` should return a tensor. Got {type(new).__name__}")
        if not self.is_tensor:
            self._need_tensors(new)
            if len(new) != len(held):
                what = f"'right_inverse' must return a sequence of tensors of length {len(held)}"
                raise ValueRangeError("parametrize", f"{what}. Got a sequence of length {len(new)}.")
        for old, t in zip(held, [new] if self.is_tensor else new, strict=True):
            if t.dtype != old.dtype:
                what = f"The tensor returned by `right_inverse` has dtype {t.dtype} while `original` has dtype {old.dtype}"
                raise ValueRangeError("parametrize", what)
            old.data = t.data

    def forward(self) -> Tensor:
        first, *rest = list(self)
        x = first(*self._originals())
        for module in rest:
            x = module(x)
        return x


def _check(where: str, new: Any, dtype: Any, shape: Any) -> None:
    if new.__class__ not in CLASSES:
        raise ValueRangeError(where, f"A parametrization must return a tensor. Got {type(new).__name__}")
    for what, a, b in (("dtype", new.dtype, dtype), ("shape", new.shape, shape)):
        if a != b:
            text = f"Registering a parametrization may not change the {what} of the tensor, unless `unsafe` flag is enabled"
            raise ValueRangeError(where, text, f"got {a} for {b}")


def _check_next(name: str, parametrization: Module, now: Tensor) -> None:
    """What is to come after other parametrizations keeps type and shape, there and back."""
    where = "register_parametrization"
    new = parametrization(now)
    _check(where, new, now.dtype, now.shape)
    if not hasattr(parametrization, "right_inverse"):
        return
    with contextlib.suppress(NotImplementedError):
        back = parametrization.right_inverse(new)
        if back.__class__ not in CLASSES:
            raise ValueRangeError(where, f"parametrization.right_inverse must return a tensor. Got: {type(back).__name__}")
        if (back.dtype, back.shape) != (now.dtype, now.shape):
            text = f"The tensor returned by parametrization.right_inverse must have the same dtype and shape as module.{name}"
            raise ValueRangeError(where, f"{text}, unless the `unsafe` flag is enabled", f"got {back.dtype} {tuple(back.shape)}")


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
                _check_next(tensor_name, parametrization, getattr(module, tensor_name))
        held.append(parametrization)
        held.unsafe |= unsafe
    elif tensor_name in module._parameters or tensor_name in module._buffers:
        original: Any = getattr(module, tensor_name)
        made = ParametrizationList([parametrization], original, unsafe=unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            module.__class__ = _class_for(type(module))
            module.parametrizations = ModuleDict()
        setattr(type(module), tensor_name, _property(tensor_name))
        module.parametrizations[tensor_name] = made
    else:
        what = f"Module '{module}' does not have a parameter, a buffer, or a parametrized element with name '{tensor_name}'"
        raise ValueRangeError("register_parametrization", what)
    return module


def _class_for(kind: type) -> type:
    """A class of one module's own, for its properties: it is copied, but saved through its state dict alone."""

    def getstate(self: Any) -> Any:
        raise GradError("Serialization of parametrized modules is only supported through state_dict(): save module.state_dict()")

    def copied(self: Any, memo: dict[int, Any]) -> Any:
        made = memo[id(self)] = self.__new__(type(self))
        made.__dict__.update(deepcopy(self.__dict__, memo))
        return made

    inside: dict[str, Any] = {"__module__": kind.__module__, "_parametrized_from": kind, "__getstate__": getstate}
    return type(f"Parametrized{kind.__name__}", (kind,), inside | ({} if hasattr(kind, "__deepcopy__") else {"__deepcopy__": copied}))


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
        if held.is_tensor and value.dtype == original.dtype:
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
    """Parametrize one module as another is: with the same parametrizations and the same originals, which are one for both.

    Where ``from_module`` is not parametrized, nothing happens.
    """
    names: Any = [] if not is_parametrized(from_module) else from_module.parametrizations if tensor_name is None else [tensor_name]
    for name in names:
        source = from_module.parametrizations[name]
        if not hasattr(to_module, name):
            setattr(to_module, name, Parameter(getattr(from_module, name)))
        for parametrization in source:
            register_parametrization(to_module, name, parametrization)
        target = to_module.parametrizations[name]
        for key in ["original"] if source.is_tensor else [f"original{i}" for i in range(source.ntensors)]:
            setattr(target, key, getattr(source, key))
    return to_module
