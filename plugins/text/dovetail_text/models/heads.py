"""What encoders with a head share: the call, the loss of masked words, and the loss of classes."""

from __future__ import annotations

from typing import Any

import dovetail as dv
from dovetail import Tensor
from dovetail.errors import ValueRangeError
from dovetail.nn import functional as F

from .config import Config
from .output import ModelOutput
from .pretrained import PreTrainedModel

__all__ = ["ForMaskedLM", "ForSequenceClassification", "WithHead", "classification_loss"]


class WithHead(PreTrainedModel):
    """An encoder and a head: ``logits``, and with ``labels`` their ``loss``; arguments are those of the encoder by name."""

    def score(self, found: ModelOutput) -> Tensor:
        """The logits of what the encoder found; for subclasses to write."""
        raise NotImplementedError

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of logits; for subclasses to write."""
        raise NotImplementedError

    def forward(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, *args: Tensor | None, labels: Tensor | None = None,
        return_dict: bool = True, **given: Any,
    ) -> Any:  # fmt: skip
        found = getattr(self, self.base_model_prefix)(input_ids, attention_mask, *args, **given)
        logits = self.score(found)
        loss = None if labels is None else self.loss(logits, labels)
        out = ModelOutput(loss=loss, logits=logits, hidden_states=found.get("hidden_states"))
        return out if return_dict else out.to_tuple()


class ForMaskedLM(WithHead):
    """An encoder that guesses masked words: ``labels`` ``(N, L)`` are −100 where nothing is asked."""

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The cross-entropy of the words asked for."""
        return F.cross_entropy(logits.view(-1, self.config.vocab_size), labels.view(-1))


class ForSequenceClassification(WithHead):
    """An encoder that classifies whole texts into ``config.num_labels`` classes."""

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """What ``config.problem_type`` says: see :func:`classification_loss`."""
        return classification_loss(type(self).__name__, self.config, logits, labels)


def classification_loss(where: str, config: Config, logits: Tensor, labels: Tensor) -> Tensor:
    """The loss of logits ``(N, num_labels)`` that ``config.problem_type`` says.

    ``"regression"`` is the mean squared error (also where there is one label), ``"single_label_classification"`` the cross-entropy (also
    where labels are whole numbers), ``"multi_label_classification"`` the binary one. Raises a ValueError, said of ``where``, for another.
    """
    kind, labels_of_one = config.problem_type, config.num_labels
    if kind is None:
        whole = labels.dtype in (dv.int64, dv.int32)
        kind = "regression" if labels_of_one == 1 else "single_label_classification" if whole else "multi_label_classification"
    if kind == "regression":
        return F.mse_loss(logits.squeeze(), labels.squeeze()) if labels_of_one == 1 else F.mse_loss(logits, labels)
    if kind == "single_label_classification":
        return F.cross_entropy(logits.view(-1, labels_of_one), labels.view(-1))
    if kind == "multi_label_classification":
        return F.binary_cross_entropy_with_logits(logits, labels)
    kinds = "regression, single_label_classification or multi_label_classification"
    raise ValueRangeError(where, f"problem_type is {kind!r}", f"expected {kinds}")
