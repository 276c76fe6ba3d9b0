"""A GPT learns the Python reference character by character: ``python -m dovetail_text.recipes.char_gpt --minutes 3 --save FILE``.

The weights of ``text/char_gpt`` come from it. It prints what a character of held-out text costs, in bits, and a sample.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import dovetail as dv

from ..charlm import char_gpt, char_tokenizer
from ..models import GPT
from .language import Settings, bits_per_character, train
from .pydoc_gpt import _reporter, corpus, sample

__all__ = ["main", "save"]


def save(model: GPT, path: Path) -> None:
    """Write the weights as safetensors in float16, which costs the model nothing that can be measured and halves the file."""
    state = {name: t.detach().to(dv.float16) for name, t in model.state_dict().items() if name not in model.tied()}
    dv.save(state, path)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m dovetail_text.recipes.char_gpt", description="A GPT of characters learns the manual.")
    parser.add_argument("--minutes", type=float, default=3.0, help="how long to train (3)")
    parser.add_argument("--steps", type=int, help="how many batches at most, for a result that does not depend on the machine's speed")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--prompt", default='The "', help="how the printed sample begins")
    parser.add_argument("--length", type=int, default=600, help="characters of the sample (600)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", metavar="FILE", type=Path, help="where to write the weights, as safetensors in float16")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the recipe from the command line."""
    asked = _arguments(argv)
    text, held_out = corpus()
    tokenizer = char_tokenizer()
    tokens, test = (np.array(tokenizer.encode(part).ids) for part in (text, held_out))
    dv.manual_seed(asked.seed)
    model = char_gpt()
    print(f"{len(text):,} characters to learn, {len(held_out):,} held out; {model.num_parameters():,} parameters", flush=True)
    settings = Settings(seconds=60 * asked.minutes, steps=asked.steps, seed=asked.seed, batch_size=asked.batch_size)
    progress = train(model, tokens, settings, _reporter(1.0, settings))
    if asked.save:
        save(model, asked.save)
    bits = bits_per_character(model, test, len(held_out) - 1)
    size = model.config.block_size
    print(f"{progress.step} steps of {settings.batch_size} × {size} characters in {progress.seconds:.0f} s")
    print(f"held-out text: {bits:.3f} bits per character\n")
    print(sample(model, lambda text: np.array(tokenizer.encode(text).ids), tokenizer.decode, asked.prompt, asked.length, once=20))
    return 0


if __name__ == "__main__":
    sys.exit(main())
