"""GradScaler: multiply the loss so that float16 gradients do not vanish, and skip the steps in which they overflow."""

from __future__ import annotations

import warnings
from enum import Enum
from typing import Any

from ..autograd.modes import no_grad
from ..cuda import is_available as _cuda_is_available
from ..errors import AssertedError, DovetailError, ValueRangeError
from ..ops.compare import isfinite

__all__ = ["GradScaler", "OptState"]


class ScalerError(DovetailError, RuntimeError):
    """A step of the scaler in the wrong order."""


class OptState(Enum):
    """How far an optimizer is in this iteration."""

    READY, UNSCALED, STEPPED = 0, 1, 2


class GradScaler:
    """Scale the loss before ``backward``, unscale the gradients before the step, and adapt the scale.

    The scale falls by ``backoff_factor`` after a step with infinities or NaNs among its gradients, which is skipped, and rises by
    ``growth_factor`` after ``growth_interval`` steps without (Micikevicius et al., 2018). On a CPU with bfloat16 none is needed.

    >>> import dovetail as dv
    >>> w = dv.nn.Parameter(dv.ones(1))
    >>> optimizer, scaler = dv.optim.SGD([w], lr=0.5), GradScaler("cpu")
    >>> scaler.scale((w * 2).sum()).backward()
    >>> scaler.step(optimizer)
    >>> scaler.update()
    >>> w.item(), scaler.get_scale()
    (0.0, 65536.0)
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        self._device, self._enabled = device, enabled
        if enabled and device == "cuda" and not _cuda_is_available():
            warnings.warn("GradScaler is enabled, but CUDA is not available. Disabling.", stacklevel=2)
            self._enabled = False
        if self._enabled and not (growth_factor > 1.0 and backoff_factor < 1.0):
            what = f"growth_factor is {growth_factor} and backoff_factor {backoff_factor}"
            raise AssertedError("GradScaler", what, "expected one above and one below 1")
        self._scale, self._growth_factor, self._backoff_factor = float(init_scale), growth_factor, backoff_factor
        self._growth_interval, self._growth_tracker = growth_interval, 0
        self._per_optimizer: dict[int, dict[str, Any]] = {}
        self._scaled = False

    def _state(self, optimizer: Any) -> dict[str, Any]:
        return self._per_optimizer.setdefault(id(optimizer), {"stage": OptState.READY, "found_inf": None})

    def scale(self, outputs: Any) -> Any:
        """Multiply a tensor, or the tensors of an iterable, by the scale."""
        if not self._enabled:
            return outputs
        self._scaled = True
        if hasattr(outputs, "backward"):
            return outputs * self._scale
        if not hasattr(outputs, "__iter__"):
            raise ValueRangeError("GradScaler.scale", f"outputs is {type(outputs).__name__}", "expected a Tensor or an iterable of Tensors")
        return type(outputs)(map(self.scale, outputs)) if isinstance(outputs, list | tuple) else map(self.scale, outputs)

    def unscale_(self, optimizer: Any) -> None:
        """Divide the gradients of an optimizer by the scale, so that they can be clipped; once in an iteration, before ``step``."""
        if not self._enabled:
            return
        state = self._state(optimizer)
        if state["stage"] is OptState.UNSCALED:
            raise ScalerError("GradScaler.unscale_", "unscale_() has already been called on this optimizer since the last update()")
        if state["stage"] is OptState.STEPPED:
            raise ScalerError("GradScaler.unscale_", "unscale_() is being called after step()")
        if not self._scaled:
            raise AssertedError("GradScaler.unscale_", "nothing was scaled yet", "expected scaler.scale(loss).backward() before")
        well = True
        with no_grad():
            grads = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
            for g in grads:
                g.mul_(1.0 / self._scale)
                well = well and bool(isfinite(g).all())
        state.update(stage=OptState.UNSCALED, found_inf=not well if grads else None)

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """Unscale if that was not done, then step, unless there are infinities or NaNs among the gradients."""
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise ScalerError("GradScaler.step", "a closure is given", "expected none", "closures cannot be scaled")
        state = self._state(optimizer)
        if state["stage"] is OptState.STEPPED:
            raise ScalerError("GradScaler.step", "step() has already been called since the last update()")
        if state["stage"] is OptState.READY:
            self.unscale_(optimizer)
        if state["found_inf"] is None:
            raise AssertedError("GradScaler.step", "No inf checks were recorded for this optimizer", "expected gradients")
        result = None if state["found_inf"] else optimizer.step(*args, **kwargs)
        state["stage"] = OptState.STEPPED
        return result

    def update(self, new_scale: Any = None) -> None:
        """Adapt the scale after the steps of an iteration, or set it."""
        if not self._enabled:
            return
        if new_scale is not None:
            self._scale = float(new_scale)
        else:
            found = [state["found_inf"] for state in self._per_optimizer.values() if state["found_inf"] is not None]
            if not found:
                raise AssertedError("GradScaler.update", "No inf checks were recorded prior to update", "expected step() before")
            if any(found):
                self._scale, self._growth_tracker = self._scale * self._backoff_factor, 0
            else:
                self._growth_tracker += 1
                if self._growth_tracker == self._growth_interval:
                    self._scale, self._growth_tracker = self._scale * self._growth_factor, 0
        self._per_optimizer.clear()

    def get_scale(self) -> float:
        """The scale; 1 when switched off."""
        return self._scale if self._enabled else 1.0

    def is_enabled(self) -> bool:
        """Whether the scaler does anything."""
        return self._enabled

    def state_dict(self) -> dict[str, Any]:
        """What makes another scaler go on from here; empty when switched off."""
        names = ("growth_factor", "backoff_factor", "growth_interval")
        if not self._enabled:
            return {}
        return {"scale": self._scale, **{name: getattr(self, f"_{name}") for name in names}, "_growth_tracker": self._growth_tracker}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from another scaler's state. Raises a RuntimeError for an empty one."""
        if not self._enabled:
            return
        if not state_dict:
            raise ScalerError("GradScaler.load_state_dict", "the source state dict is empty, possibly because its scaler was switched off")
        self._scale, self._growth_tracker = state_dict["scale"], state_dict["_growth_tracker"]
        for name in ("growth_factor", "backoff_factor", "growth_interval"):
            setattr(self, f"_{name}", state_dict[name])


def _pair(name: str) -> tuple[Any, Any]:
    def get(self: GradScaler) -> Any:
        return getattr(self, f"_{name}")

    def change(self: GradScaler, value: Any) -> None:
        setattr(self, f"_{name}", value)

    get.__doc__, change.__doc__ = f"The {name.replace('_', ' ')}.", f"Set the {name.replace('_', ' ')}."
    get.__name__, change.__name__ = f"get_{name}", f"set_{name}"
    return get, change


for _name in ("growth_factor", "backoff_factor", "growth_interval"):
    for _method in _pair(_name):
        setattr(GradScaler, _method.__name__, _method)
