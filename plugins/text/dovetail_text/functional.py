"""The functions behind the transforms: torchtext's ``functional``."""

from __future__ import annotations

from typing import Any

import dovetail as dv
from dovetail.errors import TypeMismatch
from dovetail.nn.utils.rnn import pad_sequence

__all__ = ["add_token", "str_to_int", "to_tensor", "truncate"]


def to_tensor(input: Any, padding_value: int | None = None, dtype: Any = dv.int64) -> dv.Tensor:
    """Turn a list of numbers, or of lists of numbers, into a tensor; ``padding_value`` fills short lists at the end.

    As torchtext's, it gives int64 for a single list, whatever ``dtype`` is. Raises a TypeError for anything else and a
    ValueError for lists of unequal length without ``padding_value``.

    >>> to_tensor([[1, 2], [3]], padding_value=0)
    tensor([[1, 2],
            [3, 0]])
    """
    if _flat(input, int):
        return dv.tensor(input, dtype=dv.int64)
    if not _nested(input, int):
        raise _unsupported("to_tensor", input, "integers")
    if padding_value is None:
        return dv.tensor(input, dtype=dtype)
    return pad_sequence([dv.tensor(ids, dtype=dtype) for ids in input], batch_first=True, padding_value=float(padding_value))


def truncate(input: Any, max_seq_len: int) -> Any:
    """Cut a list, or each list of a list, to its first ``max_seq_len`` elements. Raises a TypeError for anything else.

    >>> truncate([["it", "fits"], ["well"]], 1)
    [['it'], ['well']]
    """
    if _flat(input, int) or _flat(input, str):
        return input[:max_seq_len]
    if _nested(input, int) or _nested(input, str):
        return [ids[:max_seq_len] for ids in input]
    raise _unsupported("truncate", input, "integers or strings")


def add_token(input: Any, token_id: Any, begin: bool = True) -> Any:
    """Put a token before (or, with ``begin=False``, after) a list or each list of a list.

    The token is a number among numbers or a string among strings; anything else is a TypeError.

    >>> add_token([[1, 2], [3]], 0), add_token(["it"], "!", begin=False)
    ([[0, 1, 2], [0, 3]], ['it', '!'])
    """
    kind = next((kind for kind in (int, str) if isinstance(token_id, kind)), None)
    if kind is not None and _flat(input, kind):
        return [token_id, *input] if begin else [*input, token_id]
    if kind is not None and _nested(input, kind):
        return [add_token(ids, token_id, begin) for ids in input]
    raise _unsupported("add_token", input, "the token's type")


def str_to_int(input: Any) -> Any:
    """Turn digits into numbers, in a list or in each list of a list.

    Raises a TypeError for anything else and a ValueError for a string that is no number.

    >>> str_to_int([["1", "2"], ["3"]])
    [[1, 2], [3]]
    """
    if _flat(input, str):
        return [int(element) for element in input]
    if _nested(input, str):
        return [[int(element) for element in ids] for ids in input]
    raise _unsupported("str_to_int", input, "strings")


def _flat(value: Any, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(element, kind) for element in value)


def _nested(value: Any, kind: type) -> bool:
    return isinstance(value, list) and all(_flat(element, kind) for element in value)


def _unsupported(where: str, value: Any, of: str) -> TypeMismatch:
    found = (
        f"{type(value).__name__} of {', '.join(sorted({type(v).__name__ for v in value}))}"
        if isinstance(value, list)
        else type(value).__name__
    )
    return TypeMismatch(where, f"Input type not supported: {found}", f"expected a list of {of}, or a list of such lists")
