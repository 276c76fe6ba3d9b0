"""Which pipeline a task asks for, and its model and tokenizer from a folder or the hub."""

from __future__ import annotations

import os
import random
from difflib import get_close_matches
from typing import Any

import numpy as np

import dovetail as dv
from dovetail.errors import UnknownNameError, ValueRangeError

from ..hub_files import hub_options
from .base import Pipeline
from .texts import FeatureExtractionPipeline, FillMaskPipeline, TextClassificationPipeline, ZeroShotClassificationPipeline
from .tokens import TokenClassificationPipeline
from .writing import TextGenerationPipeline

__all__ = ["TASKS", "pipeline", "set_seed"]

#: The pipelines by their tasks, and the class that reads a model for each.
TASKS: dict[str, tuple[type[Pipeline], str]] = {
    "feature-extraction": (FeatureExtractionPipeline, "AutoModel"),
    "fill-mask": (FillMaskPipeline, "AutoModelForMaskedLM"),
    "text-classification": (TextClassificationPipeline, "AutoModelForSequenceClassification"),
    "text-generation": (TextGenerationPipeline, "AutoModelForCausalLM"),
    "token-classification": (TokenClassificationPipeline, "AutoModelForTokenClassification"),
    "zero-shot-classification": (ZeroShotClassificationPipeline, "AutoModelForSequenceClassification"),
}
_OTHER_NAMES = {"sentiment-analysis": "text-classification", "ner": "token-classification"}
# Tasks that transformers had once; their models are here.
_GONE = {
    "question-answering": "use AutoModelForQuestionAnswering and the tokenizer's sequence_ids",
    "summarization": "use AutoModelForSeq2SeqLM, and generate", "text2text-generation": "use AutoModelForSeq2SeqLM, and generate",
    "translation": "use AutoModelForSeq2SeqLM, and generate",
}  # fmt: skip


def pipeline(
    task: str, model: Any = None, *, tokenizer: Any = None, device: Any = None, dtype: Any = "auto", model_kwargs: Any = None,
    **options: Any,
) -> Pipeline:  # fmt: skip
    """What answers texts for a task: ``pipeline("text-classification", folder)("It fits")``, by the names of transformers.

    ``task`` is one of `TASKS`. ``model`` is a folder, the name of a model on the hub, or a model, which then needs its ``tokenizer``, a
    tokenizer or a folder with one. ``dtype`` is that of the file unless it is given; ``device`` is where the model goes, a number for
    that GPU where there is one; ``revision``, ``token`` and kin go to the hub, ``model_kwargs`` to ``from_pretrained``, all else to the
    pipeline. Raises a LookupError for a task that is not there, naming the nearest or what does it, a ValueError where model or
    tokenizer is missing, and what reading raises.

    >>> pipeline("summarize")
    Traceback (most recent call last):
        ...
    dovetail.errors.UnknownNameError: pipeline: there is no task 'summarize'; expected one of feature-extraction, fill-mask, ...
    """
    name = _OTHER_NAMES.get(task, task)
    if name not in TASKS:
        near = get_close_matches(str(task), [*TASKS, *_OTHER_NAMES], 1)
        fix = _GONE.get(task) or (f"did you mean {near[0]!r}?" if near else None)
        raise UnknownNameError("pipeline", f"there is no task {task!r}", f"expected one of {', '.join(TASKS)}", fix)
    if model is None:
        raise ValueRangeError("pipeline", "model is None", "expected a folder, the name of a model on the hub, or a model")
    kind, auto = TASKS[name]
    hub = hub_options(options)
    options.pop("device_map", None)  # there is one device
    folder = model if isinstance(model, str | os.PathLike) else None
    if tokenizer is None and folder is None:
        raise ValueRangeError("pipeline", f"the model is a {type(model).__name__} and tokenizer is None", "expected its tokenizer too")
    if folder is not None:
        from .. import models

        asked = {"dtype": options.pop("torch_dtype", dtype), **hub, **(model_kwargs or {})}
        model = getattr(models, auto).from_pretrained(folder, **asked)
    source = folder if tokenizer is None else tokenizer
    if isinstance(source, str | os.PathLike):
        from ..tokenizers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(source, **hub)
    if device is not None:
        model.to(_device(device))
    return kind(model, tokenizer, **options)


def _device(device: Any) -> Any:
    """Numbers are GPUs, where there are any; −1 is the CPU."""
    if isinstance(device, int):
        return f"cuda:{device}" if device >= 0 and dv.cuda.is_available() else "cpu"
    return device


def set_seed(seed: int, deterministic: bool = False) -> None:
    """Seed Python's random numbers, NumPy's and Dovetail's; with ``deterministic`` also ask for deterministic algorithms.

    >>> set_seed(0)
    >>> first = dv.rand(2)
    >>> set_seed(0)
    >>> bool((dv.rand(2) == first).all())
    True
    """
    random.seed(seed)
    np.random.seed(seed)
    dv.manual_seed(seed)
    if deterministic:
        dv.use_deterministic_algorithms(True)
