"""Heads that say something of each token: classes of tokens, and where answers begin and end; for BERT, RoBERTa and DistilBERT."""

from __future__ import annotations

from typing import Any

from dovetail import Tensor, nn
from dovetail.nn import functional as F

from .bert import BertConfig, BertModel, BertPreTrainedModel
from .distilbert import DistilBertConfig, DistilBertModel, DistilBertPreTrainedModel
from .heads import WithHead
from .layers import Linear
from .output import ModelOutput
from .roberta import RobertaConfig, RobertaModel, RobertaPreTrainedModel, XLMRobertaConfig

__all__ = [
    "BertForQuestionAnswering", "BertForTokenClassification", "DistilBertForQuestionAnswering", "DistilBertForTokenClassification",
    "RobertaForQuestionAnswering", "RobertaForTokenClassification", "XLMRobertaForQuestionAnswering", "XLMRobertaForTokenClassification",
]  # fmt: skip


class _ForTokenClassification(WithHead):
    """An encoder that classifies each token: ``logits`` ``(N, L, num_labels)``; ``labels`` ``(N, L)`` are −100 where nothing is asked."""

    def score(self, found: ModelOutput) -> Tensor:
        """Classes by the vectors of all places."""
        return self.classifier(self.dropout(found.last_hidden_state))

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The cross-entropy of the classes asked for."""
        return F.cross_entropy(logits.view(-1, self.config.num_labels), labels.view(-1))


class _ForQuestionAnswering(WithHead):
    """An encoder that finds answers in texts: ``start_logits`` and ``end_logits`` ``(N, L)`` of where they begin and end."""

    def score(self, found: ModelOutput) -> Tensor:
        """Both scores by the vectors of all places."""
        x = found.last_hidden_state
        return self.qa_outputs(self.dropout(x) if hasattr(self, "dropout") else x)

    def forward(  # type: ignore[override]
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, *args: Tensor | None,
        start_positions: Tensor | None = None, end_positions: Tensor | None = None, return_dict: bool = True, **given: Any,
    ) -> Any:  # fmt: skip
        """With both positions ``(N,)`` ``loss`` is the mean of their cross-entropies; positions outside the text are not asked."""
        found = getattr(self, self.base_model_prefix)(input_ids, attention_mask, *args, **given)
        start, end = self.score(found).unbind(-1)
        loss = None
        if start_positions is not None and end_positions is not None:
            outside = start.shape[1]
            places = (one.reshape(-1).clamp(0, outside) for one in (start_positions, end_positions))
            first, last = (F.cross_entropy(scores, place, ignore_index=outside) for scores, place in zip((start, end), places, strict=True))
            loss = (first + last) / 2
        out = ModelOutput(loss=loss, start_logits=start, end_logits=end, hidden_states=found.get("hidden_states"))
        return out if return_dict else out.to_tuple()


def _drop(config: BertConfig) -> nn.Module:
    return nn.Dropout(config.hidden_dropout_prob if config.classifier_dropout is None else config.classifier_dropout)


class BertForTokenClassification(BertPreTrainedModel, _ForTokenClassification):
    """BERT that classifies each token: tokens ``(N, L)`` to ``logits`` ``(N, L, num_labels)``.

    >>> import dovetail as dv
    >>> config = BertConfig(9, 8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, num_labels=3)
    >>> BertForTokenClassification(config)(dv.tensor([[1, 2, 3]]), labels=dv.tensor([[-100, 0, 2]])).logits.shape
    dovetail.Size([1, 3, 3])
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config)
        self.bert = BertModel(config, add_pooling_layer=False)
        self.dropout = _drop(config)
        self.classifier = Linear(config.hidden_size, config.num_labels)
        self.post_init(self.classifier)


class BertForQuestionAnswering(BertPreTrainedModel, _ForQuestionAnswering):
    """BERT that finds answers: tokens ``(N, L)`` to ``start_logits`` and ``end_logits`` ``(N, L)``.

    >>> import dovetail as dv
    >>> config = BertConfig(9, 8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    >>> BertForQuestionAnswering(config)(dv.tensor([[1, 2, 3]])).end_logits.shape
    dovetail.Size([1, 3])
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config)
        self.bert = BertModel(config, add_pooling_layer=False)
        self.qa_outputs = Linear(config.hidden_size, 2)
        self.post_init(self.qa_outputs)


class RobertaForTokenClassification(RobertaPreTrainedModel, _ForTokenClassification):
    """RoBERTa that classifies each token, as :class:`BertForTokenClassification`."""

    def __init__(self, config: RobertaConfig) -> None:
        super().__init__(config)
        self.roberta = RobertaModel(config, add_pooling_layer=False)
        self.dropout = _drop(config)
        self.classifier = Linear(config.hidden_size, config.num_labels)
        self.post_init(self.classifier)


class RobertaForQuestionAnswering(RobertaPreTrainedModel, _ForQuestionAnswering):
    """RoBERTa that finds answers, as :class:`BertForQuestionAnswering`."""

    def __init__(self, config: RobertaConfig) -> None:
        super().__init__(config)
        self.roberta = RobertaModel(config, add_pooling_layer=False)
        self.qa_outputs = Linear(config.hidden_size, 2)
        self.post_init(self.qa_outputs)


class XLMRobertaForTokenClassification(RobertaForTokenClassification):
    """XLM-RoBERTa that classifies each token: a :class:`RobertaForTokenClassification`."""

    config_class = XLMRobertaConfig


class XLMRobertaForQuestionAnswering(RobertaForQuestionAnswering):
    """XLM-RoBERTa that finds answers: a :class:`RobertaForQuestionAnswering`."""

    config_class = XLMRobertaConfig


class DistilBertForTokenClassification(DistilBertPreTrainedModel, _ForTokenClassification):
    """DistilBERT that classifies each token, as :class:`BertForTokenClassification`."""

    def __init__(self, config: DistilBertConfig) -> None:
        super().__init__(config)
        self.distilbert = DistilBertModel(config)
        self.classifier = Linear(config.dim, config.num_labels)
        self.dropout = nn.Dropout(config.dropout)
        self.post_init(self.classifier)


class DistilBertForQuestionAnswering(DistilBertPreTrainedModel, _ForQuestionAnswering):
    """DistilBERT that finds answers, as :class:`BertForQuestionAnswering`."""

    def __init__(self, config: DistilBertConfig) -> None:
        super().__init__(config)
        self.distilbert = DistilBertModel(config)
        self.qa_outputs = Linear(config.dim, 2)
        self.dropout = nn.Dropout(config.qa_dropout)
        self.post_init(self.qa_outputs)
