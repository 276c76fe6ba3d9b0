"""What all of T5 and FLAN-T5 (Raffel et al., 2020) is made of: encoder and decoder with relative positions, by Hugging Face's names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import dovetail as dv
from dovetail import Tensor, nn
from dovetail.errors import ValueRangeError

from .attention import Attention, padding_mask
from .cache import KeyValueCache, begun, causal_mask
from .causal import CausalLM
from .config import Config, activation, refuse
from .layers import Embedding, Linear, gated
from .output import ModelOutput
from .relative import relative_bias

__all__ = ["T5Config", "T5PreTrainedModel"]


@dataclass
class T5Config(Config):
    """The sizes of a T5; the defaults are those of t5-small. FLAN-T5 and T5 1.1 have ``feed_forward_proj="gated-gelu"``.

    ``scale_decoder_outputs`` divides the decoder's vectors by √d_model before the head: where files do not say so, as they are tied.

    >>> T5Config.from_dict({"model_type": "t5", "tie_word_embeddings": False}).scale_decoder_outputs
    False
    """

    model_type: ClassVar[str] = "t5"
    is_encoder_decoder: ClassVar[bool] = True

    vocab_size: int = 32128
    d_model: int = 512
    d_kv: int = 64
    d_ff: int = 2048
    num_layers: int = 6
    num_decoder_layers: int | None = None
    num_heads: int = 8
    relative_attention_num_buckets: int = 32
    relative_attention_max_distance: int = 128
    dropout_rate: float = 0.1
    layer_norm_epsilon: float = 1e-6
    initializer_factor: float = 1.0
    feed_forward_proj: str = "relu"
    pad_token_id: int | None = 0
    eos_token_id: int | list[int] | None = 1
    decoder_start_token_id: int | None = 0
    tie_word_embeddings: bool = True
    scale_decoder_outputs: bool | None = None

    def __post_init__(self) -> None:
        self.num_decoder_layers = self.num_layers if self.num_decoder_layers is None else self.num_decoder_layers
        if self.scale_decoder_outputs is None:
            self.scale_decoder_outputs = self.tie_word_embeddings
        kind, _, name = self.feed_forward_proj.rpartition("-")
        if kind not in ("", "gated"):
            what = f"feed_forward_proj is {self.feed_forward_proj!r}"
            raise ValueRangeError("T5Config", what, "expected the name of an activation, maybe with gated- before it")
        self._gated, self._act = bool(kind), "gelu_new" if kind and name == "gelu" else name

    @classmethod
    def translated(cls, config: dict[str, Any]) -> dict[str, Any]:
        """Refuse what is no encoder with a decoder."""
        refuse(cls.__name__, config, {"is_decoder": (False,), "is_encoder_decoder": (True, False)})
        return config

    def to_dict(self) -> dict[str, Any]:
        """The fields in Hugging Face's spelling, where whether outputs are scaled stands in ``tie_word_embeddings``."""
        found = super().to_dict()
        return {**found, "tie_word_embeddings": found["scale_decoder_outputs"], "is_encoder_decoder": True}


class _FeedForward(nn.Module):
    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.gated = config._gated
        for name in ("wi_0", "wi_1") if self.gated else ("wi",):
            self.add_module(name, Linear(config.d_model, config.d_ff, bias=False))
        self.wo = Linear(config.d_ff, config.d_model, bias=False)
        self.dropout = nn.Dropout(config.dropout_rate)
        self.act = activation(config._act)

    def forward(self, x: Tensor) -> Tensor:
        return self.wo(self.dropout(gated(x, self.wi_0, self.wi_1, self.act) if self.gated else self.act(self.wi(x))))


class _Part(nn.Module):
    """``x + dropout(part(norm(x)))``; the part stands under the ``name`` that files have for it."""

    def __init__(self, config: T5Config, name: str, part: nn.Module) -> None:
        super().__init__()
        self.name = name
        self.add_module(name, part)
        self.layer_norm = nn.RMSNorm(config.d_model, config.layer_norm_epsilon)
        self.dropout = nn.Dropout(config.dropout_rate)

    def forward(self, x: Tensor, *args: Any, **given: Any) -> Tensor:
        return x + self.dropout(getattr(self, self.name)(self.layer_norm(x), *args, **given))


class _Block(nn.Module):
    def __init__(self, config: T5Config, index: int, decoder: bool) -> None:
        super().__init__()

        def attention() -> Attention:
            return Attention(
                config.d_model, config.num_heads, ("q", "k", "v", "o"), head_size=config.d_kv, bias=False, dropout=config.dropout_rate,
                scale=1.0, index=index,
            )  # fmt: skip

        looking = [_Part(config, "SelfAttention", attention()), *([_Part(config, "EncDecAttention", attention())] if decoder else [])]
        if index == 0:
            table = Embedding(config.relative_attention_num_buckets, config.num_heads)
            looking[0].SelfAttention.relative_attention_bias = table
        self.layer = nn.ModuleList([*looking, _Part(config, "DenseReluDense", _FeedForward(config))])

    def forward(self, x: Tensor, bias: Tensor, memory: Tensor | None, memory_mask: Tensor | None, cache: KeyValueCache | None) -> Tensor:
        x = self.layer[0](x, bias, cache=cache)
        if memory is not None:
            x = self.layer[1](x, memory_mask, memory, cache=cache)
        return self.layer[-1](x)


class _Stack(nn.Module):
    """The encoder or the decoder: vectors of tokens ``(N, L, d_model)`` to vectors with their surroundings."""

    def __init__(self, config: T5Config, words: nn.Module, decoder: bool) -> None:
        super().__init__()
        self.embed_tokens, self.decoder = words, decoder
        self.longest = config.relative_attention_max_distance
        layers = config.num_decoder_layers if decoder else config.num_layers
        self.block = nn.ModuleList([_Block(config, index, decoder) for index in range(layers)])
        self.final_layer_norm = nn.RMSNorm(config.d_model, config.layer_norm_epsilon)
        self.dropout = nn.Dropout(config.dropout_rate)

    def forward(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, inputs_embeds: Tensor | None = None,
        memory: Tensor | None = None, memory_mask: Tensor | None = None, cache: KeyValueCache | None = None, return_dict: bool = True,
    ) -> Any:  # fmt: skip
        """``hidden_states``, before every layer and after the last norm, and the last of them, ``last_hidden_state``."""
        if (input_ids is None) == (inputs_embeds is None):
            side = "decoder_" if self.decoder else ""
            raise ValueRangeError("T5", f"You must specify exactly one of {side}input_ids or {side}inputs_embeds")
        x = self.dropout(self.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds)
        bias = self._bias(x, attention_mask, begun(cache))
        states = []
        for block in self.block:
            states.append(x)
            x = block(x, bias, memory, memory_mask, cache)
        if cache is not None:
            cache.length += states[0].shape[1]
        states.append(self.dropout(self.final_layer_norm(x)))
        out = ModelOutput(last_hidden_state=states[-1], hidden_states=tuple(states))
        return out if return_dict else out.to_tuple()

    def _bias(self, x: Tensor, mask: Tensor | None, past: int) -> Tensor:
        """Relative positions, and very little where a token must not look."""
        length, table = x.shape[1], self.block[0].layer[0].SelfAttention.relative_attention_bias
        bias = relative_bias(table, length, past, not self.decoder, self.longest).to(x.dtype)
        if self.decoder:
            allowed = causal_mask(mask, length, past, x.device, plain=False)
        else:
            allowed = padding_mask("T5", mask, x.shape[:2])
        return bias if allowed is None else bias.masked_fill(~allowed, dv.finfo(x.dtype).min)


class T5PreTrainedModel(CausalLM):
    """The base of T5 with and without its head: initial weights, shared embeddings, the cache of the decoder."""

    config_class = T5Config
    base_model_prefix = "transformer"
    heads = ("lm_head",)

    def __init__(self, config: T5Config, decoder: bool = True) -> None:
        super().__init__(config)
        self.shared = Embedding(config.vocab_size, config.d_model)
        self.encoder = _Stack(config, self.shared, False)
        if decoder:
            self.decoder = _Stack(config, self.shared, True)

    def init_weights(self, module: nn.Module) -> None:
        """Normal weights, whose deviations are such that scores need no scale: Hugging Face's ``initializer_factor`` times 1/√size."""
        config, factor = self.config, self.config.initializer_factor
        wide, size = config.d_model**-0.5, config.d_kv
        if module is self.shared:
            nn.init.normal_(module.weight, std=factor)
        elif isinstance(module, Attention):
            for name, std in (("q", wide * size**-0.5), ("k", wide), ("v", wide), ("o", (config.num_heads * size) ** -0.5)):
                nn.init.normal_(getattr(module, name).weight, std=factor * std)
            if hasattr(module, "relative_attention_bias"):
                nn.init.normal_(module.relative_attention_bias.weight, std=factor * wide)
        elif isinstance(module, _FeedForward):
            for name, layer in module.named_children():
                if isinstance(layer, Linear):
                    nn.init.normal_(layer.weight, std=factor * (config.d_ff**-0.5 if name == "wo" else wide))

    def tied(self) -> dict[str, str]:
        """Both sides read one table of words."""
        sides = [side for side in ("encoder", "decoder") if hasattr(self, side)]
        return {f"{side}.embed_tokens.weight": "shared.weight" for side in sides}

    def renamed(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """The table of words stands under one name at least; a table that first files had, and nobody reads, is left out."""
        if "shared.weight" not in state and "encoder.embed_tokens.weight" in state:
            state["shared.weight"] = state["encoder.embed_tokens.weight"]
        state.pop("decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight", None)
        return state

    def cache_sizes(self) -> tuple[int, int, int]:
        """The number of layers of the decoder, of heads, and the length of each."""
        return self.config.num_decoder_layers, self.config.num_heads, self.config.d_kv

    def encode(self, input_ids: Tensor | None, attention_mask: Tensor | None = None, inputs_embeds: Tensor | None = None) -> ModelOutput:
        """What the encoder finds, ``last_hidden_state`` ``(N, L, d_model)``; pass it on as ``encoder_outputs``."""
        return self.encoder(input_ids, attention_mask, inputs_embeds)

    def get_encoder(self) -> nn.Module:
        """The encoder, which is called with the tokens and their mask."""
        return self.encoder

    def get_decoder(self) -> nn.Module:
        """The decoder."""
        return self.decoder

    def _cache_of(self, ids: Tensor | None, vectors: Tensor | None, cache: Any, past: Any, use_cache: bool | None) -> KeyValueCache | None:
        """The cache of a call of the decoder."""
        given = ids if vectors is None else vectors
        return (past if cache is None else cache) if given is None else self._cache_for(*given.shape[:2], cache, past, use_cache)

    def _decoded(
        self, input_ids: Tensor | None, attention_mask: Tensor | None, decoder_input_ids: Tensor | None, decoder_mask: Tensor | None,
        encoder_outputs: Any, inputs_embeds: Tensor | None, decoder_inputs_embeds: Tensor | None, cache: KeyValueCache | None,
    ) -> tuple[tuple[Tensor, ...], ModelOutput]:  # fmt: skip
        if encoder_outputs is None:
            encoder_outputs = self.encode(input_ids, attention_mask, inputs_embeds)
        elif not isinstance(encoder_outputs, ModelOutput):
            encoder_outputs = ModelOutput(last_hidden_state=encoder_outputs[0], hidden_states=None)
        memory = encoder_outputs.last_hidden_state
        memory_mask = padding_mask(type(self).__name__, attention_mask, memory.shape[:2])
        found = self.decoder(decoder_input_ids, decoder_mask, decoder_inputs_embeds, memory, memory_mask, cache)
        return found.hidden_states, encoder_outputs
