"""Language models, each imported when it is first used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from dovetail.errors import UnsupportedError

_FILES = {
    "auto": [
        "AutoConfig", "AutoModel", "AutoModelForCausalLM", "AutoModelForMaskedLM", "AutoModelForSeq2SeqLM",
        "AutoModelForSequenceClassification",
    ],
    "bert": ["BertConfig", "BertModel"],
    "bert_heads": ["BertForMaskedLM", "BertForSequenceClassification"],
    "distilbert": ["DistilBertConfig", "DistilBertForMaskedLM", "DistilBertForSequenceClassification", "DistilBertModel"],
    "gpt": ["GPT", "GPTConfig", "GPT2Config", "GPT2LMHeadModel"],
    "llama": [
        "LlamaConfig", "LlamaForCausalLM", "LlamaModel", "MistralConfig", "MistralForCausalLM", "Qwen2Config", "Qwen2ForCausalLM",
    ],
    "output": ["ModelOutput"],
    "pretrained": ["PreTrainedModel"],
    "roberta": [
        "RobertaConfig", "RobertaForMaskedLM", "RobertaForSequenceClassification", "RobertaModel",
        "XLMRobertaConfig", "XLMRobertaForMaskedLM", "XLMRobertaForSequenceClassification", "XLMRobertaModel",
    ],
    "sentence": ["SentenceEncoder"],
    "t5": ["T5Config"],
    "t5_models": ["T5EncoderModel", "T5ForConditionalGeneration", "T5Model"],
}  # fmt: skip
# torchtext's bundles, whose weights are on a server of PyTorch's: what to use
_BUNDLES = {
    "RobertaBundle": "RobertaModel", "RobertaClassificationHead": "RobertaForSequenceClassification", "RobertaEncoderConf": "RobertaConfig",
    "ROBERTA_": "RobertaModel", "XLMR_": "XLMRobertaModel", "T5Bundle": "T5ForConditionalGeneration", "T5Conf": "T5Config",
    "T5Transform": "T5ForConditionalGeneration", "T5_": "T5ForConditionalGeneration", "FLAN_T5_": "T5ForConditionalGeneration",
}  # fmt: skip
_HOMES = {name: file for file, names in _FILES.items() for name in names}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    if kin := next((kin for bundle, kin in _BUNDLES.items() if name == bundle or (bundle[-1] == "_" and name.startswith(bundle))), None):
        remedy = f"{kin}.from_pretrained(folder) reads a folder of Hugging Face's, HFTokenizer.from_folder(folder) its tokenizer"
        raise UnsupportedError("models", f"torchtext's {name} is not there", "its weights are not in files that are read here", remedy)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
