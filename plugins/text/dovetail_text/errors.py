"""The errors that only text brings; each is also the built-in that torchtext, tokenizers or datasets raises there."""

from __future__ import annotations

from dovetail.errors import DovetailError

__all__ = ["ChatTemplateError", "HubError", "MissingPackage", "TokenizerError", "VocabError"]


class VocabError(DovetailError, RuntimeError):
    """A token or an index that a vocabulary does not have, or has already."""


class TokenizerError(DovetailError, RuntimeError):
    """A tokenizer that cannot do what it is asked for."""


class ChatTemplateError(DovetailError, ValueError):
    """A chat template that cannot be read or does what it may not, or a chat that it refuses."""


class HubError(DovetailError, OSError):
    """A data set that cannot be fetched or opened."""

    __str__ = Exception.__str__


class MissingPackage(DovetailError, ImportError):
    """A package that is needed here and not installed."""

    __str__ = Exception.__str__
