"""A small GPT learns the Python language reference in three minutes: ``python -m dovetail_text.recipes.pydoc_gpt``.

It learns its tokens (byte-level BPE), then the text, and prints how many bits a character of held-out text costs it, and a page of a
manual that never was.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

import dovetail as dv
from dovetail import datasets

from ..generation import generate
from ..models import GPT
from .language import Progress, Settings, bits_per_character, train

__all__ = ["PROMPT", "corpus", "learn_tokens", "main", "sample", "small_gpt"]

PROMPT = 'The "'
VOCABULARY = 2048


def corpus() -> tuple[str, str]:
    """The text to learn, 75 topics, and the text that is held out, four topics of which the others quote almost nothing."""
    return datasets.load("text/pydoc", split="train").text, datasets.load("text/pydoc", split="valid").text


def learn_tokens(text: str, vocab_size: int) -> tuple[Callable[[str], np.ndarray], Callable[[Any], str]]:
    """Learn ``vocab_size`` tokens of a text, the 256 bytes among them: functions that encode and decode.

    >>> encode, decode = learn_tokens("to be or not to be", 260)
    >>> len(encode("to be")), decode(encode("to be, naïve"))
    (2, 'to be, naïve')
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer, bpe.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator([text], trainers.BpeTrainer(vocab_size=vocab_size, show_progress=False, initial_alphabet=alphabet))
    return lambda text: np.array(bpe.encode(text).ids), lambda ids: bpe.decode(list(map(int, ids)))


def small_gpt(vocab_size: int, block_size: int = 128, n_layer: int = 4, n_head: int = 3, n_embd: int = 192) -> GPT:
    """The network of the recipe, about two million parameters. relu costs a processor less than gelu. There is no dropout: in three
    minutes a text of this length is not yet overlearned, and with 0.2 neither the held-out score nor the sample got better.
    """
    sizes = {"vocab_size": vocab_size, "block_size": block_size, "n_layer": n_layer, "n_head": n_head, "n_embd": n_embd}
    return dv.models.create("text/gpt", **sizes, activation_function="relu", dropout=0.0)


def sample(
    model: GPT, encode: Callable[[str], np.ndarray], decode: Callable[[Any], str], prompt: str, length: int, seed: int = 1, once: int = 16
) -> str:  # fmt: skip
    """Continue a prompt by ``length`` tokens, drawn at temperature 0.5 of the likeliest 90 %.

    No stretch of ``once`` tokens comes twice: an underline may otherwise go on for ever. Single tokens may, as code is made of few.
    """
    generator = dv.Generator().manual_seed(seed)
    ids = encode(prompt).tolist()
    out = generate(model.eval(), ids, length, temperature=0.5, top_p=0.9, do_sample=True, generator=generator, no_repeat_ngram_size=once)
    return decode(out.tolist())


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m dovetail_text.recipes.pydoc_gpt", description="A small GPT learns the Python manual.")
    parser.add_argument("--minutes", type=float, default=3.0, help="how long to train (3)")
    parser.add_argument("--steps", type=int, help="how many batches at most, for a result that does not depend on the machine's speed")
    parser.add_argument("--prompt", default=PROMPT, help="how the printed sample begins")
    parser.add_argument("--length", type=int, default=400, help="tokens of the sample (400)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", metavar="FILE", help="where to save the model, as safetensors")
    return parser.parse_args(argv)


def _reporter(characters_per_token: float, total: Settings) -> Callable[[Progress], None]:
    """Print a line twelve times a training."""
    said = 0

    def report(progress: Progress) -> None:
        nonlocal said
        if progress.done * 12 >= said + 1:
            said = int(progress.done * 12)
            bits = progress.loss / math.log(2) / characters_per_token
            print(f"{progress.seconds:6.0f} s  step {progress.step:5d}  {bits:.3f} bits per character while learning", flush=True)

    return report


def main(argv: Sequence[str] | None = None) -> int:
    """Run the recipe from the command line."""
    asked = _arguments(argv)
    text, held_out = corpus()
    encode, decode = learn_tokens(text, VOCABULARY)
    tokens, test = encode(text), encode(held_out)
    dv.manual_seed(asked.seed)
    model = small_gpt(VOCABULARY)
    per_token = len(text) / len(tokens)
    print(f"{len(text):,} characters to learn, {len(held_out):,} held out; {VOCABULARY} tokens of {per_token:.2f} characters on average")
    print(f"a GPT of {model.num_parameters():,} parameters, {asked.minutes:g} minutes")
    settings = replace(Settings(), seconds=60 * asked.minutes, steps=asked.steps, seed=asked.seed)
    progress = train(model, tokens, settings, _reporter(per_token, settings))
    paid = len(held_out) - len(decode(test[:1]))
    bits = bits_per_character(model, test, paid)
    print(f"{progress.step} steps of {settings.batch_size} × {model.config.block_size} tokens in {progress.seconds:.0f} s")
    print(f"held-out text: {bits:.3f} bits per character\n")
    print(sample(model, encode, decode, asked.prompt, asked.length))
    if asked.save:
        dv.save(model, asked.save)
    return 0


if __name__ == "__main__":
    sys.exit(main())
