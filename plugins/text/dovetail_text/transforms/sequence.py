"""Transforms of lists: tokens to numbers to tensors."""

from __future__ import annotations

from typing import Any

import dovetail as dv
from dovetail import nn
from dovetail.errors import AssertedError, TypeMismatch

from .. import functional as F
from ..vocab import Vocab
from .files import read_text

__all__ = ["AddToken", "LabelToIndex", "PadTransform", "Sequential", "StrToIntTransform", "ToTensor", "Truncate", "VocabTransform"]


class VocabTransform(nn.Module):
    """Replace tokens by their numbers in a `Vocab`: a list of tokens, or a list of such lists.

    >>> VocabTransform(Vocab(["it", "fits"]))([["fits"], ["it", "fits"]])
    [[1], [0, 1]]
    """

    def __init__(self, vocab: Vocab) -> None:
        super().__init__()
        if not isinstance(vocab, Vocab):
            raise AssertedError("VocabTransform", f"vocab is {type(vocab).__name__}", "expected a Vocab", "dovetail_text.vocab.vocab")
        self.vocab = vocab

    def forward(self, input: Any) -> Any:
        if F._flat(input, str):
            return self.vocab.lookup_indices(input)
        if F._nested(input, str):
            return [self.vocab.lookup_indices(tokens) for tokens in input]
        raise F._unsupported("VocabTransform", input, "strings")


class ToTensor(nn.Module):
    """Numbers to a tensor, short lists filled with ``padding_value``; see `functional.to_tensor`.

    >>> ToTensor(padding_value=9)([[1, 2], [3]])
    tensor([[1, 2],
            [3, 9]])
    """

    def __init__(self, padding_value: int | None = None, dtype: Any = dv.int64) -> None:
        super().__init__()
        self.padding_value, self.dtype = padding_value, dtype

    def forward(self, input: Any) -> dv.Tensor:
        return F.to_tensor(input, padding_value=self.padding_value, dtype=self.dtype)


class LabelToIndex(nn.Module):
    """Labels to their numbers: a string, or a list of strings.

    ``label_names`` is a list, or ``label_path`` a file with one label a line; ``sort_names`` numbers them in sorted order.
    Raises a FormatError for a file that is not UTF-8.

    >>> LabelToIndex(["good", "bad"])(["bad", "good"])
    [1, 0]
    """

    def __init__(self, label_names: list[str] | None = None, label_path: str | None = None, sort_names: bool = False) -> None:
        if not (label_names or label_path):
            raise AssertedError("LabelToIndex", "label_names or label_path is required", "neither was given")
        if label_names and label_path:
            raise AssertedError("LabelToIndex", "label_names and label_path are mutually exclusive", "both were given")
        super().__init__()
        if label_path:
            label_names = [line.strip() for line in read_text(label_path).splitlines() if line.strip()]
        names = sorted(label_names) if sort_names else label_names  # type: ignore[type-var]
        self._label_vocab = Vocab(names)  # type: ignore[arg-type]
        self._label_names = self._label_vocab.get_itos()

    def forward(self, input: Any) -> Any:
        if isinstance(input, str):
            return self._label_vocab[input]
        if F._flat(input, str):
            return self._label_vocab.lookup_indices(input)
        raise TypeMismatch("LabelToIndex", f"Input type not supported: {type(input).__name__}", "expected a string or a list of strings")

    @property
    def label_names(self) -> list[str]:
        """The labels by number."""
        return self._label_names


class Truncate(nn.Module):
    """Cut lists to ``max_seq_len`` elements.

    >>> Truncate(2)([1, 2, 3])
    [1, 2]
    """

    def __init__(self, max_seq_len: int) -> None:
        super().__init__()
        self.max_seq_len = max_seq_len

    def forward(self, input: Any) -> Any:
        return F.truncate(input, self.max_seq_len)


class AddToken(nn.Module):
    """Put a token at the beginning or the end of lists.

    >>> AddToken(0)([[1], [2, 3]])
    [[0, 1], [0, 2, 3]]
    """

    def __init__(self, token: int | str, begin: bool = True) -> None:
        super().__init__()
        self.token, self.begin = token, begin

    def forward(self, input: Any) -> Any:
        return F.add_token(input, self.token, self.begin)


class PadTransform(nn.Module):
    """Fill the last dimension of a tensor up to ``max_length``; one that is longer stays as it is.

    >>> PadTransform(4, 0)(dv.tensor([1, 2]))
    tensor([1, 2, 0, 0])
    """

    def __init__(self, max_length: int, pad_value: int) -> None:
        super().__init__()
        self.max_length, self.pad_value = max_length, float(pad_value)

    def forward(self, x: dv.Tensor) -> dv.Tensor:
        missing = self.max_length - x.size(-1)
        return nn.functional.pad(x, (0, missing), value=self.pad_value) if missing > 0 else x


class StrToIntTransform(nn.Module):
    """Digits to numbers, in a list or a list of lists.

    >>> StrToIntTransform()(["1", "2"])
    [1, 2]
    """

    def forward(self, input: Any) -> Any:
        return F.str_to_int(input)


class Sequential(nn.Sequential):
    """Transforms one after the other.

    >>> Sequential(VocabTransform(Vocab(["<s>", "it"])), AddToken(0), ToTensor())(["it", "it"])
    tensor([0, 1, 1])
    """

    def forward(self, input: Any) -> Any:
        for module in self:
            input = module(input)
        return input
