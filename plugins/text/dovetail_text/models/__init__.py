"""Language models, each imported when it is first used; also torchtext's bundles, whose models are not of the classes of these names."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_FILES = {
    "auto": [
        "AutoConfig", "AutoModel", "AutoModelForCausalLM", "AutoModelForMaskedLM", "AutoModelForQuestionAnswering",
        "AutoModelForSeq2SeqLM", "AutoModelForSequenceClassification", "AutoModelForTokenClassification",
    ],
    "bert": ["BertConfig", "BertModel"],
    "bert_heads": ["BertForMaskedLM", "BertForSequenceClassification"],
    "cache": ["DynamicCache"],
    "distilbert": ["DistilBertConfig", "DistilBertForMaskedLM", "DistilBertForSequenceClassification", "DistilBertModel"],
    "gpt": ["GPT", "GPTConfig", "GPT2Config", "GPT2LMHeadModel", "GPT2Model"],
    "llama": [
        "LlamaConfig", "LlamaForCausalLM", "LlamaModel", "MistralConfig", "MistralForCausalLM", "Qwen2Config", "Qwen2ForCausalLM",
    ],
    "output": ["ModelOutput"],
    "pretrained": ["PreTrainedModel"],
    "roberta": [
        "RobertaConfig", "RobertaForMaskedLM", "RobertaForSequenceClassification", "RobertaModel",
        "XLMRobertaConfig", "XLMRobertaForMaskedLM", "XLMRobertaForSequenceClassification", "XLMRobertaModel",
    ],
    "roberta_bundle": [
        "ROBERTA_BASE_ENCODER", "ROBERTA_DISTILLED_ENCODER", "ROBERTA_LARGE_ENCODER", "RobertaBundle", "RobertaClassificationHead",
        "RobertaEncoderConf", "XLMR_BASE_ENCODER", "XLMR_LARGE_ENCODER",
    ],
    "sentence": ["SentenceEncoder"],
    "t5": ["T5Config"],
    "t5_bundle": [
        "T5Bundle", "T5Conf", "T5Transform",
        *(f"{name}{form}" for name in (
            "T5_SMALL", "T5_BASE", "T5_LARGE", "T5_3B", "T5_11B", "FLAN_T5_BASE", "FLAN_T5_LARGE", "FLAN_T5_XL", "FLAN_T5_XXL",
        ) for form in ("_ENCODER", "", "_GENERATION")),
    ],
    "t5_models": ["T5EncoderModel", "T5ForConditionalGeneration", "T5Model"],
    "token_heads": [
        f"{family}For{head}" for family in ("Bert", "DistilBert", "Roberta", "XLMRoberta")
        for head in ("QuestionAnswering", "TokenClassification")
    ],
}  # fmt: skip
_HOMES = {name: file for file, names in _FILES.items() for name in names}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
