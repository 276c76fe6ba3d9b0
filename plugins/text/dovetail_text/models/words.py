"""The words of a model: its table of embeddings and the head that scores words, found, tied, and given another number of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dovetail as dv
from dovetail import Tensor, nn
from dovetail.errors import UnsupportedError, ValueRangeError

__all__ = ["Words"]

_TABLES = ("embeddings.word_embeddings", "wte", "embed_tokens", "shared")
_HEADS = ("lm_head.decoder", "cls.predictions.decoder", "vocab_projector", "lm_head")
_SPREAD = 1e-9  # of the variance of old rows, in which new ones may differ


class Words(nn.Module):
    """What all models have for their words, by the names of transformers."""

    config: Any

    def tied(self) -> dict[str, str]:
        """Parameters that are others under a second name: name → the other; for subclasses to write."""
        return {}

    def get_input_embeddings(self) -> nn.Module:
        """The table of word embeddings."""
        return self._words()[1]

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Put another table of word embeddings in place; heads that are tied to it take it too."""
        old = self.get_input_embeddings()
        places = [(owner, name) for owner in self.modules() for name, child in owner.named_children() if child is old]
        for owner, name in places:
            setattr(owner, name, value)
        self.tie_weights()

    def get_output_embeddings(self) -> nn.Module | None:
        """The layer that scores words; None where there is none."""
        return _found(self, _HEADS)

    def set_output_embeddings(self, new_embeddings: nn.Module) -> None:
        """Put another layer that scores words in place. Raises an UnsupportedError for a model without one."""
        for path in _HEADS:
            if _found(self, (path,)) is not None:
                owner, _, name = path.rpartition(".")
                setattr(self.get_submodule(owner), name, new_embeddings)
                return
        raise UnsupportedError(type(self).__name__, "the model has no layer that scores words", "expected one with a head for words")

    def tie_weights(self) -> None:
        """Let parameters that are said to be one be one again, after one of them was replaced."""
        for name, source in self.tied().items():
            owner, _, last = name.rpartition(".")
            setattr(self.get_submodule(owner), last, self.get_parameter(source))

    def resize_token_embeddings(
        self, new_num_tokens: int | None = None, pad_to_multiple_of: int | None = None, mean_resizing: bool = True
    ) -> nn.Module:  # fmt: skip
        """Give the model another number of words, and return the table of embeddings; ``config.vocab_size`` changes with it.

        Words that stay keep their rows, of the head too. New rows are drawn about the mean of the old ones, which leaves the odds of old
        words as they were (https://nlp.stanford.edu/~johnhew/vocab-expansion.html), or with ``mean_resizing=False`` as initial weights
        are; new biases of a head that is tied to the table are 0. ``pad_to_multiple_of`` rounds the number up. Parameters stay the same
        objects, so an optimizer keeps them, but not its state.
        Raises a ValueError for less than one word.

        >>> from dovetail_text.models import GPT, GPTConfig
        >>> model = GPT(GPTConfig(vocab_size=9, block_size=8, n_layer=1, n_head=2, n_embd=16))
        >>> model.resize_token_embeddings(12), model.lm_head.weight.shape, model.config.vocab_size
        (Embedding(12, 16), dovetail.Size([12, 16]), 12)
        """
        table = self.get_input_embeddings()
        if new_num_tokens is None and pad_to_multiple_of is None:
            return table
        count = table.weight.shape[0] if new_num_tokens is None else new_num_tokens
        if not isinstance(count, int) or count < 1:
            raise ValueRangeError("resize_token_embeddings", f"new_num_tokens is {new_num_tokens!r}", "expected 1 or more")
        if pad_to_multiple_of is not None:
            count = -(-count // pad_to_multiple_of) * pad_to_multiple_of
        head = self.get_output_embeddings()
        _resized(table.weight, count, None if mean_resizing else self._deviation())
        table.num_embeddings = count
        if getattr(table, "padding_idx", None) is not None and table.padding_idx >= count:
            table.padding_idx = None
        if head is not None:
            own = head.weight.shape[0] != count
            if own:
                _resized(head.weight, count, None if mean_resizing else self._deviation())
            if getattr(head, "bias", None) is not None:
                _resized(head.bias, count, None if own and mean_resizing else 0.0)
            head.out_features = count
        self._renumbered(count)
        return table

    def _renumbered(self, count: int) -> None:
        """Every part has the configuration, which may be one object or several."""
        for module in self.modules():
            if isinstance(module, Words):
                module.config.vocab_size = count

    def _deviation(self) -> float:
        return float(getattr(self.config, "initializer_range", getattr(self.config, "initializer_factor", 1.0)))

    def _words(self) -> tuple[nn.Module, nn.Module]:
        base = getattr(self, getattr(self, "base_model_prefix", "") or "_", self)
        table = _found(base, _TABLES)
        if table is None:
            raise UnsupportedError(type(self).__name__, "the model has no table of word embeddings", "expected one that takes tokens")
        return base, table


def _found(model: nn.Module, paths: Sequence[str]) -> nn.Module | None:
    for path in paths:
        found: Any = model
        for name in path.split("."):
            found = getattr(found, name, None)
        if isinstance(found, nn.Module) and hasattr(found, "weight"):
            return found
    return None


def _resized(parameter: Tensor, count: int, deviation: float | None) -> None:
    """Let a parameter have ``count`` rows; new ones are near the mean of the old ones, or have this deviation about zero."""
    with dv.no_grad():
        old = parameter.detach().to(dv.float32)
        new = count - old.shape[0]
        if new <= 0:
            rows = old[:count]
        elif deviation is not None:
            rows = dv.cat([old, dv.randn(new, *old.shape[1:], device=old.device) * deviation])
        else:
            rows = dv.cat([old, _near(old, new)])
        parameter.data = rows.to(parameter.dtype).clone()
        parameter.grad = None


def _near(old: Tensor, new: int) -> Tensor:
    """``new`` rows about the mean of old ones, with a little of their covariance where it is positive definite."""
    mean = old.mean(0)
    if old.ndim == 1:
        return mean + _SPREAD * old.std() * dv.randn(new, device=old.device)
    centred = old - mean
    factor, failed = dv.linalg.cholesky_ex(_SPREAD * (centred.t() @ centred) / old.shape[0])
    if int(failed):
        return mean.expand(new, -1)
    return mean + dv.randn(new, old.shape[1], device=old.device) @ factor.t()
