"""gradcheck: gradients against finite differences, in float64; `dovetail.testing.differences` does the work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..errors import GradError
from .node import Tensor

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]


class GradcheckError(GradError):
    """A gradient that does not agree with finite differences."""


def gradcheck(
    func: Callable[..., Any], inputs: Any, *, eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-3, raise_exception: bool = True,
    nondet_tol: float = 0.0, check_undefined_grad: bool = True, check_grad_dtypes: bool = False, check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False, check_forward_ad: bool = False, check_backward_ad: bool = True, fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:  # fmt: skip
    """Compare a function's gradients with central differences ``(f(x+ε) - f(x-ε)) / 2ε`` at float64 or complex128 inputs.

    Every element of every input that requires a gradient is moved (forward derivatives are made of backward ones). Returns True,
    or raises a GradcheckError that names the input, the output and the two Jacobians (False with ``raise_exception=False``).

    >>> import dovetail as dv
    >>> x = dv.tensor([0.5, 1.5], dtype=dv.float64, requires_grad=True)
    >>> dv.autograd.gradcheck(lambda x: x * x, (x,))
    True
    """
    from ..testing.differences import compare

    return compare(func, inputs, eps, atol, rtol, nondet_tol, raise_exception)


def gradgradcheck(
    func: Callable[..., Any], inputs: Any, grad_outputs: Sequence[Tensor] | None = None, *, eps: float = 1e-6, atol: float = 1e-5,
    rtol: float = 1e-3, gen_non_contig_grad_outputs: bool = False, raise_exception: bool = True, nondet_tol: float = 0.0,
    check_undefined_grad: bool = True, check_grad_dtypes: bool = False, check_batched_grad: bool = False, check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True, fast_mode: bool = False, masked: bool = False,
) -> bool:  # fmt: skip
    """Compare the gradients of a function's gradients with central differences; arguments as :func:`gradcheck`.

    >>> import dovetail as dv
    >>> x = dv.tensor([0.5, 1.5], dtype=dv.float64, requires_grad=True)
    >>> dv.autograd.gradgradcheck(lambda x: x * x * x, (x,))
    True
    """
    from ..testing.differences import compare_twice

    return compare_twice(func, inputs, grad_outputs, eps, atol, rtol, nondet_tol, raise_exception)
