"""The pipeline that goes on with a text, or answers a chat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import dovetail as dv
from dovetail.errors import ValueRangeError

from .base import Pipeline, text_of

__all__ = ["TextGenerationPipeline"]

_DEFAULTS = {"max_new_tokens": 256, "do_sample": True}


class TextGenerationPipeline(Pipeline):
    """A text that goes on from a prompt: a list of ``{"generated_text": …}``, one for each of ``num_return_sequences``.

    Of a chat, a list of dicts with ``role`` and ``content``, the text is the chat with the answer, by the tokenizer's chat template.
    ``return_full_text=False`` gives what is new alone, ``return_tensors=True`` the numbers, ``generated_token_ids``. ``stop_sequence`` is
    where a text ends, ``prefix`` goes before each prompt; ``add_special_tokens``, ``truncation``, ``padding`` and
    ``tokenizer_encode_kwargs`` go to the tokenizer, and all else to ``model.generate``. Unless the model's ``generation_config`` or a
    call says otherwise 256 tokens are drawn, at a temperature of 0.7. ``batch_size`` prompts are gone on with at once.

    >>> from dovetail_text.models import GPT, GPTConfig
    >>> from dovetail_text.tokenizers import Char
    >>> pipe = TextGenerationPipeline(GPT(GPTConfig(3, 8, 1, 2, 16)).eval(), Char("ab "))
    >>> text = pipe("a b", max_new_tokens=4)[0]["generated_text"]
    >>> len(text), text[:3]
    (7, 'a b')
    """

    task: ClassVar[str] = "text-generation"

    def __init__(self, model: Any, tokenizer: Any, **options: Any) -> None:
        super().__init__(model, tokenizer, **options)
        tokenizer.padding_side = "left"

    def checked(self, options: dict[str, Any]) -> dict[str, Any]:
        """Options that do not contradict each other."""
        forms = [name for name in ("return_full_text", "return_tensors", "return_text") if options.get(name) is not None]
        if len(forms) > 1:
            raise ValueRangeError(self.task, f"{' and '.join(forms)} are given", "expected one of them")
        if options.get("handle_long_generation") not in (None, "hole"):
            raise ValueRangeError(self.task, f"handle_long_generation is {options['handle_long_generation']!r}", "expected None or 'hole'")
        return options

    def __call__(self, inputs: Any, **options: Any) -> Any:
        """As of `Pipeline`; a list of messages is one chat."""
        if isinstance(inputs, list | tuple) and inputs and _is_message(inputs[0]):
            inputs = tuple(inputs)
        return super().__call__(inputs, **options)

    def answer(self, text: Any, **options: Any) -> list[dict[str, Any]]:
        """The texts that go on from a prompt."""
        return self.answers([text], options)[0]

    def answers(self, texts: list[Any], options: dict[str, Any]) -> list[list[dict[str, Any]]]:
        """The texts that go on from each prompt of a batch, padded on the left."""
        options = dict(options)
        shown = {name: options.pop(name) for name in _SHOWN if name in options}
        read = {name: options.pop(name) for name in _READ if name in options}
        tokens = [self._encoded(text, read, options) for text in texts]
        inputs = tokens[0] if len(tokens) == 1 else self.tokenizer.pad([_lists(one) for one in tokens], return_tensors="pt")
        ids = inputs["input_ids"]
        mask = inputs.get("attention_mask")
        out = self.model.generate(input_ids=ids, attention_mask=mask, **self._asked(options, read))
        rows = (out if isinstance(out, dv.Tensor) else out.sequences).cpu().tolist()
        many = len(rows) // len(texts)
        return [
            [self._record(text, row, ids.shape[-1], read, **shown) for row in rows[at * many : (at + 1) * many]]
            for at, text in enumerate(texts)
        ]

    def _encoded(self, text: Any, read: dict[str, Any], options: dict[str, Any]) -> Any:
        """The tokens of a prompt or of a chat."""
        given = {name: read[name] for name in ("add_special_tokens", "truncation", "padding") if read.get(name) is not None}
        if options.get("max_length") is not None:
            given["max_length"] = options["max_length"]
        given |= read.get("tokenizer_encode_kwargs") or {}
        if not isinstance(text, str) and isinstance(text, list | tuple) and text and _is_message(text[0]):
            given.pop("add_special_tokens", None)
            goes_on = _goes_on(text, read)
            for name in ("tools", "documents"):
                given |= {name: read[name]} if read.get(name) is not None else {}
            found = self.tokenizer.apply_chat_template(
                list(text),
                add_generation_prompt=not goes_on,
                continue_final_message=goes_on,
                return_dict=True,
                return_tensors="pt",
                **given,
            )
        else:
            found = self.tokenizer((read.get("prefix") or "") + text_of(self.task, text), return_tensors="pt", **given)
        if not found["input_ids"].shape[-1]:
            raise ValueRangeError(
                self.task, "the prompt has no token", "expected one or more", "begin with the token for the start of a text"
            )
        return self._cut(found, options) if read.get("handle_long_generation") == "hole" else found

    def _cut(self, found: Any, options: dict[str, Any]) -> Any:
        """Without the first tokens, where there would be no room for what is new."""
        asked, length = self._asked(options, {}), found["input_ids"].shape[-1]
        new = asked.get("max_new_tokens") or asked["max_length"] - length
        most = self.tokenizer.model_max_length
        if new < 0 or (most is not None and new >= most):
            raise ValueRangeError(self.task, f"{new} tokens are to be new, of {most} at most", "expected room for them")
        if most is not None and length + new > most:
            for name in ("input_ids", "attention_mask"):
                found[name] = found[name][:, -(most - new) :]
        return found

    def _asked(self, options: dict[str, Any], read: dict[str, Any]) -> dict[str, Any]:
        """What ``generate`` is called with: the options, and the pipeline's own for what neither they nor the model's settings say."""
        given = {**self.model.generation_config.asked()}
        if options.get("generation_config") is not None:
            given |= options["generation_config"].asked()
        given |= options
        asked = dict(options)
        if read.get("stop_sequence") is not None:
            asked |= {"stop_strings": read["stop_sequence"], "tokenizer": self.tokenizer}
        for name, value in _DEFAULTS.items():
            if name not in given and not (name == "max_new_tokens" and "max_length" in given):
                asked[name] = value
        if {**given, **asked}.get("do_sample") and "temperature" not in given:
            asked["temperature"] = 0.7
        if "pad_token_id" not in given and self.tokenizer.pad_token_id is not None:
            asked["pad_token_id"] = self.tokenizer.pad_token_id
        return asked

    def _record(
        self, text: Any, row: list[int], length: int, read: dict[str, Any], return_full_text: bool | None = None,
        return_tensors: bool | None = None, return_text: bool | None = None, skip_special_tokens: bool | None = None,
        clean_up_tokenization_spaces: bool | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """One text as it is given back."""
        if return_tensors:
            return {"generated_token_ids": row}
        decoding = {} if clean_up_tokenization_spaces is None else {"clean_up_tokenization_spaces": clean_up_tokenization_spaces}
        new = self.tokenizer.decode(row[length:], skip_special_tokens=skip_special_tokens is not False, **decoding)
        if return_full_text is False:
            return {"generated_text": new}
        if isinstance(text, str):
            return {"generated_text": text + new}
        chat = list(text)
        if _goes_on(text, read):
            return {"generated_text": [*chat[:-1], {"role": chat[-1]["role"], "content": chat[-1]["content"] + new}]}
        return {"generated_text": [*chat, {"role": "assistant", "content": new}]}


_SHOWN = ("return_full_text", "return_tensors", "return_text", "skip_special_tokens", "clean_up_tokenization_spaces")
_READ = (
    "prefix", "add_special_tokens", "truncation", "padding", "tokenizer_encode_kwargs", "handle_long_generation", "stop_sequence",
    "continue_final_message", "tools", "documents",
)  # fmt: skip


def _is_message(one: Any) -> bool:
    return isinstance(one, dict) and "role" in one and "content" in one


def _goes_on(chat: Sequence[Any], read: dict[str, Any]) -> bool:
    """Whether the answer goes on with the last message: where it is the assistant's, unless told otherwise."""
    asked = read.get("continue_final_message")
    return bool(chat[-1]["role"] == "assistant" if asked is None else asked)


def _lists(inputs: Any) -> dict[str, Any]:
    return {name: inputs[name][0].tolist() for name in ("input_ids", "attention_mask") if name in inputs}
