"""Pruning in PyTorch's form, ``nn.utils.prune``: a parameter becomes ``NAME_orig`` times the buffer ``NAME_mask`` before each forward.

A method says by `compute_mask` what stays. A second method on the same parameter joins the first in a `PruningContainer`, and looks
only at what is still there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from numbers import Integral, Real
from typing import Any

import dovetail as dv
from dovetail.errors import AssertedError, RangeError, TypeMismatch, UnknownAttribute, ValueRangeError

__all__ = [
    "BasePruningMethod", "CustomFromMask", "Identity", "L1Unstructured", "LnStructured", "PruningContainer", "RandomStructured",
    "RandomUnstructured", "custom_from_mask", "global_unstructured", "identity", "is_pruned", "l1_unstructured", "ln_structured",
    "random_structured", "random_unstructured", "remove",
]  # fmt: skip


def _same_shape(scores: Any, t: Any, what: str) -> Any:
    if scores is None:
        return t
    if scores.shape != t.shape:
        raise AssertedError("prune", f"importance_scores should have the same shape as {what} (got {scores.shape} and {t.shape})")
    return scores


class BasePruningMethod(ABC):
    """Subclass it with ``PRUNING_TYPE`` ("unstructured", "structured" or "global") and ``compute_mask(t, default_mask)``.

    >>> import dovetail as dv
    >>> class EveryOther(BasePruningMethod):
    ...     PRUNING_TYPE = "unstructured"
    ...     def compute_mask(self, t, default_mask):
    ...         mask = default_mask.clone()
    ...         mask.view(-1)[::2] = 0
    ...         return mask
    >>> layer = dv.nn.Linear(2, 1, bias=False)
    >>> _ = EveryOther.apply(layer, "weight")
    >>> layer.weight_mask
    tensor([[0., 1.]])
    """

    PRUNING_TYPE: str
    _tensor_name: str | None = None

    def __call__(self, module: Any, inputs: Any) -> None:
        setattr(module, str(self._tensor_name), self.apply_mask(module))

    @abstractmethod
    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """The mask, 1 where `t` stays, given what stood before."""

    def apply_mask(self, module: Any) -> Any:
        """The parameter as it was, times the mask."""
        if self._tensor_name is None:
            raise AssertedError("apply_mask", f"Module {module} has to be pruned")
        orig = getattr(module, f"{self._tensor_name}_orig")
        return getattr(module, f"{self._tensor_name}_mask").to(dtype=orig.dtype) * orig

    @classmethod
    def apply(cls, module: Any, name: str, *args: Any, importance_scores: Any = None, **kwargs: Any) -> Any:
        """Prune a parameter of a module; returns the method, or the container that has it."""
        method = cls._joined(module, name, args, kwargs)
        orig = getattr(module, name)
        scores = _same_shape(importance_scores, orig, f"parameter {name} of {module}")
        first = not isinstance(method, PruningContainer)
        if first:
            module.register_parameter(f"{name}_orig", orig)
            del module._parameters[name]
            default = dv.ones_like(orig)
        else:
            default = getattr(module, f"{name}_mask").detach().clone()
        try:
            module.register_buffer(f"{name}_mask", method.compute_mask(scores, default_mask=default))
            setattr(module, name, method.apply_mask(module))
            module.register_forward_pre_hook(method)
        except Exception:
            if first:
                module.register_parameter(name, getattr(module, f"{name}_orig"))
                del module._parameters[f"{name}_orig"]
            raise
        return method

    @classmethod
    def _joined(cls, module: Any, name: str, args: Any, kwargs: Any) -> Any:
        """The new method, alone or with those that the parameter has already, whose hook goes."""
        there = _hooks(module, name)
        if len(there) > 1:
            what = f"Avoid adding multiple pruning hooks to the same tensor {name} of module {module}"
            raise AssertedError("prune", what, "", "use a PruningContainer")
        for key, _ in there:
            del module._forward_pre_hooks[key]
        method = cls(*args, **kwargs)
        method._tensor_name = name
        if not there:
            return method
        before = there[0][1]
        container = before if isinstance(before, PruningContainer) else PruningContainer(before)
        container.add_pruning_method(method)
        return container

    def prune(self, t: Any, default_mask: Any = None, importance_scores: Any = None) -> Any:
        """The tensor times the mask that its scores (or itself) give; nothing is registered."""
        scores = _same_shape(importance_scores, t, "tensor t")
        return t * self.compute_mask(scores, default_mask=dv.ones_like(t) if default_mask is None else default_mask)

    def remove(self, module: Any) -> None:
        """Make the pruning permanent: the parameter has its name again, with zeros."""
        if self._tensor_name is None:
            raise AssertedError("remove", f"Module {module} has to be pruned before pruning can be removed")
        name, weight = self._tensor_name, self.apply_mask(module)
        if hasattr(module, name):
            delattr(module, name)
        orig = module._parameters.pop(f"{name}_orig")
        orig.data = weight.data
        del module._buffers[f"{name}_mask"]
        setattr(module, name, orig)


def _hooks(module: Any, name: str | None = None) -> list[tuple[int, BasePruningMethod]]:
    """The pruning methods among a module's hooks, of one parameter or of all."""
    hooks = module._forward_pre_hooks.items()
    return [(key, hook) for key, hook in hooks if isinstance(hook, BasePruningMethod) and name in (None, hook._tensor_name)]


class PruningContainer(BasePruningMethod):
    """Several methods on one parameter, applied one after the other."""

    def __init__(self, *args: Any) -> None:
        self._pruning_methods: tuple[Any, ...] = ()
        if len(args) == 1:
            self._tensor_name = args[0]._tensor_name
        for method in args:
            self.add_pruning_method(method)

    def add_pruning_method(self, method: Any) -> None:
        """Add a method on the same parameter. Raises a TypeError or ValueError for another thing."""
        if not isinstance(method, BasePruningMethod) and method is not None:
            raise TypeMismatch("add_pruning_method", f"{type(method)} is not a BasePruningMethod subclass")
        if method is not None and self._tensor_name != method._tensor_name:
            what = f"Can only add pruning methods acting on the parameter named '{self._tensor_name}' to PruningContainer {self}"
            raise ValueRangeError("add_pruning_method", what, f"found '{method._tensor_name}'")
        self._pruning_methods += (method,)

    def __len__(self) -> int:
        return len(self._pruning_methods)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._pruning_methods)

    def __getitem__(self, idx: Any) -> Any:
        return self._pruning_methods[idx]

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """The mask after the newest method, which sees only what the mask so far has left."""
        method = self._pruning_methods[-1]
        mask = default_mask.to(dtype=t.dtype)
        part = _left(method, t, default_mask)
        mask[part] = method.compute_mask(t[part], default_mask=default_mask[part]).to(dtype=mask.dtype)
        return mask


def _left(method: Any, t: Any, mask: Any) -> Any:
    """The index of what a method sees: single elements, whole channels, or everything."""
    if method.PRUNING_TYPE == "unstructured":
        return mask == 1
    index: list[Any] = [slice(None)] * t.dim()
    if method.PRUNING_TYPE == "structured":
        if not hasattr(method, "dim"):
            what = 'Pruning methods of PRUNING_TYPE "structured" need to have the attribute `dim` defined'
            raise UnknownAttribute("prune", what)
        dim = method.dim + t.dim() if method.dim < 0 else method.dim
        if dim < 0:
            raise RangeError("prune", f"Index is out of bounds for tensor with dimensions {t.dim()}")
        index[dim] = mask.sum(dim=[d for d in range(t.dim()) if d != dim]) != 0
    elif method.PRUNING_TYPE != "global":
        raise ValueRangeError("prune", f"Unrecognized PRUNING_TYPE {method.PRUNING_TYPE}")
    return tuple(index)


class Identity(BasePruningMethod):
    """Prunes nothing, but gives the parameter its mask."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        return default_mask


class _Amount(BasePruningMethod):
    """The methods that are told how much to prune: a share of the elements or channels, or their number."""

    def __init__(self, amount: Any) -> None:
        if not isinstance(amount, Real):
            raise TypeMismatch("prune", f"Invalid type for amount: {amount}", "Must be int or float")
        whole = isinstance(amount, Integral)
        if (whole and amount < 0) or (not whole and not 0.0 <= float(amount) <= 1.0):
            raise ValueRangeError("prune", f"amount={amount} should either be a float in the range [0, 1] or a non-negative integer")
        self.amount = amount

    def count(self, size: int) -> int:
        """How many of so many go."""
        if not isinstance(self.amount, Integral):
            return round(self.amount * size)  # type: ignore[no-any-return]
        if self.amount > size:
            raise ValueRangeError("prune", f"amount={self.amount} should be smaller than the number of parameters to prune={size}")
        return int(self.amount)

    def smallest(self, t: Any, scores: Callable[[], Any], default_mask: Any) -> Any:
        """The mask without the elements of the smallest scores."""
        mask, some = default_mask.clone(), self.count(t.nelement())
        if some:
            mask.view(-1)[dv.topk(scores().view(-1), k=some, largest=False).indices] = 0
        return mask


class RandomUnstructured(_Amount):
    """Prunes single elements at random."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        mask, some = default_mask.clone(), self.count(t.nelement())
        if some:
            mask.view(-1)[dv.topk(dv.rand_like(t).view(-1), k=some).indices] = 0
        return mask


class L1Unstructured(_Amount):
    """Prunes the elements of the smallest absolute values."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        return self.smallest(t, lambda: dv.abs(t), default_mask)


class _Channels(_Amount):
    """The methods that prune whole channels along a dimension."""

    PRUNING_TYPE = "structured"
    dim: int

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        if t.dim() <= 1:
            what = f"Structured pruning can only be applied to multidimensional tensors. Found tensor of shape {t.shape}"
            raise ValueRangeError("prune", f"{what} with {t.dim()} dims")
        if self.dim >= t.dim():
            raise RangeError("prune", f"Invalid index {self.dim} for tensor of size {t.shape}")
        size = t.shape[self.dim]
        some = self.count(size)
        kept = self.kept(t, size, some)
        if some == 0:
            return default_mask
        mask = dv.zeros_like(t)
        index: list[Any] = [slice(None)] * t.dim()
        index[self.dim] = kept
        mask[tuple(index)] = 1
        return mask * default_mask.to(dtype=mask.dtype)

    def kept(self, t: Any, size: int, some: int) -> Any:
        """Which channels stay."""
        raise NotImplementedError


class RandomStructured(_Channels):
    """Prunes whole channels at random."""

    def __init__(self, amount: Any, dim: int = -1) -> None:
        super().__init__(amount)
        self.dim = dim

    def kept(self, t: Any, size: int, some: int) -> Any:
        if some == 0:
            return None
        draws = dv.rand(size)
        return draws > dv.kthvalue(draws, k=some).values


class LnStructured(_Channels):
    """Prunes the channels of the smallest n-norm."""

    def __init__(self, amount: Any, n: Any, dim: int = -1) -> None:
        super().__init__(amount)
        self.n, self.dim = n, dim

    def kept(self, t: Any, size: int, some: int) -> Any:
        others = [d for d in range(t.dim()) if d != self.dim % t.dim()]
        return dv.topk(dv.norm(t, p=self.n, dim=others), k=size - some, largest=True).indices


class CustomFromMask(BasePruningMethod):
    """Prunes by a given mask."""

    PRUNING_TYPE = "global"

    def __init__(self, mask: Any) -> None:
        self.mask = mask

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        if default_mask.shape != self.mask.shape:
            raise AssertedError("prune", f"default_mask shape {default_mask.shape} must match self.mask shape {self.mask.shape}")
        return default_mask * self.mask.to(dtype=default_mask.dtype)


def identity(module: Any, name: str) -> Any:
    """Give a parameter a mask of ones."""
    Identity.apply(module, name)
    return module


def random_unstructured(module: Any, name: str, amount: Any) -> Any:
    """Prune a number (int) or a share (float) of a parameter's elements, drawn at random."""
    RandomUnstructured.apply(module, name, amount=amount)
    return module


def l1_unstructured(module: Any, name: str, amount: Any, importance_scores: Any = None) -> Any:
    """Prune the elements of the smallest absolute values (or scores).

    >>> import dovetail as dv
    >>> layer = l1_unstructured(dv.nn.Linear(4, 2), "weight", amount=0.25)
    >>> int((layer.weight == 0).sum()), sorted(layer.state_dict())
    (2, ['bias', 'weight_mask', 'weight_orig'])
    """
    L1Unstructured.apply(module, name, amount=amount, importance_scores=importance_scores)
    return module


def random_structured(module: Any, name: str, amount: Any, dim: int) -> Any:
    """Prune whole channels along a dimension, drawn at random."""
    RandomStructured.apply(module, name, amount=amount, dim=dim)
    return module


def ln_structured(module: Any, name: str, amount: Any, n: Any, dim: int, importance_scores: Any = None) -> Any:
    """Prune the channels along a dimension that have the smallest n-norm."""
    LnStructured.apply(module, name, amount=amount, n=n, dim=dim, importance_scores=importance_scores)
    return module


def custom_from_mask(module: Any, name: str, mask: Any) -> Any:
    """Prune by a mask."""
    CustomFromMask.apply(module, name, mask=mask)
    return module


def global_unstructured(parameters: Any, pruning_method: Any, importance_scores: Any = None, **kwargs: Any) -> None:
    """Prune several parameters, (module, name) pairs, as if they were one vector."""
    if not isinstance(parameters, Iterable):
        raise TypeMismatch("global_unstructured()", "parameters is not an Iterable")
    scores = {} if importance_scores is None else importance_scores
    if not isinstance(scores, dict):
        raise TypeMismatch("global_unstructured()", "importance_scores must be of type dict")
    pairs = list(parameters)
    vector = dv.nn.utils.parameters_to_vector
    values = vector([scores.get((m, name), getattr(m, name)) for m, name in pairs])
    masks = vector([getattr(m, f"{name}_mask", dv.ones_like(getattr(m, name))) for m, name in pairs])
    method = pruning_method(**kwargs)
    if method.PRUNING_TYPE != "unstructured":
        what = f'Only "unstructured" PRUNING_TYPE supported for the `pruning_method`. Found method {pruning_method}'
        raise TypeMismatch("global_unstructured()", f"{what} of type {method.PRUNING_TYPE}")
    method._tensor_name = "temp"
    final, at = PruningContainer(method).compute_mask(values, masks), 0
    for module, name in pairs:
        param = getattr(module, name)
        custom_from_mask(module, name, mask=final[at : at + param.numel()].view_as(param))
        at += param.numel()


def remove(module: Any, name: str) -> Any:
    """Make a parameter's pruning permanent. Raises a ValueError for one that is not pruned."""
    for key, hook in _hooks(module, name):
        hook.remove(module)
        del module._forward_pre_hooks[key]
        return module
    raise ValueRangeError("remove", f"Parameter '{name}' of module {module} has to be pruned before pruning can be removed")


def is_pruned(module: Any) -> bool:
    """Whether a module, or one in it, has a pruned parameter."""
    return any(_hooks(below) for below in module.modules())
