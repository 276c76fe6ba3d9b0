"""Language models of single characters: a GPT that learned the Python reference and ships with its weights, and an LSTM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dovetail as dv
from dovetail import Tensor, nn
from dovetail.errors import ShapeError, ValueRangeError
from dovetail.nn import functional as F

from .models import GPT, GPTConfig, ModelOutput

if TYPE_CHECKING:
    from .tokenizers import Char

__all__ = ["CHARACTERS", "CharGPT", "LSTMLanguageModel", "char_gpt", "char_tokenizer", "lstm_lm"]

# The end of a line, printable ASCII, and what else text/pydoc is written in.
CHARACTERS = "\n" + "".join(map(chr, range(32, 127))) + "°ß–—‘’“”…"


def char_tokenizer() -> Char:
    """The tokenizer of `char_gpt`: one token for each of 105 characters; any other is a LookupError.

    >>> char_tokenizer().encode("if x:\\n").ids
    [74, 71, 1, 89, 27, 0]
    """
    from .tokenizers import Char

    return Char(CHARACTERS)


class CharGPT(GPT):
    """A GPT of characters with its tokenizer, so that it can be given text.

    >>> char_gpt(n_layer=1, n_embd=16).tokenizer.encode("a b").ids
    [66, 1, 67]
    """

    tokenizer = property(lambda self: char_tokenizer(), doc="The tokenizer of `char_tokenizer`.")


def char_gpt(
    n_layer: int = 4, n_head: int = 4, n_embd: int = 128, block_size: int = 256, weights: Any = None, **config: Any
) -> CharGPT:  # fmt: skip
    """Build a GPT of characters, 839,552 parameters; ``models.create("text/char_gpt", weights="pydoc")`` has learned ``text/pydoc``.

    relu costs a processor less than gelu. ``config`` are other fields of ``GPTConfig``. Raises a StateDictError (RuntimeError)
    where the weights are of other sizes.

    >>> char_gpt(n_layer=1, n_embd=16)(dv.tensor([[1, 2, 3]])).logits.shape
    dovetail.Size([1, 3, 105])
    """
    sizes = {"n_layer": n_layer, "n_head": n_head, "n_embd": n_embd, "block_size": block_size}
    model = CharGPT(GPTConfig(**{"vocab_size": len(CHARACTERS), "activation_function": "relu", **sizes, **config}))
    if weights is not None:
        model.load_pretrained({name: t.to(dv.float32) for name, t in dv.weights.load(weights).items()})
        model.eval()
    return model


class LSTMLanguageModel(nn.Module):
    """An LSTM language model: tokens ``(N, L)`` to ``logits`` ``(N, L, vocab_size)``, and, where asked, the ``state`` to go on from.

    After Zaremba, Sutskever, Vinyals, Recurrent Neural Network Regularization, https://arxiv.org/abs/1409.2329, with the output tied to
    the embedding where both have one size (``tie_weights``). With ``labels`` ``(N, L)``, −100 where nothing is asked, ``loss`` is
    the cross-entropy of each label by the tokens before it: pass ``labels=input_ids``. Raises a ValueError for sizes that cannot be tied.

    >>> model = LSTMLanguageModel(9, 16, 16, num_layers=1)
    >>> first = model(dv.tensor([[1, 2, 3]]), return_state=True)
    >>> model(dv.tensor([[4]]), first.state).logits.shape
    dovetail.Size([1, 1, 9])
    """

    def __init__(
        self, vocab_size: int, embedding_dim: int = 128, hidden_size: int = 128, num_layers: int = 2, dropout: float = 0.0,
        tie_weights: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        if tie_weights and embedding_dim != hidden_size:
            what = f"embedding_dim is {embedding_dim} and hidden_size is {hidden_size}"
            raise ValueRangeError("LSTMLanguageModel", what, "expected one size for both", "or pass tie_weights=False")
        self.drop = nn.Dropout(dropout)
        self.embedding = nn.Embedding(vocab_size, embedding_dim)
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        self.lstm = nn.LSTM(embedding_dim, hidden_size, num_layers, batch_first=True, dropout=dropout if num_layers > 1 else 0.0)
        self.decoder = nn.Linear(hidden_size, vocab_size)
        if tie_weights:
            self.decoder.weight = self.embedding.weight

    def forward(
        self, input_ids: Tensor, state: tuple[Tensor, Tensor] | None = None, labels: Tensor | None = None, return_state: bool = False
    ) -> ModelOutput:  # fmt: skip
        """``state`` is that of an earlier call: ``(h, c)``, each ``(num_layers, N, hidden_size)``; with one, the next is given too."""
        wanted = return_state or state is not None
        if input_ids.ndim != 2:
            raise ShapeError("LSTMLanguageModel", f"input_ids is {tuple(input_ids.shape)}", "expected (N, L)")
        hidden, state = self.lstm(self.drop(self.embedding(input_ids)), state)
        logits = self.decoder(self.drop(hidden))
        loss = None
        if labels is not None:
            loss = F.cross_entropy(logits[:, :-1].reshape(-1, logits.shape[-1]), labels[:, 1:].reshape(-1))
        return ModelOutput(loss=loss, logits=logits, state=state if wanted else None)


def lstm_lm(vocab_size: int = len(CHARACTERS), **config: Any) -> LSTMLanguageModel:
    """Build an LSTM language model, by default one of characters; ``config`` are other arguments of `LSTMLanguageModel`.

    >>> sum(p.numel() for p in lstm_lm(10, embedding_dim=8, hidden_size=8, num_layers=1).parameters())
    666
    """
    return LSTMLanguageModel(vocab_size, **config)
