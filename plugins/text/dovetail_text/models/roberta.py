"""RoBERTa (Liu et al., 2019) and XLM-RoBERTa (Conneau et al., 2020): BERT's encoder with other positions, and heads of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import dovetail as dv
from dovetail import Tensor, nn
from dovetail.errors import ShapeError
from dovetail.nn import functional as F

from .bert import BertConfig, BertModel, BertPreTrainedModel
from .heads import ForMaskedLM, ForSequenceClassification
from .layers import Linear
from .output import ModelOutput

__all__ = [
    "RobertaConfig", "RobertaForMaskedLM", "RobertaForSequenceClassification", "RobertaModel", "XLMRobertaConfig", "XLMRobertaForMaskedLM",
    "XLMRobertaForSequenceClassification", "XLMRobertaModel", "roberta", "roberta_for_masked_lm", "roberta_for_sequence_classification",
]  # fmt: skip


@dataclass
class RobertaConfig(BertConfig):
    """The sizes of a RoBERTa; the defaults are Hugging Face's (roberta-base has 514 positions and one type of token).

    >>> RobertaConfig.from_dict({"model_type": "roberta", "type_vocab_size": 1}).pad_token_id
    1
    """

    model_type: ClassVar[str] = "roberta"

    vocab_size: int = 50265
    pad_token_id: int | None = 1


@dataclass
class XLMRobertaConfig(RobertaConfig):
    """The sizes of an XLM-RoBERTa: fields as those of a RoBERTa."""

    model_type: ClassVar[str] = "xlm-roberta"

    vocab_size: int = 30522


class RobertaPreTrainedModel(BertPreTrainedModel):
    """The base of RoBERTa with its several heads."""

    config_class = RobertaConfig
    base_model_prefix = "roberta"
    heads = ("lm_head", "classifier", "qa_outputs")
    padded_positions = True


class RobertaModel(RobertaPreTrainedModel, BertModel):
    """The encoder: tokens ``(N, L)`` to ``last_hidden_state`` ``(N, L, H)`` and ``pooler_output`` ``(N, H)``.

    After Liu et al., RoBERTa, https://arxiv.org/abs/1907.11692; results, gradients and names are those of Hugging Face's. Positions
    count from ``pad_token_id + 1`` on, over the tokens that are not padding.

    >>> config = RobertaConfig(9, 8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    >>> RobertaModel(config)(dv.tensor([[5, 2, 3, 1]])).last_hidden_state.shape
    dovetail.Size([1, 4, 8])
    """

    def forward(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None, inputs_embeds: Tensor | None = None, **output: Any,
    ) -> Any:  # fmt: skip
        given = input_ids if inputs_embeds is None else inputs_embeds
        if position_ids is None and given is not None:
            position_ids = self._places(input_ids, given)
        return super().forward(input_ids, attention_mask, token_type_ids, position_ids, inputs_embeds, **output)

    def _places(self, input_ids: Tensor | None, given: Tensor) -> Tensor:
        padding, length = self.config.pad_token_id, given.shape[1]
        most = self.config.max_position_embeddings - padding - 1
        if length > most:
            raise ShapeError(type(self).__name__, f"the input has {length} tokens", f"expected {most} at most", "truncate it")
        if input_ids is None:
            return dv.arange(padding + 1, padding + 1 + length, device=given.device)[None]
        real = (input_ids != padding).to(dv.int64)
        return real.cumsum(1) * real + padding


class _WordHead(nn.Module):
    def __init__(self, config: RobertaConfig) -> None:
        super().__init__()
        self.dense = Linear(config.hidden_size, config.hidden_size)
        self.layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.decoder = Linear(config.hidden_size, config.vocab_size)
        self.bias = self.decoder.bias

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.layer_norm(F.gelu(self.dense(x))))


class RobertaForMaskedLM(RobertaPreTrainedModel, ForMaskedLM):
    """RoBERTa that guesses masked words: tokens ``(N, L)`` to ``logits`` ``(N, L, vocab_size)``; ``labels`` as for BERT.

    >>> config = RobertaConfig(9, 8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    >>> RobertaForMaskedLM(config)(dv.tensor([[5, 2, 3]])).logits.shape
    dovetail.Size([1, 3, 9])
    """

    def __init__(self, config: RobertaConfig) -> None:
        super().__init__(config)
        self.roberta = RobertaModel(config, add_pooling_layer=False)
        self.lm_head = _WordHead(config)
        self.post_init(self.lm_head)
        if config.tie_word_embeddings:
            self.lm_head.decoder.weight = self.roberta.embeddings.word_embeddings.weight

    def tied(self) -> dict[str, str]:
        """The decoder's two parameters, each under its other name."""
        found = {"lm_head.decoder.bias": "lm_head.bias"}
        if self.config.tie_word_embeddings:
            found["lm_head.decoder.weight"] = "roberta.embeddings.word_embeddings.weight"
        return found

    def score(self, found: ModelOutput) -> Tensor:
        """Words by the vectors of all places."""
        return self.lm_head(found.last_hidden_state)


class _ClassHead(nn.Module):
    def __init__(self, config: RobertaConfig) -> None:
        super().__init__()
        self.dense = Linear(config.hidden_size, config.hidden_size)
        self.dropout = nn.Dropout(config.hidden_dropout_prob if config.classifier_dropout is None else config.classifier_dropout)
        self.out_proj = Linear(config.hidden_size, config.num_labels)

    def forward(self, x: Tensor) -> Tensor:
        return self.out_proj(self.dropout(self.dense(self.dropout(x)).tanh()))


class RobertaForSequenceClassification(RobertaPreTrainedModel, ForSequenceClassification):
    """RoBERTa that classifies whole texts by their first token: ``logits`` ``(N, num_labels)``; ``labels`` as for BERT.

    >>> config = RobertaConfig(9, 8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, num_labels=3)
    >>> RobertaForSequenceClassification(config)(dv.tensor([[5, 2, 3]])).logits.shape
    dovetail.Size([1, 3])
    """

    def __init__(self, config: RobertaConfig) -> None:
        super().__init__(config)
        self.roberta = RobertaModel(config, add_pooling_layer=False)
        self.classifier = _ClassHead(config)
        self.post_init(self.classifier)

    def score(self, found: ModelOutput) -> Tensor:
        """Classes by the vector of the first token."""
        return self.classifier(found.last_hidden_state[:, 0])


class XLMRobertaModel(RobertaModel):
    """XLM-RoBERTa's encoder (https://arxiv.org/abs/1911.02116): a :class:`RobertaModel` for a hundred languages."""

    config_class = XLMRobertaConfig


class XLMRobertaForMaskedLM(RobertaForMaskedLM):
    """XLM-RoBERTa that guesses masked words: a :class:`RobertaForMaskedLM`."""

    config_class = XLMRobertaConfig


class XLMRobertaForSequenceClassification(RobertaForSequenceClassification):
    """XLM-RoBERTa that classifies whole texts: a :class:`RobertaForSequenceClassification`."""

    config_class = XLMRobertaConfig


def roberta(**config: Any) -> RobertaModel:
    """Build a :class:`RobertaModel` of the fields of :class:`RobertaConfig`."""
    return RobertaModel(RobertaConfig(**config))


def roberta_for_masked_lm(**config: Any) -> RobertaForMaskedLM:
    """Build a :class:`RobertaForMaskedLM` of the fields of :class:`RobertaConfig`."""
    return RobertaForMaskedLM(RobertaConfig(**config))


def roberta_for_sequence_classification(**config: Any) -> RobertaForSequenceClassification:
    """Build a :class:`RobertaForSequenceClassification` of the fields of :class:`RobertaConfig`."""
    return RobertaForSequenceClassification(RobertaConfig(**config))
