"""Text from language models: greedily, by drawing or by beams, with a cache of keys and values, for one prompt or several."""

from __future__ import annotations

from .own import LogitsProcessor, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList
from .prompts import left_padded
from .scores import choose, penalised
from .settings import GenerationConfig
from .stream import TextIteratorStreamer, TextStreamer
from .text import generate

__all__ = [
    "GenerationConfig", "LogitsProcessor", "LogitsProcessorList", "StoppingCriteria", "StoppingCriteriaList", "TextIteratorStreamer",
    "TextStreamer", "choose", "generate", "left_padded", "penalised",
]  # fmt: skip
