"""Chats as text: `Tokenizer.apply_chat_template`, and the templates that it renders."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from dovetail.errors import TypeMismatch, UnsupportedError, ValueRangeError

from .encoding import BatchEncoding

__all__ = ["ChatTemplates"]

_WHERE = "apply_chat_template"
_REASONING = ("reasoning_content", "thinking", "reasoning")  # names of one field; templates read the first
_TAG = "CONTINUE_FINAL_MESSAGE_TAG "


class ChatTemplates:
    """The part of a `Tokenizer` that writes chats as a model was taught to read them.

    ``chat_template`` is a template of jinja2's, or several by name, or None. A folder's is read by ``from_pretrained``. It is a small
    program: it runs when a chat is written, in jinja2's sandbox, sees the chat's plain values and the special tokens and nothing else,
    and is stopped after a bounded amount of work. Needs jinja2 (``pip install 'dovetail-text[chat]'``).
    """

    chat_template: str | dict[str, str] | None = None

    def get_chat_template(self, chat_template: str | None = None, tools: Sequence[Any] | None = None) -> str:
        """The template that is used: the one given (or named), or else the tokenizer's; the one for tools where there are several.

        Raises a ValueError where there is none.
        """
        own = self.chat_template
        if isinstance(own, dict):
            if chat_template is None:
                chat_template = own.get("tool_use" if tools is not None and "tool_use" in own else "default")
            elif chat_template in own:
                chat_template = own[chat_template]
            if chat_template is None:
                expected = f"expected chat_template to name one of {', '.join(sorted(own))}"
                raise ValueRangeError(_WHERE, "the tokenizer has several templates, and none is the default", expected)
        found = own if chat_template is None else chat_template
        if not isinstance(found, str):
            remedy = "set tokenizer.chat_template, or pass chat_template"
            raise ValueRangeError(_WHERE, f"chat_template is {found!r}", "expected the text of a template", remedy)
        return found

    def apply_chat_template(
        self,
        conversation: Any,
        tools: Sequence[Mapping[str, Any]] | None = None,
        documents: Sequence[Mapping[str, Any]] | None = None,
        chat_template: str | None = None,
        add_generation_prompt: bool = False,
        continue_final_message: bool | str = False,
        tokenize: bool = True,
        sanitize_control_tokens: bool = False,
        padding: bool | str = False,
        truncation: bool | str = False,
        max_length: int | None = None,
        return_tensors: str | None = None,
        return_dict: bool = True,
        return_assistant_tokens_mask: bool = False,
        tokenizer_kwargs: Mapping[str, Any] | None = None,
        **names: Any,
    ) -> Any:
        """Write a chat, ``[{"role": "user", "content": "Hi"}, …]``, or several, as transformers does: tokens, or text without ``tokenize``.

        ``add_generation_prompt`` ends it where the model is to answer, ``continue_final_message`` inside its last message. With
        ``return_assistant_tokens_mask`` a template with ``{% generation %}`` tells which tokens (``assistant_masks``) are the model's.
        ``tools`` are JSON schemas; ``names`` are seen by the template. Raises a ChatTemplateError (ValueError) for a template that cannot
        be read, refuses the chat, or does what it may not; a TypeError for messages that are no dicts.

        >>> from dovetail_text.tokenizers import Char
        >>> tokenizer = Char("<hi>: \\n")
        >>> tokenizer.chat_template = "{% for m in messages %}<{{ m.role }}> {{ m.content }}\\n{% endfor %}"
        >>> tokenizer.apply_chat_template([{"role": "hi", "content": "hi"}], tokenize=False)
        '<hi> hi\\n'
        """
        if sanitize_control_tokens:
            raise UnsupportedError(_WHERE, "sanitize_control_tokens is True", "", "take special tokens out of the messages before")
        if return_assistant_tokens_mask and not (return_dict and tokenize and not continue_final_message):
            expected = "expected return_dict and tokenize to be True, and continue_final_message False"
            raise ValueRangeError(_WHERE, "return_assistant_tokens_mask is True", expected)
        if continue_final_message and add_generation_prompt:
            what = "continue_final_message and add_generation_prompt are both set"
            raise ValueRangeError(_WHERE, what, "expected one: go on with the last message, or begin one")
        if isinstance(conversation, list | tuple) and not conversation:
            raise ValueRangeError(_WHERE, f"the chat is {conversation!r}", "expected a list of messages, one at least")
        template = self.get_chat_template(chat_template, tools)
        several = not isinstance(conversation, str | Mapping) and _is_chat(
            next(iter(getattr(conversation, "messages", conversation)), None)
        )
        chats = [_messages(chat) for chat in (conversation if several else [conversation])]
        seen = {
            **self.special_tokens_map, **_plain(names), "tools": None if tools is None else [_schema(tool) for tool in tools],  # type: ignore[attr-defined]
            "documents": _plain(documents), "add_generation_prompt": add_generation_prompt,
        }  # fmt: skip
        written = [_written(template, chat, seen, continue_final_message) for chat in chats]
        texts = [text for text, _ in written]
        if not tokenize:
            return texts if several else texts[0]
        options = {"padding": padding, "truncation": truncation, "max_length": max_length, "return_tensors": return_tensors}
        found: BatchEncoding = self(texts if several else texts[0], add_special_tokens=False, **options, **(tokenizer_kwargs or {}))  # type: ignore[operator]
        if return_assistant_tokens_mask:
            masks = [_mask(found, row, spans) for row, (_, spans) in enumerate(written)]
            found["assistant_masks"] = masks if several or return_tensors else masks[0]
            if return_tensors:
                from ..padding import as_tensors

                found.update(as_tensors({"assistant_masks": masks}, return_tensors))
        return found if return_dict else found["input_ids"]


def _is_chat(value: Any) -> bool:
    return isinstance(value, list | tuple) or hasattr(value, "messages")


def _plain(value: Any) -> Any:
    """Values without methods of their own; what is no plain value, such as a picture, becomes its type's name."""
    if value is None or isinstance(value, bool):
        return value
    for kind in (str, int, float):
        if isinstance(value, kind):
            return kind.__str__(value) if kind is str else kind(value)
    if isinstance(value, Mapping):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type([] if isinstance(value, list) else ())(map(_plain, value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if callable(dump := getattr(value, "model_dump", None)):  # pydantic's
        return _plain(dump())
    if callable(item := getattr(value, "item", None)) and getattr(value, "shape", None) == ():  # NumPy's numbers
        return _plain(item())
    return f"<{type(value).__name__}>"


def _messages(chat: Any) -> list[dict[str, Any]]:
    """The messages of a chat as plain dicts, without what is None."""
    messages = _plain(getattr(chat, "messages", chat))
    if not isinstance(messages, list | tuple):
        raise TypeMismatch(_WHERE, f"a chat is {chat!r:.80}", "expected a list of messages")
    found = []
    for at, message in enumerate(messages):
        if not isinstance(message, dict):
            expected = "expected a dict such as {'role': 'user', 'content': …}"
            raise TypeMismatch(_WHERE, f"messages[{at}] is {type(message).__name__} ({message!r:.80})", expected)
        said = {key: value for key, value in message.items() if value is not None}
        if (thought := next((said[name] for name in _REASONING if name in said), None)) is not None:
            said = {"thinking": thought, **said, "reasoning_content": thought}
        found.append(said)
    return found


def _schema(tool: Any) -> Any:
    if not isinstance(tool, Mapping):
        what, remedy = f"a tool is {type(tool).__name__}", "write down its name, description and parameters"
        raise ValueRangeError(_WHERE, what, "expected a dict, the tool's JSON schema", remedy)
    return _plain(tool)


def _written(template: str, chat: list[dict[str, Any]], seen: Mapping[str, Any], go_on: bool | str) -> tuple[str, list[tuple[int, int]]]:
    from .sandbox import rendered

    if not go_on:
        return rendered(template, {**seen, "messages": chat})
    last = _tagged(template, chat, go_on if isinstance(go_on, str) else "content")
    text, spans = rendered(template, {**seen, "messages": chat})
    if last.strip() not in text or _TAG.strip() not in text:
        what = f"the final message, {last.strip()!r:.80}, is not in the chat that the template writes"
        raise ValueRangeError(_WHERE, what, "continue_final_message expects it there, whole", "does the template drop a part of it?")
    end = text.rindex(_TAG.strip())
    text = text[:end] if text[end : end + len(_TAG)] == _TAG else text[:end].rstrip()  # a template that trims messages trims this one
    return text, spans


def _tagged(template: str, chat: list[dict[str, Any]], field: str) -> str:
    """Put a tag behind the text to go on with, where it is found again, and return the text."""
    last = chat[-1].get(field)
    names = [name for name in _REASONING if chat[-1].get(name) == last] if field in _REASONING else [field]
    if last is None or not any(name in template for name in names):
        what = f"continue_final_message goes on with {field!r}, which the final message or the template does not have"
        raise ValueRangeError(_WHERE, what, f"the message has {', '.join(chat[-1])}")
    if isinstance(last, str):
        chat[-1] |= dict.fromkeys(names, last + _TAG)
        return last
    for block in reversed(last if isinstance(last, list | tuple) else ()):
        if isinstance(block, dict) and isinstance(block.get("text"), str):
            last, block["text"] = block["text"], block["text"] + _TAG
            return last
    raise ValueRangeError(_WHERE, f"the final message's {field!r} has no text", "expected some, for continue_final_message")


def _mask(batch: BatchEncoding, row: int, spans: Sequence[tuple[int, int]]) -> list[int]:
    """1 for each token of a row that has a character of one of the spans."""
    offsets = batch[row].offsets
    marks = [int(any(start < end and first < end and last > start for start, end in spans)) for first, last in offsets]
    extra = [0] * (len(batch.tokens(row)) - len(marks))
    return extra + marks if batch.side == "left" else marks + extra
