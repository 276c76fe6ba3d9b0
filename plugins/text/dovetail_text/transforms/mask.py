"""Masking for masked language models, as RoBERTa's."""

from __future__ import annotations

import dovetail as dv
from dovetail import Tensor, nn

__all__ = ["MaskTransform"]


class MaskTransform(nn.Module):
    """Hide tokens: of each row ``mask_prob`` are chosen; of those 80 % become ``mask_idx``, 10 % a random token, 10 % stay.

    Takes numbers ``(N, L)``, and gives the masked ones ``(N, L)``, the true ones where a token was chosen ``(M,)``, and
    the choice ``(N, L)`` as int32. Padding is never chosen, and ``bos_idx`` only with ``mask_bos``; where nothing was
    chosen at all, the first token is. The draws are PyTorch's, so that a seed gives torchtext's masks.
    Source: Devlin et al. 2019.

    >>> _ = dv.manual_seed(1)
    >>> tokens = dv.tensor([[6, 0, 1, 2, 3], [6, 0, 1, 5, 5]])
    >>> MaskTransform(vocab_len=7, mask_idx=4, bos_idx=6, pad_idx=5, mask_prob=0.4)(tokens)[1]
    tensor([3])
    """

    mask_mask_prob = 0.8
    rand_mask_prob = 0.1

    def __init__(self, vocab_len: int, mask_idx: int, bos_idx: int, pad_idx: int, mask_bos: bool = False, mask_prob: float = 0.15) -> None:
        super().__init__()
        self.vocab_len, self.mask_idx, self.bos_idx, self.pad_idx = vocab_len, mask_idx, bos_idx, pad_idx
        self.mask_bos, self.mask_prob = mask_bos, mask_prob

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mask = self._choice(tokens)
        draw = dv.rand_like(tokens, dtype=dv.float32)
        hidden = (draw >= 1 - self.mask_mask_prob).long() * mask
        swapped = (draw < self.rand_mask_prob).long() * mask
        masked = tokens * (1 - hidden) + self.mask_idx * hidden
        masked = masked * (1 - swapped) + dv.randint_like(tokens, high=self.vocab_len) * swapped
        return masked, dv.masked_select(tokens, mask.bool()), mask

    def _choice(self, tokens: Tensor) -> Tensor:
        rows, length = tokens.size()
        mask = dv.zeros((rows, length), dtype=dv.int32, device=tokens.device)
        mask[:, : int(length * self.mask_prob)] = 1
        for i in range(rows):
            mask[i] = mask[i, dv.randperm(length)]
        if not self.mask_bos:
            mask *= (tokens != self.bos_idx).to(mask.dtype)
        mask *= (tokens != self.pad_idx).to(mask.dtype)
        if not mask.any():
            mask[0, 0] = 1  # a loss needs one target
        return mask
