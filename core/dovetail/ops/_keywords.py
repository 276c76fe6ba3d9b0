"""What PyTorch takes beside a function's own parameters: `axis` and `keepdims`, `out=`, and the old order with numbers first.

An op takes the first two by itself; a function that is composed of ops is wrapped here, all of them in `ops/__init__`.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from types import FunctionType
from typing import Any

from ..autograd.node import CLASSES
from ..errors import TypeMismatch
from ._op import ALIASES
from ._out import into
from ._plan import parameter_names

__all__ = ["OUT", "alpha_first", "keyed", "once", "unkeyed"]

OUT = frozenset(
    """
    addbmm addmv addr aminmax argsort avg_pool2d avg_pool3d baddbmm bmm bucketize cat chain_matmul cholesky cholesky_ex cholesky_inverse
    cholesky_solve clamp clamp_max clamp_min clip column_stack complex concat concatenate cond conj_physical cross det diag diff dot dstack
    eig eigh eigvals eigvalsh fft fft2 fftn float_power geqrf ger heaviside hfft hfft2 hfftn histogram householder_product hstack ifft
    ifft2 ifftn igamma igammac ihfft ihfft2 ihfftn index_reduce inner inv inv_ex irfft irfft2 irfftn isin kron ldexp lerp lstsq lu
    lu_factor lu_factor_ex lu_solve lu_unpack masked_select matrix_norm matrix_power matrix_rank max median min mm msort multi_dot mv
    mvlgamma nan_to_num nanmean nanmedian nanquantile nextafter nonzero norm orgqr ormqr outer pinv polar polygamma qr quantile renorm rfft
    rfft2 rfftn row_stack searchsorted slice_scatter slogdet softplus solve solve_ex solve_triangular sort stack std svd svdvals
    take_along_dim tensordot tensorinv tensorsolve triangular_solve true_divide vander var vdot vecdot vector_norm vstack where
    """.split()
)
_NUMBERS: dict[str, tuple[str, ...]] = dict.fromkeys(("addmm", "addmv", "addr", "addbmm", "baddbmm"), ("beta", "alpha"))
_NUMBERS |= dict.fromkeys(("addcmul", "addcdiv"), ("value",))
_PLENTY = 1 << 30


def keyed(name: str, function: Any) -> Any:
    """The function with the keywords and orders that PyTorch's parser adds to it; itself where there are none to add."""
    if getattr(function, "keyed", None) is function:
        return function
    numbers = _NUMBERS.get(name.rstrip("_"), ())
    rename: dict[str, str] = {}
    out = False
    if not hasattr(function, "op"):
        own = parameter_names(inspect.unwrap(function)) if isinstance(function, FunctionType) else ()
        rename = {a: b for a, b in ALIASES.items() if b in own and a not in own and b != "input"}
        out = (name in OUT or name.endswith("_copy")) and "out" not in own
    if not (rename or out or numbers):
        return function
    most = 3 if numbers else _PLENTY

    def call(*args: Any, **kwargs: Any) -> Any:
        if len(args) > most:
            args, kwargs = _numbers_last(name, args, kwargs, numbers)
        if kwargs:
            if rename:
                kwargs = {rename.get(k, k): v for k, v in kwargs.items()}
            if out and "out" in kwargs:
                return into(function, args, kwargs)
            return function(*args, **kwargs)
        return function(*args)

    functools.update_wrapper(call, function)
    call.keyed = call  # type: ignore[attr-defined]
    return call


def unkeyed(function: Any) -> Any:
    """What `keyed` wrapped, whose code has the parameters."""
    return function.__wrapped__ if getattr(function, "keyed", None) is function else function


def _numbers_last(name: str, args: Any, kwargs: dict[str, Any], names: tuple[str, ...]) -> tuple[Any, dict[str, Any]]:
    """``addmm(beta, input, alpha, mat1, mat2)`` and ``input.addcmul_(value, tensor1, tensor2)`` in today's order."""
    tensors = tuple(x for x in args if x.__class__ in CLASSES)
    numbers = [x for x in args if x.__class__ not in CLASSES]
    if len(tensors) != 3 or len(numbers) > len(names) or args[-1].__class__ not in CLASSES:
        raise TypeMismatch(f"{name}()", f"takes 3 positional arguments but {len(args)} were given", "expected numbers by name")
    deprecated(name)
    return tensors, {**dict(zip(names, numbers, strict=False)), **kwargs}


def alpha_first(name: str, number: Any, last: tuple[Any, ...], alpha: Any) -> tuple[Any, Any]:
    """The other operand and alpha of ``add(input, alpha, other)``."""
    if len(last) != 1 or number.__class__ in CLASSES or alpha != 1:
        raise TypeMismatch(f"{name}()", f"takes 2 positional arguments but {2 + len(last)} were given", "expected alpha by name")
    deprecated(name)
    return last[0], number


def deprecated(name: str) -> None:
    """Warn that numbers go last."""
    once(f"This overload of {name} is deprecated: pass the number by name, after the tensors", 5)


@functools.cache
def once(text: str, level: int = 4) -> None:
    """Warn once a process, as PyTorch does."""
    warnings.warn(text, stacklevel=level)
