"""BERT (Devlin et al., 2018): the encoder, with Hugging Face's names of configuration, parameters and results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from dovetail import Tensor, nn
from dovetail.errors import ShapeError, UnsupportedError, ValueRangeError

from .attention import Attention, padding_mask
from .config import Config, activation, labels_of, labels_to, named, refuse
from .layers import Embedding, Linear, draw
from .output import ModelOutput
from .pretrained import PreTrainedModel

__all__ = ["BertConfig", "BertModel", "BertPreTrainedModel", "bert"]


@dataclass
class BertConfig(Config):
    """The sizes of a BERT; the defaults are those of bert-base-uncased.

    >>> BertConfig.from_dict({"model_type": "bert", "hidden_size": 384, "architectures": ["BertModel"]}).hidden_size
    384
    """

    model_type: ClassVar[str] = "bert"

    vocab_size: int = 30522
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    pad_token_id: int | None = 0
    classifier_dropout: float | None = None
    tie_word_embeddings: bool = True
    num_labels: int = 2
    problem_type: str | None = None
    id2label: dict[int, str] | None = None

    def __post_init__(self) -> None:
        if self.id2label and self.num_labels == 2:  # which nobody need have said
            self.num_labels = len(self.id2label)
        self.id2label = named(self.id2label, self.num_labels)

    @classmethod
    def translated(cls, config: dict[str, Any]) -> dict[str, Any]:
        """Refuse decoders and relative positions; take ``num_labels`` from ``id2label``."""
        plain = {"position_embedding_type": ("absolute",), "is_decoder": (False,), "add_cross_attention": (False,)}
        refuse(cls.__name__, config, plain)
        return labels_of(config)

    def to_dict(self) -> dict[str, Any]:
        """The fields in Hugging Face's spelling; the number of labels stands in ``id2label``."""
        return labels_to(super().to_dict())


class BertPreTrainedModel(PreTrainedModel):
    """The base of BERT with its several heads: initial weights, older names."""

    config_class = BertConfig
    base_model_prefix = "bert"
    heads = ("cls", "classifier", "qa_outputs")
    optional = ("pooler",)
    padded_positions: ClassVar[bool] = False  # padding has a position of its own

    def init_weights(self, module: nn.Module) -> None:
        """Normal weights of deviation ``initializer_range``, zero biases; the embedding of the padding is zero."""
        if isinstance(module, Linear | Embedding):
            draw(module, self.config.initializer_range)

    def renamed(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """The first BERTs call the parameters of layer norms gamma and beta, and older files hold positions and types."""
        found = {}
        for name, t in state.items():
            name = name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
            if not name.endswith(("embeddings.position_ids", "embeddings.token_type_ids")):
                found[name] = t
        return found


class _Embeddings(nn.Module):
    def __init__(self, config: BertConfig, padded: bool = False) -> None:
        super().__init__()
        padding = config.pad_token_id
        self.word_embeddings = Embedding(config.vocab_size, config.hidden_size, padding_idx=padding)
        self.position_embeddings = Embedding(config.max_position_embeddings, config.hidden_size, padding_idx=padding if padded else None)
        self.token_type_embeddings = Embedding(config.type_vocab_size, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, words: Tensor, token_type_ids: Tensor | None, position_ids: Tensor | None) -> Tensor:
        length, most = words.shape[1], self.position_embeddings.num_embeddings
        if position_ids is None:
            if length > most:
                raise ShapeError("BertModel", f"the input has {length} tokens", f"expected {most} at most", "truncate it")
            places = self.position_embeddings.weight[:length]
        else:
            places = self.position_embeddings(position_ids)
        kinds = self.token_type_embeddings.weight[0] if token_type_ids is None else self.token_type_embeddings(token_type_ids)
        return self.dropout(self.LayerNorm(words + kinds + places))


class _AddAndNorm(nn.Module):
    """``LayerNorm(x + dropout(dense(y)))``."""

    def __init__(self, config: BertConfig, size: int) -> None:
        super().__init__()
        self.dense = Linear(size, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, y: Tensor, x: Tensor) -> Tensor:
        return self.LayerNorm(self.dropout(self.dense(y)) + x)


class _Attention(nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        names, drop = ("query", "key", "value"), nn.Dropout(config.attention_probs_dropout_prob)
        self.self = Attention(config.hidden_size, config.num_attention_heads, names, dropout=drop)
        self.output = _AddAndNorm(config, config.hidden_size)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        return self.output(self.self(x, mask), x)


class _Intermediate(nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.dense = Linear(config.hidden_size, config.intermediate_size)
        self.intermediate_act_fn = activation(config.hidden_act)

    def forward(self, x: Tensor) -> Tensor:
        return self.intermediate_act_fn(self.dense(x))


class _Layer(nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.attention = _Attention(config)
        self.intermediate = _Intermediate(config)
        self.output = _AddAndNorm(config, config.intermediate_size)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        x = self.attention(x, mask)
        return self.output(self.intermediate(x), x)


class _Encoder(nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.layer = nn.ModuleList([_Layer(config) for _ in range(config.num_hidden_layers)])

    def forward(self, x: Tensor, mask: Tensor | None) -> list[Tensor]:
        """The hidden states before and after every layer."""
        states = [x]
        for layer in self.layer:
            states.append(layer(states[-1], mask))
        return states


class _Pooler(nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.dense = Linear(config.hidden_size, config.hidden_size)
        self.activation = nn.Tanh()

    def forward(self, hidden_states: Tensor) -> Tensor:
        return self.activation(self.dense(hidden_states[:, 0]))


class BertModel(BertPreTrainedModel):
    """The encoder: tokens ``(N, L)`` to ``last_hidden_state`` ``(N, L, H)`` and ``pooler_output`` ``(N, H)``.

    After Devlin, Chang, Lee, Toutanova, BERT, https://arxiv.org/abs/1810.04805; results, gradients and names are those of
    Hugging Face's ``BertModel``. Raises a ValueError unless exactly one of ``input_ids`` and ``inputs_embeds`` is given.

    >>> import dovetail as dv
    >>> config = BertConfig(vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    >>> out = BertModel(config)(dv.tensor([[1, 2, 3]]))
    >>> out.last_hidden_state.shape, out.pooler_output.shape
    (dovetail.Size([1, 3, 8]), dovetail.Size([1, 8]))
    """

    def __init__(self, config: BertConfig, add_pooling_layer: bool = True) -> None:
        super().__init__(config)
        if config.hidden_size % config.num_attention_heads:
            what = f"hidden_size is {config.hidden_size} and num_attention_heads is {config.num_attention_heads}"
            raise ValueRangeError(type(self).__name__, what, "expected a multiple")
        self.embeddings = _Embeddings(config, self.padded_positions)
        self.encoder = _Encoder(config)
        self.pooler = _Pooler(config) if add_pooling_layer else None
        self.post_init()

    def forward(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None, inputs_embeds: Tensor | None = None, output_attentions: bool = False,
        output_hidden_states: bool = False, return_dict: bool = True,
    ) -> Any:  # fmt: skip
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueRangeError(type(self).__name__, "You must specify exactly one of input_ids or inputs_embeds")
        if output_attentions:
            raise UnsupportedError(type(self).__name__, "output_attentions is True", "attention is computed without keeping its weights")
        words = self.embeddings.word_embeddings(input_ids) if inputs_embeds is None else inputs_embeds
        mask = padding_mask(type(self).__name__, attention_mask, words.shape[:2])
        states = self.encoder(self.embeddings(words, token_type_ids, position_ids), mask)
        out = ModelOutput(
            last_hidden_state=states[-1],
            pooler_output=None if self.pooler is None else self.pooler(states[-1]),
            hidden_states=tuple(states) if output_hidden_states else None,
        )
        return out if return_dict else out.to_tuple()


def bert(**config: Any) -> BertModel:
    """Build a BERT of the fields of :class:`BertConfig`: 109,482,240 parameters as it stands.

    >>> bert(vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16).num_parameters()
    4872
    """
    return BertModel(BertConfig(**config))
