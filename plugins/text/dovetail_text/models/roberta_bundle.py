"""torchtext's RoBERTa and XLM-R: encoders with its parameters' names, heads of one's own, and the bundles that fetch what was trained."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import dovetail as dv
from dovetail import Tensor, nn
from dovetail.errors import ShapeError, TypeMismatch, ValueRangeError

__all__ = [
    "ROBERTA_BASE_ENCODER", "ROBERTA_DISTILLED_ENCODER", "ROBERTA_LARGE_ENCODER", "XLMR_BASE_ENCODER", "XLMR_LARGE_ENCODER",
    "RobertaBundle", "RobertaClassificationHead", "RobertaEncoder", "RobertaEncoderConf", "RobertaModel",
]  # fmt: skip

_BUCKET = "https://download.pytorch.org/models/text/"
# The names of a layer's parts here and in the files, which are older; and in those of Hugging Face.
_OLD = {
    "self_attn.in_proj_": "attention.input_projection.", "self_attn.out_proj.": "attention.output_projection.",
    "linear1.": "residual_mlp.mlp.0.", "linear2.": "residual_mlp.mlp.3.", "norm1.": "attention_layer_norm.", "norm2.": "final_layer_norm.",
}  # fmt: skip
_HUB = {
    "attention.output.dense.": "self_attn.out_proj.", "attention.output.LayerNorm.": "norm1.", "intermediate.dense.": "linear1.",
    "output.dense.": "linear2.", "output.LayerNorm.": "norm2.",
}  # fmt: skip


@dataclass
class RobertaEncoderConf:
    """The sizes of an encoder; the defaults are RoBERTa's base.

    >>> RobertaEncoderConf(vocab_size=250002).embedding_dim
    768
    """

    vocab_size: int = 50265
    embedding_dim: int = 768
    ffn_dimension: int = 3072
    padding_idx: int = 1
    max_seq_len: int = 514
    num_attention_heads: int = 12
    num_encoder_layers: int = 12
    dropout: float = 0.1
    scaling: float | None = None
    normalize_before: bool = False


class _Positions(nn.Module):
    def __init__(self, count: int, size: int, padding: int) -> None:
        super().__init__()
        self.embedding, self.pad_index = nn.Embedding(count, size, padding), padding

    def forward(self, tokens: Tensor) -> Tensor:
        real = (tokens != self.pad_index).to(dv.int64)
        places = real.cumsum(1) * real + self.pad_index
        if tokens.shape[1] and tokens.shape[1] + self.pad_index >= self.embedding.num_embeddings:
            most = self.embedding.num_embeddings - self.pad_index - 1
            raise ShapeError("RobertaModel", f"the input has {tokens.shape[1]} tokens", f"expected {most} at most", "truncate it")
        return self.embedding(places)


class _Transformer(nn.Module):
    def __init__(self, conf: RobertaEncoderConf) -> None:
        super().__init__()
        self.padding_idx, self.normalize_before = conf.padding_idx, conf.normalize_before
        self.token_embedding = nn.Embedding(conf.vocab_size, conf.embedding_dim, conf.padding_idx)
        layer = nn.TransformerEncoderLayer(
            conf.embedding_dim, conf.num_attention_heads, conf.ffn_dimension, conf.dropout, "gelu", batch_first=True,
            norm_first=conf.normalize_before,
        )  # fmt: skip
        self.layers = nn.TransformerEncoder(layer, conf.num_encoder_layers)
        self.positional_embedding = _Positions(conf.max_seq_len, conf.embedding_dim, conf.padding_idx)
        self.embedding_layer_norm = nn.LayerNorm(conf.embedding_dim)
        self.dropout = nn.Dropout(conf.dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        padding = tokens == self.padding_idx
        x = self.token_embedding(tokens) + self.positional_embedding(tokens)
        x = x if self.normalize_before else self.embedding_layer_norm(x)
        x = self.dropout(x).masked_fill(padding[:, :, None], 0.0)
        x = self.layers(x, src_key_padding_mask=padding)
        return self.embedding_layer_norm(x) if self.normalize_before else x


class RobertaEncoder(nn.Module):
    """Tokens ``(N, L)`` to features ``(N, L, E)``, of the fields of `RobertaEncoderConf`."""

    def __init__(self, **conf: Any) -> None:
        super().__init__()
        self.transformer = _Transformer(_checked(RobertaEncoderConf(**conf)))

    @classmethod
    def from_config(cls, config: RobertaEncoderConf) -> RobertaEncoder:
        """The encoder of a configuration."""
        return cls(**asdict(config))

    def forward(self, tokens: Tensor, masked_tokens: Tensor | None = None) -> Tensor:
        """With ``masked_tokens`` ``(N, L)`` the features of those alone, ``(M, E)``."""
        found = self.transformer(tokens)
        return found if masked_tokens is None else found[masked_tokens.to(dv.bool)]


def _checked(conf: RobertaEncoderConf) -> RobertaEncoderConf:
    usual = (conf.embedding_dim // conf.num_attention_heads) ** -0.5
    if conf.scaling is not None and abs(conf.scaling - usual) > 1e-6:
        raise ValueRangeError("RobertaEncoder", f"scaling is {conf.scaling}", f"expected None or 1/√(length of a head) = {usual:.6g}")
    return conf


class RobertaClassificationHead(nn.Module):
    """Features ``(N, L, input_dim)`` to scores ``(N, num_classes)``, by those of the first token.

    >>> RobertaClassificationHead(num_classes=2, input_dim=8)(dv.zeros(3, 5, 8)).shape
    dovetail.Size([3, 2])
    """

    def __init__(
        self, num_classes: int, input_dim: int, inner_dim: int | None = None, dropout: float = 0.1,
        activation: Callable[[], nn.Module] = nn.ReLU,
    ) -> None:  # fmt: skip
        super().__init__()
        inner_dim = inner_dim or input_dim
        self.dense = nn.Linear(input_dim, inner_dim)
        self.dropout = nn.Dropout(dropout)
        self.out_proj = nn.Linear(inner_dim, num_classes)
        self.activation_fn = activation()

    def forward(self, features: Tensor) -> Tensor:
        x = self.dropout(features[:, 0, :])
        return self.out_proj(self.dropout(self.activation_fn(self.dense(x))))


class RobertaModel(nn.Module):
    """torchtext's RoBERTa: tokens ``(N, L)`` to features ``(N, L, E)``, or to what ``head`` makes of them.

    After Liu et al., https://arxiv.org/abs/1907.11692. Parameters have torchtext's names, of its files too. Features at padding mean
    nothing. (``dovetail.text.models.RobertaModel`` is Hugging Face's.)

    >>> conf = RobertaEncoderConf(9, 8, 16, num_attention_heads=2, num_encoder_layers=1)
    >>> RobertaModel(conf, head=RobertaClassificationHead(2, 8))(dv.tensor([[0, 5, 2, 1]])).shape
    dovetail.Size([1, 2])
    """

    def __init__(self, encoder_conf: RobertaEncoderConf, head: nn.Module | None = None, freeze_encoder: bool = False) -> None:
        super().__init__()
        if not isinstance(encoder_conf, RobertaEncoderConf):
            raise TypeMismatch("RobertaModel", f"encoder_conf is {type(encoder_conf).__name__}", "expected a RobertaEncoderConf")
        self.encoder = RobertaEncoder.from_config(encoder_conf)
        if freeze_encoder:
            self.encoder.requires_grad_(False)
        self.head = head

    def forward(self, tokens: Tensor, masked_tokens: Tensor | None = None) -> Tensor:
        features = self.encoder(tokens, masked_tokens)
        return features if self.head is None else self.head(features)

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """As of every module; names of the files that torchtext fetches are brought to today's."""
        return super().load_state_dict({_today(name): t for name, t in state_dict.items()}, strict, assign)


def _today(name: str) -> str:
    start, layers, rest = name.partition("transformer.layers.")
    number, dot, part = rest.partition(".")
    if not layers or not number.isdigit():
        return name
    for new, old in _OLD.items():
        if part.startswith(old):
            return f"{start}{layers}layers.{number}{dot}{new}{part.removeprefix(old)}"
    return name


@dataclass
class RobertaBundle:
    """A trained encoder: ``get_model`` makes it, ``transform()`` what brings texts to its numbers, ``encoderConf`` are its sizes.

    The weights are torchtext's, fetched once from where it had them, and read without a pickle. The tokens are read from the same
    model on the Hugging Face hub, ``hub``, whose numbers are the same: torchtext's vocabulary is a pickled object.
    """

    _encoder_conf: RobertaEncoderConf
    _path: str | None = None
    _head: nn.Module | None = None
    transform: Callable[[], nn.Module] | None = None

    def get_model(
        self, *, head: nn.Module | None = None, load_weights: bool = True, freeze_encoder: bool = False,
        dl_kwargs: dict[str, Any] | None = None,
    ) -> RobertaModel:  # fmt: skip
        """The model, with a ``head`` of one's own; ``dl_kwargs`` go to ``dovetail.hub.load_state_dict_from_url``.

        Raises a ValueError for weights that there are not, an OSError where they cannot be fetched.
        """
        if load_weights and self._path is None:
            raise ValueRangeError("get_model", "load_weights is True", "this bundle has no weights", "pass load_weights=False")
        if freeze_encoder and not load_weights:
            warnings.warn("get_model: the encoder is frozen without trained weights, and cannot learn any", stacklevel=2)
        return self.build_model(
            self._encoder_conf, head=self._head if head is None else head, freeze_encoder=freeze_encoder,
            checkpoint=self._path if load_weights else None, override_checkpoint_head=True, dl_kwargs=dl_kwargs,
        )  # fmt: skip

    @classmethod
    def build_model(
        cls, encoder_conf: RobertaEncoderConf, *, head: nn.Module | None = None, freeze_encoder: bool = False,
        checkpoint: str | Mapping[str, Tensor] | None = None, override_checkpoint_head: bool = False, strict: bool = True,
        dl_kwargs: dict[str, Any] | None = None,
    ) -> RobertaModel:  # fmt: skip
        """A model of sizes of one's own; ``checkpoint`` is a state dict, of the encoder at least, or where it is fetched from."""
        model = RobertaModel(encoder_conf, head, freeze_encoder)
        if checkpoint is not None:
            state = _state(checkpoint, dl_kwargs)
            own = {name: t for name, t in model.state_dict().items() if name.startswith("head.")}
            if own and (override_checkpoint_head or not own.keys() <= state.keys()):
                state |= own
            model.load_state_dict(state, strict=strict)
        return model

    @staticmethod
    def build_model_from_huggingface_ckpt(
        ckpt_path: str | os.PathLike[str], *, head: nn.Module | None = None, freeze_encoder: bool = False
    ) -> RobertaModel:  # fmt: skip
        """The model of a folder of Hugging Face's, or of one on the hub by its name: RoBERTa or XLM-RoBERTa without its pooler."""
        from ..hub_files import folder_of
        from .auto import AutoConfig
        from .config import read_json, refuse
        from .pretrained import read_weights

        folder = folder_of(ckpt_path, weights=True)
        refuse("build_model_from_huggingface_ckpt", read_json(folder / "config.json"), {"layer_norm_eps": (1e-5,), "hidden_act": ("gelu",)})
        found: Any = AutoConfig.from_pretrained(folder)
        conf = RobertaEncoderConf(
            found.vocab_size, found.hidden_size, found.intermediate_size, found.pad_token_id, found.max_position_embeddings,
            found.num_attention_heads, found.num_hidden_layers, found.hidden_dropout_prob,
        )  # fmt: skip
        state = _of_hub(read_weights(folder))
        return RobertaBundle.build_model(conf, head=head, freeze_encoder=freeze_encoder, checkpoint=state)

    @property
    def encoderConf(self) -> RobertaEncoderConf:
        """The sizes."""
        return self._encoder_conf


def _state(checkpoint: Any, dl_kwargs: dict[str, Any] | None) -> dict[str, Any]:
    """The tensors of a checkpoint, or of the file at its address. Raises a TypeError for what is neither."""
    if isinstance(checkpoint, Mapping):
        return dict(checkpoint)
    if not isinstance(checkpoint, str):
        raise TypeMismatch("build_model", f"checkpoint is {type(checkpoint).__name__}", "expected an address or a state dict")
    from dovetail import hub

    return hub.load_state_dict_from_url(checkpoint, **(dl_kwargs or {}))


def _of_hub(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Hugging Face's tensors by torchtext's names; the first type of a token, which all have, becomes a part of the positions."""
    state = {name.removeprefix("roberta."): t for name, t in state.items()}
    words, ahead = "embeddings.", "encoder.transformer."
    kind = state[f"{words}token_type_embeddings.weight"][0]
    found = {
        f"{ahead}token_embedding.weight": state[f"{words}word_embeddings.weight"],
        f"{ahead}positional_embedding.embedding.weight": state[f"{words}position_embeddings.weight"] + kind,
    }
    for last in ("weight", "bias"):
        found[f"{ahead}embedding_layer_norm.{last}"] = state[f"{words}LayerNorm.{last}"]
    for name, t in state.items():
        if not name.startswith("encoder.layer."):
            continue
        number, _, part = name.removeprefix("encoder.layer.").partition(".")
        layer, last = f"{ahead}layers.layers.{number}.", part.rpartition(".")[2]
        for theirs, ours in _HUB.items():
            if part.startswith(theirs):
                found[f"{layer}{ours}{last}"] = t
        if part.startswith("attention.self.query."):
            rest = (state[name.replace("query", other)] for other in ("key", "value"))
            found[f"{layer}self_attn.in_proj_{last}"] = dv.cat([t, *rest])
    return found


class _Numbers(nn.Module):
    """Texts to the numbers of a tokenizer, without special tokens."""

    def __init__(self, tokenizer: Any) -> None:
        super().__init__()
        self.tokenizer = tokenizer

    def forward(self, input: Any) -> Any:
        if isinstance(input, str):
            return self.tokenizer.encode(input, add_special_tokens=False).ids
        return [self.forward(text) for text in input]


def _transform(hub: str, longest: int) -> nn.Module:
    from .. import transforms as T
    from ..tokenizers import HFTokenizer

    numbers = _Numbers(HFTokenizer.from_pretrained(hub))
    return T.Sequential(numbers, T.Truncate(longest), T.AddToken(token=0, begin=True), T.AddToken(token=2, begin=False))


def _bundle(file: str, hub: str, longest: int, **conf: Any) -> RobertaBundle:
    return RobertaBundle(RobertaEncoderConf(**conf), f"{_BUCKET}{file}", None, partial(_transform, hub, longest))


_LARGE = {"embedding_dim": 1024, "ffn_dimension": 4096, "num_attention_heads": 16, "num_encoder_layers": 24}
XLMR_BASE_ENCODER = _bundle("xlmr.base.encoder.pt", "FacebookAI/xlm-roberta-base", 254, vocab_size=250002)
XLMR_LARGE_ENCODER = _bundle("xlmr.large.encoder.pt", "FacebookAI/xlm-roberta-large", 510, vocab_size=250002, **_LARGE)
ROBERTA_BASE_ENCODER = _bundle("roberta.base.encoder.pt", "FacebookAI/roberta-base", 254)
ROBERTA_LARGE_ENCODER = _bundle("roberta.large.encoder.pt", "FacebookAI/roberta-large", 510, **_LARGE)
ROBERTA_DISTILLED_ENCODER = _bundle("roberta.distilled.encoder.pt", "FacebookAI/roberta-base", 510, num_encoder_layers=6)
