"""What PyTorch's parser takes beside a function's own parameters: `axis` and `keepdims`, `out=`, and numbers first."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import dovetail as dv


def matrix(T: Any, dtype: str = "float32") -> Any:
    return (T.arange(4.0) * 1.5 - 2).reshape(2, 2).to(getattr(T, dtype))


def flat(result: Any) -> list[Any]:
    return [np.asarray(r.tolist()) for r in (result if isinstance(result, tuple | list) else (result,))]


def same(own: Any, theirs: Any) -> None:
    for a, b in zip(flat(own), flat(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-2, atol=1e-3)
        assert a.shape == b.shape


AXIS: dict[str, Callable[[Any, dict[str, Any]], Any]] = {
    name: lambda T, k, name=name: getattr(T, name)(matrix(T), **k)  # type: ignore[misc]
    for name in (
        "max", "min", "median", "nanmedian", "nanmean", "std", "var", "std_mean", "var_mean", "aminmax", "sum", "mean", "amax", "mode",
        "argmax", "logsumexp", "all", "any",
    )
}  # fmt: skip
AXIS |= {
    "quantile": lambda T, k: T.quantile(matrix(T), 0.5, **k),
    "nanquantile": lambda T, k: T.nanquantile(matrix(T), 0.5, **k),
    "linalg.vector_norm": lambda T, k: T.linalg.vector_norm(matrix(T), **k),
    "linalg.norm": lambda T, k: T.linalg.norm(matrix(T), **k),
    "x.max": lambda T, k: matrix(T).max(**k),
    "x.median": lambda T, k: matrix(T).median(**k),
    "x.std": lambda T, k: matrix(T).std(**k),
    "x.var": lambda T, k: matrix(T).var(**k),
    "x.nanmean": lambda T, k: matrix(T).nanmean(**k),
    "x.aminmax": lambda T, k: matrix(T).aminmax(**k),
    "x.quantile": lambda T, k: matrix(T).quantile(0.5, **k),
}


@pytest.mark.parametrize("name", AXIS)
def test_axis_and_keepdims(name: str) -> None:
    for given in ({"axis": 0}, {"axis": 1, "keepdims": True}, {"dim": 0, "keepdims": True}, {"axis": 0, "keepdim": True}):
        same(AXIS[name](dv, given), AXIS[name](torch, given))


MORE_AXIS: dict[str, Callable[[Any], Any]] = {
    "sort": lambda T: T.sort(matrix(T), axis=0),
    "argsort": lambda T: T.argsort(-matrix(T), axis=0),
    "cat": lambda T: T.cat([matrix(T), matrix(T)], axis=1),
    "stack": lambda T: T.stack([matrix(T), matrix(T)], axis=1),
    "chunk": lambda T: T.chunk(matrix(T), 2, axis=1),
    "split_with_sizes": lambda T: T.split_with_sizes(matrix(T), [1, 1], axis=1),
    "tensor_split": lambda T: T.tensor_split(matrix(T), 2, axis=1),
    "unbind": lambda T: matrix(T).unbind(axis=1),
    "squeeze": lambda T: matrix(T)[None].squeeze(axis=0),
    "squeeze_": lambda T: matrix(T)[None].squeeze_(axis=0),
    "unsqueeze": lambda T: matrix(T).unsqueeze(axis=1),
    "diff": lambda T: matrix(T).diff(axis=0),
    "cross": lambda T: T.linalg.cross(T.eye(3), T.ones(3, 3), axis=0),
    "repeat_interleave": lambda T: matrix(T).repeat_interleave(2, axis=1),
    "take_along_dim": lambda T: T.take_along_dim(matrix(T), T.zeros(1, 2, dtype=T.int64), axis=0),
    "trapezoid": lambda T: T.trapezoid(matrix(T), axis=0),
    "cosine_similarity": lambda T: T.nn.functional.cosine_similarity(matrix(T), matrix(T) + 1, axis=0),
    "pairwise_distance": lambda T: T.nn.functional.pairwise_distance(matrix(T), matrix(T) + 1, keepdims=True),
}


@pytest.mark.parametrize("name", MORE_AXIS)
def test_axis_elsewhere(name: str) -> None:
    same(MORE_AXIS[name](dv), MORE_AXIS[name](torch))


OUT: dict[str, Callable[..., Any]] = {
    "exp": lambda T, x, **k: T.exp(x, **k),
    "neg": lambda T, x, **k: T.neg(x, **k),
    "add": lambda T, x, **k: T.add(x, x.t(), **k),
    "add alpha": lambda T, x, **k: T.add(x, x.t(), alpha=2, **k),
    "sub": lambda T, x, **k: T.sub(x, 1, **k),
    "mul": lambda T, x, **k: T.mul(x, x, **k),
    "div": lambda T, x, **k: T.div(x, 2, **k),
    "pow": lambda T, x, **k: T.pow(x, 2, **k),
    "maximum": lambda T, x, **k: T.maximum(x, x.t(), **k),
    "eq": lambda T, x, **k: T.eq(x, x.t(), **k),
    "sum": lambda T, x, **k: T.sum(x, 1, **k),
    "mean": lambda T, x, **k: T.mean(x, 1, **k),
    "prod": lambda T, x, **k: T.prod(x, 1, **k),
    "amax": lambda T, x, **k: T.amax(x, 1, **k),
    "argmax": lambda T, x, **k: T.argmax(x, 1, **k),
    "std": lambda T, x, **k: T.std(x, 1, **k),
    "max": lambda T, x, **k: T.max(x, 1, **k),
    "sort": lambda T, x, **k: T.sort(x, 1, **k),
    "topk": lambda T, x, **k: T.topk(x, 1, **k),
    "matmul": lambda T, x, **k: T.matmul(x, x, **k),
    "mm": lambda T, x, **k: T.mm(x, x, **k),
    "bmm": lambda T, x, **k: T.bmm(x[None], x[None], **k),
    "addmm": lambda T, x, **k: T.addmm(x, x, x, beta=2, **k),
    "addcmul": lambda T, x, **k: T.addcmul(x, x, x, **k),
    "cat": lambda T, x, **k: T.cat([x, x], 1, **k),
    "stack": lambda T, x, **k: T.stack([x, x], **k),
    "where": lambda T, x, **k: T.where(x > 0, x, x, **k),
    "clamp": lambda T, x, **k: T.clamp(x, 0, 1, **k),
    "cumsum": lambda T, x, **k: T.cumsum(x, 1, **k),
    "softmax": lambda T, x, **k: T.softmax(x, 1, **k),
    "norm": lambda T, x, **k: T.norm(x, dim=1, **k),
    "gather": lambda T, x, **k: T.gather(x, 1, T.tensor([[0], [1]]), **k),
    "linalg.inv": lambda T, x, **k: T.linalg.inv(x, **k),
}


def written(T: Any, call: Callable[..., Any], dtype: str, kind: str | None, shape: Any = (0,), grad: bool = False) -> Any:
    """What became of the targets, or the type of the error; None where the function refuses the type itself."""
    x = matrix(T, dtype)
    try:
        plain = call(T, x)
    except Exception:
        return None
    results = plain if isinstance(plain, tuple) else (plain,)
    outs = [T.zeros(shape, dtype=getattr(T, kind) if kind and not i else r.dtype) for i, r in enumerate(results)]
    if grad:
        x = x.requires_grad_()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = call(T, x, out=tuple(outs) if isinstance(plain, tuple) else outs[0])
        except (RuntimeError, TypeError) as error:
            return "RuntimeError" if isinstance(error, RuntimeError) else "TypeError"
    assert all(a is b for a, b in zip(found, outs, strict=True)) if isinstance(plain, tuple) else found is outs[0]
    warned = sum("was resized since it had shape" in str(w.message) for w in caught)
    return [(tuple(o.shape), str(o.dtype).split(".")[1], o.to(T.complex128).tolist()) for o in outs], warned


def agree(own: Any, theirs: Any) -> None:
    if not isinstance(theirs, tuple) or not isinstance(own, tuple):
        assert own == theirs
        return
    assert own[1] == theirs[1]
    for (shape, kind, values), (shape2, kind2, values2) in zip(own[0], theirs[0], strict=True):
        assert (shape, kind) == (shape2, kind2)
        np.testing.assert_allclose(values, values2, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("name", OUT)
def test_out_is_written_and_returned(name: str) -> None:
    for shape in ((0,), (3,), (2, 2)):
        agree(written(dv, OUT[name], "float32", None, shape), written(torch, OUT[name], "float32", None, shape))
    for dtype in ("float32", "int64"):
        for kind in ("float32", "float64", "int64", "int32", "bool", "complex64", "bfloat16"):
            theirs = written(torch, OUT[name], dtype, kind)
            if theirs is not None and (name, kind) not in (("cumsum", "bool"), ("std", "complex64")):  # PyTorch has no kernel
                agree(written(dv, OUT[name], dtype, kind), theirs)


@pytest.mark.parametrize("name", [n for n in OUT if n not in ("eq", "argmax", "softmax")])
def test_out_refuses_gradients(name: str) -> None:
    assert written(torch, OUT[name], "float32", None, grad=True) == "RuntimeError"
    with pytest.raises(RuntimeError, match="functions with out=... arguments don't support automatic differentiation"):
        OUT[name](dv, matrix(dv).requires_grad_(), out=dv.empty(0))
    with dv.no_grad():
        x = matrix(dv).requires_grad_()
        plain = OUT[name](dv, x)
        outs = tuple(dv.empty(0, dtype=r.dtype) for r in (plain if isinstance(plain, tuple) else (plain,)))
        same(OUT[name](dv, x, out=outs if isinstance(plain, tuple) else outs[0]), plain)


def test_out_of_a_view_and_of_the_input() -> None:
    for T in (torch, dv):
        x, whole = matrix(T), T.zeros(3, 2)
        T.exp(x, out=whole[1:])
        T.mul(x, 2, out=x)
        same(whole[1:], (x / 2).exp())
        with pytest.raises(TypeError, match="'out'"):
            T.exp(x, out=3)
        with pytest.raises(TypeError):
            T.reshape(x, (4,), out=T.empty(4))
        with pytest.raises(RuntimeError):
            T.exp(x, out=T.zeros(1).expand(2, 2))


NUMBERS_FIRST: dict[str, Callable[[Any], Any]] = {
    "add": lambda T: T.add(matrix(T), 0.5, matrix(T)),
    "x.add": lambda T: matrix(T).add(0.5, matrix(T)),
    "x.add_": lambda T: matrix(T).add_(0.5, matrix(T)),
    "sub": lambda T: T.sub(matrix(T), 0.5, matrix(T).t()),
    "x.sub_": lambda T: matrix(T).sub_(0.5, matrix(T).t()),
    "addcmul": lambda T: T.addcmul(matrix(T), 0.5, matrix(T), matrix(T)),
    "x.addcmul_": lambda T: matrix(T).addcmul_(0.5, matrix(T), matrix(T)),
    "addcdiv": lambda T: T.addcdiv(matrix(T), -0.1, matrix(T), matrix(T)),
    "x.addcdiv_": lambda T: matrix(T).addcdiv_(-0.1, matrix(T), matrix(T)),
    "addmm": lambda T: T.addmm(2, matrix(T), 3, matrix(T), matrix(T)),
    "addmm beta": lambda T: T.addmm(2, matrix(T), matrix(T), matrix(T)),
    "x.addmm": lambda T: matrix(T).addmm(2, matrix(T), matrix(T)),
    "x.addmm_": lambda T: matrix(T).addmm_(2, 3, matrix(T), matrix(T)),
    "x.addmv_": lambda T: matrix(T)[0].addmv_(2, 3, matrix(T), matrix(T)[0]),
    "addr": lambda T: T.addr(2, matrix(T), 3, matrix(T)[0], matrix(T)[1]),
    "x.baddbmm": lambda T: matrix(T)[None].baddbmm(2, 3, matrix(T)[None], matrix(T)[None]),
    "addbmm": lambda T: T.addbmm(2, matrix(T), matrix(T)[None], matrix(T)[None]),
}


@pytest.mark.filterwarnings("ignore:.*overload of:UserWarning")
@pytest.mark.parametrize("name", NUMBERS_FIRST)
def test_numbers_first(name: str) -> None:
    same(NUMBERS_FIRST[name](dv), NUMBERS_FIRST[name](torch))


def test_numbers_last_by_name_only() -> None:
    from dovetail.ops._keywords import once

    once.cache_clear()
    with pytest.warns(UserWarning, match="This overload of addcmul is deprecated"):
        dv.addcmul(matrix(dv), 0.5, matrix(dv), matrix(dv))
    for T in (torch, dv):
        x = matrix(T)
        for call in (lambda: T.add(x, x, 2), lambda: T.addcmul(x, x, x, 2), lambda: T.addmm(x, x, x, 2, 3), lambda: T.add(x, x, x)):  # noqa: B023
            with pytest.raises(TypeError):
                call()
