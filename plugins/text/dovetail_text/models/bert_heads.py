"""BERT with a head: words for masked places, and classes of whole texts."""

from __future__ import annotations

from typing import Any

from dovetail import Tensor, nn

from .bert import BertConfig, BertModel, BertPreTrainedModel
from .config import activation
from .heads import ForMaskedLM, ForSequenceClassification
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


class BertForMaskedLM(BertPreTrainedModel, ForMaskedLM):
    """BERT that guesses masked words: tokens ``(N, L)`` to ``logits`` ``(N, L, vocab_size)``.

    With ``labels`` ``(N, L)``, −100 where nothing is asked, ``loss`` is their cross-entropy. The matrix of the last layer is that of
    the word embeddings, unless ``tie_word_embeddings`` is False.

    >>> import dovetail as dv
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

    def score(self, found: ModelOutput) -> Tensor:
        """Words by the vectors of all places."""
        return self.cls(found.last_hidden_state)


class BertForSequenceClassification(BertPreTrainedModel, ForSequenceClassification):
    """BERT that classifies whole texts: tokens ``(N, L)`` to ``logits`` ``(N, num_labels)``.

    With ``labels``, ``loss`` is what ``config.problem_type`` says: :func:`~dovetail_text.models.heads.classification_loss`.

    >>> import dovetail as dv
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

    def score(self, found: ModelOutput) -> Tensor:
        """Classes by the pooled vector."""
        return self.classifier(self.dropout(found.pooler_output))


def bert_for_masked_lm(**config: Any) -> BertForMaskedLM:
    """Build a :class:`BertForMaskedLM` of the fields of ``BertConfig``."""
    return BertForMaskedLM(BertConfig(**config))


def bert_for_sequence_classification(**config: Any) -> BertForSequenceClassification:
    """Build a :class:`BertForSequenceClassification` of the fields of ``BertConfig``."""
    return BertForSequenceClassification(BertConfig(**config))
