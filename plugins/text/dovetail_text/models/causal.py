"""What all causal language models share: the loss of the next token, room for a cache, and generation."""

from __future__ import annotations

from typing import Any

import dovetail as dv
from dovetail import Tensor
from dovetail.nn import functional as F

from .cache import KeyValueCache
from .pretrained import PreTrainedModel

__all__ = ["CausalLM", "next_token_loss"]


class CausalLM(PreTrainedModel):
    """The base of models that continue texts; subclasses say how large their cache is."""

    @property
    def longest(self) -> int | None:
        """How many tokens the model can see; None where nothing limits them."""
        return None

    def cache_sizes(self) -> tuple[int, int, int]:
        """The number of layers, of heads of keys, and the length of each; for subclasses to write."""
        raise NotImplementedError

    def make_cache(self, batch: int, length: int) -> KeyValueCache:
        """Room for the keys and values of ``length`` tokens of ``batch`` texts, made once: it does not grow."""
        layers, heads, size = self.cache_sizes()
        weight = next(self.parameters())
        return KeyValueCache(dv.zeros(2, layers, batch, heads, length, size, dtype=weight.dtype, device=weight.device))

    def generate(
        self, ids: Any = None, max_new_tokens: int | None = None, temperature: float = 1.0, top_k: int | None = 50, **options: Any
    ) -> Any:  # fmt: skip
        """Continue texts: :func:`dovetail_text.generation.generate` with this model, but drawn (``do_sample=True``) of the 50 likeliest.

        That is the ``top_k`` of transformers; pass None to draw of all, as the function does. Of a ``generation_config.json`` only the
        tokens for ends are read. ``model.generate(**tokenizer(texts, return_tensors="pt"), max_new_tokens=20)`` is legal.
        """
        from ..generation import generate

        return generate(self, ids, max_new_tokens, temperature, top_k, **options)

    def _cache_for(self, rows: int, length: int, cache: Any, past: Any, use_cache: bool | None) -> KeyValueCache | None:
        """The cache of a call: the one given, by either name, or, where one is asked for, a new one that grows."""
        found = past if cache is None else cache
        return self.make_cache(rows, length) if found is None and use_cache else found


def next_token_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """The mean cross-entropy of each label ``(N, L)`` by the logits ``(N, L, V)`` of the token before it; −100 is not asked.

    >>> next_token_loss(dv.zeros(1, 3, 2), dv.tensor([[0, 1, 1]]))
    tensor(0.6931)
    """
    following = F.pad(labels, (0, 1), value=-100)[:, 1:]
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), following.reshape(-1))
