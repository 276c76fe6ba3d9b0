"""Which language is it? A bag of character trigrams learns ``text/udhr`` in seconds: ``python -m dovetail_text.recipes.languages``."""

from __future__ import annotations

import argparse
import sys
import time
import zlib
from collections.abc import Sequence

import dovetail as dv
from dovetail import Tensor, datasets, nn
from dovetail.nn import functional as F

__all__ = ["TrigramClassifier", "accuracy", "main", "train"]


class TrigramClassifier(nn.Module):
    """A linear classifier of bags of character n-grams, which are hashed into ``buckets``: texts to logits ``(N, classes)``.

    After Joulin et al., Bag of Tricks for Efficient Text Classification, https://arxiv.org/abs/1607.01759.

    >>> TrigramClassifier(4, buckets=50)(["it fits", ""]).shape
    dovetail.Size([2, 4])
    """

    def __init__(self, classes: int, buckets: int = 20_000, width: int = 32) -> None:
        super().__init__()
        self.buckets = buckets
        self.bags = nn.EmbeddingBag(buckets, width, mode="mean")
        self.out = nn.Linear(width, classes)

    def numbers(self, text: str) -> list[int]:
        """The buckets of a text's characters, pairs and trigrams."""
        text = f" {text.lower()} "
        parts = [text[at : at + n] for n in (1, 2, 3) for at in range(len(text) - n + 1)]
        return [zlib.crc32(part.encode()) % self.buckets for part in parts]

    def forward(self, texts: Sequence[str] | Sequence[list[int]]) -> Tensor:
        """Texts, or what `numbers` made of them."""
        found = [self.numbers(text) if isinstance(text, str) else text for text in texts]
        offsets = [0]
        for one in found[:-1]:
            offsets.append(offsets[-1] + len(one))
        return self.out(self.bags(dv.tensor([number for one in found for number in one]), dv.tensor(offsets)))


def train(model: TrigramClassifier, samples: Sequence[tuple[int, str]], epochs: int = 12, batch_size: int = 64, lr: float = 0.02) -> None:
    """Learn the samples with Adam and a falling rate."""
    labels, bags = dv.tensor([label for label, _ in samples]), [model.numbers(text) for _, text in samples]
    optimizer = dv.optim.Adam(model.parameters(), lr=lr)
    rates = dv.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        for chosen in dv.randperm(len(bags)).split(batch_size):
            optimizer.zero_grad()
            F.cross_entropy(model([bags[at] for at in chosen.tolist()]), labels[chosen]).backward()
            optimizer.step()
        rates.step()


def accuracy(model: TrigramClassifier, samples: Sequence[tuple[int, str]]) -> float:
    """The share of samples that are told right."""
    with dv.no_grad():
        found = dv.cat([model([text for _, text in samples[at : at + 256]]).argmax(1) for at in range(0, len(samples), 256)])
    return (found == dv.tensor([label for label, _ in samples])).float().mean().item()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the recipe from the command line."""
    parser = argparse.ArgumentParser(prog="python -m dovetail_text.recipes.languages", description="Which of 73 languages is it?")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args(argv)
    dv.manual_seed(asked.seed)
    learned, asked_for = (datasets.load("text/udhr", split=split).samples for split in ("train", "test"))
    names = datasets.load("text/udhr").names
    model, begun = TrigramClassifier(len(names)), time.perf_counter()
    train(model, learned, asked.epochs)
    seconds = time.perf_counter() - begun
    print(
        f"{len(learned):,} paragraphs learned in {seconds:.0f} s; {accuracy(model, asked_for):.4f} of {len(asked_for):,} others told right"
    )
    for text in ("The quick brown fox jumps over the lazy dog", "Wo ist hier der Bahnhof?", "Où est la bibliothèque ?", "駅はどこですか"):
        print(f"{names[int(model([text]).argmax())]:20}  {text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
