"""Tokens a second of a GPT-2 of 124 million parameters, batch 1, float32, with a cache: ours and transformers', a token each in turn.

python -m benchmarks.generation [TOKENS] [THREADS]
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import dovetail as dv

PROMPT = [464, 2068, 7586, 21831, 18045, 625, 262, 16931]


def ours(tokens: int) -> Callable[[], None]:
    """A step of dovetail's: one more token."""
    from dovetail_text.models import GPT, GPTConfig

    model = GPT(GPTConfig()).eval()
    cache, state = model.make_cache(1, len(PROMPT) + tokens), [dv.tensor([PROMPT])]

    def step() -> None:
        with dv.no_grad():
            state[0] = model(state[0], cache=cache, logits_to_keep=1).logits[:, -1].argmax(-1)[:, None]

    return step


def theirs(threads: int) -> Callable[[], None]:
    """A step of transformers' on PyTorch: one more token."""
    import torch

    from tests.parity.torchvision_oracle import torchvision

    torchvision()  # transformers imports it, and must find its operators named
    import transformers

    torch.set_num_threads(threads)
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config()).eval()
    cache, state = transformers.DynamicCache(), [torch.tensor([PROMPT])]

    def step() -> None:
        with torch.inference_mode():
            state[0] = model(state[0], cache=cache, use_cache=True, logits_to_keep=1).logits[:, -1].argmax(-1, keepdim=True)

    return step


def main(tokens: int = 100, threads: int = 1) -> None:
    """Print both medians and their ratio; set OMP_NUM_THREADS and OPENBLAS_NUM_THREADS to the same number of threads."""
    steps, times = (ours(tokens), theirs(threads)), ([], [])
    for _ in range(tokens):
        for step, taken in zip(steps, times, strict=True):
            start = time.perf_counter()
            step()
            taken.append(time.perf_counter() - start)
    mine, other = (statistics.median(taken[1:]) for taken in times)
    print(f"dovetail {1 / mine:.2f} tokens/s, transformers {1 / other:.2f}, ratio {other / mine:.2f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
