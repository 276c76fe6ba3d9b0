"""Language models, each imported when it is first used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "BertConfig": "bert", "BertModel": "bert", "BertForMaskedLM": "bert_heads", "BertForSequenceClassification": "bert_heads",
    "GPT": "gpt", "GPTConfig": "gpt", "ModelOutput": "output", "PreTrainedModel": "pretrained", "SentenceEncoder": "sentence",
}  # fmt: skip

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
