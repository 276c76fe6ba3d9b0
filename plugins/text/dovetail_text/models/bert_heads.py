"""BERT with a head: words for masked places, and classes of whole texts."""

from __future__ import annotations

from typing import Any

import dovetail as dv
from dovetail import Tensor, nn
from dovetail.errors import ValueRangeError
from dovetail.nn import functional as F

from .bert import BertConfig, BertModel, BertPreTrainedModel
from .config import activation
from .layers import Linear
from .output import ModelOutput

__all__ = ["BertForMaskedLM", "BertForSequenceClassification", "bert_for_masked_lm", "bert_for_sequence_classification"]


class _Transform(nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.dense = Linear(config.hidden_size, config.hidden_size)
        self.transform_act_fn = activation(config.hidden_act)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, x: Tensor) -> Tensor:
        return self.LayerNorm(self.transform_act_fn(self.dense(x)))


class _Predictions(nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.transform = _Transform(config)
        self.decoder = Linear(config.hidden_size, config.vocab_size)
        self.bias = self.decoder.bias

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.transform(x))


class _Head(nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.predictions = _Predictions(config)

    def forward(self, x: Tensor) -> Tensor:
        return self.predictions(x)


class BertForMaskedLM(BertPreTrainedModel):
    """BERT that guesses masked words: tokens ``(N, L)`` to ``logits`` ``(N, L, vocab_size)``.

    With ``labels`` ``(N, L)``, −100 where nothing is asked, ``loss`` is their cross-entropy. The matrix of the last layer is that of
    the word embeddings, unless ``tie_word_embeddings`` is False.

    >>> config = BertConfig(vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    >>> BertForMaskedLM(config)(dv.tensor([[1, 2, 3]])).logits.shape
    dovetail.Size([1, 3, 9])
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config)
        self.bert = BertModel(config, add_pooling_layer=False)
        self.cls = _Head(config)
        self.post_init(self.cls)
        if config.tie_word_embeddings:
            self.cls.predictions.decoder.weight = self.bert.embeddings.word_embeddings.weight

    def tied(self) -> dict[str, str]:
        """The decoder's two parameters, each under its other name."""
        found = {"cls.predictions.decoder.bias": "cls.predictions.bias"}
        if self.config.tie_word_embeddings:
            found["cls.predictions.decoder.weight"] = "bert.embeddings.word_embeddings.weight"
        return found

    def forward(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None, inputs_embeds: Tensor | None = None, labels: Tensor | None = None, **output: Any,
    ) -> Any:  # fmt: skip
        return_dict = output.pop("return_dict", True)
        found = self.bert(input_ids, attention_mask, token_type_ids, position_ids, inputs_embeds, **output)
        logits = self.cls(found.last_hidden_state)
        loss = None if labels is None else F.cross_entropy(logits.view(-1, self.config.vocab_size), labels.view(-1))
        out = ModelOutput(loss=loss, logits=logits, hidden_states=found.get("hidden_states"))
        return out if return_dict else out.to_tuple()


class BertForSequenceClassification(BertPreTrainedModel):
    """BERT that classifies whole texts: tokens ``(N, L)`` to ``logits`` ``(N, num_labels)``.

    With ``labels``, ``loss`` is what ``config.problem_type`` says: ``"regression"`` (mean squared error; also where there is one label),
    ``"single_label_classification"`` (cross-entropy; also where labels are whole numbers) or ``"multi_label_classification"``.

    >>> config = BertConfig(9, 8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, num_labels=3)
    >>> BertForSequenceClassification(config)(dv.tensor([[1, 2, 3]])).logits.shape
    dovetail.Size([1, 3])
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config)
        self.num_labels = config.num_labels
        self.bert = BertModel(config)
        drop = config.hidden_dropout_prob if config.classifier_dropout is None else config.classifier_dropout
        self.dropout = nn.Dropout(drop)
        self.classifier = Linear(config.hidden_size, config.num_labels)
        self.post_init(self.classifier)

    def forward(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None, inputs_embeds: Tensor | None = None, labels: Tensor | None = None, **output: Any,
    ) -> Any:  # fmt: skip
        return_dict = output.pop("return_dict", True)
        found = self.bert(input_ids, attention_mask, token_type_ids, position_ids, inputs_embeds, **output)
        logits = self.classifier(self.dropout(found.pooler_output))
        loss = None if labels is None else self._loss(logits, labels)
        out = ModelOutput(loss=loss, logits=logits, hidden_states=found.get("hidden_states"))
        return out if return_dict else out.to_tuple()

    def _loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        kind = self.config.problem_type
        if kind is None:
            whole = labels.dtype in (dv.int64, dv.int32)
            kind = "regression" if self.num_labels == 1 else "single_label_classification" if whole else "multi_label_classification"
        if kind == "regression":
            return F.mse_loss(logits.squeeze(), labels.squeeze()) if self.num_labels == 1 else F.mse_loss(logits, labels)
        if kind == "single_label_classification":
            return F.cross_entropy(logits.view(-1, self.num_labels), labels.view(-1))
        if kind == "multi_label_classification":
            return F.binary_cross_entropy_with_logits(logits, labels)
        kinds = "regression, single_label_classification or multi_label_classification"
        raise ValueRangeError("BertForSequenceClassification", f"problem_type is {kind!r}", f"expected {kinds}")


def bert_for_masked_lm(**config: Any) -> BertForMaskedLM:
    """Build a :class:`BertForMaskedLM` of the fields of ``BertConfig``."""
    return BertForMaskedLM(BertConfig(**config))


def bert_for_sequence_classification(**config: Any) -> BertForSequenceClassification:
    """Build a :class:`BertForSequenceClassification` of the fields of ``BertConfig``."""
    return BertForSequenceClassification(BertConfig(**config))
