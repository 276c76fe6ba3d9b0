"""Lowerings of matrix products."""

from __future__ import annotations

from typing import Any

from ._common import plain, reduce, transposed
from .shape import diagonal

__all__: list[str] = []

matmul, linalg_det = plain("MatMul"), plain("Det")


def matmul_nt(g: Any, input: Any, other: Any) -> Any:
    return g.MatMul(input, transposed(g, other, other.ndim))


def matmul_tn(g: Any, input: Any, other: Any) -> Any:
    return g.MatMul(transposed(g, input, input.ndim), other)


def linear(g: Any, input: Any, weight: Any, bias: Any) -> Any:
    if input.ndim == 2 and weight.ndim == 2:
        return g.Gemm(input, weight, bias, transB=1)
    out = g.MatMul(input, transposed(g, weight, 2) if weight.ndim == 2 else weight)
    return out if bias is None else g.Add(out, bias)


def addmm(g: Any, input: Any, mat1: Any, mat2: Any, beta: Any, alpha: Any) -> Any:
    if mat1.dtype.is_floating_point and mat1.ndim == mat2.ndim == 2 and input.ndim <= 2:
        return g.Gemm(mat1, mat2, input, alpha=float(alpha), beta=float(beta))
    return g.Add(g.Mul(input, beta), g.Mul(g.MatMul(mat1, mat2), alpha))


def einsum(g: Any, operands: Any, labels: Any, wanted: str) -> Any:
    names: dict[str, str] = {}
    for x in "".join(labels) + wanted:  # labels of the recorder may be any character; ONNX takes letters
        names.setdefault(x, chr(ord("a") + len(names)))
    text = ",".join("".join(names[x] for x in each) for each in labels)
    return g.Einsum(*operands, equation=f"{text}->{''.join(names[x] for x in wanted)}")


def trace(g: Any, input: Any) -> Any:
    line = diagonal(g, input, 0, 0, 1)
    line.shape = (None,)
    return g.cast(reduce(g, "ReduceSum", line, 0, False), g.call.outputs[0].dtype)


def cdist_euclid(g: Any, x1: Any, x2: Any) -> Any:
    away = g.Sub(g.Unsqueeze(x1, [-2]), g.Unsqueeze(x2, [-3]))
    return g.Sqrt(g.ReduceSum(g.Mul(away, away), [-1], keepdims=0))
