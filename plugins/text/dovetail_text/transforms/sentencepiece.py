"""torchtext's SentencePieceTokenizer, and the model behind it under sentencepiece's names; the package itself is not needed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import IO, Any

from dovetail import nn
from dovetail.errors import TypeMismatch

from ..tokenizers.pieces import from_sentencepiece

__all__ = ["SentencePieceModel", "SentencePieceTokenizer"]


class SentencePieceModel:
    """A sentencepiece model, a ``.model`` file or its path, with the methods of ``SentencePieceProcessor`` that torchtext's users call.

    Numbers and pieces are those of `dovetail_text.tokenizers.from_sentencepiece`, which says what it raises and where it differs.
    """

    def __init__(self, file: str | os.PathLike[str] | IO[bytes]) -> None:
        self.tokenizer = from_sentencepiece(file)
        self._unknown = self.tokenizer.unk_token_id

    def EncodeAsIds(self, input: str) -> list[int]:
        """The numbers of the pieces of a text."""
        return self.tokenizer.encode(input, add_special_tokens=False).ids

    def EncodeAsPieces(self, input: str) -> list[str]:
        """The pieces of a text; what has no piece stands as it was, cleaned up."""
        found = self.tokenizer.encode(input, add_special_tokens=False)
        rows = zip(found.ids, found.tokens, found.offsets, strict=True)
        return [self._cleaned(input[slice(*place)]) if number == self._unknown else piece for number, piece, place in rows]

    def _cleaned(self, text: str) -> str:
        normalizer = self.tokenizer.backend.normalizer
        return (text if normalizer is None else normalizer.normalize_str(text)).replace(" ", "▁")

    def DecodeIds(self, input: Sequence[int]) -> str:
        """The text of numbers."""
        return self.tokenizer.decode(list(input))

    def DecodePieces(self, input: Sequence[str]) -> str:
        """The text of pieces."""
        return self.DecodeIds([self.PieceToId(piece) for piece in input])

    def PieceToId(self, input: str) -> int:
        """The number of a piece; of what is none, that of the unknown piece."""
        number = self.tokenizer.token_to_id(input)
        return (self._unknown or 0) if number is None else number

    def IdToPiece(self, input: int) -> str:
        """The piece of a number. Raises an IndexError where there is none."""
        piece = self.tokenizer.id_to_token(input)
        if piece is None:
            raise IndexError(f"IdToPiece: there is no piece {input}; expected 0 to {len(self) - 1}")
        return piece

    def GetPieceSize(self) -> int:
        """How many pieces there are."""
        return len(self.tokenizer)

    def unk_id(self) -> int:
        """The number of the unknown piece."""
        return self._unknown or 0

    encode_as_ids, encode_as_pieces, decode_ids, decode_pieces = EncodeAsIds, EncodeAsPieces, DecodeIds, DecodePieces
    piece_to_id, id_to_piece, get_piece_size, __len__ = PieceToId, IdToPiece, GetPieceSize, GetPieceSize


class SentencePieceTokenizer(nn.Module):
    """Texts to the pieces of a sentencepiece model, whose file ``sp_model_path`` is: a list for a text, a list of lists for several.

    Raises what `SentencePieceModel` raises, and a TypeError for what is no text. Source: Kudo and Richardson 2018,
    https://arxiv.org/abs/1808.06226.
    """

    def __init__(self, sp_model_path: str | os.PathLike[str]) -> None:
        super().__init__()
        self.sp_model = SentencePieceModel(sp_model_path)

    def forward(self, input: Any) -> list[Any]:
        if isinstance(input, str):
            return self.sp_model.EncodeAsPieces(input)
        if isinstance(input, list) and all(isinstance(text, str) for text in input):
            return [self.sp_model.EncodeAsPieces(text) for text in input]
        raise TypeMismatch(
            "SentencePieceTokenizer", f"Input type not supported: {type(input).__name__}", "expected a string or a list of them"
        )
