"""How modules are converted, as ``torch.__future__`` has it: parameters stay the same objects, whichever way is asked for."""

from __future__ import annotations

from dovetail.errors import UnsupportedError

__all__ = [
    "get_overwrite_module_params_on_conversion", "get_swap_module_params_on_conversion", "set_overwrite_module_params_on_conversion",
    "set_swap_module_params_on_conversion",
]  # fmt: skip

_SWAP = [False]


def get_swap_module_params_on_conversion() -> bool:
    """What `set_swap_module_params_on_conversion` was last given; False at first."""
    return _SWAP[-1]


def set_swap_module_params_on_conversion(value: bool) -> None:
    """Remember it: conversions and ``load_state_dict`` keep the parameters and give them new values, as swapping does.

    >>> set_swap_module_params_on_conversion(True); get_swap_module_params_on_conversion()
    True
    >>> set_swap_module_params_on_conversion(False)
    """
    _SWAP[:] = [value]


def get_overwrite_module_params_on_conversion() -> bool:
    """False: conversions keep the parameters."""
    return False


def set_overwrite_module_params_on_conversion(value: bool) -> None:
    """Nothing for False. Raises a NotImplementedError for True: conversions keep the parameters.

    >>> set_overwrite_module_params_on_conversion(False)
    """
    if value:
        what = "modules keep their parameters when they are converted"
        remedy = "assign new ones: module.weight = nn.Parameter(module.weight.detach().half())"
        raise UnsupportedError("set_overwrite_module_params_on_conversion", what, "expected False", remedy)
