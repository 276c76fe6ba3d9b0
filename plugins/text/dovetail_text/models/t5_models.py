"""T5's encoder alone, T5 without a head, and T5 that answers."""

from __future__ import annotations

from typing import Any

import dovetail as dv
from dovetail import Tensor, nn
from dovetail.nn import functional as F

from .cache import KeyValueCache
from .layers import Linear
from .output import ModelOutput
from .t5 import T5Config, T5PreTrainedModel

__all__ = ["T5EncoderModel", "T5ForConditionalGeneration", "T5Model", "t5", "t5_encoder"]


def _output(first: dict[str, Any], states: tuple[Tensor, ...], encoded: ModelOutput, hidden: bool, return_dict: bool, cache: Any) -> Any:
    out = ModelOutput(
        **first,
        decoder_hidden_states=states if hidden else None,
        encoder_last_hidden_state=encoded.last_hidden_state,
        encoder_hidden_states=encoded.get("hidden_states") if hidden else None,
    )
    return out.beside(past_key_values=cache, cache=cache) if return_dict else out.to_tuple()


class T5EncoderModel(T5PreTrainedModel):
    """T5's encoder alone: tokens ``(N, L)`` to ``last_hidden_state`` ``(N, L, d_model)``; reads folders of whole models too.

    >>> model = T5EncoderModel(T5Config(9, 8, 4, 16, num_layers=1, num_heads=2))
    >>> model(dv.tensor([[1, 2, 3]])).last_hidden_state.shape
    dovetail.Size([1, 3, 8])
    """

    def __init__(self, config: T5Config) -> None:
        super().__init__(config, decoder=False)
        self.post_init()

    def renamed(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Whole models are read without their decoder and their head."""
        state = super().renamed(state)
        return {name: t for name, t in state.items() if not name.startswith(("decoder.", "lm_head."))}

    def forward(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, inputs_embeds: Tensor | None = None,
        output_hidden_states: bool = False, return_dict: bool = True,
    ) -> Any:  # fmt: skip
        found = self.encode(input_ids, attention_mask, inputs_embeds)
        out = ModelOutput(last_hidden_state=found.last_hidden_state, hidden_states=found.hidden_states if output_hidden_states else None)
        return out if return_dict else out.to_tuple()


class T5Model(T5PreTrainedModel):
    """T5 without a head: tokens ``(N, L)`` and ``decoder_input_ids`` ``(N, M)`` to ``last_hidden_state`` ``(N, M, d_model)``.

    >>> model = T5Model(T5Config(9, 8, 4, 16, num_layers=1, num_heads=2))
    >>> model(dv.tensor([[1, 2, 3]]), decoder_input_ids=dv.tensor([[0, 1]])).last_hidden_state.shape
    dovetail.Size([1, 2, 8])
    """

    def __init__(self, config: T5Config) -> None:
        super().__init__(config)
        self.post_init()

    def forward(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, decoder_input_ids: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None, encoder_outputs: Any = None, cache: KeyValueCache | None = None,
        inputs_embeds: Tensor | None = None, decoder_inputs_embeds: Tensor | None = None, output_hidden_states: bool = False,
        return_dict: bool = True, *, past_key_values: KeyValueCache | None = None, use_cache: bool | None = None,
    ) -> Any:  # fmt: skip
        """``past_key_values`` is another name of ``cache``; with ``use_cache=True`` there is one among the results, for the next tokens; it
        is ``out.past_key_values`` unless that is False.
        """
        cache = self._cache_of(decoder_input_ids, decoder_inputs_embeds, cache, past_key_values, use_cache)
        states, encoded = self._decoded(
            input_ids, attention_mask, decoder_input_ids, decoder_attention_mask, encoder_outputs, inputs_embeds, decoder_inputs_embeds,
            cache,
        )  # fmt: skip
        first = {"last_hidden_state": states[-1], "past_key_values": cache if use_cache else None}
        return _output(first, states, encoded, output_hidden_states, return_dict, cache)


class T5ForConditionalGeneration(T5PreTrainedModel):
    """T5 with its head: tokens ``(N, L)``, and ``labels`` or ``decoder_input_ids`` ``(N, M)``, to ``logits`` ``(N, M, vocab_size)``.

    After Raffel et al., Exploring the Limits of Transfer Learning, https://arxiv.org/abs/1910.10683; results, gradients and names are
    those of Hugging Face's. With ``labels``, −100 where nothing is asked, the decoder is given them moved by one, and ``loss`` is
    their cross-entropy. ``generate`` writes an answer.

    >>> model = T5ForConditionalGeneration(T5Config(9, 8, 4, 16, num_layers=1, num_heads=2)).eval()
    >>> model(dv.tensor([[1, 2, 3]]), labels=dv.tensor([[4, 1]])).logits.shape
    dovetail.Size([1, 2, 9])
    """

    def __init__(self, config: T5Config) -> None:
        super().__init__(config)
        self.lm_head = Linear(config.d_model, config.vocab_size, bias=False)
        self.post_init()
        if config.tie_word_embeddings:
            self.lm_head.weight = self.shared.weight

    def init_weights(self, module: nn.Module) -> None:
        """As for the base; a head of its own begins as the embeddings do."""
        if module is self.lm_head:
            nn.init.normal_(module.weight, std=self.config.initializer_factor)
        else:
            super().init_weights(module)

    def tied(self) -> dict[str, str]:
        """The head is the table of words too, unless it has numbers of its own."""
        own = self.lm_head.weight is not self.shared.weight
        return super().tied() | ({} if own else {"lm_head.weight": "shared.weight"})

    def load_pretrained(self, state: Any) -> None:
        """As every model; the head is tied, or not, as the file has it: configurations of T5 1.1 and FLAN-T5 do not tell."""
        head, words = state.get("lm_head.weight"), state.get("shared.weight")
        if head is not None and words is not None and not bool((head.shape == words.shape) and (head == words).all()):
            self.lm_head.weight = nn.Parameter(dv.empty_like(self.shared.weight))
        elif words is not None:
            self.lm_head.weight = self.shared.weight
        super().load_pretrained(state)

    def shifted(self, labels: Tensor) -> Tensor:
        """What the decoder is given for ``labels`` ``(N, M)``: the start, and all but the last; padding where nothing is asked."""
        first = dv.full_like(labels[:, :1], self.config.decoder_start_token_id)
        moved = dv.cat([first, labels[:, :-1]], 1)
        return moved.masked_fill(moved == -100, self.config.pad_token_id)

    def prepare_decoder_input_ids_from_labels(self, labels: Tensor) -> Tensor:
        """`shifted`, as transformers calls it."""
        return self.shifted(labels)

    def forward(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, decoder_input_ids: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None, encoder_outputs: Any = None, cache: KeyValueCache | None = None,
        inputs_embeds: Tensor | None = None, decoder_inputs_embeds: Tensor | None = None, labels: Tensor | None = None,
        output_hidden_states: bool = False, return_dict: bool = True, logits_to_keep: int = 0, *,
        past_key_values: KeyValueCache | None = None, use_cache: bool | None = None,
    ) -> Any:  # fmt: skip
        """``past_key_values`` is another name of ``cache``; with ``use_cache=True`` there is one among the results, for the next tokens; it
        is ``out.past_key_values`` unless that is False.
        """
        if labels is not None and decoder_input_ids is None and decoder_inputs_embeds is None:
            decoder_input_ids = self.shifted(labels)
        cache = self._cache_of(decoder_input_ids, decoder_inputs_embeds, cache, past_key_values, use_cache)
        states, encoded = self._decoded(
            input_ids, attention_mask, decoder_input_ids, decoder_attention_mask, encoder_outputs, inputs_embeds, decoder_inputs_embeds,
            cache,
        )  # fmt: skip
        x = states[-1][:, -logits_to_keep:] if logits_to_keep else states[-1]
        logits = self.lm_head(x * self.config.d_model**-0.5 if self.config.scale_decoder_outputs else x)
        loss = None if labels is None else F.cross_entropy(logits.view(-1, logits.shape[-1]), labels.reshape(-1))
        first = {"loss": loss, "logits": logits, "past_key_values": cache if use_cache else None}
        return _output(first, states, encoded, output_hidden_states, return_dict, cache)


def t5(**config: Any) -> T5ForConditionalGeneration:
    """Build a :class:`T5ForConditionalGeneration` of the fields of :class:`T5Config`: 60,506,624 parameters as it stands."""
    return T5ForConditionalGeneration(T5Config(**config))


def t5_encoder(**config: Any) -> T5EncoderModel:
    """Build a :class:`T5EncoderModel` of the fields of :class:`T5Config`."""
    return T5EncoderModel(T5Config(**config))
