"""Text from a causal language model: greedily or by drawing, with a cache of keys and values, for one prompt or several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import dovetail as dv
from dovetail import Tensor
from dovetail.errors import ShapeError, TypeMismatch, ValueRangeError

__all__ = ["choose", "generate", "left_padded"]


def generate(
    model: Any, ids: Any, max_new_tokens: int, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None,
    do_sample: bool = False, eos: int | Sequence[int] | None = None, generator: Any = None,
    streamer: Callable[[Tensor], None] | None = None, *, attention_mask: Tensor | None = None, pad: int | None = None,
    use_cache: bool = True,
) -> Tensor:  # fmt: skip
    """Continue prompts token by token; return them with what was added, ``(N, L + new)``.

    ``ids`` are the prompts: a tensor ``(N, L)``, or lists of several lengths, which are padded on the left with ``pad``; one prompt
    ``(L,)`` gives one text. ``attention_mask`` is 0 at padding (on the left) of a tensor. Without ``do_sample`` the likeliest token
    is taken; with it one is drawn, after ``temperature``, of the ``top_k`` likeliest and of the likeliest that together reach ``top_p``.
    A text ends at a token of ``eos``, and is filled with ``pad`` (``eos`` unless given) while others go on. ``streamer`` is called with
    each step's tokens ``(N,)``. Beyond the model's ``block_size`` the last ``block_size`` tokens are seen, without the cache.

    The mode of the model stays as it is: call ``model.eval()`` first. Results are the same with and without ``use_cache``, to rounding.
    Raises a ValueError for arguments outside their range, a RuntimeError for prompts without a token.

    >>> from dovetail_text.models import GPT, GPTConfig
    >>> model = GPT(GPTConfig(vocab_size=9, block_size=8, n_layer=1, n_head=2, n_embd=16)).eval()
    >>> generate(model, [1, 2, 3], 4).shape, generate(model, [[1, 2], [3]], 4, do_sample=True, top_k=3).shape
    (dovetail.Size([7]), dovetail.Size([2, 6]))
    """
    _check(max_new_tokens, temperature, top_k, top_p)
    ends = [] if eos is None else [eos] if isinstance(eos, int) else [int(token) for token in eos]
    pad = pad if pad is not None else ends[0] if ends else 0
    ids, mask, single = _prompts(ids, attention_mask, pad)
    device = next(model.parameters()).device
    ids, mask = ids.to(device), None if mask is None else mask.to(device)
    steps = _Steps(model, ids.shape[0], ids.shape[1] + max_new_tokens, use_cache)
    going = dv.ones(ids.shape[0], dtype=dv.bool, device=device)
    with dv.no_grad():
        for _ in range(max_new_tokens):
            scores = steps.next_scores(ids, mask)
            token = choose(scores, temperature, top_k, top_p, generator) if do_sample else scores.argmax(-1)
            token = dv.where(going, token, pad)
            ids = dv.cat([ids, token[:, None]], 1)
            mask = None if mask is None else dv.cat([mask, dv.ones_like(token[:, None]).to(mask.dtype)], 1)
            if streamer is not None:
                streamer(token)
            for end in ends:
                going = going & (token != end)
            if ends and not bool(going.any()):
                break
    return ids[0] if single else ids


class _Steps:
    """The scores of the next token, with what was computed before."""

    def __init__(self, model: Any, batch: int, length: int, use_cache: bool) -> None:
        self.model = model
        self.most = model.longest or length
        # A cache cannot slide: with learned positions every token's keys change when the window moves.
        self.cache = model.make_cache(batch, min(length, self.most)) if use_cache else None

    def next_scores(self, ids: Tensor, mask: Tensor | None) -> Tensor:
        if self.cache is not None and ids.shape[1] > self.most:
            self.cache = None
        ids, mask = ids[:, -self.most :], None if mask is None else mask[:, -self.most :]
        past = 0 if self.cache is None else self.cache.length
        places = None if mask is None else (mask.to(dv.int64).cumsum(1) - 1).clamp(min=0)[:, past:]
        return self.model(ids[:, past:], mask, places, cache=self.cache, logits_to_keep=1).logits[:, -1]


def choose(scores: Tensor, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None, generator: Any = None) -> Tensor:
    """Draw a token ``(N,)`` of each row of scores ``(N, V)``, by Hugging Face's order: temperature, ``top_k``, ``top_p``.

    >>> choose(dv.tensor([[0.0, 9.0, 1.0]]), top_k=1)
    tensor([1])
    """
    scores = scores / temperature
    if top_k is not None:
        least = scores.topk(min(top_k, scores.shape[-1])).values[:, -1:]
        scores = scores.masked_fill(scores < least, -float("inf"))
    if top_p is not None and top_p < 1:
        ordered, order = scores.sort(-1)
        tail = ordered.softmax(-1).cumsum(-1) <= 1 - top_p
        tail[:, -1] = False
        scores = scores.masked_fill(dv.zeros_like(tail).scatter(1, order, tail), -float("inf"))
    return dv.multinomial(scores.softmax(-1), 1, generator=generator)[:, 0]


def left_padded(prompts: Sequence[Sequence[int]], pad: int = 0) -> tuple[Tensor, Tensor]:
    """Make one tensor ``(N, L)`` of prompts of several lengths, padded on the left, and its attention mask.

    >>> left_padded([[1, 2], [3]])
    (tensor([[1, 2],
            [0, 3]]), tensor([[1, 1],
            [0, 1]]))
    """
    longest = max(map(len, prompts))
    ids = [[pad] * (longest - len(prompt)) + list(prompt) for prompt in prompts]
    mask = [[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts]
    return dv.tensor(ids, dtype=dv.int64), dv.tensor(mask, dtype=dv.int64)


def _prompts(ids: Any, mask: Tensor | None, pad: int) -> tuple[Tensor, Tensor | None, bool]:
    """The prompts as ``(N, L)``, their mask, and whether it was a single one."""
    if not isinstance(ids, Tensor):
        if not isinstance(ids, Sequence) or isinstance(ids, str):
            raise TypeMismatch("generate", f"ids is {type(ids).__name__}", "expected a tensor or lists of tokens", "encode the text first")
        if mask is not None:
            raise TypeMismatch("generate", "attention_mask is given with lists", "lists are padded and masked by themselves")
        single = not len(ids) or isinstance(ids[0], int)
        lists = [ids] if single else ids
        if not all(map(len, lists)):
            raise ShapeError("generate", "a prompt is empty", "expected at least one token", "begin with the token for the start of a text")
        ids, mask = left_padded(lists, pad)
        return ids, None if bool(mask.all()) else mask, single
    single = ids.ndim == 1
    ids = ids[None] if single else ids
    if ids.ndim != 2 or not ids.shape[1]:
        raise ShapeError("generate", f"ids is {tuple(ids.shape)}", "expected (N, L) with at least one token")
    if mask is not None:
        mask = mask[None] if mask.ndim == 1 else mask
        if mask.shape != ids.shape or not bool((mask[:, -1] != 0).all()):
            what = f"attention_mask is {tuple(mask.shape)} for ids {tuple(ids.shape)}"
            raise ShapeError("generate", what, "expected their shape, with the padding on the left")
    return ids, mask, single


def _check(max_new_tokens: int, temperature: float, top_k: int | None, top_p: float | None) -> None:
    if max_new_tokens < 0:
        raise ValueRangeError("generate", f"max_new_tokens is {max_new_tokens}", "expected 0 or more")
    if not temperature > 0:
        raise ValueRangeError("generate", f"temperature is {temperature}", "expected more than 0", "leave do_sample False for greedy text")
    if top_k is not None and top_k < 1:
        raise ValueRangeError("generate", f"top_k is {top_k}", "expected 1 or more, or None for all")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueRangeError("generate", f"top_p is {top_p}", "expected 0 < top_p <= 1, or None for all")
