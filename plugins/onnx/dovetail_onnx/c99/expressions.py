"""Elementwise operators as C expressions."""

from __future__ import annotations

from dovetail.errors import UnsupportedError

from .graph import CTYPES, Net, Node
from .text import literal

__all__ = ["ELEMENTWISE", "expression"]

#: Operator → the expression for float operands; {x} {y} {z} are operands, {name} attributes with their defaults.
_FLOAT = {
    "Abs": "fabsf({x})", "Acos": "acosf({x})", "Acosh": "acoshf({x})", "Asin": "asinf({x})", "Asinh": "asinhf({x})", "Atan": "atanf({x})",
    "Atanh": "atanhf({x})", "Ceil": "ceilf({x})", "Cos": "cosf({x})", "Cosh": "coshf({x})", "Erf": "erff({x})", "Exp": "expf({x})",
    "Floor": "floorf({x})", "Log": "logf({x})", "Neg": "-{x}", "Reciprocal": "1.0f / {x}", "Round": "rintf({x})", "Sin": "sinf({x})",
    "Sinh": "sinhf({x})", "Sqrt": "sqrtf({x})", "Tan": "tanf({x})", "Tanh": "tanhf({x})", "Identity": "{x}",
    "Sign": "{x} > 0.0f ? 1.0f : {x} < 0.0f ? -1.0f : {x}",
    "Relu": "{x} < 0.0f ? 0.0f : {x}",
    "LeakyRelu": "{x} < 0.0f ? {alpha} * {x} : {x}",
    "ThresholdedRelu": "{x} > {alpha} ? {x} : 0.0f",
    "Elu": "{x} < 0.0f ? {alpha} * expm1f({x}) : {x}",
    "Selu": "{gamma} * ({x} < 0.0f ? {alpha} * expm1f({x}) : {x})",
    "Celu": "{x} < 0.0f ? {alpha} * expm1f({x} / {alpha}) : {x}",
    "Sigmoid": "1.0f / (1.0f + expf(-{x}))",
    "Silu": "{x} / (1.0f + expf(-{x}))",
    "Swish": "{x} / (1.0f + expf(-{alpha} * {x}))",
    "Softplus": "({x} > 0.0f ? {x} : 0.0f) + log1pf(expf(-fabsf({x})))",
    "Softsign": "{x} / (1.0f + fabsf({x}))",
    "Mish": "{x} * tanhf(({x} > 0.0f ? {x} : 0.0f) + log1pf(expf(-fabsf({x}))))",
    "HardSigmoid": "{alpha} * {x} + {beta} < 0.0f ? 0.0f : {alpha} * {x} + {beta} > 1.0f ? 1.0f : {alpha} * {x} + {beta}",
    "HardSwish": "{x} * fminf(fmaxf({x} / 6.0f + 0.5f, 0.0f), 1.0f)",
    "Gelu": "0.5f * {x} * (1.0f + erff({x} * 0.707106781f))",
    "GeluTanh": "0.5f * {x} * (1.0f + tanhf(0.797884561f * ({x} + 0.044715f * {x} * {x} * {x})))",
    "Shrink": "{x} < -{lambd} ? {x} + {bias} : {x} > {lambd} ? {x} - {bias} : 0.0f",
    "PRelu": "{x} < 0.0f ? {y} * {x} : {x}",
    "Pow": "powf({x}, {y})", "Div": "{x} / {y}",
    "Mod": "fmodf({x}, {y})", "IsNaN": "{x} != {x}",
}  # fmt: skip
_WHOLE = {
    "Abs": "{x} < 0 ? -{x} : {x}", "Neg": "-{x}", "Identity": "{x}", "Relu": "{x} < 0 ? 0 : {x}", "Sign": "({x} > 0) - ({x} < 0)",
    "Div": "{y} == 0 ? 0 : {y} == -1 ? -{x} : {x} / {y}",
    "Mod": "{y} == 0 || {y} == -1 ? 0 : ({x} % {y} + {y}) % {y}",
    "ModC": "{y} == 0 || {y} == -1 ? 0 : {x} % {y}",
    "BitwiseAnd": "{x} & {y}", "BitwiseOr": "{x} | {y}", "BitwiseXor": "{x} ^ {y}", "BitwiseNot": "~{x}",
}  # fmt: skip
_ANY = {
    "Add": "{x} + {y}", "Sub": "{x} - {y}", "Mul": "{x} * {y}",
    "Equal": "{x} == {y}", "Greater": "{x} > {y}", "Less": "{x} < {y}", "GreaterOrEqual": "{x} >= {y}", "LessOrEqual": "{x} <= {y}",
    "And": "{x} && {y}", "Or": "{x} || {y}", "Xor": "!{x} != !{y}", "Not": "!{x}", "Where": "{x} ? {y} : {z}",
}  # fmt: skip
_DEFAULTS = {
    "LeakyRelu": {"alpha": 0.01}, "ThresholdedRelu": {"alpha": 1.0}, "Elu": {"alpha": 1.0}, "Celu": {"alpha": 1.0}, "Swish": {"alpha": 1.0},
    "Selu": {"alpha": 1.67326319217681884765625, "gamma": 1.05070102214813232421875}, "HardSigmoid": {"alpha": 0.2, "beta": 0.5},
    "Shrink": {"lambd": 0.5, "bias": 0.0},
}  # fmt: skip
_SPECIAL = {"Cast", "CastLike", "Clip", "IsInf", "Max", "Mean", "Min", "Sum"}

#: Every operator that has an expression.
ELEMENTWISE = frozenset({*_FLOAT, *_WHOLE, *_ANY, *_SPECIAL} - {"GeluTanh", "ModC"})


def expression(node: Node, operands: list[str], dtypes: list[str], net: Net) -> str:
    """The C expression of an elementwise node. ``operands`` are names, elements or numbers: they may be repeated without cost."""
    op, float_like = node.op, dtypes[0] == "float32"
    special = _special(node, operands, dtypes, net)
    if special is not None:
        return special
    if op == "Gelu" and node.attrs.get("approximate") == "tanh":
        op = "GeluTanh"
    if op == "Mod" and not float_like and node.attrs.get("fmod"):
        op = "ModC"
    if op == "Pow":
        power = net.values[node.inputs[1]].array
        if power is not None and power.size == 1 and float(power.reshape(-1)[0]) in _POWERS:
            return _POWERS[float(power.reshape(-1)[0])].format(x=_held(operands[0]))
    if op == "Not" or (op in _ANY and op not in ("Add", "Sub", "Mul")):
        pattern: str | None = _ANY[op]
    else:
        pattern = _ANY.get(op) or (_FLOAT if float_like else _WHOLE).get(op)
    if pattern is None or (op == "Pow" and dtypes[1] != "float32"):
        raise UnsupportedError(node.where, f"{node.op} on {', '.join(filter(None, dtypes))}", "the C generator does not have this")
    numbers = {name: literal(node.attrs.get(name, value), "float32") for name, value in _DEFAULTS.get(op, {}).items()}
    held = dict(zip("xyz", map(_held, operands), strict=False))
    return pattern.format(**held, **{name: _held(text) for name, text in numbers.items()})


_POWERS = {1.0: "{x}", 2.0: "{x} * {x}", 3.0: "{x} * {x} * {x}", 0.5: "sqrtf({x})", -1.0: "1.0f / {x}"}


def _held(operand: str) -> str:
    """An operand that binds tighter than any operator."""
    return f"({operand})" if operand.startswith("-") or " ? " in operand or (" " in operand and "[" not in operand) else operand


def _special(node: Node, operands: list[str], dtypes: list[str], net: Net) -> str | None:
    op, given = node.op, [_held(one) for one in operands]
    if op in ("Cast", "CastLike"):
        return _cast(given[0], dtypes[0], net.values[node.outputs[0]].dtype)
    if op == "Clip":
        found = given[0]
        low, high = (given[at] if at < len(given) and given[at] else None for at in (1, 2))
        if low and high:
            least = low if _ordered(node, net) else f"({low} < {high} ? {low} : {high})"  # the upper bound has the last word
            return f"{found} < {low} ? {least} : {found} > {high} ? {high} : {found}"
        return f"{found} < {low} ? {low} : {found}" if low else f"{found} > {high} ? {high} : {found}" if high else found
    if op == "IsInf":
        signs = [(">", node.attrs.get("detect_positive", 1), ""), ("<", node.attrs.get("detect_negative", 1), "-")]
        return " || ".join(f"{given[0]} {sign}= {minus}INFINITY" for sign, wanted, minus in signs if wanted) or "0"
    if op in ("Max", "Min"):
        sign, found = ">" if op == "Max" else "<", given[0]
        for other in given[1:]:
            known = f"{found} {sign} {other}" + (f" || {found} != {found}" if dtypes[0] == "float32" else "")
            found = f"({known} ? {found} : {other})"
        return found.removeprefix("(").removesuffix(")") if len(given) > 1 and found.count("(") == 1 else found
    if op in ("Sum", "Mean"):
        total = " + ".join(given)
        return f"({total}) / {float(len(given))}f" if op == "Mean" else total
    return None


def _ordered(node: Node, net: Net) -> bool:
    """Whether the bounds of a Clip are known, and the lower one is not above the other."""
    low, high = (net.values[key].array for key in node.inputs[1:3])
    return low is not None and high is not None and bool((low <= high).all())


# What becomes a whole number of a type when it is cut off; other floats have no meaning in C, and become 0.
_RANGES = {
    "int64": ("-9.2233715e18f", "9.2233715e18f"), "int32": ("-2.1474836e9f", "2.1474835e9f"), "uint8": ("-1.0f", "256.0f"),
    "int8": ("-129.0f", "128.0f"),
}  # fmt: skip


def _cast(value: str, source: str, target: str) -> str:
    if target == source:
        return value
    if target == "bool":
        return f"{value} != 0"
    if source == "float32":
        low, high = _RANGES[target]
        return f"{value} > {low} && {value} < {high} ? ({CTYPES[target]}){value} : 0"
    return f"({CTYPES[target]}){value}"
