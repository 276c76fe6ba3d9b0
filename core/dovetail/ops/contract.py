"""Sums of products over named dimensions: einsum and tensordot, and the smaller products beside them."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..autograd.node import CLASSES, Tensor, wrap
from ..errors import DtypeError, ShapeError, ValueRangeError
from ._dims import dim_of
from ._einsum import FRESH, parse, sizes
from ._op import Array, Arrays, op, xp
from ._refuse import no_bools, type_name
from .arithmetic import held, mul, sub
from .linalg import matmul
from .norms import vector_norm
from .reduce import _over, sum
from .views import reshape

__all__ = ["bilinear", "cdist", "cross", "einsum", "tensordot", "trace"]
FUNCTIONAL = ("bilinear",)


def _pair(a: Any, la: str, b: Any, lb: str, keep: set[str]) -> tuple[Any, str]:
    """Contract two arrays over the labels that nobody needs any more, by one matrix product."""
    both = [x for x in la if x in lb]
    batch = [x for x in both if x in keep]
    gone = [x for x in both if x not in keep]
    rows, cols = [x for x in la if x not in lb], [x for x in lb if x not in la]
    size = dict(zip(la, a.shape, strict=True)) | dict(zip(lb, b.shape, strict=True))
    lead, n, k, p = ([size[x] for x in names] for names in (batch, rows, gone, cols))
    a = a.transpose([la.index(x) for x in batch + rows + gone])
    b = b.transpose([lb.index(x) for x in batch + gone + cols])
    found = "".join(batch + rows + cols)
    if not gone:
        return a.reshape(lead + n + [1] * len(p)) * b.reshape(lead + [1] * len(n) + p), found
    no_bools("bmm", a)
    if a.dtype != b.dtype:  # the sums of an integer operand are int64
        what = f"expected scalar type {type_name(a.dtype)} but found {type_name(b.dtype)}"
        raise DtypeError("einsum()", what, "", "convert the operands to int64 first")
    return product(a.reshape([*lead, prod(n), prod(k)]), b.reshape([*lead, prod(k), prod(p)])).reshape(lead + n + p), found


def product(a: Any, b: Any) -> Any:
    """The product of matrices, or of stacks of them, as arrays."""
    return a @ b


def _summed(a: Any, labels: str, keep: set[str]) -> tuple[Any, str]:
    """Sum over labels that only this array has and the result does not."""
    alone = tuple(i for i, x in enumerate(labels) if x not in keep)
    if not alone:
        return a, labels
    return a.sum(axis=alone, dtype=a.dtype if a.dtype.kind in "fcV" else np.int64), "".join(x for x in labels if x in keep)


def _path(shapes: list[Any], labels: list[str], out: str) -> Any:
    """The pairs to contract, in order."""
    if len(shapes) < 3:
        return [(0, 1)] if len(shapes) == 2 else []
    import opt_einsum

    return opt_einsum.contract_path(",".join(labels) + "->" + out, *shapes, shapes=True)[0]


@op(dtypes="same", autocast="lower", name="einsum")
def _contract(operands: Arrays, labels: Any, wanted: str) -> Array:
    """The sum of products of arrays whose dimensions carry letters as labels, each once in an array and of one length."""
    work = []
    for i, (a, names) in enumerate(zip(operands, labels, strict=True)):
        work.append(_summed(a, names, set(wanted).union(*labels[:i], *labels[i + 1 :])))
    for step in _path([a.shape for a, _ in work], [names for _, names in work], wanted):
        (b, lb), (a, la) = (work.pop(i) for i in sorted(step, reverse=True))
        work.append(_pair(a, la, b, lb, set(wanted).union(*(names for _, names in work))))
    a, names = work[0]
    return a.transpose([names.index(x) for x in wanted])


_contract.vjp(lambda g, operands, labels, wanted: [_by_operand(g, i, operands, labels, wanted) for i in range(len(operands))])


def _by_operand(g: Any, i: int, operands: Any, labels: Any, out: str) -> Any:
    """Contract the result's gradient with all other operands to this one's labels; repeat it along what was summed alone."""
    others = [k for k in range(len(operands)) if k != i]
    terms = (out, *(labels[k] for k in others))
    wanted = "".join(x for x in labels[i] if any(x in names for names in terms))
    r = _contract([g, *(held(operands[k]) for k in others)], terms, wanted)
    if wanted == labels[i]:
        return r
    shape = operands[i]._a.shape
    return reshape(r, tuple(n if x in wanted else 1 for x, n in zip(labels[i], shape, strict=True))).expand(shape)


def _contracted(operands: list[Any], labels: Any, out: str) -> Tensor:
    """Contract tensors whose labels may be repeated in one (its diagonal counts) and whose lengths of 1 broadcast."""
    size = sizes(labels, [t._a.shape for t in operands])
    plain = [_plain(t, names, size) for t, names in zip(operands, labels, strict=True)]
    if len(plain) == 1:  # a view, unless something is summed
        t, names = plain[0]
        gone = [x for x in names if x not in out]
        t = t.permute([names.index(x) for x in (*out, *gone)])
        return sum(t, tuple(range(len(out), len(names)))) if gone else t
    return _contract([t for t, _ in plain], tuple(names for _, names in plain), out)


def _plain(t: Any, names: str, size: dict[str, int]) -> tuple[Any, str]:
    """A tensor with each label once, without the dimensions that broadcast."""
    while len(set(names)) < len(names):
        i = next(i for i, x in enumerate(names) if names.count(x) > 1)
        j = names.index(names[i], i + 1)
        t, names = t.diagonal(0, i, j), names[:i] + names[i + 1 : j] + names[j + 1 :] + names[i]
    thin = [i for i, x in enumerate(names) if t._a.shape[i] != size[x]]
    return (t.squeeze(thin), "".join(x for i, x in enumerate(names) if i not in thin)) if thin else (t, names)


def einsum(*args: Any) -> Tensor:
    """Sum products of the operands' elements over the dimensions that the result does not name.

    ``einsum("ij,jk->ik", a, b)`` is a matrix product, ``"ii->i"`` a diagonal, ``"...ij->...ji"`` a transposition; without
    ``->`` the result has the labels that occur once, in alphabetical order. ``einsum(a, [0, 1], b, [1, 2], [0, 2])`` works too.

    >>> import dovetail as dv
    >>> dv.einsum("i,i->", dv.tensor([1., 2.]), dv.tensor([3., 4.]))
    tensor(11.)
    """
    if len(args) < 2 or (isinstance(args[0], str) and isinstance(args[1], list | tuple) and not args[1]):
        raise ValueRangeError("einsum()", "must specify the equation string and at least one operand, or operands and their subscripts")
    if isinstance(args[0], str):
        text, operands = args[0], list(args[1]) if len(args) == 2 and isinstance(args[1], list | tuple) else list(args[1:])
    else:
        operands = [t for t in args if t.__class__ in CLASSES]
        lists = [_text(x) for x in args if x.__class__ not in CLASSES]
        text = "->".join([",".join(lists[: len(operands)]), *lists[len(operands) :][-1:]])
    return _contracted(operands, *parse(text, [t._a.shape for t in operands]))


def _text(sub: Any) -> str:
    for x in sub:
        if x is not Ellipsis and not 0 <= x < 52:
            raise ValueRangeError("einsum()", f"expected subscripts in the range [0, 52) but got {x}")
    return "".join("..." if x is Ellipsis else chr(65 + x) if x < 26 else chr(71 + x) for x in sub)


def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """Sum products over the last `dims` dimensions of `a` and the first of `b`, or over the pairs that `dims` lists.

    >>> import dovetail as dv
    >>> dv.tensordot(dv.tensor([1., 2.]), dv.tensor([3., 4.]), dims=1)
    tensor(11.)
    """
    no_bools("tensordot", a._a)
    n, m = a._a.ndim, b._a.ndim
    if dims.__class__ in CLASSES:
        dims = dims.tolist()
    if isinstance(dims, int):
        if dims < 0 or dims > min(n, m):
            raise ShapeError("tensordot", f"expects dims >= 0 and no more than the dimensions of its inputs, but got dims={dims}")
        left, right = list(range(n - dims, n)), list(range(dims))
    else:
        left, right = ([x] if isinstance(x, int) else list(x) for x in dims)
        left, right = [dim_of("tensordot", x, n) for x in left], [dim_of("tensordot", x, m) for x in right]
    if len(left) != len(right):
        raise ShapeError("tensordot", f"both dimension lists should have same length, got {left} and {right}")
    for i, j in zip(left, right, strict=True):
        p, q = a._a.shape[i], b._a.shape[j]
        if p != q and 1 not in (p, q):
            what = f"contracted dimensions need to match, but first has size {p} in dim {i} and second has size {q} in dim {j}"
            raise ShapeError("tensordot", what)
        if p != q:  # summed in its own type
            a, b = (a, b.sum(j, True, dtype=b.dtype)) if p == 1 else (a.sum(i, True, dtype=a.dtype), b)
    la, lb = ("".join(chr(FRESH + at + i) for i in range(size)) for at, size in ((0, n), (n, m)))
    for i, j in zip(left, right, strict=True):
        lb = lb.replace(lb[j], la[i])
    gone = {la[i] for i in left}
    return _contracted([a, b], (la, lb), "".join(x for x in la + lb if x not in gone))


@op(dtypes=None)
def trace(input: Array) -> Array:
    """The sum of a matrix's diagonal.

    >>> import dovetail as dv
    >>> dv.trace(dv.tensor([[1., 2.], [3., 4.]]))
    tensor(5.)
    """
    if input.ndim != 2:
        raise ShapeError("trace", f"expected a matrix, but got tensor with dim {input.ndim}")
    no_bools("trace", input)
    return input.diagonal().sum(dtype=input.dtype if input.dtype.kind in "fcV" else np.int64)


trace.vjp(lambda g, input_shape: mul(g, wrap(xp(g._a).eye(*input_shape, dtype=g._a.dtype))))


def cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """The vector product along `dim` (the first dimension of length 3 unless given).

    >>> import dovetail as dv
    >>> dv.cross(dv.tensor([1., 0., 0.]), dv.tensor([0., 1., 0.]), dim=0)
    tensor([0., 0., 1.])
    """
    if dim is None:
        dim = next((i for i, n in enumerate(input._a.shape) if n == 3), None)
        if dim is None:
            raise ShapeError("linalg.cross", f"no dimension of size 3 in input (shape {input._a.shape})")
    if input._a.ndim != other._a.ndim:
        raise ShapeError("linalg.cross", f"inputs must have the same number of dimensions. Got {input._a.ndim} and {other._a.ndim}")
    if input._a.dtype != other._a.dtype:
        raise DtypeError("linalg.cross", f"expected scalar type {type_name(input._a.dtype)} but found {type_name(other._a.dtype)}")
    dim = dim_of("linalg.cross", dim, input._a.ndim)
    p, q = input._a.shape[dim], other._a.shape[dim]
    if p != 3 or q != 3:
        raise ShapeError("linalg.cross", f"inputs dimension {dim} must have length 3. Got {p} and {q}")
    a, aa = input.roll(-1, dim), input.roll(-2, dim)
    b, bb = other.roll(-1, dim), other.roll(-2, dim)
    return sub(mul(a, bb), mul(aa, b))


_MODES = ("use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist")


def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str = "use_mm_for_euclid_dist_if_necessary") -> Tensor:
    """The p-norm distance of every row of `x1` to every row of `x2`: (…, n, k), (…, m, k) → (…, n, m).

    >>> import dovetail as dv
    >>> dv.cdist(dv.tensor([[0., 0.]]), dv.tensor([[3., 4.]]))
    tensor([[5.]])
    """
    for name, t in (("X1", x1), ("X2", x2)):
        if t._a.ndim < 2:
            raise ShapeError("cdist", f"only supports at least 2D tensors, {name} got: {t._a.ndim}D")
        if t._a.dtype.kind not in "fV":
            what = f"only supports floating-point dtypes, {name} got: {type_name(t._a.dtype)}"
            raise DtypeError("cdist", what, "", "convert with .float()")
    if x1._a.shape[-1] != x2._a.shape[-1]:
        what = f"X1 and X2 must have the same number of columns. X1: {x1._a.shape[-1]} X2: {x2._a.shape[-1]}"
        raise ShapeError("cdist", what)
    if x1._a.dtype != x2._a.dtype:
        raise DtypeError("cdist", f"expected scalar type {type_name(x1._a.dtype)} but found {type_name(x2._a.dtype)}")
    if compute_mode not in _MODES:
        raise ValueRangeError("cdist", f"{compute_mode} is not a valid value for compute_mode", f"expected one of {_MODES}")
    if p < 0:
        raise ShapeError("cdist", f"only supports non-negative p values, got {p}")
    large = max(x1._a.shape[-2], x2._a.shape[-2]) > 25
    if p == 2 and ((large and "not" not in compute_mode) or compute_mode == "use_mm_for_euclid_dist"):
        return _euclid(x1, x2)
    return vector_norm(sub(x1.unsqueeze(-2), x2.unsqueeze(-3)), p, -1)


@op(name="cdist_euclid", contiguous=True)
def _euclid(x1: Array, x2: Array) -> Array:
    """Euclidean distances by one matrix product: the root of ``|a|² - 2 a·b + |b|²``."""
    out = product(x1, x2.swapaxes(-1, -2))
    out *= -2
    out += (x1 * x1).sum(axis=-1)[..., :, None]
    out += (x2 * x2).sum(axis=-1)[..., None, :]
    return xp(out).sqrt(xp(out).maximum(out, 0, out=out), out=out)


_euclid.vjp(0)(lambda g, x1, x2, out: _differences(_over(g, out), x1, x2))
_euclid.vjp(1)(lambda g, x1, x2, out: _differences(_over(g, out).transpose(-1, -2), x2, x1))


def _differences(weights: Any, x: Any, y: Any) -> Any:
    """``Σ w[i, j] (x[i] - y[j])`` over j."""
    return sub(mul(x, sum(weights, -1, True)), matmul(weights, y))


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``y_o = Σ_ij x1_i W_oij x2_j + b_o`` for x1 (*, in1), x2 (*, in2), W (out, in1, in2), b (out).

    Raises a RuntimeError for sizes that do not fit together.

    >>> import dovetail as dv
    >>> dv.bilinear(dv.tensor([1., 2.]), dv.tensor([3., 4.]), dv.ones(1, 2, 2))
    tensor([21.])
    """
    first, second, shape = tuple(input1.shape), tuple(input2.shape), tuple(weight.shape)
    if first[:-1] != second[:-1] or len(shape) != 3 or (first[-1], second[-1]) != shape[1:]:
        what = f"input dimensions do not match: got {first} and {second} for weight {shape}"
        raise ShapeError("bilinear", what, "expected (*, in1), (*, in2) and (out, in1, in2)")
    rows = (input1 @ weight.permute(1, 0, 2).reshape(shape[1], -1)).reshape(*first[:-1], shape[0], shape[2])
    out = (rows @ input2.unsqueeze(-1)).squeeze(-1)
    return out if bias is None else out + bias
