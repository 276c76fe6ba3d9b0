"""GPT (Radford et al., 2019): a causal language model with the names of Hugging Face's GPT-2 and the configuration of nanoGPT."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from dovetail import Tensor, nn
from dovetail.errors import ShapeError, ValueRangeError

from .attention import attend
from .cache import KeyValueCache, begun, causal_mask
from .causal import CausalLM, next_token_loss
from .config import Config, activation, refuse
from .layers import Conv1D, Embedding, Linear, draw
from .output import ModelOutput

__all__ = ["GPT", "GPT2Config", "GPT2LMHeadModel", "GPT2Model", "GPTConfig", "gpt"]

_DROPS = ("resid_pdrop", "embd_pdrop", "attn_pdrop")


@dataclass
class GPTConfig(Config):
    """The sizes of a GPT, as nanoGPT names them; the defaults are those of GPT-2 (124 million parameters) without dropout.

    ``bias=False`` leaves out the biases of linear layers and layer norms. ``resid_pdrop``, ``embd_pdrop`` and ``attn_pdrop`` are
    ``dropout`` unless they are given.

    >>> GPTConfig.from_dict({"model_type": "gpt2", "n_positions": 512, "n_layer": 2}).block_size
    512
    """

    model_type: ClassVar[str] = "gpt2"

    vocab_size: int = 50257
    block_size: int = 1024
    n_layer: int = 12
    n_head: int = 12
    n_embd: int = 768
    dropout: float = 0.0
    bias: bool = True
    n_inner: int | None = None
    activation_function: str = "gelu_new"
    layer_norm_epsilon: float = 1e-5
    initializer_range: float = 0.02
    tie_word_embeddings: bool = True
    eos_token_id: int | list[int] | None = None
    pad_token_id: int | None = None
    resid_pdrop: float | None = None
    embd_pdrop: float | None = None
    attn_pdrop: float | None = None
    scale_attn_weights: bool = True
    scale_attn_by_inverse_layer_idx: bool = False

    hidden_size = property(lambda self: self.n_embd, doc="``n_embd``, by the name that other families have.")
    num_hidden_layers = property(lambda self: self.n_layer, doc="``n_layer``, likewise.")
    num_attention_heads = property(lambda self: self.n_head, doc="``n_head``, likewise.")
    max_position_embeddings = property(lambda self: self.block_size, doc="``block_size``, likewise.")
    n_positions = max_position_embeddings

    def drop(self, name: str) -> float:
        """The dropout of one of the three places."""
        own = getattr(self, name)
        return self.dropout if own is None else own

    @classmethod
    def translated(cls, config: dict[str, Any]) -> dict[str, Any]:
        """Bring GPT-2's ``n_positions`` and, where they are one, its three dropouts to nanoGPT's two names."""
        refuse("GPTConfig", config, {"add_cross_attention": (False,)})
        config.setdefault("block_size", config.get("n_positions", cls.block_size))
        drops = {name: config.get(name, 0.1) for name in _DROPS}
        if len(set(drops.values())) == 1:
            config.setdefault("dropout", drops[_DROPS[0]])
            drops = dict.fromkeys(_DROPS)
        return {**config, **drops}

    def to_dict(self) -> dict[str, Any]:
        """The fields in Hugging Face's spelling, and ``bias`` where there is none, which transformers does not have."""
        found = super().to_dict()
        del found["dropout"]
        if found["bias"]:
            del found["bias"]
        else:
            found["model_type"] = "gpt2_without_bias"  # so that transformers refuses it
        return {**found, "n_positions": found.pop("block_size"), **{name: self.drop(name) for name in _DROPS}}

    @classmethod
    def from_dict(cls, config: Any, **changes: Any) -> GPTConfig:
        """As for every configuration; what was saved without biases is known by its ``model_type``."""
        if config.get("model_type") == "gpt2_without_bias":
            config = {**config, "model_type": cls.model_type}
        return super().from_dict(config, **changes)


class GPT2Config(GPTConfig):
    """The same under the names, and with the defaults, of transformers: ``n_positions``, and dropout of 0.1 in each of the three places.

    Fields are given by name. Those that make no difference here are left out, as from a config.json.

    >>> config = GPT2Config(n_positions=512, n_layer=2, use_cache=False)
    >>> config.block_size, config.drop("attn_pdrop")
    (512, 0.1)
    """

    def __init__(self, **fields: Any) -> None:
        vars(self).update(vars(GPTConfig.from_dict({name: value for name, value in fields.items() if value is not None})))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GPTConfig) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]


class _Attention(nn.Module):
    def __init__(self, config: GPTConfig, index: int) -> None:
        super().__init__()
        self.n_head, self.index = config.n_head, index
        self.scale = (config.n_embd // config.n_head) ** -0.5 if config.scale_attn_weights else 1.0
        if config.scale_attn_by_inverse_layer_idx:
            self.scale /= index + 1
        self.c_attn = Conv1D(3 * config.n_embd, config.n_embd, config.bias)
        self.c_proj = Conv1D(config.n_embd, config.n_embd, config.bias)
        self.attn_dropout = nn.Dropout(config.drop("attn_pdrop"))
        self.resid_dropout = nn.Dropout(config.drop("resid_pdrop"))

    def forward(self, x: Tensor, mask: Tensor | None, cache: KeyValueCache | None) -> Tensor:
        n, length, size = x.shape
        q, k, v = self.c_attn(x).view(n, length, 3, self.n_head, size // self.n_head).permute(2, 0, 3, 1, 4).unbind(0)
        if cache is not None:
            k, v = cache.update(self.index, k, v)
        return self.resid_dropout(self.c_proj(attend(q, k, v, mask, self.attn_dropout.p if self.training else 0.0, True, self.scale)))


class _MLP(nn.Module):
    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        inner = config.n_inner or 4 * config.n_embd
        self.c_fc = Conv1D(inner, config.n_embd, config.bias)
        self.c_proj = Conv1D(config.n_embd, inner, config.bias)
        self.act = activation(config.activation_function)
        self.dropout = nn.Dropout(config.drop("resid_pdrop"))

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(self.c_proj(self.act(self.c_fc(x))))


class _Block(nn.Module):
    def __init__(self, config: GPTConfig, index: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.n_embd, config.layer_norm_epsilon, bias=config.bias)
        self.attn = _Attention(config, index)
        self.ln_2 = nn.LayerNorm(config.n_embd, config.layer_norm_epsilon, bias=config.bias)
        self.mlp = _MLP(config)

    def forward(self, x: Tensor, mask: Tensor | None, cache: KeyValueCache | None) -> Tensor:
        x = x + self.attn(self.ln_1(x), mask, cache)
        return x + self.mlp(self.ln_2(x))


class GPT2PreTrainedModel(CausalLM):
    """The base of GPT with and without its head: initial weights, older names, the cache."""

    config_class = GPTConfig
    base_model_prefix = "transformer"
    heads = ("lm_head",)

    def __init__(self, config: GPTConfig) -> None:
        super().__init__(config)
        if config.n_embd % config.n_head:
            raise ValueRangeError("GPT", f"n_embd is {config.n_embd} and n_head is {config.n_head}", "expected a multiple")

    def init_weights(self, module: nn.Module) -> None:
        """Normal weights of deviation ``initializer_range``; less where residual sums of many layers would grow, as in GPT-2."""
        if isinstance(module, Linear | Embedding | Conv1D):
            draw(module, self.config.initializer_range)
        elif isinstance(module, _Attention | _MLP):
            draw(module.c_proj, self.config.initializer_range / math.sqrt(2 * self.config.n_layer))

    def renamed(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Older files hold the causal masks too."""
        return {name: t for name, t in state.items() if not name.endswith((".attn.bias", ".attn.masked_bias"))}

    @property
    def longest(self) -> int:
        """As many tokens as there are positions."""
        return self.config.block_size

    def cache_sizes(self) -> tuple[int, int, int]:
        """The number of layers, of heads, and the length of each."""
        return self.config.n_layer, self.config.n_head, self.config.n_embd // self.config.n_head


class GPT2Model(GPT2PreTrainedModel):
    """A GPT without its head: tokens ``(N, L)`` to ``last_hidden_state`` ``(N, L, n_embd)``; reads folders of whole models too.

    >>> import dovetail as dv
    >>> model = GPT2Model(GPTConfig(vocab_size=9, block_size=8, n_layer=1, n_head=2, n_embd=16)).eval()
    >>> model(dv.tensor([[1, 2, 3]])).last_hidden_state.shape
    dovetail.Size([1, 3, 16])
    """

    def __init__(self, config: GPTConfig) -> None:
        super().__init__(config)
        self.wte = Embedding(config.vocab_size, config.n_embd)
        self.wpe = Embedding(config.block_size, config.n_embd)
        self.drop = nn.Dropout(config.drop("embd_pdrop"))
        self.h = nn.ModuleList([_Block(config, index) for index in range(config.n_layer)])
        self.ln_f = nn.LayerNorm(config.n_embd, config.layer_norm_epsilon, bias=config.bias)
        self.post_init()

    def forward(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None, cache: KeyValueCache | None = None, output_hidden_states: bool = False, *,
        past_key_values: KeyValueCache | None = None, use_cache: bool | None = None, return_dict: bool = True,
        token_type_ids: Tensor | None = None,
    ) -> Any:  # fmt: skip
        """``attention_mask`` ``(N, L)`` is 0 at padding, counting what is in the ``cache``.

        ``inputs_embeds`` ``(N, L, n_embd)`` are vectors instead of tokens; the words ``token_type_ids`` ``(N, L)`` are added to those that
        are there; ``past_key_values`` is another name of ``cache``; with
        ``use_cache=True`` there is one among the results, for the next tokens; it is ``out.past_key_values`` unless that is False.
        """
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueRangeError("GPT", "You must specify exactly one of input_ids or inputs_embeds")
        x = self.wte(input_ids) if inputs_embeds is None else inputs_embeds
        n, length = x.shape[:2]
        cache = self._cache_for(n, length, cache, past_key_values, use_cache)
        past = begun(cache)
        if past + length > self.config.block_size:
            what = f"the input has {past + length} tokens"
            raise ShapeError("GPT", what, f"expected block_size = {self.config.block_size} at most", "cut it")
        places = self.wpe.weight[past : past + length] if position_ids is None else self.wpe(position_ids)
        mask = causal_mask(attention_mask, length, past, x.device)
        x = x + places if token_type_ids is None else x + places + self.wte(token_type_ids)
        x, states = self.drop(x), []
        for block in self.h:
            if output_hidden_states:
                states.append(x)
            x = block(x, mask, cache)
        x = self.ln_f(x)
        if cache is not None:
            cache.length += length
        out = ModelOutput(
            last_hidden_state=x, past_key_values=cache if use_cache else None, hidden_states=(*states, x) if output_hidden_states else None
        )
        return out.beside(past_key_values=cache, cache=cache) if return_dict else out.to_tuple()


class GPT(GPT2PreTrainedModel):
    """A causal language model: tokens ``(N, L)``, ``L`` up to ``block_size``, to ``logits`` ``(N, L, vocab_size)`` of the next ones.

    After Radford et al., Language Models are Unsupervised Multitask Learners, 2019. Parameters are named and laid out as in Hugging
    Face's ``GPT2LMHeadModel``, so its folders load. With ``labels`` ``(N, L)``, −100 where nothing is asked, ``loss`` is the
    cross-entropy of each label by the tokens before it: pass ``labels=input_ids``.

    >>> import dovetail as dv
    >>> model = GPT(GPTConfig(vocab_size=9, block_size=8, n_layer=1, n_head=2, n_embd=16)).eval()
    >>> model(dv.tensor([[1, 2, 3]])).logits.shape
    dovetail.Size([1, 3, 9])
    >>> model.generate(dv.tensor([[1, 2]]), max_new_tokens=3).shape
    dovetail.Size([1, 5])
    """

    def __init__(self, config: GPTConfig) -> None:
        super().__init__(config)
        self.transformer = GPT2Model(config)
        self.lm_head = Linear(config.n_embd, config.vocab_size, bias=False)
        self.post_init(self.lm_head)
        if config.tie_word_embeddings:
            self.lm_head.weight = self.transformer.wte.weight

    def tied(self) -> dict[str, str]:
        """The output layer is the word embedding."""
        return {"lm_head.weight": "transformer.wte.weight"} if self.config.tie_word_embeddings else {}

    def forward(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, position_ids: Tensor | None = None,
        labels: Tensor | None = None, cache: KeyValueCache | None = None, logits_to_keep: int = 0, *, inputs_embeds: Tensor | None = None,
        past_key_values: KeyValueCache | None = None, use_cache: bool | None = None, output_hidden_states: bool = False,
        return_dict: bool = True, token_type_ids: Tensor | None = None,
    ) -> Any:  # fmt: skip
        """As of :class:`GPT2Model`; ``logits_to_keep`` asks for the last alone."""
        found = self.transformer(
            input_ids, attention_mask, position_ids, inputs_embeds, cache, output_hidden_states, past_key_values=past_key_values,
            use_cache=use_cache, token_type_ids=token_type_ids,
        )  # fmt: skip
        x = found.last_hidden_state
        logits = self.lm_head(x[:, -logits_to_keep:] if logits_to_keep else x)
        loss = None if labels is None else next_token_loss(logits, labels)
        out = ModelOutput(loss=loss, logits=logits, past_key_values=found.get("past_key_values"), hidden_states=found.get("hidden_states"))
        return out.beside(past_key_values=found.past_key_values, cache=found.past_key_values) if return_dict else out.to_tuple()


GPT2LMHeadModel = GPT  # by the name of Hugging Face's class


def gpt(
    vocab_size: int = 256, block_size: int = 256, n_layer: int = 6, n_head: int = 6, n_embd: int = 384, **config: Any
) -> GPT:  # fmt: skip
    """Build a small GPT, by default one for bytes: 10,844,160 parameters; ``config`` are other fields of :class:`GPTConfig`.

    >>> gpt(vocab_size=10, n_layer=1, n_embd=12, n_head=2).num_parameters()
    5100
    """
    return GPT(GPTConfig(vocab_size, block_size, n_layer, n_head, n_embd, **config))
