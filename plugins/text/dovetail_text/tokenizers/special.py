"""Special tokens by name: pad_token, eos_token and their like, with their numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dovetail.errors import TypeMismatch, ValueRangeError

__all__ = ["NAMES", "SpecialTokens"]

NAMES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


def _token(name: str) -> property:
    def read(self: SpecialTokens) -> str | None:
        return self._special.get(name)

    def write(self: SpecialTokens, token: str | None) -> None:
        self.set_special(name, token)

    return property(read, write, doc=f"The {name.replace('_', ' ')}, or None; it can be set to any token of the vocabulary.")


def _number(name: str) -> property:
    def read(self: Any) -> int | None:
        token = self._special.get(name)
        return None if token is None else self.token_to_id(token)

    def write(self: Any, number: int | None) -> None:
        self.set_special(name, None if number is None else self.id_to_token(number) or f"<{number}>")

    return property(read, write, doc=f"The number of the {name.replace('_', ' ')}, or None.")


class SpecialTokens:
    """The part of a `Tokenizer` that knows special tokens; ``tokenizer.pad_token = tokenizer.eos_token`` works."""

    _special: dict[str, str]
    _additional: list[str]

    bos_token, eos_token, unk_token, sep_token = map(_token, NAMES[:4])
    pad_token, cls_token, mask_token = map(_token, NAMES[4:])
    bos_token_id, eos_token_id, unk_token_id, sep_token_id = map(_number, NAMES[:4])
    pad_token_id, cls_token_id, mask_token_id = map(_number, NAMES[4:])

    def init_special(self, named: Mapping[str, str | None], additional: Sequence[str] = ()) -> None:
        """Set all named tokens, each of which must be in the vocabulary."""
        self._special, self._additional = {}, list(additional)
        for token in self._additional:
            if not isinstance(token, str) or self.token_to_id(token) is None:  # type: ignore[attr-defined]
                what = f"additional_special_tokens has {token!r}, which is not in the vocabulary"
                raise ValueRangeError(type(self).__name__, what, "expected its tokens", "add_tokens first")
        for name, token in named.items():
            self.set_special(name, token)

    def set_special(self, name: str, token: str | None) -> None:
        """Set one by its name. Raises a ValueError for a token that is not in the vocabulary."""
        where = type(self).__name__
        if name not in NAMES:
            raise ValueRangeError(where, f"there is no special token {name!r}", f"expected one of {', '.join(NAMES)}")
        if token is None:
            self._special.pop(name, None)
            return
        if not isinstance(token, str):
            raise TypeMismatch(where, f"{name} is {type(token).__name__}", "expected a token or None")
        if self.token_to_id(token) is None:  # type: ignore[attr-defined]
            raise ValueRangeError(where, f"{name} is {token!r}, which is not in the vocabulary", "expected one of its tokens")
        self._special[name] = token

    @property
    def special_tokens_map(self) -> dict[str, Any]:
        """The special tokens that there are, by name."""
        more = {"additional_special_tokens": list(self._additional)} if self._additional else {}
        return {name: self._special[name] for name in NAMES if name in self._special} | more

    @property
    def all_special_tokens(self) -> list[str]:
        """All special tokens, each once."""
        return list(dict.fromkeys([*(self._special[name] for name in NAMES if name in self._special), *self._additional]))

    @property
    def all_special_ids(self) -> list[int]:
        """Their numbers."""
        return [self.token_to_id(token) for token in self.all_special_tokens]  # type: ignore[attr-defined]

    def get_special_tokens_mask(self, token_ids: Any, *, already_has_special_tokens: bool = True) -> list[int]:
        """1 for each number that is a special token's."""
        if not already_has_special_tokens:
            raise ValueRangeError(type(self).__name__, "already_has_special_tokens is False", "expected True", "use encode")
        special = set(self.all_special_ids)
        return [int(number in special) for number in token_ids]

    def convert_tokens_to_ids(self, tokens: Any) -> Any:
        """The number of a token, or of each; the unknown token's where there is none."""
        if isinstance(tokens, str):
            found = self.token_to_id(tokens)  # type: ignore[attr-defined]
            return self.unk_token_id if found is None else found
        return [self.convert_tokens_to_ids(token) for token in tokens]

    def convert_ids_to_tokens(self, ids: Any, skip_special_tokens: bool = False) -> Any:
        """The token of a number, or of each."""
        ids = ids.tolist() if hasattr(ids, "tolist") else ids
        if hasattr(ids, "__index__"):
            return self.id_to_token(int(ids))  # type: ignore[attr-defined]
        special = set(self.all_special_ids) if skip_special_tokens else set()
        return [self.id_to_token(int(i)) for i in ids if int(i) not in special]  # type: ignore[attr-defined]
