"""Blocks of a long run of tokens, for language models."""

from __future__ import annotations

from typing import Any

import numpy as np

import dovetail as dv
from dovetail.errors import RangeError, ShapeError, TypeMismatch, ValueRangeError
from dovetail.utils.data import Dataset

__all__ = ["BlockDataset", "lm_blocks"]


class BlockDataset(Dataset):
    """Pairs ``(x, y)`` of int64 tensors ``(block_size,)`` cut from a run of tokens; see `lm_blocks`."""

    def __init__(self, tokens: Any, block_size: int, stride: int | None = None) -> None:
        tokens = getattr(tokens, "ids", tokens)
        array = tokens.numpy() if isinstance(tokens, dv.Tensor) else np.asarray(tokens)
        if array.ndim != 1:
            raise ShapeError("lm_blocks", f"tokens has shape {array.shape}", "expected one dimension", "join the texts to one run")
        if array.dtype.kind not in "iu":
            remedy = "encode the text first: tokenizer.encode(text).ids"
            raise TypeMismatch("lm_blocks", f"tokens holds {array.dtype}", "expected whole numbers", remedy)
        for name, value in (("block_size", block_size), ("stride", block_size if stride is None else stride)):
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueRangeError("lm_blocks", f"{name} is {value!r}", "expected a whole number, 1 or more")
        if len(array) <= block_size:
            what = f"there are {len(array)} tokens and block_size is {block_size}"
            raise ValueRangeError("lm_blocks", what, "expected one token more than a block", "choose smaller blocks")
        # Four bytes a token are enough for any vocabulary, and a large corpus stays half as large.
        self.tokens = array.astype(np.int32) if array.dtype.itemsize > 4 and array.max() < 2**31 else array
        self.block_size, self.stride = block_size, block_size if stride is None else stride

    def __len__(self) -> int:
        return (len(self.tokens) - self.block_size - 1) // self.stride + 1

    def __getitem__(self, index: int) -> tuple[dv.Tensor, dv.Tensor]:
        at = index + len(self) if index < 0 else index
        if not 0 <= at < len(self):
            raise RangeError("BlockDataset", f"index is {index}", f"expected -{len(self)} to {len(self) - 1}")
        start = int(at) * self.stride
        block = self.tokens[start : start + self.block_size + 1].astype(np.int64)
        return dv.from_numpy(block[:-1]), dv.from_numpy(block[1:])

    def __repr__(self) -> str:
        return f"BlockDataset({len(self)} blocks of {self.block_size}, every {self.stride} of {len(self.tokens):,} tokens)"


def lm_blocks(tokens: Any, block_size: int, stride: int | None = None) -> BlockDataset:
    """Cut a run of tokens into blocks: ``x`` is a block, and ``y`` is the same one token later, what a model is to say.

    ``tokens`` is a list, an array, a tensor or an `Encoding`. Blocks start every ``stride`` tokens: ``block_size``
    (the default) uses each token once, 1 gives every block that there is. Raises a ValueError where there are too few
    tokens for one block and a TypeError for what are no whole numbers.

    >>> blocks = lm_blocks([1, 2, 3, 4, 5], block_size=2)
    >>> len(blocks), blocks[1]
    (2, (tensor([3, 4]), tensor([4, 5])))
    """
    return BlockDataset(tokens, block_size, stride)
