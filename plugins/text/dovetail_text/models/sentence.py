"""Sentence embeddings with the face of sentence-transformers, and the trained all-MiniLM-L6-v2."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import dovetail as dv
from dovetail import Tensor, nn
from dovetail.errors import TypeMismatch, UnsupportedError, ValueRangeError
from dovetail.nn import functional as F

from ..hub_files import folder_of, hub_options
from .bert import BertConfig, BertModel
from .config import read_json
from .minilm import NAME, find, tokenizer_file, verify

__all__ = ["SentenceEncoder", "all_minilm_l6_v2"]

_POOLINGS = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls", "pooling_mode_max_tokens": "max"}
_MODULES = ("Transformer", "Pooling", "Normalize")


class SentenceEncoder(nn.Module):
    """A BERT, pooled to one vector a sentence: tokens ``(N, L)`` to ``(N, H)``; :meth:`encode` takes the sentences themselves.

    ``pooling`` is ``"mean"`` over the tokens, ``"cls"`` (the first one) or ``"max"``; ``normalize`` brings vectors to length 1.
    ``tokenizer`` is a ``tokenizers.Tokenizer``, or a function that opens one when it is first needed.

    After Reimers and Gurevych, Sentence-BERT, https://arxiv.org/abs/1908.10084.

    >>> bert = BertModel(BertConfig(9, 8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16))
    >>> SentenceEncoder(bert)(dv.tensor([[1, 2, 3], [4, 0, 0]]), dv.tensor([[1, 1, 1], [1, 0, 0]])).detach().norm(dim=1).round(decimals=4)
    tensor([1., 1.])
    """

    def __init__(
        self, bert: BertModel, tokenizer: Any = None, max_seq_length: int = 256, pooling: str = "mean", normalize: bool = True
    ) -> None:  # fmt: skip
        super().__init__()
        if pooling not in _POOLINGS.values():
            raise ValueRangeError("SentenceEncoder", f"pooling is {pooling!r}", f"expected one of {', '.join(_POOLINGS.values())}")
        self.bert = bert
        self.config = bert.config
        if bert.pooler is not None:
            bert.pooler.requires_grad_(False)  # it is in the files, but has no part in the embedding
        self.max_seq_length, self.pooling, self.normalize = max_seq_length, pooling, normalize
        self._tokenizer = tokenizer

    @classmethod
    def from_pretrained(cls, folder: str | os.PathLike[str], **changes: Any) -> Self:
        """Read a folder as sentence-transformers writes it, or a model on the hub by its name; the result is in eval mode.

        ``"all-MiniLM-L6-v2"`` is found in its package, where that is installed.

        Raises an UnsupportedError for parts other than a BERT, a pooling and a normalisation.
        """
        given = hub_options(changes)
        own = str(folder).rpartition("/")[2] == NAME and not os.path.isdir(folder)
        folder = find() if own else folder_of(folder, weights=True, inside="*_Pooling/*.json", **given)
        normalize, pooling, inner = False, "mean", folder
        for part in _parts(folder):
            kind, where = part["type"].rpartition(".")[2], folder / part["path"]
            if kind not in _MODULES:
                raise UnsupportedError("SentenceEncoder", f"{folder} has a {kind}", f"expected {', '.join(_MODULES)}")
            if kind == "Transformer":
                inner = where
            elif kind == "Pooling":
                pooling = _pooling(read_json(where / "config.json"))
            normalize = normalize or kind == "Normalize"
        about = inner / "sentence_bert_config.json"
        bert = BertModel.from_pretrained(inner, **changes)
        longest = read_json(about).get("max_seq_length") if about.is_file() else None
        longest = longest or bert.config.max_position_embeddings
        return cls(bert, lambda: tokenizer_file(inner / "tokenizer.json"), longest, pooling, normalize).eval()

    @property
    def tokenizer(self) -> Any:
        """The ``tokenizers.Tokenizer``. Raises an UnsupportedError where the encoder was made without one."""
        if self._tokenizer is None:
            raise UnsupportedError("SentenceEncoder", "there is no tokenizer", "it was made without one", "use from_pretrained")
        if isinstance(self._tokenizer, Callable):
            self._tokenizer = self._tokenizer()
        return self._tokenizer

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, token_type_ids: Tensor | None = None) -> Tensor:
        states = self.bert(input_ids, attention_mask, token_type_ids).last_hidden_state
        pooled = _pool(states, attention_mask, self.pooling)
        return F.normalize(pooled, dim=1) if self.normalize else pooled

    def tokenize(self, sentences: Sequence[str]) -> dict[str, Tensor]:
        """The tokens of sentences, padded on the right to the longest: ``input_ids``, ``attention_mask``, ``token_type_ids`` ``(N, L)``."""
        tokenizer = self.tokenizer
        tokenizer.enable_truncation(self.max_seq_length)
        tokenizer.enable_padding(pad_id=self.config.pad_token_id or 0)
        found = tokenizer.encode_batch([text.strip() for text in sentences])
        names = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
        return {name: dv.tensor([getattr(one, field) for one in found], dtype=dv.int64) for name, field in names.items()}

    def encode(
        self, sentences: str | Sequence[str], batch_size: int = 32, *, normalize_embeddings: bool = False, convert_to_numpy: bool = False
    ) -> Any:
        """The embeddings of sentences, ``(N, H)``, or ``(H,)`` of a single one, computed in eval mode, without gradients.

        Sentences of like lengths go together, ``batch_size`` at a time. ``normalize_embeddings`` brings vectors to length 1 where
        the model does not do so itself (all-MiniLM-L6-v2 does). ``convert_to_numpy`` gives an array.
        """
        single = isinstance(sentences, str)
        texts = [sentences] if single else list(sentences)
        for at, text in enumerate(texts):
            if not isinstance(text, str):
                raise TypeMismatch("SentenceEncoder.encode", f"sentences[{at}] is {type(text).__name__}", "expected a string")
        if batch_size < 1:
            raise ValueRangeError("SentenceEncoder.encode", f"batch_size is {batch_size}", "expected 1 or more")
        order = sorted(range(len(texts)), key=lambda at: -len(texts[at]))
        weight, training = self.bert.embeddings.word_embeddings.weight, self.training
        out = dv.zeros(len(texts), self.config.hidden_size, dtype=weight.dtype, device=weight.device)
        self.eval()
        try:
            with dv.no_grad():
                for start in range(0, len(order), batch_size):
                    chosen = order[start : start + batch_size]
                    tokens = self.tokenize([texts[at] for at in chosen])
                    out[chosen] = self(**{name: t.to(weight.device) for name, t in tokens.items()})
        finally:
            self.train(training)
        out = F.normalize(out, dim=1) if normalize_embeddings and not self.normalize else out
        out = out[0] if single else out
        return out.cpu().numpy() if convert_to_numpy else out

    def similarity(self, embeddings1: Tensor, embeddings2: Tensor) -> Tensor:
        """The cosine of every vector ``(N, H)`` or ``(H,)`` with every other ``(M, H)``: ``(N, M)``."""
        one, two = (F.normalize(dv.as_tensor(e).reshape(-1, self.config.hidden_size), dim=1) for e in (embeddings1, embeddings2))
        return one @ two.T


def _pool(states: Tensor, mask: Tensor | None, pooling: str) -> Tensor:
    if pooling == "cls":
        return states[:, 0]
    if mask is None:
        return states.mean(1) if pooling == "mean" else states.amax(1)
    if pooling == "max":
        return states.masked_fill((mask == 0)[:, :, None], -float("inf")).amax(1)
    weights = mask[:, :, None].to(states.dtype)
    return (states * weights).sum(1) / weights.sum(1).clamp(min=1e-9)


def _parts(folder: Path) -> list[dict[str, str]]:
    """The modules in order; a folder without a list of them is a BERT with mean pooling, as sentence-transformers takes it."""
    if not (folder / "modules.json").is_file():
        return [{"type": "Transformer", "path": ""}]
    found = read_json(folder / "modules.json", list)
    return [{"type": str(part.get("type")), "path": str(part.get("path", ""))} for part in found if isinstance(part, dict)]


def _pooling(config: dict[str, Any]) -> str:
    chosen = [name for name, value in config.items() if name.startswith("pooling_mode_") and value is True]
    if len(chosen) != 1 or chosen[0] not in _POOLINGS:
        what = f"the pooling is {' and '.join(chosen) or 'none'}"
        raise UnsupportedError("SentenceEncoder", what, f"expected one of {', '.join(_POOLINGS)}")
    return _POOLINGS[chosen[0]]


def all_minilm_l6_v2(weights: Any = None, **config: Any) -> SentenceEncoder:
    """Build all-MiniLM-L6-v2: six layers of 384, 22,713,216 parameters; trained with ``models.create(…, weights="v2")``.

    ``config`` are fields of ``BertConfig`` to change. Raises an UnsupportedError that says what to install where the trained
    weights are not there, a HashMismatch for weights that are not those that the manifest names.
    """
    if weights is not None:
        return SentenceEncoder.from_pretrained(verify(find(), weights.sha256), **config)
    sizes = {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536}
    return SentenceEncoder(BertModel(BertConfig(**{**sizes, **config})), lambda: tokenizer_file(find() / "tokenizer.json"))
