"""Guidance without a classifier: away from what the model would say to another prompt."""

from __future__ import annotations

from typing import Any

import dovetail as dv
from dovetail import Tensor
from dovetail.errors import UnsupportedError

from .given import Given
from .prompts import Steps
from .rules import Rule

__all__ = ["guided"]


def guided(model: Any, given: Given, prompt: Tensor, new: int, use_cache: bool, copies: int, beams: int) -> Rule:
    """Scores ``u + guidance_scale · (s − u)``, logarithms of the probabilities: ``s`` after the prompt, ``u`` after another one.

    The other one is ``negative_prompt_ids`` ``(N, L)``, with ``negative_prompt_attention_mask``, or else the last token of the prompt.
    After Sanchez et al., https://arxiv.org/abs/2306.17806. Raises an UnsupportedError for beams and for models that answer.
    """
    if beams > 1 or getattr(model.config, "is_encoder_decoder", False):
        what = f"guidance_scale is {given.guidance_scale} with {'beams' if beams > 1 else 'a model that answers'}"
        raise UnsupportedError("generate", what, "it is there for decoders without beams", "leave it out")
    other, mask = given.negative_prompt_ids, given.negative_prompt_attention_mask
    other = prompt[:, -1:] if other is None else other
    places = dv.arange(other.shape[1], device=other.device).expand(other.shape)
    steps = Steps(model, other, mask, new, use_cache, Given(position_ids=places), copies)
    scale, start = given.guidance_scale, prompt.shape[1]

    def rule(ids: Tensor, scores: Tensor) -> Tensor:
        away = steps.scores(dv.cat([steps.start, ids[:, start:]], 1)).to(scores.dtype).log_softmax(-1)
        return away + scale * (scores.log_softmax(-1) - away)  # type: ignore[operator]

    return rule
