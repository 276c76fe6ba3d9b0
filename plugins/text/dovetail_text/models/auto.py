"""The class that a folder's config.json asks for, by its ``model_type``, as Hugging Face's Auto classes find it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any, ClassVar

from dovetail.errors import TypeMismatch, UnsupportedError

from ..hub_files import folder_of, hub_options
from .config import Config, read_json
from .pretrained import as_asked

__all__ = [
    "AutoConfig", "AutoModel", "AutoModelForCausalLM", "AutoModelForMaskedLM", "AutoModelForQuestionAnswering",
    "AutoModelForSeq2SeqLM", "AutoModelForSequenceClassification", "AutoModelForTokenClassification",
]  # fmt: skip

_ENCODER = ("Model", "ForMaskedLM", "ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering")
# model_type → what its classes are called, and with which heads there are
_FAMILIES = {
    "bert": ("Bert", _ENCODER),
    "distilbert": ("DistilBert", _ENCODER),
    "gpt2": ("GPT2", ("Model", "LMHeadModel")),
    "gpt2_without_bias": ("GPT2", ("Model", "LMHeadModel")),
    "llama": ("Llama", ("Model", "ForCausalLM")),
    "mistral": ("Mistral", ("ForCausalLM",)),
    "qwen2": ("Qwen2", ("ForCausalLM",)),
    "roberta": ("Roberta", _ENCODER),
    "t5": ("T5", ("Model", "ForConditionalGeneration")),
    "xlm-roberta": ("XLMRoberta", _ENCODER),
}


def _family(where: str, config: Mapping[str, Any]) -> tuple[str, str, tuple[str, ...]]:
    kind = config.get("model_type")
    if isinstance(kind, str) and kind in _FAMILIES:
        return kind, *_FAMILIES[kind]
    if kind is None:
        raise UnsupportedError(where, "the configuration has no model_type", f"expected one of {', '.join(_FAMILIES)}")
    near = get_close_matches(str(kind).lower(), _FAMILIES, 1, 0.5)
    fix = f"did you mean {near[0]!r}?" if near else "name the class yourself where the model is of one of these"
    raise UnsupportedError(where, f"the model_type is {kind!r}", f"expected one of {', '.join(_FAMILIES)}", fix)


def _named(name: str) -> Any:
    return getattr(import_module(__package__), name)


class AutoConfig:
    """The configuration of a folder, of the class of its ``model_type``."""

    @classmethod
    def from_pretrained(cls, folder: str | os.PathLike[str], **changes: Any) -> Config:
        """Read ``config.json``. Raises an UnsupportedError for a model that is not there, naming the nearest that is.

        >>> import json, tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "config.json").write_text(json.dumps({"model_type": "bert", "hidden_size": 96}))
        ...     AutoConfig.from_pretrained(folder).hidden_size
        96
        """
        found = read_json(folder_of(folder, **hub_options(changes)) / "config.json")
        return _named(f"{_family(cls.__name__, found)[1]}Config").from_dict(found, **changes)


class AutoModel:
    """The model of a folder without a head (with it, where there is no other), of the class of its ``model_type``."""

    heads: ClassVar[tuple[str, ...]] = ("Model", "LMHeadModel", "ForCausalLM")

    def __init__(self) -> None:
        raise TypeMismatch(type(self).__name__, "it is no model itself", "expected a folder", f"use {type(self).__name__}.from_pretrained")

    @classmethod
    def from_pretrained(cls, folder: str | os.PathLike[str], **changes: Any) -> Any:
        """Read ``config.json`` and the weights, in eval mode; ``changes`` go before the fields of the file.

        Raises an UnsupportedError for a ``model_type`` that is not there, naming the nearest that is, and for a head that the family
        does not have; and what the model's own ``from_pretrained`` raises.
        """
        given = hub_options(changes)
        return cls._class(read_json(folder_of(folder, **given) / "config.json")).from_pretrained(folder, **given, **changes)

    @classmethod
    def from_config(cls, config: Config) -> Any:
        """A model with initial weights, of the class that goes with a configuration.

        >>> from dovetail_text.models import GPTConfig
        >>> type(AutoModelForCausalLM.from_config(GPTConfig(9, 8, 1, 1, 4))).__name__
        'GPT'
        """
        return as_asked(cls._class({"model_type": config.model_type})(config))

    @classmethod
    def _class(cls, config: Mapping[str, Any]) -> Any:
        kind, name, there = _family(cls.__name__, config)
        for head in cls.heads:
            if head in there:
                return _named(name + head)
        have = ", ".join(name + head for head in there)
        raise UnsupportedError(cls.__name__, f"the model_type is {kind!r}", f"expected a family with such a head; it has {have}")


class AutoModelForCausalLM(AutoModel):
    """The model of a folder that continues texts."""

    heads = ("ForCausalLM", "LMHeadModel")


class AutoModelForMaskedLM(AutoModel):
    """The model of a folder that guesses masked words."""

    heads = ("ForMaskedLM",)


class AutoModelForSequenceClassification(AutoModel):
    """The model of a folder that classifies whole texts."""

    heads = ("ForSequenceClassification",)


class AutoModelForTokenClassification(AutoModel):
    """The model of a folder that classifies each token."""

    heads = ("ForTokenClassification",)


class AutoModelForQuestionAnswering(AutoModel):
    """The model of a folder that finds answers in texts."""

    heads = ("ForQuestionAnswering",)


class AutoModelForSeq2SeqLM(AutoModel):
    """The model of a folder that answers a text with a text."""

    heads = ("ForConditionalGeneration",)
