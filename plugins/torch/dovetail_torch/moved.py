"""Modules of PyTorch's packages that lie elsewhere here: their names, from one or several modules of the counterpart."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

__all__ = ["above_others", "beside", "counterpart"]

_V2 = ("transforms.v2", "transforms.v2.functional", "transforms.v2._utils")
_KINDS = ("transforms.v2.functional", "tv_tensors", "transforms.v2._utils", "transforms._helpers", "transforms._functional_tensor")
#: Module below ``torchvision`` → modules below ``dovetail_vision`` that have its names; a leading dot: below ``dovetail``.
_MOVED = {
    "_internally_replaced_utils": (".hub",),
    "ops.ciou_loss": ("ops",),
    "ops.diou_loss": ("ops",),
    "ops.giou_loss": ("ops",),
    **{f"transforms.v2._{name}": _V2 for name in "augment auto_augment color container deprecated geometry meta misc".split()},
    **{f"transforms.v2._{name}": _V2 for name in "temporal transform type_conversion".split()},
    **{
        f"transforms.v2.functional._{name}": _KINDS
        for name in "augment color deprecated geometry meta misc temporal type_conversion utils".split()
    },
    **{f"tv_tensors._{name}": ("tv_tensors",) for name in "bounding_boxes image keypoints mask tv_tensor video".split()},
    "tv_tensors._dataset_wrapper": ("datasets",),
}
#: Module below ``torch`` → modules that have its names, ``module:name`` a module inside one. What begins with ``_`` is internal to PyTorch.
_INNER = {
    "_C": ("dovetail_torch.faces.internals",),
    "__future__": ("dovetail_torch.faces.future",),
    "_VF": ("dovetail",),
    "__config__": ("dovetail_torch.faces.configuration",),
    "_dynamo": ("dovetail_torch.faces.dynamo",),
    "_dynamo.config": ("dovetail_torch.faces.dynamo:config",),
    "_dynamo.eval_frame": ("dovetail_torch.faces.dynamo",),
    "_functorch": ("dovetail_torch.faces.dynamo:functorch",),
    "_functorch.config": ("dovetail_torch.faces.dynamo:functorch_config",),
    "_inductor": ("dovetail_torch.faces.dynamo:inductor",),
    "_inductor.config": ("dovetail_torch.faces.dynamo:inductor_config",),
    "_jit_internal": ("dovetail_torch.faces.jit_internal", "dovetail.jit"),
    "_lowrank": ("dovetail",),
    "_subclasses": ("dovetail_torch.faces.fake_tensor",),
    "_subclasses.fake_tensor": ("dovetail_torch.faces.fake_tensor",),
    "_tensor_str": ("dovetail_torch.faces.tensor_str",),
    "_utils": ("dovetail_torch.faces.flat",),
    "_vmap_internals": ("dovetail_torch.faces.vmap_internals",),
    "autograd.anomaly_mode": ("dovetail.autograd",),
    "autograd.functional": ("dovetail.autograd.functional", "dovetail_torch.faces.optimizer_parts"),
    "autograd.grad_mode": ("dovetail.autograd", "dovetail"),
    "cuda.amp.autocast_mode": ("dovetail.cuda.amp", "dovetail.amp.autocast_mode"),
    "cuda.amp.grad_scaler": ("dovetail.cuda.amp", "dovetail.amp.grad_scaler"),
    "functional": ("dovetail", "dovetail_torch.faces.internals"),
    "fx": ("dovetail_torch.faces.fx",),
    **{f"fx.{name}": ("dovetail_torch.faces.fx",) for name in "experimental graph graph_module interpreter node proxy".split()},
    "fx.experimental.proxy_tensor": ("dovetail_torch.faces.fx",),
    "hub": ("dovetail.hub", "dovetail_torch.faces.hub_parts"),
    "jit.annotations": ("dovetail_torch.faces.jit_internal", "typing"),
    "nn._reduction": ("dovetail_torch.faces._reduction",),
    "nn.parallel.scatter_gather": ("dovetail_torch.faces.parallel",),
    "ops": ("dovetail_torch.faces.ops_by_name",),
    "optim.lbfgs": ("dovetail.optim.lbfgs", "dovetail_torch.faces.optimizer_parts"),
    "optim.optimizer": ("dovetail.optim.optimizer", "dovetail_torch.faces.optimizer_parts"),
    "testing._internal": ("dovetail_torch.faces.test_cases",),
    "testing._internal.common_utils": ("dovetail_torch.faces.test_cases",),
    "utils._foreach_utils": ("dovetail_torch.faces.foreach",),
    "utils.checkpoint": ("dovetail.utils.checkpoint", "dovetail_torch.faces.device_states"),
    "utils.data.dataloader": ("dovetail.utils.data.dataloader", "dovetail_torch.faces.loader_iterators"),
    "utils.model_zoo": ("dovetail.utils.model_zoo", "tqdm"),  # programs take its progress bar from there
    "utils.tensorboard.writer": ("dovetail.utils.tensorboard",),
}


class _Gathered(ModuleType):
    """The names of several modules, the first that has one."""

    def __init__(self, name: str, homes: list[ModuleType]) -> None:
        super().__init__(name, homes[0].__doc__)
        self.__dict__.update(_homes=homes, __file__=homes[0].__file__)

    def __getattr__(self, name: str) -> Any:
        for home in self.__dict__["_homes"] if not name.startswith("__") else ():
            if hasattr(home, name):
                return getattr(home, name)
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")

    def __dir__(self) -> list[str]:
        return sorted({name for home in self.__dict__["_homes"] for name in dir(home)})


def counterpart(home: str, rest: str) -> ModuleType:
    """The module of ``home`` that answers for what is called ``rest`` in PyTorch's package; a ModuleNotFoundError where there is none.

    >>> counterpart("dovetail_vision", "transforms.v2._container").Compose.__name__
    'Compose'
    """
    if home == "dovetail" and rest in _INNER:
        found = [_named(name) for name in _INNER[rest]]
        return found[0] if len(found) == 1 else _Gathered(f"{home}.{rest}", found)
    if home.endswith(".functorch") and rest == "experimental":
        return _named(f"{home}:{rest}")
    if home != "dovetail_vision" or rest not in _MOVED:
        return importlib.import_module(f"{home}.{rest}" if rest else home)
    homes = [importlib.import_module(f"dovetail{name}" if name.startswith(".") else f"{home}.{name}") for name in _MOVED[rest]]
    return _Gathered(f"{home}.{rest}", homes)


def _named(name: str) -> ModuleType:
    module, _, inside = name.partition(":")
    found = importlib.import_module(module)
    return getattr(found, inside) if inside else found


def above_others(rest: str) -> bool:
    """Whether a module below ``torch`` has others below it, as only a package may."""
    return any(name.startswith(f"{rest}.") for name in _INNER)


def beside(name: str) -> Any:
    """What ``torch.NAME`` is where ``dovetail.NAME`` is not there: a module that lies elsewhere, or an internal function.

    Raises an AttributeError where it is neither.

    >>> beside("_assert")(True, "never seen")
    """
    if name in _INNER:
        return counterpart("dovetail", name)
    if not name.startswith("_"):
        raise AttributeError(f"module 'torch' has no attribute {name!r}")
    return getattr(counterpart("dovetail", "_C"), name)
