"""DistilBERT (Sanh et al., 2019): a BERT of half the layers, without types of tokens, with Hugging Face's names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from dovetail import Tensor, nn
from dovetail.errors import ShapeError, UnsupportedError, ValueRangeError

from .attention import Attention, padding_mask
from .config import Config, activation, labels_of, labels_to, named, refuse
from .heads import ForMaskedLM, ForSequenceClassification
from .layers import Embedding, Linear, draw
from .output import ModelOutput
from .pretrained import PreTrainedModel

__all__ = [
    "DistilBertConfig", "DistilBertForMaskedLM", "DistilBertForSequenceClassification", "DistilBertModel", "distilbert",
    "distilbert_for_masked_lm", "distilbert_for_sequence_classification",
]  # fmt: skip

_EPS = 1e-12


@dataclass
class DistilBertConfig(Config):
    """The sizes of a DistilBERT; the defaults are those of distilbert-base-uncased.

    >>> DistilBertConfig.from_dict({"model_type": "distilbert", "dim": 384}).hidden_dim
    3072
    """

    model_type: ClassVar[str] = "distilbert"

    vocab_size: int = 30522
    max_position_embeddings: int = 512
    n_layers: int = 6
    n_heads: int = 12
    dim: int = 768
    hidden_dim: int = 3072
    dropout: float = 0.1
    attention_dropout: float = 0.1
    activation: str = "gelu"
    initializer_range: float = 0.02
    seq_classif_dropout: float = 0.2
    qa_dropout: float = 0.1
    pad_token_id: int | None = 0
    tie_word_embeddings: bool = True
    num_labels: int = 2
    problem_type: str | None = None
    id2label: dict[int, str] | None = None

    def __post_init__(self) -> None:
        if self.id2label and self.num_labels == 2:  # which nobody need have said
            self.num_labels = len(self.id2label)
        self.id2label = named(self.id2label, self.num_labels)

    @property
    def hidden_size(self) -> int:
        """``dim`` by the name that other families have for it."""
        return self.dim

    @classmethod
    def translated(cls, config: dict[str, Any]) -> dict[str, Any]:
        """Take ``num_labels`` from ``id2label``. Positions by sines are parameters like others once they are in a file."""
        refuse(cls.__name__, config, {"is_decoder": (False,), "add_cross_attention": (False,)})
        return labels_of(config)

    def to_dict(self) -> dict[str, Any]:
        """The fields in Hugging Face's spelling; the number of labels stands in ``id2label``."""
        return labels_to(super().to_dict())


class DistilBertPreTrainedModel(PreTrainedModel):
    """The base of DistilBERT with its several heads."""

    config_class = DistilBertConfig
    base_model_prefix = "distilbert"
    heads = ("vocab_transform", "vocab_layer_norm", "vocab_projector", "pre_classifier", "classifier", "qa_outputs")

    def init_weights(self, module: nn.Module) -> None:
        """Normal weights of deviation ``initializer_range``, zero biases; the embedding of the padding is zero."""
        if isinstance(module, Linear | Embedding):
            draw(module, self.config.initializer_range)

    def renamed(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Older files hold the numbers of positions too."""
        return {name: t for name, t in state.items() if not name.endswith("embeddings.position_ids")}


class _Embeddings(nn.Module):
    def __init__(self, config: DistilBertConfig) -> None:
        super().__init__()
        self.word_embeddings = Embedding(config.vocab_size, config.dim, padding_idx=config.pad_token_id)
        self.position_embeddings = Embedding(config.max_position_embeddings, config.dim)
        self.LayerNorm = nn.LayerNorm(config.dim, eps=_EPS)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, words: Tensor, position_ids: Tensor | None) -> Tensor:
        length, most = words.shape[1], self.position_embeddings.num_embeddings
        if position_ids is None and length > most:
            raise ShapeError("DistilBertModel", f"the input has {length} tokens", f"expected {most} at most", "truncate it")
        places = self.position_embeddings.weight[:length] if position_ids is None else self.position_embeddings(position_ids)
        return self.dropout(self.LayerNorm(words + places))


class _FFN(nn.Module):
    def __init__(self, config: DistilBertConfig) -> None:
        super().__init__()
        self.lin1, self.lin2 = Linear(config.dim, config.hidden_dim), Linear(config.hidden_dim, config.dim)
        self.activation = activation(config.activation)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(self.lin2(self.activation(self.lin1(x))))


class _Block(nn.Module):
    def __init__(self, config: DistilBertConfig) -> None:
        super().__init__()
        names = ("q_lin", "k_lin", "v_lin", "out_lin")
        self.attention = Attention(config.dim, config.n_heads, names, dropout=nn.Dropout(config.attention_dropout))
        self.sa_layer_norm = nn.LayerNorm(config.dim, eps=_EPS)
        self.ffn = _FFN(config)
        self.output_layer_norm = nn.LayerNorm(config.dim, eps=_EPS)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        x = self.sa_layer_norm(self.attention(x, mask) + x)
        return self.output_layer_norm(self.ffn(x) + x)


class _Transformer(nn.Module):
    def __init__(self, config: DistilBertConfig) -> None:
        super().__init__()
        self.layer = nn.ModuleList([_Block(config) for _ in range(config.n_layers)])

    def forward(self, x: Tensor, mask: Tensor | None) -> list[Tensor]:
        """The hidden states before and after every layer."""
        states = [x]
        for layer in self.layer:
            states.append(layer(states[-1], mask))
        return states


class DistilBertModel(DistilBertPreTrainedModel):
    """The encoder: tokens ``(N, L)`` to ``last_hidden_state`` ``(N, L, dim)``; there is no pooler.

    After Sanh, Debut, Chaumond, Wolf, DistilBERT, https://arxiv.org/abs/1910.01108; results, gradients and names are those of Hugging
    Face's. Raises a ValueError unless exactly one of ``input_ids`` and ``inputs_embeds`` is given.

    >>> import dovetail as dv
    >>> config = DistilBertConfig(vocab_size=9, dim=8, n_layers=1, n_heads=2, hidden_dim=16)
    >>> DistilBertModel(config)(dv.tensor([[1, 2, 3]])).last_hidden_state.shape
    dovetail.Size([1, 3, 8])
    """

    def __init__(self, config: DistilBertConfig) -> None:
        super().__init__(config)
        self.embeddings = _Embeddings(config)
        self.transformer = _Transformer(config)
        self.post_init()

    def forward(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, inputs_embeds: Tensor | None = None,
        position_ids: Tensor | None = None, output_attentions: bool = False, output_hidden_states: bool = False, return_dict: bool = True,
        *, token_type_ids: Any = None,
    ) -> Any:  # fmt: skip
        """``token_type_ids``, which tokenizers of BERT's kind give, make no difference: the model has no types."""
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueRangeError("DistilBertModel", "You must specify exactly one of input_ids or inputs_embeds")
        if output_attentions:
            raise UnsupportedError("DistilBertModel", "output_attentions is True", "attention is computed without keeping its weights")
        words = self.embeddings.word_embeddings(input_ids) if inputs_embeds is None else inputs_embeds
        mask = padding_mask("DistilBertModel", attention_mask, words.shape[:2])
        states = self.transformer(self.embeddings(words, position_ids), mask)
        out = ModelOutput(last_hidden_state=states[-1], hidden_states=tuple(states) if output_hidden_states else None)
        return out if return_dict else out.to_tuple()


class DistilBertForMaskedLM(DistilBertPreTrainedModel, ForMaskedLM):
    """DistilBERT that guesses masked words: tokens ``(N, L)`` to ``logits`` ``(N, L, vocab_size)``; ``labels`` as for BERT."""

    def __init__(self, config: DistilBertConfig) -> None:
        super().__init__(config)
        self.activation = activation(config.activation)
        self.distilbert = DistilBertModel(config)
        self.vocab_transform = Linear(config.dim, config.dim)
        self.vocab_layer_norm = nn.LayerNorm(config.dim, eps=_EPS)
        self.vocab_projector = Linear(config.dim, config.vocab_size)
        self.post_init(self.vocab_transform, self.vocab_projector)
        if config.tie_word_embeddings:
            self.vocab_projector.weight = self.distilbert.embeddings.word_embeddings.weight

    def tied(self) -> dict[str, str]:
        """The projection is the word embedding."""
        return {"vocab_projector.weight": "distilbert.embeddings.word_embeddings.weight"} if self.config.tie_word_embeddings else {}

    def score(self, found: ModelOutput) -> Tensor:
        """Words by the vectors of all places."""
        return self.vocab_projector(self.vocab_layer_norm(self.activation(self.vocab_transform(found.last_hidden_state))))


class DistilBertForSequenceClassification(DistilBertPreTrainedModel, ForSequenceClassification):
    """DistilBERT that classifies whole texts by their first token: ``logits`` ``(N, num_labels)``; ``labels`` as for BERT."""

    def __init__(self, config: DistilBertConfig) -> None:
        super().__init__(config)
        self.distilbert = DistilBertModel(config)
        self.pre_classifier = Linear(config.dim, config.dim)
        self.classifier = Linear(config.dim, config.num_labels)
        self.dropout = nn.Dropout(config.seq_classif_dropout)
        self.post_init(self.pre_classifier, self.classifier)

    def score(self, found: ModelOutput) -> Tensor:
        """Classes by the vector of the first token."""
        return self.classifier(self.dropout(self.pre_classifier(found.last_hidden_state[:, 0]).relu()))


def distilbert(**config: Any) -> DistilBertModel:
    """Build a :class:`DistilBertModel` of the fields of :class:`DistilBertConfig`."""
    return DistilBertModel(DistilBertConfig(**config))


def distilbert_for_masked_lm(**config: Any) -> DistilBertForMaskedLM:
    """Build a :class:`DistilBertForMaskedLM` of the fields of :class:`DistilBertConfig`."""
    return DistilBertForMaskedLM(DistilBertConfig(**config))


def distilbert_for_sequence_classification(**config: Any) -> DistilBertForSequenceClassification:
    """Build a :class:`DistilBertForSequenceClassification` of the fields of :class:`DistilBertConfig`."""
    return DistilBertForSequenceClassification(DistilBertConfig(**config))
