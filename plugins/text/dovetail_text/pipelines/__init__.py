"""pipeline: a model, its tokenizer and what is between a text and an answer, by the names and the results of transformers."""

from __future__ import annotations

from .base import Pipeline, PipelineException
from .choose import TASKS, pipeline, set_seed
from .texts import FeatureExtractionPipeline, FillMaskPipeline, TextClassificationPipeline, ZeroShotClassificationPipeline
from .tokens import TokenClassificationPipeline
from .writing import TextGenerationPipeline

__all__ = [
    "TASKS", "FeatureExtractionPipeline", "FillMaskPipeline", "Pipeline", "PipelineException", "TextClassificationPipeline",
    "TextGenerationPipeline", "TokenClassificationPipeline", "ZeroShotClassificationPipeline", "pipeline", "set_seed",
]  # fmt: skip
