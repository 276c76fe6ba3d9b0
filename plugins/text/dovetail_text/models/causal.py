"""What all causal language models share: the loss of the next token, room for a cache, and generation."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import dovetail as dv
from dovetail import Tensor
from dovetail.errors import TypeMismatch
from dovetail.nn import functional as F

from .cache import DynamicCache, KeyValueCache
from .pretrained import PreTrainedModel

if TYPE_CHECKING:
    from ..generation.settings import GenerationConfig

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

    @property
    def generation_config(self) -> GenerationConfig:
        """How the model generates unless it is told otherwise; what its folder's ``generation_config.json`` says, where there is one."""
        if "_generation_config" not in self.__dict__:
            self.__dict__["_generation_config"] = _settings().from_model_config(self.config)
        return self.__dict__["_generation_config"]  # type: ignore[no-any-return]

    @generation_config.setter
    def generation_config(self, settings: GenerationConfig) -> None:
        self.__dict__["_generation_config"] = settings

    def generate(
        self, ids: Any = None, generation_config: GenerationConfig | int | None = None, temperature: Any = ..., top_k: Any = ..., *,
        max_new_tokens: int | None = None, **options: Any,
    ) -> Any:  # fmt: skip
        """Continue texts: :func:`dovetail_text.generation.generate` with this model and the settings of its ``generation_config``.

        What is given goes before a ``generation_config`` that is given, and that before the model's own; a number in its place is
        ``max_new_tokens``. Drawn (``do_sample=True``) are tokens of the 50 likeliest, unless one of them says otherwise, as in
        transformers; ``top_k=None`` draws of all. ``model.generate(**tokenizer(texts, return_tensors="pt"), max_new_tokens=20)`` is legal.
        """
        from ..generation import generate

        if not hasattr(generation_config, "asked"):
            max_new_tokens = generation_config if max_new_tokens is None else max_new_tokens  # type: ignore[assignment]
            generation_config = None
        own, asked = self.generation_config.asked(), {} if generation_config is None else generation_config.asked()  # type: ignore[union-attr]
        named = {"max_new_tokens": max_new_tokens, "temperature": temperature, "top_k": top_k}
        given = options | {name: value for name, value in named.items() if value is not ... and (name == "top_k" or value is not None)}
        settings = {"top_k": 50, **own, **asked}
        for name, other in (("eos", "eos_token_id"), ("pad", "pad_token_id")):
            if given.get(name) is not None:
                settings.pop(other, None)
        if "max_length" in options and settings.get("max_new_tokens") is not None and max_new_tokens is None:
            what = f"max_length is given, but the generation_config has max_new_tokens = {settings['max_new_tokens']}"
            warnings.warn(f"generate: {what}, which goes before it", stacklevel=2)
        return generate(self, ids, **(settings | {name: value for name, value in given.items() if value is not None or name == "top_k"}))

    def compute_transition_scores(
        self, sequences: Tensor, scores: Sequence[Tensor], beam_indices: Tensor | None = None, normalize_logits: bool = False
    ) -> Tensor:  # fmt: skip
        """The score ``(N, steps)`` of each token that was taken, of texts and the scores of their steps, as ``generate`` keeps them.

        With ``normalize_logits`` they are logarithms of probabilities. ``beam_indices`` ``(N, steps)`` says of which row of the scores each
        token of a beam was taken, −1 after its end, where the score is 0.
        """
        found = dv.stack(list(scores), 1)
        found = found.log_softmax(-1) if normalize_logits else found
        if beam_indices is None:
            return found.gather(2, sequences[:, -found.shape[1] :, None])[:, :, 0]
        ended = beam_indices < 0
        beam_indices = beam_indices[:, : int((~ended).sum(-1).max())]
        count = beam_indices.shape[1]
        tokens, rows = sequences[:, sequences.shape[1] - count :], beam_indices.clamp(min=0)
        return found[rows, dv.arange(count, device=rows.device), tokens].masked_fill(ended[:, :count], 0.0)

    def _cache_for(self, rows: int, length: int, cache: Any, past: Any, use_cache: bool | None) -> KeyValueCache | None:
        """The cache of a call: the one given, by either name, or, unless ``use_cache`` is False, a new one.

        Raises a TypeError for what is no cache.
        """
        found = past if cache is None else cache
        if found is None:
            return self.make_cache(rows, length) if use_cache else DynamicCache() if use_cache is None else None
        if not isinstance(found, KeyValueCache):
            fix = "pass on what the model gave, or a DynamicCache"
            raise TypeMismatch(type(self).__name__, f"past_key_values is {type(found).__name__}", "expected a cache", fix)
        return found


def _settings() -> type[GenerationConfig]:
    from ..generation.settings import GenerationConfig  # generation imports models

    return GenerationConfig


def next_token_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """The mean cross-entropy of each label ``(N, L)`` by the logits ``(N, L, V)`` of the token before it; −100 is not asked.

    >>> next_token_loss(dv.zeros(1, 3, 2), dv.tensor([[0, 1, 1]]))
    tensor(0.6931)
    """
    following = F.pad(labels, (0, 1), value=-100)[:, 1:]
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), following.reshape(-1))
