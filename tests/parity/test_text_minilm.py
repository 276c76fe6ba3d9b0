"""all-MiniLM-L6-v2 beside transformers' BERT with the same files: the vectors of 50 sentences, and paraphrases among 40."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

import dovetail as dv
from dovetail_text.models import minilm
from tests.parity.text_pairs import torch, transformers
from tests.support.figures import note

pytestmark = [pytest.mark.parity, pytest.mark.skipif(find_spec(minilm.MODULE) is None, reason=f"{minilm.PACKAGE} is not installed")]

PAIRS = [
    ("How do I undo my last commit in git?", "What is the way to revert the newest change in git?"),
    ("The museum is closed on Mondays.", "You cannot visit the museum on a Monday."),
    ("A recipe for bread without kneading", "How to bake a loaf when you do not want to knead"),
    ("My train ticket does not scan at the gate.", "The barrier at the station will not read my ticket."),
    ("Sort a list of dictionaries by a key in Python", "Order Python dicts in a list by one of their fields"),
    ("The cat sleeps on the warm windowsill.", "A kitty is napping by the sunny window."),
    ("Interest rates went up again this week.", "The central bank has raised its rates once more."),
    ("She plays the violin in an orchestra.", "She is an orchestral violinist."),
    ("How many people live in Lagos?", "What is the population of Lagos?"),
    ("The doctor told him to drink more water.", "His physician advised him to stay hydrated."),
    ("We missed the bus because of the rain.", "The rain made us late, and the bus was gone."),
    ("The phone's battery is empty after two hours.", "My mobile loses its whole charge in two hours."),
    ("A heavy snowstorm closed the mountain road.", "The pass is shut because of deep snow."),
    ("He quit smoking three years ago.", "It has been three years since his last cigarette."),
    ("Which planet has the most moons?", "What planet is circled by the largest number of moons?"),
    ("The bridge was built in 1890.", "Construction of the bridge was completed in 1890."),
    ("Please water the tomatoes while I am away.", "Could you take care of my tomato plants during my holiday?"),
    ("The goalkeeper saved a penalty in the last minute.", "A penalty kick was stopped by the goalie at the very end."),
    ("I would like a refund for this broken lamp.", "The lamp arrived damaged and I want my money back."),
    ("Bees are needed to pollinate apple trees.", "Without bees the blossoms of an apple orchard bear no fruit."),
]
OTHERS = [
    "", "?", "word", "ALL CAPITALS, AND MORE OF THEM", "naïve café Ångström", "Der Zug fährt heute nicht.", "今天下雨了", "🙂 an emoji",
    "tabs\tand\nlines", "for " * 300 + "ever",
]  # fmt: skip


@pytest.fixture(scope="module")
def encoder():
    return dv.models.create("text/all-minilm-l6-v2", weights="v2")


def _reference(sentences):
    """Mean over the tokens that count, then length 1: what sentence-transformers does with this folder, at 256 tokens."""
    folder = minilm.find()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    bert = transformers.BertModel.from_pretrained(folder).eval()
    batch = tokenizer(sentences, padding=True, truncation=True, max_length=256, return_tensors="pt")
    with torch.no_grad():
        states = bert(**batch).last_hidden_state
    counts = batch["attention_mask"][:, :, None].float()
    return torch.nn.functional.normalize((states * counts).sum(1) / counts.sum(1), dim=1).numpy()


def test_fifty_sentences_have_the_vectors_of_the_reference(encoder):
    sentences = [sentence for pair in PAIRS for sentence in pair] + OTHERS
    assert len(sentences) == 50
    got, want = encoder.encode(sentences).numpy(), _reference(sentences)
    far = np.abs(got - want).max()
    note("text", "all-MiniLM-L6-v2, 50 sentences: the largest difference from transformers", f"{far:.1e}", "1e-4")
    assert got.shape == (50, 384) and far < 1e-4


def test_the_nearest_of_forty_is_the_paraphrase(encoder):
    vectors = encoder.encode([sentence for pair in PAIRS for sentence in pair])
    likeness = encoder.similarity(vectors, vectors).numpy()
    np.fill_diagonal(likeness, -1)
    found = likeness.argmax(1)
    right = int((found == (np.arange(40) ^ 1)).sum())
    note("text", "all-MiniLM-L6-v2: sentences of 20 pairs whose nearest is their paraphrase", right, "40 of 40")
    assert right == 40, [(PAIRS[i // 2][i % 2], PAIRS[j // 2][j % 2]) for i, j in enumerate(found) if j != i ^ 1]
