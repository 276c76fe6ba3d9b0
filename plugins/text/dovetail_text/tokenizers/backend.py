"""Hugging Face's ``tokenizers`` package: imported when it is needed, and its errors typed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dovetail.errors import DovetailError, FormatError, TypeMismatch

from ..errors import MissingPackage, TokenizerError

__all__ = ["Backend", "calls", "package"]


def package() -> Any:
    """The package, or an ImportError that says what to install."""
    try:
        import tokenizers
    except ImportError as error:
        raise MissingPackage("HFTokenizer", "the package tokenizers is not installed", "", "pip install tokenizers") from error
    return tokenizers


class Backend:
    """A tokenizer of the package, made of JSON text or copied; whatever its reader raises, panics of Rust too, is a FormatError."""

    def __init__(self, source: Any, path: Any) -> None:
        kind = package().Tokenizer
        if not isinstance(source, str | kind):
            what = f"tokenizer is {type(source).__name__}"
            raise TypeMismatch("HFTokenizer", what, "expected a tokenizers.Tokenizer or JSON text", "use HFTokenizer.from_file")
        try:
            self.tokenizer = kind.from_str(source if isinstance(source, str) else source.to_str())
        except (KeyboardInterrupt, SystemExit, MemoryError):
            raise
        except BaseException as error:
            raise FormatError(path, None, f"the tokenizers package cannot read it: {error}") from error


@contextmanager
def calls(where: str) -> Iterator[None]:
    """What the package raises while it works, typed; it raises bare Exceptions, and its panics are no Exceptions."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit, MemoryError, DovetailError):
        raise
    except BaseException as error:
        raise TokenizerError(where, f"{type(error).__name__}: {error}", "", "is max_length less than its special tokens?") from error
