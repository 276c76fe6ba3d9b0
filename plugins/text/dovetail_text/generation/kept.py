"""What a generation keeps beside its texts, where it is asked to: the scores and the logits of each step."""

from __future__ import annotations

from typing import Any

from dovetail import Tensor

from ..models.output import ModelOutput

__all__ = ["Kept"]


class Kept:
    """The steps of a generation, of which ``rules.output_scores`` and ``rules.output_logits`` say what is kept."""

    def __init__(self, rules: Any) -> None:
        self.scores: list[Tensor] | None = [] if rules.output_scores else None
        self.logits: list[Tensor] | None = [] if rules.output_logits else None
        self.beams: Tensor | None = None
        self.origins: Tensor | None = None

    def take(self, scores: Tensor, logits: Tensor) -> None:
        """Keep those of a step, ``(rows, V)``."""
        for kept, one in ((self.scores, scores), (self.logits, logits)):
            if kept is not None:
                kept.append(one.clone())

    def output(self, sequences: Tensor, steps: Any = None) -> ModelOutput:
        """The texts, and what was kept, here and in the ``steps``, by the names of transformers.

        >>> import dovetail as dv
        >>> from dovetail_text.generation.rules import Rules
        >>> kept = Kept(Rules(output_scores=True))
        >>> kept.take(dv.zeros(1, 3), dv.zeros(1, 3))
        >>> list(kept.output(dv.tensor([[1, 2]])))
        ['sequences', 'scores']
        """
        scores, logits = (None if kept is None else tuple(kept) for kept in (self.scores, self.logits))
        best, origins = (None, None) if self.scores is None else (self.beams, self.origins)
        beside = {} if steps is None else steps.results()
        out = ModelOutput(sequences=sequences, sequences_scores=best, scores=scores, logits=logits, beam_indices=origins, **beside)
        return out.beside(past_key_values=beside.get("cache"))
