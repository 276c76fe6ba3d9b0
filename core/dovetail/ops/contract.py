"""Sums of products over named dimensions: einsum and tensordot, and the smaller products beside them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd.node import CLASSES, Tensor
from ..errors import DtypeError, RangeError, ShapeError
from ._dims import dim_of
from ._op import Array, Arrays, op, xp
from ._refuse import no_bools, type_name
from .arithmetic import mul, sub
from .linalg import matmul
from .shape import reshape

__all__ = ["cdist", "chain_matmul", "cross", "einsum", "kron", "tensordot", "trace"]
Labels = tuple[int, ...]


def _diagonals(a: Any, labels: Labels) -> tuple[Any, Labels]:
    """Take the diagonal of dimensions that carry the same label."""
    while len(set(labels)) < len(labels):
        twice = next(x for x in labels if labels.count(x) > 1)
        i = labels.index(twice)
        j = labels.index(twice, i + 1)
        a = xp(a).diagonal(a, axis1=i, axis2=j)
        labels = (*(x for k, x in enumerate(labels) if k not in (i, j)), twice)
    return a, labels


def _pair(a: Any, la: Labels, b: Any, lb: Labels, keep: set[int]) -> tuple[Any, Labels]:
    """Contract two arrays over the labels that nobody needs any more, by one matrix product."""
    both = [x for x in la if x in lb]
    batch = [x for x in both if x in keep]
    gone = [x for x in both if x not in keep]
    rows, cols = [x for x in la if x not in lb], [x for x in lb if x not in la]
    size = dict(zip(la, a.shape, strict=True)) | dict(zip(lb, b.shape, strict=True))
    a = a.transpose([la.index(x) for x in batch + rows + gone])
    b = b.transpose([lb.index(x) for x in batch + gone + cols])
    shape = [size[x] for x in batch + rows + cols]
    lead = [size[x] for x in batch]
    if not gone:
        a = a.reshape(a.shape + (1,) * len(cols))
        b = b.reshape(b.shape[: len(batch)] + (1,) * len(rows) + b.shape[len(batch) :])
        return a * b, (*batch, *rows, *cols)
    no_bools("bmm", a)
    if a.dtype != b.dtype:  # the sums of an integer operand are int64
        what = f"expected scalar type {type_name(a.dtype)} but found {type_name(b.dtype)}"
        raise DtypeError("einsum()", what, "", "convert the operands to int64 first")
    k = int(np.prod([size[x] for x in gone]))
    a = a.reshape(*lead, int(np.prod([size[x] for x in rows])), k)
    b = b.reshape(*lead, k, int(np.prod([size[x] for x in cols])))
    return (a @ b).reshape(shape), (*batch, *rows, *cols)


def _path(shapes: list[Any], labels: list[Labels], out: Labels) -> list[tuple[int, ...]]:
    """The order of contraction: opt_einsum's where it is installed, else from left to right."""
    n = len(shapes)
    if n > 2:
        try:
            import opt_einsum
        except ImportError:
            return [(0, 1), *((0, n - 1 - i) for i in range(1, n - 1))]
        symbol = opt_einsum.get_symbol
        text = ",".join("".join(map(symbol, x)) for x in labels) + "->" + "".join(map(symbol, out))
        return [tuple(p) for p in opt_einsum.contract_path(text, *shapes, shapes=True)[0]]
    return [(0, 1)] if n == 2 else []


@op(dtypes="same", autocast="lower", name="einsum")
def _contract(operands: Arrays, labels: Any, wanted: Any) -> Array:
    """The sum of products of arrays whose dimensions carry numbers as labels, with the labels of the result."""
    work: list[tuple[Any, Labels]] = []
    size: dict[int, int] = {}
    for a, names in zip(operands, labels, strict=True):
        a, names = _diagonals(a, names)
        work.append((a, names))
        for x, n in zip(names, a.shape, strict=True):
            size[x] = max(size.get(x, 1), n) if n else 0
    for i, (a, names) in enumerate(work):  # a length of 1 broadcasts: drop it where another operand has more
        thin = tuple(k for k, x in enumerate(names) if a.shape[k] != size[x])
        if thin:
            a = a.squeeze(thin)
            names = tuple(x for k, x in enumerate(names) if k not in thin)
        work[i] = (a, names)
    for step in _path([a.shape for a, _ in work], [names for _, names in work], tuple(wanted)):
        taken = [work.pop(i) for i in sorted(step, reverse=True)][::-1]
        while len(taken) > 1:
            (a, la), (b, lb) = taken.pop(0), taken.pop(0)
            keep = set(wanted).union(*(names for _, names in work), *(names for _, names in taken))
            a, la = _summed(a, la, keep | set(lb))
            b, lb = _summed(b, lb, keep | set(la))
            taken.insert(0, _pair(a, la, b, lb, keep))
        work.append(taken[0])
    a, names = _summed(*work[0], set(wanted))
    a = a.transpose([names.index(x) for x in wanted])
    return a.copy() if len(operands) == 1 and xp(a).may_share_memory(a, operands[0]) else a


def _summed(a: Any, labels: Labels, keep: set[int]) -> tuple[Any, Labels]:
    """Sum over labels that only this array has and the result does not."""
    alone = tuple(i for i, x in enumerate(labels) if x not in keep)
    if not alone:
        return a, labels
    return a.sum(axis=alone, dtype=a.dtype if a.dtype.kind in "fcV" else np.int64), tuple(x for x in labels if x in keep)


_contract.vjp(lambda g, operands, labels, wanted: [_einsum_gradient(g, i, operands, labels, tuple(wanted)) for i in range(len(operands))])


def _einsum_gradient(g: Any, i: int, operands: Any, labels: Any, out: Labels) -> Any:
    """Contract the result's gradient with all other operands to this one's labels; put back what was summed alone."""
    mine, shape = labels[i], operands[i]._a.shape
    unique = tuple(dict.fromkeys(mine))
    size = {x: shape[mine.index(x)] for x in unique}
    others = [k for k in range(len(operands)) if k != i]
    seen: dict[int, int] = {}
    for a, names in [(g, out), *((operands[k], labels[k]) for k in others)]:
        for x, n in zip(names, a._a.shape, strict=True):
            seen[x] = max(seen.get(x, 1), n)
    wanted = tuple(x for x in unique if x in seen and (seen[x] == size[x]))
    r = _contract([g, *(operands[k].conj() if operands[k]._a.dtype.kind == "c" else operands[k] for k in others)],
                  (out, *(labels[k] for k in others)), wanted)  # fmt: skip
    r = reshape(r, tuple(size[x] if x in wanted else 1 for x in unique))
    if any(x not in wanted and size[x] != 1 for x in unique):
        r = r.expand(tuple(size[x] for x in unique))
    return r if len(unique) == len(mine) else _on_diagonals(r, unique, mine, size)


def _on_diagonals(r: Any, unique: Labels, mine: Labels, size: dict[int, int]) -> Any:
    """Put a gradient back on the diagonals it was taken from: multiply by an identity for each repeated label."""
    from ..autograd.node import wrap

    where = xp(r._a)
    first: dict[int, int] = {}
    factors, names, fresh = [r], [unique], 1 + max(mine)
    result = []
    for x in mine:
        if x in first:
            factors.append(wrap(where.eye(size[x], dtype=r._a.dtype)))
            names.append((x, fresh))
            result.append(fresh)
            fresh += 1
        else:
            first[x] = 1
            result.append(x)
    return _contract(factors, tuple(names), tuple(result))


def einsum(*args: Any) -> Tensor:
    """Sum products of the operands' elements over the dimensions that the result does not name.

    ``einsum("ij,jk->ik", a, b)`` is a matrix product, ``"ii->i"`` a diagonal, ``"...ij->...ji"`` a transposition; without
    ``->`` the result has the labels that occur once, in alphabetical order. ``einsum(a, [0, 1], b, [1, 2], [0, 2])`` works too.

    >>> import dovetail as dv
    >>> dv.einsum("i,i->", dv.tensor([1., 2.]), dv.tensor([3., 4.]))
    tensor(11.)
    """
    operands, labels, out = _read(args)
    return _contract(operands, labels, out)


def _read(args: tuple[Any, ...]) -> tuple[list[Any], tuple[Labels, ...], Labels]:
    """Operands, their labels as numbers, and the result's."""
    from ._einsum import parse

    if isinstance(args[0], str):
        operands = list(args[1]) if len(args) == 2 and isinstance(args[1], list | tuple) else list(args[1:])
        return operands, *parse(args[0], [t._a.shape for t in operands])
    operands = [t for t in args if t.__class__ in CLASSES]
    lists = [x for x in args if x.__class__ not in CLASSES]
    text = ",".join(_text(x) for x in lists[: len(operands)])
    if len(lists) > len(operands):
        text += "->" + _text(lists[-1])
    return operands, *parse(text, [t._a.shape for t in operands])


def _text(sub: Any) -> str:
    for x in sub:
        if x is not Ellipsis and not 0 <= x < 52:
            raise RangeError("einsum()", f"expected subscripts in the range [0, 52) but got {x}")
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
    la = tuple(range(n))
    lb = tuple(left[right.index(j)] if j in right else n + j for j in range(m))
    return _contract([a, b], (la, lb), tuple(x for x in la if x not in left) + tuple(x for x in lb if x >= n))


def kron(input: Tensor, other: Tensor) -> Tensor:
    """The Kronecker product: every element of `input` times the whole of `other`.

    >>> import dovetail as dv
    >>> dv.kron(dv.tensor([1., 2.]), dv.tensor([1., 10.]))
    tensor([ 1., 10.,  2., 20.])
    """
    n = max(input._a.ndim, other._a.ndim)
    a = (1,) * (n - input._a.ndim) + input._a.shape
    b = (1,) * (n - other._a.ndim) + other._a.shape
    left = reshape(input, tuple(x for s in a for x in (s, 1)))
    right = reshape(other, tuple(x for s in b for x in (1, s)))
    return reshape(mul(left, right), tuple(s * t for s, t in zip(a, b, strict=True)))


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


@trace.vjp
def _(g: Any, input_shape: Any) -> Any:
    from ..autograd.node import wrap

    return mul(g, wrap(xp(g._a).eye(*input_shape, dtype=g._a.dtype)))


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
    n = max(input._a.ndim, other._a.ndim)
    if input._a.ndim != other._a.ndim:
        raise ShapeError("linalg.cross", f"inputs must have the same number of dimensions. Got {input._a.ndim} and {other._a.ndim}")
    dim = dim_of("linalg.cross", dim, n)
    p, q = input._a.shape[dim], other._a.shape[dim]
    if p != 3 or q != 3:
        raise ShapeError("linalg.cross", f"inputs dimension {dim} must have length 3. Got {p} and {q}")
    a, aa = input.roll(-1, dim), input.roll(-2, dim)
    b, bb = other.roll(-1, dim), other.roll(-2, dim)
    return sub(mul(a, bb), mul(aa, b))


def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str = "use_mm_for_euclid_dist_if_necessary") -> Tensor:
    """The p-norm distance of every row of `x1` to every row of `x2`: (…, n, k), (…, m, k) → (…, n, m).

    >>> import dovetail as dv
    >>> dv.cdist(dv.tensor([[0., 0.]]), dv.tensor([[3., 4.]]))
    tensor([[5.]])
    """
    from .norms import vector_norm

    for name, t in (("X1", x1), ("X2", x2)):
        if t._a.ndim < 2:
            raise ShapeError("cdist", f"only supports at least 2D tensors, {name} got: {t._a.ndim}D")
        if t._a.dtype.kind not in "fV":
            what = f"only supports floating-point dtypes, {name} got: {type_name(t._a.dtype)}"
            raise DtypeError("cdist", what, "", "convert with .float()")
    if x1._a.shape[-1] != x2._a.shape[-1]:
        what = f"X1 and X2 must have the same number of columns. X1: {x1._a.shape[-1]} X2: {x2._a.shape[-1]}"
        raise ShapeError("cdist", what)
    if p < 0:
        raise ShapeError("cdist", f"only supports non-negative p values, got {p}")
    if p == 2:
        large = max(x1._a.shape[-2], x2._a.shape[-2]) > 25
        return _euclid(x1, x2, (large and "not" not in compute_mode) or compute_mode == "use_mm_for_euclid_dist")
    a = reshape(x1, (*x1._a.shape[:-1], 1, x1._a.shape[-1]))
    b = reshape(x2, (*x2._a.shape[:-2], 1, *x2._a.shape[-2:]))
    return vector_norm(sub(a, b), p, -1)


@op(name="cdist_euclid")
def _euclid(x1: Array, x2: Array, product: bool = False) -> Array:
    """Euclidean distances, by one matrix product where `product`: ``|a|² - 2 a·b + |b|²``."""
    where = xp(x1)
    if not product:
        d = x1[..., :, None, :] - x2[..., None, :, :]
        return where.sqrt((d * d).sum(axis=-1))
    out = x1 @ x2.swapaxes(-1, -2)
    out *= -2
    out += (x1 * x1).sum(axis=-1)[..., :, None]
    out += (x2 * x2).sum(axis=-1)[..., None, :]
    return where.sqrt(where.maximum(out, 0, out=out), out=out)


@_euclid.vjp
def _(g: Any, x1: Any, x2: Any, out: Any, needs: Any) -> Any:
    from .reduce import _over, sum

    w = _over(g, out)
    first = sub(mul(x1, sum(w, -1, True)), matmul(w, x2)) if needs[0] else None
    turned = w.transpose(-1, -2)
    return first, sub(mul(x2, sum(turned, -1, True)), matmul(turned, x1)) if needs[1] else None


def chain_matmul(*matrices: Tensor) -> Tensor:
    """Multiply matrices in the order that takes the fewest operations.

    >>> import dovetail as dv
    >>> dv.chain_matmul(dv.ones(1, 2), dv.ones(2, 3), dv.ones(3, 1))
    tensor([[6.]])
    """
    chain = list(matrices[0]) if len(matrices) == 1 and isinstance(matrices[0], list | tuple) else list(matrices)
    sizes = [t._a.shape[0] for t in chain] + [chain[-1]._a.shape[1]]
    n = len(chain)
    cost: dict[tuple[int, int], tuple[int, int]] = {(i, i): (0, i) for i in range(n)}
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            cost[i, j] = min((cost[i, k][0] + cost[k + 1, j][0] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j))

    def product(i: int, j: int) -> Tensor:
        return chain[i] if i == j else matmul(product(i, cost[i, j][1]), product(cost[i, j][1] + 1, j))

    return product(0, n - 1)
