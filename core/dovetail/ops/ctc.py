"""Connectionist temporal classification: the loss of a label sequence over all its alignments."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd.modes import GRAD, STATE
from ..autograd.node import wrap
from ..errors import DtypeError, GradError, ShapeError
from ._arrays import scatter_add
from ._op import Array, Fixed, op, xp
from ._refuse import listing
from .loss import reduced, reduction_of

__all__ = ["ctc_loss"]
FUNCTIONAL = ("ctc_loss",)

_NEVER = -np.inf


def _extended(m: Any, targets: Any, blank: int) -> tuple[Any, Any]:
    """(labels with blanks around each, (N, 2S + 1); whether a state may be reached from two before it)."""
    n, s = targets.shape
    labels = m.full((n, 2 * s + 1), blank, np.int64)
    labels[:, 1::2] = targets
    skip = m.zeros(labels.shape, np.bool_)
    skip[:, 3::2] = labels[:, 3::2] != labels[:, 1:-2:2]
    return labels, skip


def _add(m: Any, a: Any, b: Any, c: Any) -> Any:
    """``log(eᵃ + eᵇ + eᶜ)``, -inf for nothing at all."""
    top = m.maximum(m.maximum(a, b), c)
    base = m.where(top == _NEVER, 0, top)
    return m.log(m.exp(a - base) + m.exp(b - base) + m.exp(c - base)) + base


def _reached(m: Any, a: Any, skip: Any) -> Any:
    """The log-sum over the states from which each may be reached: itself, the one before, and two before where `skip` allows."""
    one, two = m.full(a.shape, _NEVER, a.dtype), m.full(a.shape, _NEVER, a.dtype)
    one[:, 1:] = a[:, :-1]
    two[:, 2:] = m.where(skip, a[:, :-2], _NEVER)
    return _add(m, a, one, two)


def _picked(m: Any, logp: Any, labels: Any) -> Any:
    """The log-probability of each state's label at each time, (T, N, 2S + 1)."""
    return m.take_along_axis(logp, m.broadcast_to(labels, (logp.shape[0], *labels.shape)), axis=2)


def _forward_table(m: Any, picked: Any, skip: Any, input_lengths: Any, target_lengths: Any) -> Any:
    """alpha[t, n, s]: the log-probability of all beginnings that end in state s at time t."""
    alpha = m.full(picked.shape, _NEVER, picked.dtype)
    alpha[0, :, 0] = picked[0, :, 0]
    alpha[0, :, 1:2] = m.where((target_lengths > 0)[:, None], picked[0, :, 1:2], _NEVER)
    for t in range(1, len(alpha)):
        new = _reached(m, alpha[t - 1], skip[:, 2:]) + picked[t]
        alpha[t] = m.where((input_lengths > t)[:, None], new, alpha[t - 1])
    return alpha


def _backward_table(m: Any, picked: Any, skip: Any, input_lengths: Any, target_lengths: Any) -> Any:
    """beta[t, n, s]: the log-probability of all endings after state s at time t, without that of time t itself."""
    beta = m.full(picked.shape, _NEVER, picked.dtype)
    states, last = m.arange(picked.shape[2]), 2 * target_lengths[:, None]
    final = m.where((states == last) | ((states == last - 1) & (last > 0)), 0, _NEVER)
    for t in range(len(beta) - 1, -1, -1):
        if t + 1 < len(beta):  # what comes before, read backwards, comes after
            beta[t] = _reached(m, (beta[t + 1] + picked[t + 1])[:, ::-1], skip[:, :1:-1])[:, ::-1]
        beta[t] = m.where((input_lengths == t + 1)[:, None], final, beta[t])
    return beta


def _ends(m: Any, table: Any, target_lengths: Any) -> Any:
    """The log-sum of the two states in which an alignment may end, (N,)."""
    rows, last = m.arange(len(target_lengths)), 2 * target_lengths
    a = table[rows, last]
    b = m.where(target_lengths > 0, table[rows, m.maximum(last - 1, 0)], _NEVER)
    return _add(m, a, b, m.full(a.shape, _NEVER, a.dtype))


@op(saves=("alpha",), dtypes="floating", autocast="float32", name="ctc")
def _ctc(log_probs: Array, targets: Fixed, input_lengths: Fixed, target_lengths: Fixed, blank: int, zero_infinity: bool) -> Array:
    """The negative log-probability of each padded label sequence (N, S) under log-probabilities (T, N, C)."""
    m = xp(log_probs)
    labels, skip = _extended(m, targets, blank)
    alpha = _forward_table(m, _picked(m, log_probs, labels), skip, input_lengths, target_lengths)
    loss = -_ends(m, alpha[-1], target_lengths)
    loss = m.where(input_lengths == 0, m.where(target_lengths == 0, 0, np.inf), loss).astype(log_probs.dtype, copy=False)
    return (m.where(loss == np.inf, 0, loss).astype(loss.dtype) if zero_infinity else loss), alpha


@_ctc.vjp
def _(g: Any, log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: Any, zero_infinity: Any, alpha: Any) -> Any:
    if STATE.word & GRAD:
        raise GradError("ctc_loss", "the derivative for ctc_loss's gradient is not implemented", "", "differentiate it only once")
    return ctc_grad(g, log_probs, targets, input_lengths, target_lengths, blank, zero_infinity, alpha)


@op
def ctc_grad(
    grad: Array, log_probs: Array, targets: Fixed, input_lengths: Fixed, target_lengths: Fixed, blank: int, zero_infinity: bool,
    alpha: Array,
) -> Array:  # fmt: skip
    """The gradient of CTC by the log-probabilities: ``(exp(log_probs) - share of the paths) · grad``.

    As PyTorch's it is the gradient on the simplex, that is by the logits of the log-softmax before.
    """
    m = xp(log_probs)
    labels, skip = _extended(m, targets, blank)
    rest = _backward_table(m, _picked(m, log_probs, labels), skip, input_lengths, target_lengths)
    total = _ends(m, alpha[-1], target_lengths)
    lost = total == _NEVER
    share = m.exp(alpha + rest - m.where(lost, 0, total)[:, None])
    out = m.exp(log_probs)
    scatter_add(out, (m.arange(len(out))[:, None, None], m.arange(len(labels))[:, None], labels), -share)
    out *= grad[:, None]
    out = m.where(lost[:, None], out.dtype.type(0 if zero_infinity else np.nan), out)
    return m.where((m.arange(len(out))[:, None] < input_lengths)[..., None], out, out.dtype.type(0))


def ctc_loss(
    log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: int = 0, reduction: str = "mean",
    zero_infinity: bool = False,
) -> Any:  # fmt: skip
    """The negative log-probability of label sequences under log-probabilities (T, N, C) or (T, C) (Graves et al., 2006).

    `targets` are (N, S) padded, or all sequences one after the other; lengths are tensors or tuples. Reduction "mean" divides each
    loss by its target's length first. `zero_infinity` makes impossible targets count nothing. The gradient assumes, as PyTorch's,
    that `log_probs` come from log_softmax. Raises a RuntimeError for lengths or a blank out of range.

    >>> import dovetail as dv
    >>> uniform = dv.zeros(2, 1, 2).log_softmax(2)
    >>> dv.nn.functional.ctc_loss(uniform, dv.tensor([[1]]), (2,), (1,))
    tensor(0.2877)
    """
    reduction = reduction_of("ctc_loss", None, None, reduction)
    single = log_probs._a.ndim == 2
    if single:
        log_probs = log_probs.unsqueeze(1)
    x = log_probs._a
    m = xp(x)
    lengths, sizes = (_lengths(m, v, n) for v, n in ((input_lengths, "input_lengths"), (target_lengths, "target_lengths")))
    labels = _check(m, x, targets, lengths, sizes, blank)
    pairs = ((input_lengths, lengths), (target_lengths, sizes))
    steps, longs = (v.to(log_probs.device).long().reshape(-1) if hasattr(v, "_a") else wrap(m.asarray(n)) for v, n in pairs)
    loss = _ctc(log_probs, labels, steps, longs, blank, zero_infinity)
    if reduction == "mean":
        loss = loss / longs.clamp(min=1).to(log_probs.dtype)
    return loss.squeeze(0) if single and reduction == "none" else reduced(loss, reduction)


def _lengths(m: Any, given: Any, name: str) -> Any:
    """Lengths as a NumPy array on the host: they decide shapes."""
    a = getattr(given, "_a", given)
    if hasattr(a, "dtype") and a.dtype.kind not in "iu":
        raise DtypeError("ctc_loss", f"{name} must be integral (got {a.dtype})")
    host = m.asnumpy(a) if hasattr(a, "get") else a
    return np.asarray(host, np.int64).reshape(-1)


def _check(m: Any, x: Any, targets: Any, lengths: Any, sizes: Any, blank: int) -> Any:
    """Check the arguments and return the targets padded: (N, longest), or (N, S) as they were given."""
    where, (steps, batch, classes) = "ctc_loss", x.shape
    if not x.size:
        raise ShapeError(where, f"log_probs tensor must not be empty (got {listing(x.shape)})")
    for name, v in (("input_lengths", lengths), ("target_lengths", sizes)):
        if len(v) != batch:
            raise ShapeError(where, f"{name} must be of size batch_size (got {len(v)} for a batch of {batch})")
        if len(v) and v.min() < 0:
            raise ShapeError(where, f"Expected {name} to have value at least 0, but got value {v.min()}")
    if not 0 <= blank < classes:
        raise ShapeError(where, f"blank must be in label range (blank={blank}, {classes} classes)")
    if lengths.max(initial=0) > steps:
        raise ShapeError(where, f"Expected input_lengths to have value at most {steps}, but got value {lengths.max()}")
    longest = int(sizes.max(initial=0))
    given = targets._a.shape
    if len(given) == 1:
        if given[0] < sizes.sum():
            raise ShapeError(where, f"Expected tensor to have size {sizes.sum()} at dimension 0, but got size {given[0]} (targets)")
        starts = np.cumsum(sizes) - sizes
        at = np.minimum(starts[:, None] + np.arange(longest), max(given[0] - 1, 0))
        return targets[wrap(m.asarray(at))].long() if given[0] else wrap(m.zeros((batch, 0), np.int64))
    if len(given) != 2 or given[0] != batch or given[1] < longest:
        text = f"Expected tensor to have size at least {longest} at dimension 1, but got size {listing(given)} for argument #2"
        raise ShapeError(where, f"{text} 'targets'")
    return targets.long().clamp(0, classes - 1)
