"""GenerationUtils: answers of torchtext's T5, of Hugging Face's, or of any model here that generates."""

from __future__ import annotations

from typing import Any

from dovetail import Tensor, nn
from dovetail.errors import ValueRangeError

__all__ = ["GenerationUtils"]


class GenerationUtils(nn.Module):
    """A model with torchtext's ``generate``; ``model`` is a `T5Model` of a bundle with its head, or any other model that generates.

    >>> import dovetail as dv
    >>> from dovetail_text.models import T5Bundle, T5Conf
    >>> layers = {"num_encoder_layers": 1, "num_decoder_layers": 1, "num_attention_heads": 2}
    >>> conf = T5Conf(linear_head=True, embedding_dim=8, qkv_dim=4, vocab_size=9, **layers)
    >>> GenerationUtils(T5Bundle.build_model(conf)).generate(dv.tensor([[3, 4, 1]]), max_length=4, eos_idx=-1).shape
    dovetail.Size([1, 4])
    """

    def __init__(self, model: nn.Module, is_encoder_decoder: bool = True, is_huggingface_model: bool = False) -> None:
        super().__init__()
        self.model, self.is_encoder_decoder, self.is_huggingface_model = model, is_encoder_decoder, is_huggingface_model

    def generate(self, inputs: Tensor, num_beams: int | None = None, max_length: int = 256, pad_idx: int = 0, eos_idx: int = 1) -> Tensor:
        """Answers ``(N, up to max_length)`` to texts ``(N, L)``, each begun with ``pad_idx``; with ``num_beams`` the likeliest as a whole.

        Raises a ValueError for less than one beam, and where the model has no head to generate with.
        """
        if num_beams is not None and num_beams < 1:
            raise ValueRangeError("GenerationUtils.generate", f"num_beams is {num_beams}", "`num_beams` must be >= 1")
        from ..generation import generate

        model: Any = self.model if hasattr(self.model, "make_cache") else getattr(self.model, "model", self.model)
        if not hasattr(model, "lm_head"):
            raise ValueRangeError("GenerationUtils.generate", "the model has no head for words", "expected one with linear_head=True")
        options: dict[str, Any] = {"attention_mask": (inputs != pad_idx).to(inputs.dtype)} if self.is_encoder_decoder else {}
        return generate(model, inputs, max_length=max_length, num_beams=num_beams or 1, eos=[eos_idx], pad=pad_idx, **options)
