"""The arguments of ``torch.onnx.export`` that ours does not have: taken where they change nothing, refused where they would."""

from __future__ import annotations

from typing import Any

from dovetail.errors import TypeMismatch, UnsupportedError, ValueRangeError

__all__ = ["refuse_options", "training_of"]

_ANY: Any = object()

#: Each with the values under which the model is the one that is written anyway.
_OPTIONS: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("verbose", "dynamo", "optimize", "fallback", "autograd_inlining"), (_ANY,)),
    "export_params": (True,),
    "keep_initializers_as_inputs": (False, None),
    "report": (False,),
    "profile": (False,),
    "dump_exported_program": (False,),
    "artifacts_dir": (_ANY,),
    "custom_translation_table": (None,),
    "custom_opsets": (None,),
    "export_modules_as_functions": (False,),
    "operator_export_type": (None,),
}


def refuse_options(given: dict[str, Any]) -> None:
    """Raise a TypeMismatch (TypeError) for an argument that nobody has, an UnsupportedError for one that would change the model."""
    for name, value in given.items():
        if name not in _OPTIONS:
            raise TypeMismatch("export()", f"got an unexpected keyword argument {name!r}", "", "help(dovetail.onnx.export) lists them")
        fine = _OPTIONS[name]
        if _ANY not in fine and not any(value is v for v in fine):
            raise UnsupportedError("export", f"{name} is {value!r}", f"expected {fine[0]!r}, as which the model is written")


def training_of(model: Any, training: Any) -> bool:
    """True or False, or a member of ``torch.onnx.TrainingMode``."""
    name = getattr(training, "name", None)
    if name in ("EVAL", "TRAINING", "PRESERVE"):
        return bool(getattr(model, "training", False)) if name == "PRESERVE" else bool(name == "TRAINING")
    if not isinstance(training, bool):
        raise ValueRangeError("export", f"training is {training!r}", "expected True or False, or a TrainingMode")
    return training
