"""What a text may begin with beside its tokens: vectors, a cache, what an encoder found, by the names of transformers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from inspect import signature
from typing import Any, Self

from dovetail import Tensor
from dovetail.errors import TypeMismatch, UnsupportedError, ValueRangeError

from .rules import Rules, tokens_of

__all__ = ["NAMED", "OTHER_WAYS", "Given", "refuse_other_way", "sorted_out"]

# What ``generate`` names itself.
NAMED = (
    "max_length", "max_new_tokens", "early_stopping", "stop_strings", "do_sample", "num_beams", "use_cache", "temperature", "top_k",
    "top_p", "repetition_penalty", "length_penalty", "num_return_sequences", "pad_token_id", "eos_token_id",
)  # fmt: skip
# Settings that ask for another way to generate, and the values with which they ask for nothing.
OTHER_WAYS: dict[str, tuple[Any, ...]] = {
    "num_beam_groups": (1,), "diversity_penalty": (0, 0.0), "penalty_alpha": (0, 0.0), "constraints": (), "force_words_ids": (),
    "top_h": (), "token_healing": (False,), "watermarking_config": (), "dola_layers": (), "use_mtp": (False,),
    "output_attentions": (False,), "assistant_model": (), "prompt_lookup_num_tokens": (), "custom_generate": (), "synced_gpus": (False,),
}  # fmt: skip
# Those that say how to compute what comes out the same.
_MEANS = (
    "cache_implementation", "cache_config", "max_cache_len", "low_memory", "disable_compile", "compile_config", "prefill_chunk_size",
    "is_assistant", "num_assistant_tokens", "num_assistant_tokens_schedule", "assistant_confidence_threshold", "assistant_early_exit",
    "assistant_lookbehind", "target_lookbehind", "max_matching_ngram_size", "trust_remote_code", "transformers_version", "logits_to_keep",
)  # fmt: skip
_INPUTS = (
    "inputs_embeds",
    "position_ids",
    "token_type_ids",
    "past_key_values",
    "encoder_outputs",
    "decoder_input_ids",
    "decoder_attention_mask",
)


@dataclass
class Given:
    """What may be given to ``generate`` beside tokens; None is nothing.

    ``inputs_embeds`` ``(N, L, H)`` are vectors in the place of tokens; ``past_key_values``, or ``cache``, holds the beginning of the
    prompts already. ``encoder_outputs``, ``decoder_input_ids`` and ``decoder_attention_mask`` are those of a model that answers, and
    ``decoder_start_token_id`` is where its answers begin; ``bos_token_id`` is the prompt where there is none. ``guidance_scale``
    and the negative prompt are those of `guided`.

    >>> Given(bos_token_id=1).inputs_embeds is None
    True
    """

    inputs_embeds: Tensor | None = None
    position_ids: Tensor | None = None
    token_type_ids: Tensor | None = None
    past_key_values: Any = None
    encoder_outputs: Any = None
    decoder_input_ids: Tensor | None = None
    decoder_attention_mask: Tensor | None = None
    bos_token_id: int | None = None
    decoder_start_token_id: int | Sequence[int] | None = None
    guidance_scale: float | None = None
    negative_prompt_ids: Tensor | None = None
    negative_prompt_attention_mask: Tensor | None = None
    output_hidden_states: bool | None = None

    def checked(self, model: Any) -> Self:
        """Themselves. Raises a ValueError for what the model does not take, a TypeError for what is no number or no token."""
        if not isinstance(self.guidance_scale, int | float | None):
            raise TypeMismatch("generate", f"guidance_scale is {self.guidance_scale!r}", "expected a number")
        if not isinstance(self.bos_token_id, int | None):
            raise TypeMismatch("generate", f"bos_token_id is {self.bos_token_id!r}", "expected the number of a token")
        tokens_of(self.decoder_start_token_id)
        taken = signature(model.forward).parameters if any(getattr(self, name) is not None for name in _INPUTS) else {}
        unused = [name for name in _INPUTS if getattr(self, name) is not None and name not in taken]
        if unused:
            what = f"the model_kwargs {unused} are not used by the model"
            raise ValueRangeError("generate", what, f"{type(model).__name__} does not take them", "leave them out")
        return self

    @property
    def guides(self) -> bool:
        """Whether there is something to lead away from."""
        return self.guidance_scale is not None and self.guidance_scale != 1


def sorted_out(given: Mapping[str, Any]) -> tuple[Rules, Given]:
    """The arguments of ``generate`` that it does not name, as rules and as what a text begins with.

    Raises an UnsupportedError for a way to generate that is not there, a ValueError for a name that is not, naming the nearest that is.

    >>> rules, begun = sorted_out({"min_new_tokens": 3, "bos_token_id": 1, "low_memory": True})
    >>> rules.min_new_tokens, begun.bos_token_id
    (3, 1)
    """
    rules, begun = {field.name for field in fields(Rules)}, {field.name for field in fields(Given)}
    given = {"past_key_values" if name == "cache" else name: value for name, value in given.items()}  # its newer name
    for name, value in given.items():
        if name in OTHER_WAYS:
            refuse_other_way(name, value, "")
        elif name not in rules | begun and name not in _MEANS:
            near = get_close_matches(name, [*NAMED, *rules, *begun], 1, 0.7)
            remedy = f"did you mean {near[0]!r}?" if near else "leave it out"
            raise ValueRangeError("generate", f"the model_kwargs {[name]} are not used by the model: there is no such argument", "", remedy)
    return (
        Rules(**{name: value for name, value in given.items() if name in rules}),
        Given(**{name: value for name, value in given.items() if name in begun}),
    )


def refuse_other_way(name: str, value: Any, where: str) -> None:
    """Raise an UnsupportedError if a setting asks for a way to generate that is not there.

    >>> refuse_other_way("num_beam_groups", 1, "")
    """
    if value is not None and value not in OTHER_WAYS[name]:
        value = repr(value) if isinstance(value, bool | int | float | str | list | tuple) else type(value).__name__
        raise UnsupportedError("generate", f"{name} is {value}{where}", "it is not there", f"set {name} to None to generate without it")
