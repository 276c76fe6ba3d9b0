"""Optimizer: parameter groups, state, hooks and state dicts; what every algorithm and every user's own one share."""

from __future__ import annotations

import functools
import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from itertools import chain
from typing import Any, TypeAlias

import numpy

from ..autograd.engine import late
from ..autograd.modes import enable_grad, no_grad
from ..autograd.node import CLASSES, Handle, Leaf, Tensor, changed, wrap
from ..device import device_of, move
from ..dtypes import float64, from_numpy_dtype, get_default_dtype
from ..errors import TypeMismatch, UnsupportedError, ValueRangeError

__all__ = [
    "OneByOne", "Optimizer", "ParamsT", "number", "register_optimizer_step_post_hook", "register_optimizer_step_pre_hook", "required",
]  # fmt: skip

ParamsT: TypeAlias = Iterable[Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, Tensor]]


class _Required:
    """Marks a default that every group must give."""

    def __repr__(self) -> str:
        return "<required parameter>"


required = _Required()
_BEFORE: OrderedDict[int, Any] = OrderedDict()  # hooks of all optimizers
_AFTER: OrderedDict[int, Any] = OrderedDict()
_HOOKS = ("step_pre", "step_post", "state_dict_pre", "state_dict_post", "load_state_dict_pre", "load_state_dict_post")


def register_optimizer_step_pre_hook(hook: Callable[..., Any]) -> Handle:
    """Call ``hook(optimizer, args, kwargs)`` before every step of every optimizer."""
    return _register(_BEFORE, hook)


def register_optimizer_step_post_hook(hook: Callable[..., Any]) -> Handle:
    """Call ``hook(optimizer, args, kwargs)`` after every step of every optimizer."""
    return _register(_AFTER, hook)


def _register(table: OrderedDict[int, Any], hook: Callable[..., Any], prepend: bool = False) -> Handle:
    handle = Handle(table)
    table[handle.id] = hook
    if prepend:
        table.move_to_end(handle.id, last=False)
    return handle


def number(value: Any) -> Any:
    """A setting as a Python number: a one-element tensor gives its value."""
    return value._a.item() if value.__class__ in CLASSES else value


def counter_type() -> Any:
    """The NumPy type of a step counter: float64 where that is the default type, else float32."""
    return float64.np if get_default_dtype() is float64 else numpy.dtype(numpy.float32)


def check(condition: bool, where: Any, what: str, expected: str = "") -> None:
    """Raise a ValueRangeError (a ValueError) unless the condition holds; where: a name, or the object whose class has it."""
    if not condition:
        raise ValueRangeError(where if isinstance(where, str) else type(where).__name__, what, expected)


_LABELS = {"lr": "learning rate", "eps": "epsilon value"}


def checked(optimizer: Any, arguments: dict[str, Any], *names: str) -> dict[str, Any]:
    """An optimizer's defaults: ``locals()`` at the start of its constructor, without what is no setting.

    The settings of these names are checked, in their order: betas lie in [0, 1), others are not negative. As PyTorch's,
    they stand in the constructor's order, but for a few that come last.
    """
    defaults = {name: value for name, value in arguments.items() if name not in ("self", "params", "__class__")}
    lr = defaults["lr"]
    check(lr.__class__ not in CLASSES or lr._a.size == 1, optimizer, "Tensor lr must be 1-element")
    for name in names:
        value = defaults[name]
        if name == "betas":
            value[1]  # an IndexError where there are not two
            for i, beta in enumerate(map(number, value)):
                check(0.0 <= beta < 1.0, optimizer, f"Invalid beta parameter at index {i}: {beta}", "expected 0 <= beta < 1")
        else:
            what = f"Invalid {_LABELS.get(name, f'{name} value')}: {number(value)}"
            check(number(value) >= 0.0, optimizer, what, f"expected {name} >= 0")
    last = optimizer._last.split()
    ordered = [name for name in defaults if name not in last] + [name for name in last if name in defaults]
    return {name: defaults[name] for name in ordered}


def _hooked(step: Callable[..., Any]) -> Callable[..., Any]:
    """Let the hooks run around a class's step."""

    @functools.wraps(step)
    def inside(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        self._opt_called = True  # learning rate schedulers look at it
        before, after = self._optimizer_step_pre_hooks, self._optimizer_step_post_hooks
        try:
            if not (before or after or _BEFORE or _AFTER):
                return step(self, *args, **kwargs)
            return between(self, before, after, args, kwargs)
        except MemoryError as error:
            raise late.exhausted(f"{type(self).__name__}.step", error) from None

    def between(self: Optimizer, before: Any, after: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        args = (self, *args)
        for hook in chain(list(_BEFORE.values()), list(before.values())):
            new = hook(self, args, kwargs)
            if new is not None:
                if not (isinstance(new, tuple) and len(new) == 2):
                    what = f"{hook} must return None or a tuple of (new_args, new_kwargs), but got {new}"
                    raise UnsupportedError("step", what)
                args, kwargs = new
        out = step(*args, **kwargs)
        for hook in chain(list(after.values()), list(_AFTER.values())):
            hook(self, args, kwargs)
        return out

    inside.hooked = True
    return inside


class Optimizer:
    """The base of all optimizers: ``Optimizer(params, defaults)``; a subclass writes ``step``.

    params: tensors, (name, tensor) pairs, or dicts with ``"params"`` and settings of their own; defaults: the settings
    of groups that do not say. ``self.state[p]`` is a dict for each parameter. Raises a TypeError or ValueError for
    parameters that are none, are not leaves, or appear twice.

    >>> import dovetail as dv
    >>> class Plain(dv.optim.Optimizer):
    ...     def step(self, closure=None):
    ...         for group in self.param_groups:
    ...             for p in group["params"]:
    ...                 p.data.sub_(p.grad * group["lr"])
    >>> w = dv.nn.Parameter(dv.ones(1)); (w * 2).sum().backward()
    >>> Plain([w], {"lr": 0.25}).step(); w.item()
    0.5
    """

    state: defaultdict[Any, Any]
    param_groups: list[dict[str, Any]]
    defaults: dict[str, Any]
    _optimizer_step_pre_hooks: OrderedDict[int, Any] = OrderedDict()  # of a subclass that does not call __init__
    _optimizer_step_post_hooks: OrderedDict[int, Any] = OrderedDict()
    _step_supports_amp_scaling = False
    _opt_called = False
    _last = ""  # the settings that stand last in a group, where PyTorch's order is not that of the constructor

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        step = cls.__dict__.get("step")
        if step is not None and not hasattr(step, "hooked"):
            cls.step = _hooked(step)

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            what = "params argument given to the optimizer should be an iterable of Tensors or dicts, but got a Tensor"
            raise TypeMismatch(type(self).__name__, what, "", "put it into a list")
        self.__setstate__({"defaults": defaults, "state": defaultdict(dict), "param_groups": []})
        groups = list(params)
        check(len(groups) > 0, self, "optimizer got an empty parameter list", "layers in a plain list are not seen: use nn.ModuleList")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def _patch_step_function(self) -> None:
        """Nothing: a class's step has its hooks. Optimizers around another one call it in place of ``super().__init__``."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._layouts: dict[int, Any] = {}  # how the parameters are laid out for multi-tensor updates
        for name in _HOOKS:
            self.__dict__.setdefault(f"_optimizer_{name}_hooks", OrderedDict())

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}" if i == 0 else f"\nParameter Group {i}")
            lines += [f"    {key}: {group[key]}" for key in sorted(group) if key != "params"]
        return "\n".join(lines) + "\n)"

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters once; ``closure`` evaluates the loss anew and its value is returned."""
        raise UnsupportedError(f"{type(self).__name__}.step", "not implemented", "", "a subclass of Optimizer writes it")

    def _evaluate(self, closure: Callable[[], Any] | None) -> Any:
        if closure is None:
            return None
        with enable_grad():
            return closure()

    def _every(self) -> Iterator[Any]:
        """The parameters of all groups."""
        return chain.from_iterable(group["params"] for group in self.param_groups)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients, or set them to zero.

        >>> import dovetail as dv
        >>> w = dv.nn.Parameter(dv.ones(1)); w.sum().backward()
        >>> dv.optim.SGD([w]).zero_grad(); w.grad is None
        True
        """
        for p in self._every():
            n = p._n
            g = n.grad if n.__class__ is Leaf else p.grad
            if g is None:
                continue
            if set_to_none:
                p.grad = None
            else:
                g.detach_()
                g.zero_()

    # --- groups ---------------------------------------------------------------------------------------------------

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with settings of their own: ``{"params": ..., "lr": 0.1}``.

        Raises a TypeError for what is no dict, tensor or list, a ValueError for a parameter that another group has.

        >>> import dovetail as dv
        >>> a, b = dv.nn.Parameter(dv.ones(1)), dv.nn.Parameter(dv.ones(1))
        >>> sgd = dv.optim.SGD([a], lr=0.1); sgd.add_param_group({"params": b, "lr": 0.5})
        >>> [group["lr"] for group in sgd.param_groups]
        [0.1, 0.5]
        """
        where = "add_param_group"
        if not isinstance(param_group, dict):
            raise TypeMismatch(where, f"param_group must be a dict, but got {type(param_group)}")
        given = param_group["params"]
        if isinstance(given, set):
            what = "optimizer parameters need to be organized in ordered collections, but the ordering of tensors in sets will change"
            raise TypeMismatch(where, what, "", "use a list instead")
        pairs = [p if isinstance(p, tuple) else (None, p) for p in ([given] if isinstance(given, Tensor) else given)]
        params, names = [p for _, p in pairs], [name for name, _ in pairs if name is not None]
        param_group["params"] = params
        if names:
            check(len(names) == len(params), self, "all optimizer params should be with/without names. Some param names are missing")
            param_group["param_names"] = names
        for p in params:
            if not isinstance(p, Tensor):
                what = f"optimizer can only optimize Tensors, but one of the params is {type(p).__module__}.{type(p).__name__}"
                raise TypeMismatch(where, what)
            check(p._n is None or p._n.__class__ is Leaf, self, "can't optimize a non-leaf Tensor")
        for name, default in self.defaults.items():
            what = f"parameter group didn't specify a value of required optimization parameter {name}"
            check(default is not required or name in param_group, self, what)
            param_group.setdefault(name, default)
        self._check_unique(param_group)
        self.param_groups.append(param_group)

    def _check_unique(self, new: dict[str, Any]) -> None:
        params = new["params"]
        if len(params) != len({id(p) for p in params}):
            warnings.warn("optimizer contains a parameter group with duplicate parameters; each is updated once per mention", stacklevel=4)
        named = "param_names" in new
        what = "all optimizer param groups should be with/without names. cannot add param group"
        same = all(named == ("param_names" in group) for group in self.param_groups)
        check(same, self, f"{what} {'with' if named else 'without'} names to the optimizer")
        known = {id(p) for p in self._every()}
        check(known.isdisjoint(map(id, params)), self, "some parameters appear in more than one parameter group")

    # --- state dicts ----------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """The state and the groups, parameters replaced by their numbers: ``{"state": {0: {...}}, "param_groups": [...]}``.

        The tensors in it are the optimizer's own, not copies. The layout is PyTorch's.

        >>> import dovetail as dv
        >>> dv.optim.SGD([dv.nn.Parameter(dv.ones(1))], lr=0.5).state_dict()["param_groups"][0]["params"]
        [0]
        """
        for hook in list(self._optimizer_state_dict_pre_hooks.values()):
            hook(self)
        numbers: dict[int, int] = {}
        for i, p in enumerate(self._every()):
            numbers.setdefault(id(p), i)
        groups = [
            {k: v for k, v in group.items() if k != "params"} | {"params": [numbers[id(p)] for p in group["params"]]}
            for group in self.param_groups
        ]
        state = {(numbers[id(k)] if isinstance(k, Tensor) else k): v for k, v in self.state.items()}
        out: dict[str, Any] = {"state": state, "param_groups": groups}
        for hook in list(self._optimizer_state_dict_post_hooks.values()):
            new = hook(self, out)
            out = out if new is None else new
        return out

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what ``state_dict`` returned, cast to the parameters' types and devices (``step`` keeps its own).

        Raises a ValueError where the groups differ in number or size.
        """
        state_dict = state_dict.copy()
        for hook in list(self._optimizer_load_state_dict_pre_hooks.values()):
            new = hook(self, state_dict)
            state_dict = state_dict if new is None else new
        groups, saved = self.param_groups, deepcopy(state_dict["param_groups"])
        what = f"loaded state dict has a different number of parameter groups (loaded {len(saved)}, here {len(groups)})"
        check(len(groups) == len(saved), self, what)
        lengths = [(len(s["params"]), len(g["params"])) for s, g in zip(saved, groups, strict=True)]
        what = "loaded state dict contains a parameter group that doesn't match the size of optimizer's group"
        check(all(a == b for a, b in lengths), self, f"{what} (loaded and here: {lengths})")
        by_number = dict(zip(chain.from_iterable(g["params"] for g in saved), self._every(), strict=True))
        state: defaultdict[Any, Any] = defaultdict(dict)
        for key, value in state_dict["state"].items():
            p = by_number.get(key)
            state[key if p is None else p] = value if p is None else _cast(p, value)
        for group, new in zip(groups, saved, strict=True):
            new["params"] = group["params"]
            if "param_names" in group:
                new.setdefault("param_names", group["param_names"])
        self.__setstate__({"state": state, "param_groups": saved})
        for hook in list(self._optimizer_load_state_dict_post_hooks.values()):
            hook(self)

    # --- hooks ----------------------------------------------------------------------------------------------------

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> Handle:
        """Call ``hook(optimizer, args, kwargs)`` before each step; it may return new ``(args, kwargs)``."""
        return _register(self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> Handle:
        """Call ``hook(optimizer, args, kwargs)`` after each step."""
        return _register(self._optimizer_step_post_hooks, hook)

    def register_state_dict_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> Handle:
        """Call ``hook(optimizer)`` before a state dict is made."""
        return _register(self._optimizer_state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(self, hook: Callable[..., Any], prepend: bool = False) -> Handle:
        """Call ``hook(optimizer, state_dict)`` when one was made; what it returns is given out instead."""
        return _register(self._optimizer_state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> Handle:
        """Call ``hook(optimizer, state_dict)`` before one is loaded; what it returns is loaded instead."""
        return _register(self._optimizer_load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any], prepend: bool = False) -> Handle:
        """Call ``hook(optimizer)`` when a state dict was loaded."""
        return _register(self._optimizer_load_state_dict_post_hooks, hook, prepend)


class OneByOne(Optimizer):
    """An optimizer that updates one real tensor after the other: a subclass writes ``_update`` with ops on tensors."""

    def _update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        raise NotImplementedError

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient; ``closure`` evaluates the loss anew and its value is returned."""
        loss = self._evaluate(closure)
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                if p.is_complex():
                    name = type(self).__name__
                    raise UnsupportedError(name, f"{name} does not support complex parameters")
                with no_grad():
                    self._update(p, p.grad, self.state[p], group)
                changed(p._v, "optimizer.step")
        return loss


def _cast(p: Tensor, value: Any, key: Any = None) -> Any:
    """A loaded value in its parameter's type and on its device; the step counter stays as it is."""
    if value.__class__ in CLASSES:
        if key == "step":
            return value
        a = move(value._a, device_of(p._a))
        if from_numpy_dtype(p._a.dtype).is_floating_point and a.dtype != p._a.dtype:
            a = a.astype(p._a.dtype)
        return value if a is value._a else wrap(a)
    if isinstance(value, dict):
        return {k: _cast(p, v, k) for k, v in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str | bytes | Tensor):
        return type(value)(_cast(p, v) for v in value)  # type: ignore[call-arg]
    return value
