"""How long a text may be: padding and truncation as ``transformers`` understands its arguments."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

from dovetail.errors import ValueRangeError

from .checks import no_pad

__all__ = ["Cut", "cut_of", "padding_of"]

_TRUNCATIONS = ("longest_first", "only_first", "only_second")


@dataclass(frozen=True)
class Cut:
    """Truncation: to ``length`` tokens, special ones among them."""

    length: int
    strategy: str = "longest_first"
    stride: int = 0
    side: str = "right"


def cut_of(tokenizer: Any, padding: bool | str, truncation: bool | str | None, max_length: int | None, stride: int) -> Cut | None:
    """The truncation that is asked for, or None.

    ``max_length`` alone asks for it too; ``truncation=True`` alone cuts at the tokenizer's ``model_max_length``, and
    where it has none nothing is cut.
    """
    if max_length is not None and max_length < 0:
        raise ValueRangeError("Tokenizer", f"max_length is {max_length}", "expected 0 or more")
    if truncation is None and max_length is not None and padding is False:
        truncation = True
    if truncation in (None, False, "do_not_truncate"):
        return None
    strategy = "longest_first" if truncation is True else truncation
    if strategy not in _TRUNCATIONS:
        expected = f"expected True, False, 'do_not_truncate' or one of {', '.join(_TRUNCATIONS)}"
        raise ValueRangeError("Tokenizer", f"truncation is {truncation!r}", expected)
    length = _limit(tokenizer) if max_length is None else max_length
    return None if length is None else Cut(length, str(strategy), stride, tokenizer.truncation_side)


def _limit(tokenizer: Any) -> int | None:
    """The tokenizer's ``model_max_length``, or None; transformers writes 10³⁰ for that."""
    length = tokenizer.model_max_length
    return None if length is None or length > 10**20 else length


def padding_of(
    tokenizer: Any, padding: bool | str, cut: Cut | None, max_length: int | None, multiple_of: int | None
) -> tuple[bool | str, int | None]:
    """The padding and its length, checked: there is a pad token, and lengths that do not contradict each other."""
    if padding in (False, "do_not_pad"):
        return False, None
    if padding in (True, "longest") and cut is None and max_length is not None:
        warnings.warn("Tokenizer: max_length has no effect with padding=True; use padding='max_length', or truncation=True", stacklevel=3)
    length = _limit(tokenizer) if max_length is None else max_length
    if padding == "max_length" and length is None:
        return False, None  # as transformers: there is nothing to pad to
    if tokenizer.pad_token_id is None:
        raise no_pad(tokenizer)
    if cut is not None and multiple_of and cut.length % multiple_of:
        what = f"truncation length {cut.length} is not a multiple of pad_to_multiple_of {multiple_of}"
        raise ValueRangeError("Tokenizer", what, "both are active", "choose max_length so that it is")
    return padding, length
