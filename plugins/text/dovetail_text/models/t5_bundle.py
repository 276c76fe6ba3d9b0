"""torchtext's T5 and FLAN-T5: its model, its transform, and the bundles that fetch what was trained."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dovetail as dv
from dovetail import Tensor, nn
from dovetail.errors import TypeMismatch, UnsupportedError, ValueRangeError

from ..datasets.local import CACHE
from .config import read_json
from .output import ModelOutput
from .roberta_bundle import _BUCKET, _state
from .t5 import T5Config
from .t5_models import T5EncoderModel, T5ForConditionalGeneration
from .t5_models import T5Model as _Plain

__all__ = ["T5Bundle", "T5Conf", "T5Model", "T5Transform"]

# Parts of a layer in torchtext's files and in those of Hugging Face, of the encoder and of the decoder.
_ATTENTION = {"q_proj_weight": "q.weight", "k_proj_weight": "k.weight", "v_proj_weight": "v.weight", "out_proj.weight": "o.weight"}
_FORWARD = {"linear1.": "wi.", "linear1_0.": "wi_0.", "linear1_1.": "wi_1.", "linear2.": "wo."}


@dataclass
class T5Conf:
    """The sizes of a T5, by torchtext's names; the defaults are those of T5's base. Dropout is used only with ``training``.

    >>> T5Conf(feed_forward_proj="gated-gelu").is_gated_act
    True
    """

    encoder_only: bool = False
    linear_head: bool = False
    embedding_dim: int = 768
    qkv_dim: int = 64
    num_attention_heads: int = 12
    num_encoder_layers: int = 12
    num_decoder_layers: int = 12
    ffn_dimension: int = 3072
    dropout: float = 0.1
    activation: str = "relu"
    layer_norm_eps: float = 1e-6
    relative_attention_num_buckets: int = 32
    relative_attention_max_distance: int = 128
    padding_idx: int = 0
    max_seq_len: int = 512
    vocab_size: int = 32128
    training: bool = False
    feed_forward_proj: str | None = None
    is_gated_act: bool = False

    def __post_init__(self) -> None:
        if self.feed_forward_proj:
            kind, _, name = self.feed_forward_proj.rpartition("-")
            if kind not in ("", "gated") or not name:
                what = f"feed_forward_proj is {self.feed_forward_proj!r}"
                raise ValueRangeError("T5Conf", what, "expected an activation such as 'relu', or 'gated-' and one")
            self.is_gated_act = kind == "gated"
            self.activation = "gelu_new" if self.feed_forward_proj == "gated-gelu" else name

    def _config(self) -> T5Config:
        gate = "gated-" if self.is_gated_act else ""
        return T5Config(
            self.vocab_size, self.embedding_dim, self.qkv_dim, self.ffn_dimension, self.num_encoder_layers, self.num_decoder_layers,
            self.num_attention_heads, self.relative_attention_num_buckets, self.relative_attention_max_distance,
            self.dropout if self.training else 0.0, self.layer_norm_eps, pad_token_id=self.padding_idx,
            decoder_start_token_id=self.padding_idx, tie_word_embeddings=False, scale_decoder_outputs=True,
            feed_forward_proj=gate + ("gelu" if gate and self.activation == "gelu_new" else self.activation),
        )  # fmt: skip


class T5Model(nn.Module):
    """torchtext's T5: tokens ``(N, L)`` to a dict with ``encoder_output`` ``(N, L, E)`` and ``decoder_output`` ``(N, M, E or words)``.

    After Raffel et al., https://arxiv.org/abs/1910.10683. Hugging Face's T5 is inside, as ``model``, whose names its parameters have;
    state dicts with torchtext's are read too. As torchtext's, a head always reads the decoder's vectors over √E. Scores of attention
    and biases of positions are not among the results. (``dovetail.text.models.T5Model`` is Hugging Face's.)

    >>> layers = {"num_encoder_layers": 1, "num_decoder_layers": 1, "num_attention_heads": 2}
    >>> conf = T5Conf(linear_head=True, embedding_dim=8, qkv_dim=4, vocab_size=9, **layers)
    >>> T5Model(conf)(dv.tensor([[3, 4, 1]]))["decoder_output"].shape
    dovetail.Size([1, 1, 9])
    """

    def __init__(self, config: T5Conf, freeze: bool = False, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        if not isinstance(config, T5Conf):
            raise TypeMismatch("T5Model", f"config is {type(config).__name__}", "expected a T5Conf")
        self.config, self.padding_idx = config, config.padding_idx
        self.encoder_only, self.linear_head = config.encoder_only, config.linear_head
        kind = T5EncoderModel if config.encoder_only else T5ForConditionalGeneration if config.linear_head else _Plain
        self.model = kind(config._config()).to(device=device, dtype=dtype)
        if freeze:
            self.requires_grad_(False)

    def get_encoder(self) -> nn.Module:
        """The encoder."""
        return self.model.encoder

    def get_decoder(self) -> nn.Module | None:
        """The decoder; None where there is none."""
        return getattr(self.model, "decoder", None)

    def forward(
        self, encoder_tokens: Tensor | None = None, decoder_tokens: Tensor | None = None, encoder_mask: Tensor | None = None,
        decoder_mask: Tensor | None = None, encoder_padding_mask: Tensor | None = None, decoder_padding_mask: Tensor | None = None,
        encoder_outputs: Any = None, past_key_values: Any = None, return_past_key_values: bool = False,
    ) -> dict[str, Any]:  # fmt: skip
        """Padding masks ``(N, L)`` are True at padding, by default where tokens are ``padding_idx``; the decoder begins with that token.

        Raises an UnsupportedError for masks between tokens, a ValueError without tokens and ``encoder_outputs``.
        """
        if encoder_mask is not None or decoder_mask is not None:
            raise UnsupportedError("T5Model", "encoder_mask or decoder_mask is given", "only masks of padding are there")
        if encoder_outputs is None and encoder_tokens is None:
            raise ValueRangeError("T5Model", "there are no tokens", "If encoder_outputs is not specified, must provide encoder_tokens")
        if encoder_padding_mask is None and encoder_tokens is not None:
            encoder_padding_mask = encoder_tokens == self.padding_idx
        mask = None if encoder_padding_mask is None else (~encoder_padding_mask.to(dv.bool)).to(dv.int64)
        if encoder_outputs is None:
            found = self.model.encode(encoder_tokens, mask)
            encoder_outputs = {"encoder_output": found.last_hidden_state, "encoder_hidden_states": list(found.hidden_states)}
        if self.encoder_only:
            return dict(encoder_outputs)
        memory = ModelOutput(last_hidden_state=encoder_outputs["encoder_output"])
        if decoder_tokens is None:
            decoder_tokens = dv.full((memory[0].shape[0], 1), self.padding_idx, dtype=dv.int64, device=memory[0].device)
        if decoder_padding_mask is None and past_key_values is None:
            decoder_padding_mask = decoder_tokens == self.padding_idx
            decoder_padding_mask[:, 0] = False
        seen = None if decoder_padding_mask is None else (~decoder_padding_mask.to(dv.bool)).to(dv.int64)
        cache = past_key_values
        if cache is None and return_past_key_values:
            cache = self.model.make_cache(*decoder_tokens.shape)
        out = self.model(
            attention_mask=mask, decoder_input_ids=decoder_tokens, decoder_attention_mask=seen, encoder_outputs=memory, cache=cache,
            output_hidden_states=True,
        )  # fmt: skip
        states = list(out.decoder_hidden_states)
        return {**encoder_outputs, "decoder_output": out[0], "decoder_hidden_states": states, "past_key_values": cache}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """As of every module; torchtext's names and those of Hugging Face are brought to those here."""
        found = {}
        for name, t in state_dict.items():
            name = name if name.startswith("model.") else f"model.{_of_torchtext(name)}"
            found[name] = t
        for name in self.model.tied():
            if "model.shared.weight" in found:
                found.setdefault(f"model.{name}", found["model.shared.weight"])
        return super().load_state_dict(found, strict, assign)


def _of_torchtext(name: str) -> str:
    """A name of torchtext's as Hugging Face has it; any other stays as it is."""
    if name == "token_embeddings.weight":
        return "shared.weight"
    name = re.sub(r"^(encoder|decoder)\.token_embeddings\.", r"\1.embed_tokens.", name)
    name = re.sub(r"^(encoder|decoder)\.norm\.", r"\1.final_layer_norm.", name)
    match = re.fullmatch(r"(encoder|decoder)\.layers\.(\d+)\.(.+)", name)
    if match is None:
        return name
    side, number, part = match.groups()
    last = 1 if side == "encoder" else 2
    block = f"{side}.block.{number}.layer"
    norms = {"norm1.": 0, "norm2.": last, "norm3.": 1}
    for start, at in norms.items():
        if part.startswith(start):
            return f"{block}.{at}.layer_norm.{part.removeprefix(start)}"
    for start, inside in (("self_attn.", "0.SelfAttention"), ("cross_attn.", "1.EncDecAttention")):
        if part.startswith(start):
            rest = part.removeprefix(start)
            return f"{block}.{inside}.{_ATTENTION.get(rest, rest)}"
    for start, inner in _FORWARD.items():
        if part.startswith(start):
            return f"{block}.{last}.DenseReluDense.{inner}{part.removeprefix(start)}"
    return name


class T5Transform(nn.Module):
    """Texts to the numbers of a sentencepiece model, cut, ended and padded: a tensor ``(N, L)``, or ``(L,)`` of one text.

    ``sp_model_path`` is a file or its address, which is fetched once. Raises a TypeError for what is no text.
    """

    def __init__(
        self, sp_model_path: str | os.PathLike[str], max_seq_len: int, eos_idx: int, padding_idx: int,
        overwrite_local_model_path: bool = True,
    ) -> None:  # fmt: skip
        from .. import transforms as T
        from ..data.functional import load_sp_model

        super().__init__()
        self.sp_model = load_sp_model(_local(sp_model_path))
        self.max_seq_len, self.eos_idx, self.padding_idx = max_seq_len, eos_idx, padding_idx
        self.pipeline = T.Sequential(T.Truncate(max_seq_len), T.AddToken(token=eos_idx, begin=False))

    def forward(self, input: str | list[str]) -> Tensor:
        from ..functional import to_tensor

        return to_tensor(self.pipeline(self.encode(input)), padding_value=self.padding_idx)

    def encode(self, input: str | list[str]) -> Any:
        """The numbers of a text, or of each of several."""
        if isinstance(input, str):
            return self.sp_model.EncodeAsIds(input)
        if isinstance(input, list) and all(isinstance(text, str) for text in input):
            return [self.sp_model.EncodeAsIds(text) for text in input]
        raise TypeMismatch("T5Transform", f"Input type not supported: {type(input).__name__}", "expected a string or a list of them")

    def decode(self, input: list[int] | list[list[int]]) -> Any:
        """The text of numbers, or of each of several lists."""
        if input and isinstance(input[0], list):
            return [self.sp_model.DecodeIds(ids) for ids in input]
        return self.sp_model.DecodeIds(input)


def _local(path: str | os.PathLike[str]) -> str | os.PathLike[str]:
    """The file itself, or where what is at an address was put."""
    if not str(path).startswith(("http://", "https://")):
        return path
    from dovetail import hub

    target = Path(CACHE).expanduser() / str(path).rpartition("/")[2]
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        hub.download_url_to_file(str(path), str(target), progress=False)
    return target


@dataclass
class T5Bundle:
    """A trained T5: ``get_model`` makes it, ``transform()`` what brings texts to its numbers and back, ``config`` are its sizes."""

    _config: T5Conf
    _path: str | None = None
    transform: Callable[[], T5Transform] | None = None

    def get_model(self, *, load_weights: bool = True, freeze_model: bool = False, dl_kwargs: dict[str, Any] | None = None) -> T5Model:
        """The model; ``dl_kwargs`` go to ``dovetail.hub.load_state_dict_from_url``.

        Raises a ValueError for weights that there are not, an OSError where they cannot be fetched.
        """
        if load_weights and self._path is None:
            raise ValueRangeError("get_model", "load_weights is True", "this bundle has no weights", "pass load_weights=False")
        checkpoint = self._path if load_weights else None
        return self.build_model(self._config, freeze_model=freeze_model, checkpoint=checkpoint, strict=True, dl_kwargs=dl_kwargs)

    @classmethod
    def build_model(
        cls, config: T5Conf, *, freeze_model: bool = False, checkpoint: str | Mapping[str, Tensor] | None = None, strict: bool = False,
        dl_kwargs: dict[str, Any] | None = None,
    ) -> T5Model:  # fmt: skip
        """A model of sizes of one's own; ``checkpoint`` is a state dict, or where it is fetched from."""
        model = T5Model(config, freeze_model)
        if checkpoint is not None:
            model.load_state_dict(_state(checkpoint, dl_kwargs), strict=strict)
        return model.train(config.training)

    @staticmethod
    def build_model_from_huggingface_ckpt(
        ckpt_path: str | os.PathLike[str], encoder_only: bool = False, *, freeze_model: bool = False, strict: bool = True
    ) -> T5Model:  # fmt: skip
        """The model of a folder of Hugging Face's, or of one on the hub by its name. Raises what reading such a folder raises."""
        from ..hub_files import folder_of
        from .pretrained import read_weights

        folder = folder_of(ckpt_path, weights=True)
        state, found = read_weights(folder), T5Config.from_pretrained(folder)
        asked = read_json(folder / "config.json").get("architectures") or ()
        head = not encoder_only and ("lm_head.weight" in state or "T5ForConditionalGeneration" in asked)
        if head and "shared.weight" in state:
            state.setdefault("lm_head.weight", state["shared.weight"])
        conf = T5Conf(
            encoder_only, head, found.d_model, found.d_kv, found.num_heads, found.num_layers, found.num_decoder_layers or 0, found.d_ff,
            found.dropout_rate, layer_norm_eps=found.layer_norm_epsilon, vocab_size=found.vocab_size,
            feed_forward_proj=found.feed_forward_proj,
            relative_attention_num_buckets=found.relative_attention_num_buckets,
            relative_attention_max_distance=found.relative_attention_max_distance,
        )  # fmt: skip
        left = ("decoder.", "lm_head.") if encoder_only else () if head else ("lm_head.",)
        state = {name: t for name, t in state.items() if not (left and name.startswith(left))}
        return T5Bundle.build_model(conf, freeze_model=freeze_model, checkpoint=state, strict=strict)

    @property
    def config(self) -> T5Conf:
        """The sizes."""
        return self._config


def _t5_transform() -> T5Transform:
    return T5Transform(f"{_BUCKET}t5_tokenizer_base.model", max_seq_len=512, eos_idx=1, padding_idx=0)


def _sizes(size: int, heads: int, layers: int, inner: int, **more: Any) -> dict[str, Any]:
    counts = {"num_encoder_layers": layers, "num_decoder_layers": layers}
    return {"embedding_dim": size, "num_attention_heads": heads, "ffn_dimension": inner, **counts, **more}


_GATED = {"feed_forward_proj": "gated-gelu"}
_SIZES = {
    "T5_SMALL": _sizes(512, 8, 6, 2048), "T5_BASE": _sizes(768, 12, 12, 3072), "T5_LARGE": _sizes(1024, 16, 24, 4096),
    "T5_3B": _sizes(1024, 32, 24, 16384, qkv_dim=128), "T5_11B": _sizes(1024, 128, 24, 65536, qkv_dim=128),
    "FLAN_T5_BASE": _sizes(768, 12, 12, 2048, **_GATED), "FLAN_T5_LARGE": _sizes(1024, 16, 24, 2816, **_GATED),
    "FLAN_T5_XL": _sizes(2048, 32, 24, 5120, **_GATED), "FLAN_T5_XXL": _sizes(4096, 64, 24, 10240, **_GATED),
}  # fmt: skip
_FORMS = {"_ENCODER": {"encoder_only": True}, "": {}, "_GENERATION": {"linear_head": True}}


def _file(name: str, form: str) -> str:
    size = name.rpartition("_")[2].lower()
    part = form.lower().replace("_", ".")
    return f"{_BUCKET}t5.flan.{size}{part}.pt" if name.startswith("FLAN") else f"{_BUCKET}t5.{size}{part}.v2.pt"


globals().update(
    {
        name + form: T5Bundle(T5Conf(**sizes, **more), _file(name, form), _t5_transform)
        for name, sizes in _SIZES.items()
        for form, more in _FORMS.items()
    }
)
