"""Llama (Touvron et al., 2023) and the decoders built like it, Mistral and Qwen2, with Hugging Face's names."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import dovetail as dv
from dovetail import Tensor, nn
from dovetail.errors import ValueRangeError

from .attention import Attention
from .cache import KeyValueCache, begun, causal_mask
from .causal import CausalLM, next_token_loss
from .config import Config, activation, refuse
from .layers import Embedding, Linear, draw, gated
from .output import ModelOutput
from .rotary import Rotary, rotated

__all__ = [
    "LlamaConfig",
    "LlamaForCausalLM",
    "LlamaModel",
    "MistralConfig",
    "MistralForCausalLM",
    "Qwen2Config",
    "Qwen2ForCausalLM",
    "llama",
]


@dataclass
class LlamaConfig(Config):
    """The sizes of a Llama; the defaults are those of Llama 7B.

    ``rope_parameters`` holds ``rope_theta`` and ``rope_type``; older files' ``rope_theta`` and ``rope_scaling`` are read too.

    >>> LlamaConfig.from_dict({"model_type": "llama", "rope_theta": 5e5, "hidden_size": 64, "num_attention_heads": 4}).rope_parameters
    {'rope_theta': 500000.0, 'rope_type': 'default'}
    """

    model_type: ClassVar[str] = "llama"

    vocab_size: int = 32000
    hidden_size: int = 4096
    intermediate_size: int = 11008
    num_hidden_layers: int = 32
    num_attention_heads: int = 32
    num_key_value_heads: int | None = None
    hidden_act: str = "silu"
    max_position_embeddings: int = 2048
    initializer_range: float = 0.02
    rms_norm_eps: float = 1e-6
    pad_token_id: int | None = None
    bos_token_id: int | None = 1
    eos_token_id: int | list[int] | None = 2
    tie_word_embeddings: bool = False
    rope_parameters: dict[str, Any] | None = None
    attention_bias: bool = False
    attention_dropout: float = 0.0
    mlp_bias: bool = False
    head_dim: int | None = None
    sliding_window: int | None = None

    def __post_init__(self) -> None:
        self.num_key_value_heads = self.num_key_value_heads or self.num_attention_heads
        self.head_dim = self.head_dim or self.hidden_size // self.num_attention_heads
        self.rope_parameters = {"rope_theta": 10000.0, "rope_type": "default", **(self.rope_parameters or {})}

    @classmethod
    def translated(cls, config: dict[str, Any]) -> dict[str, Any]:
        """Bring ``rope_theta`` and ``rope_scaling`` into ``rope_parameters``."""
        refuse(cls.__name__, config, {"pretraining_tp": (1, None)})
        scaling = dict(config.get("rope_scaling") or {})
        if "type" in scaling:
            scaling.setdefault("rope_type", scaling.pop("type"))
        theta = {"rope_theta": config["rope_theta"]} if config.get("rope_theta") is not None else {}
        return {**config, "rope_parameters": {**theta, **scaling, **(config.get("rope_parameters") or {})}}

    def biases(self) -> tuple[bool, bool, bool, bool]:
        """Which of the layers of attention have a bias: those of queries, keys, values, and the last."""
        return (self.attention_bias,) * 4


@dataclass
class MistralConfig(LlamaConfig):
    """The sizes of a Mistral; the defaults are those of Mistral 7B v0.1. Each token sees the last ``sliding_window`` tokens."""

    model_type: ClassVar[str] = "mistral"

    intermediate_size: int = 14336
    num_key_value_heads: int | None = 8
    max_position_embeddings: int = 131072
    sliding_window: int | None = 4096


@dataclass
class Qwen2Config(LlamaConfig):
    """The sizes of a Qwen2 or Qwen2.5: a Llama whose queries, keys and values have a bias."""

    model_type: ClassVar[str] = "qwen2"

    vocab_size: int = 151936
    intermediate_size: int = 22016
    num_key_value_heads: int | None = 32
    max_position_embeddings: int = 32768
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None

    @classmethod
    def translated(cls, config: dict[str, Any]) -> dict[str, Any]:
        """As for a Llama; windows of some of the layers are refused, a window that is not in use is left out."""
        refuse(cls.__name__, config, {"use_sliding_window": (False,)})
        return super().translated({**config, "sliding_window": None})

    def biases(self) -> tuple[bool, bool, bool, bool]:
        """Queries, keys and values have one."""
        return True, True, True, False


class _MLP(nn.Module):
    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        size, inner = config.hidden_size, config.intermediate_size
        self.gate_proj, self.up_proj = Linear(size, inner, config.mlp_bias), Linear(size, inner, config.mlp_bias)
        self.down_proj = Linear(inner, size, config.mlp_bias)
        self.act_fn = activation(config.hidden_act)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(gated(x, self.gate_proj, self.up_proj, self.act_fn))


class _Layer(nn.Module):
    def __init__(self, config: LlamaConfig, index: int) -> None:
        super().__init__()
        self.self_attn = Attention(
            config.hidden_size, config.num_attention_heads, ("q_proj", "k_proj", "v_proj", "o_proj"), kv_heads=config.num_key_value_heads,
            head_size=config.head_dim, bias=config.biases(), dropout=config.attention_dropout, index=index,
        )  # fmt: skip
        self.mlp = _MLP(config)
        self.input_layernorm = nn.RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = nn.RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(self, x: Tensor, mask: Tensor | None, cache: KeyValueCache | None, turn: Any) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), mask, causal=True, cache=cache, turn=turn)
        return x + self.mlp(self.post_attention_layernorm(x))


class LlamaPreTrainedModel(CausalLM):
    """The base of Llama with and without its head: initial weights, the cache, older names."""

    config_class = LlamaConfig
    base_model_prefix = "model"
    heads = ("lm_head",)

    def init_weights(self, module: nn.Module) -> None:
        """Normal weights of deviation ``initializer_range``, zero biases; the embedding of the padding is zero."""
        if isinstance(module, Linear | Embedding):
            draw(module, self.config.initializer_range)

    def renamed(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Older files hold the frequencies of positions too."""
        return {name: t for name, t in state.items() if not name.endswith("rotary_emb.inv_freq")}

    def cache_sizes(self) -> tuple[int, int, int]:
        """The number of layers, of heads of keys, and the length of each."""
        return self.config.num_hidden_layers, self.config.num_key_value_heads, self.config.head_dim


class LlamaModel(LlamaPreTrainedModel):
    """The decoder without a head: tokens ``(N, L)`` to ``last_hidden_state`` ``(N, L, H)``; each sees itself and those before it.

    After Touvron et al., LLaMA, https://arxiv.org/abs/2302.13971: RMSNorm before each part, rotary positions, heads of keys shared by
    groups of queries, SwiGLU. Results, gradients and names are those of Hugging Face's ``LlamaModel``.

    >>> config = LlamaConfig(9, 8, 16, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1)
    >>> LlamaModel(config)(dv.tensor([[1, 2, 3]])).last_hidden_state.shape
    dovetail.Size([1, 3, 8])
    """

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__(config)
        if config.head_dim % 2:
            raise ValueRangeError(type(self).__name__, f"head_dim is {config.head_dim}", "expected an even number, to turn pairs")
        self.embed_tokens = Embedding(config.vocab_size, config.hidden_size, padding_idx=config.pad_token_id)
        self.layers = nn.ModuleList([_Layer(config, index) for index in range(config.num_hidden_layers)])
        self.norm = nn.RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.rotary_emb = Rotary(config.head_dim, config.rope_parameters, config.max_position_embeddings)
        self.post_init()

    def forward(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None, cache: KeyValueCache | None = None, output_hidden_states: bool = False,
    ) -> ModelOutput:  # fmt: skip
        """``attention_mask`` ``(N, L)`` is 0 at padding, counting what is in the ``cache``."""
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueRangeError(type(self).__name__, "You must specify exactly one of input_ids or inputs_embeds")
        x = self.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds
        length, past = x.shape[1], begun(cache)
        if position_ids is None:
            position_ids = dv.arange(past, past + length, device=x.device)[None]
        cos, sin = self.rotary_emb(position_ids, x.dtype)
        turn = partial(rotated, cos=cos, sin=sin)
        mask = causal_mask(attention_mask, length, past, x.device, self.config.sliding_window)
        states = []
        for layer in self.layers:
            states.append(x)
            x = layer(x, mask, cache, turn)
        if cache is not None:
            cache.length += length
        x = self.norm(x)
        return ModelOutput(last_hidden_state=x, hidden_states=(*states, x) if output_hidden_states else None)


class LlamaForCausalLM(LlamaPreTrainedModel):
    """Llama with its head: tokens ``(N, L)`` to ``logits`` ``(N, L, vocab_size)`` of the next ones; it generates.

    With ``labels`` ``(N, L)``, −100 where nothing is asked, ``loss`` is the cross-entropy of each label by the tokens before it: pass
    ``labels=input_ids``. The matrix of the head is that of the word embeddings where ``tie_word_embeddings`` is True.

    >>> config = LlamaConfig(9, 8, 16, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1)
    >>> model = LlamaForCausalLM(config).eval()
    >>> model(dv.tensor([[1, 2, 3]])).logits.shape, model.generate(dv.tensor([[1, 2]]), max_new_tokens=3).shape
    (dovetail.Size([1, 3, 9]), dovetail.Size([1, 5]))
    """

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__(config)
        self.model = LlamaModel(config)
        self.lm_head = Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init(self.lm_head)
        if config.tie_word_embeddings:
            self.lm_head.weight = self.model.embed_tokens.weight

    def tied(self) -> dict[str, str]:
        """The output layer is the word embedding, where the configuration says so."""
        return {"lm_head.weight": "model.embed_tokens.weight"} if self.config.tie_word_embeddings else {}

    def forward(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None, labels: Tensor | None = None, cache: KeyValueCache | None = None, logits_to_keep: int = 0,
        output_hidden_states: bool = False, *, past_key_values: KeyValueCache | None = None, use_cache: bool | None = None,
        return_dict: bool = True,
    ) -> Any:  # fmt: skip
        """As the model without the head; ``logits_to_keep`` asks for the last logits alone.

        ``past_key_values`` is another name of ``cache``; with ``use_cache=True`` there is one among the results, for the next
        tokens; it is ``out.past_key_values`` unless that is False.
        """
        shape = (inputs_embeds if input_ids is None else input_ids).shape if use_cache else (0, 0)
        cache = self._cache_for(*shape[:2], cache, past_key_values, use_cache)
        found = self.model(input_ids, attention_mask, position_ids, inputs_embeds, cache, output_hidden_states)
        x = found.last_hidden_state
        logits = self.lm_head(x[:, -logits_to_keep:] if logits_to_keep else x)
        loss = None if labels is None else next_token_loss(logits, labels)
        past = cache if use_cache else None
        out = ModelOutput(loss=loss, logits=logits, past_key_values=past, hidden_states=found.hidden_states)
        return out.beside(past_key_values=cache, cache=cache) if return_dict else out.to_tuple()


class MistralForCausalLM(LlamaForCausalLM):
    """Mistral (Jiang et al., 2023, https://arxiv.org/abs/2310.06825): a :class:`LlamaForCausalLM` that looks back over a window."""

    config_class = MistralConfig


class Qwen2ForCausalLM(LlamaForCausalLM):
    """Qwen2 and Qwen2.5 (https://arxiv.org/abs/2407.10671): a :class:`LlamaForCausalLM` with biases on queries, keys and values."""

    config_class = Qwen2Config


def llama(**config: Any) -> LlamaForCausalLM:
    """Build a :class:`LlamaForCausalLM` of the fields of :class:`LlamaConfig`.

    >>> llama(vocab_size=9, hidden_size=8, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2).num_parameters()
    808
    """
    return LlamaForCausalLM(LlamaConfig(**config))
