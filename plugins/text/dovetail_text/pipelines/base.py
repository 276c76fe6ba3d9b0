"""What the pipelines share: a model with its tokenizer, inputs one by one, and options of a call that go before those of the pipeline."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from types import GeneratorType
from typing import Any, ClassVar

import dovetail as dv
from dovetail.errors import TypeMismatch, ValueRangeError
from dovetail.utils.data import DataLoader, Dataset, IterableDataset

__all__ = ["Pipeline", "PipelineException"]


class PipelineException(ValueRangeError):
    """An input that a pipeline cannot answer: a text without the mask that is to be filled."""


class Pipeline:
    """A model and its tokenizer, called with texts; subclasses write ``answer``.

    One text gives one answer and a list gives a list, at once; a generator or a data set gives an iterator. ``options`` are those of
    ``answer``, for every call that does not say otherwise. Inputs are answered one by one; ``batch_size`` and ``num_workers``, which
    change how fast transformers answers and not what, are taken and make no difference here, except where a subclass says so.

    >>> class Shout(Pipeline):
    ...     def answer(self, text, mark="!"):
    ...         return text.upper() + mark
    >>> shout = Shout(dv.nn.Linear(1, 1), None, mark="?")
    >>> shout("well"), shout(["it", "fits"], mark="."), list(shout(word for word in ["so"]))
    ('WELL?', ['IT.', 'FITS.'], ['SO?'])
    """

    task: ClassVar[str] = ""

    def __init__(self, model: Any, tokenizer: Any, *, batch_size: int = 1, num_workers: int = 0, **options: Any) -> None:
        self.model, self.tokenizer, self.batch_size = model, tokenizer, batch_size
        self.options = self.checked(options)

    def checked(self, options: dict[str, Any]) -> dict[str, Any]:
        """The options, or an error that says what is wrong with them; for subclasses to write."""
        return options

    def answer(self, text: Any, **options: Any) -> Any:
        """The answer to one input; for subclasses to write."""
        raise NotImplementedError

    def __call__(self, inputs: Any, *, batch_size: int | None = None, num_workers: int | None = None, **options: Any) -> Any:
        """The answer to an input, or the answers to several. Raises what the tokenizer and the model raise."""
        options = {**self.options, **self.checked(options)}
        if isinstance(inputs, list):
            return list(self._several(inputs, batch_size or self.batch_size, options))
        if isinstance(inputs, GeneratorType | Dataset):
            return self._several(inputs, batch_size or self.batch_size, options)
        return self._one(inputs, options)

    def _one(self, text: Any, options: dict[str, Any]) -> Any:
        with dv.no_grad():
            return self.answer(text, **options)

    def _several(self, inputs: Any, batch_size: int, options: dict[str, Any]) -> Iterator[Any]:
        """The answers one by one, by a loader, which draws a random number when it begins, as that of transformers does."""
        for texts in DataLoader(inputs if hasattr(inputs, "__getitem__") else _Stream(inputs), batch_size, collate_fn=list):
            with dv.no_grad():
                found = self.answers(texts, options)
            yield from found

    def answers(self, texts: list[Any], options: dict[str, Any]) -> list[Any]:
        """The answers to a batch; for subclasses that find them together."""
        return [self.answer(text, **options) for text in texts]

    def predict(self, inputs: Any) -> Any:
        """The answers, by scikit-learn's name."""
        return self(inputs)

    transform = predict

    @property
    def device(self) -> dv.device:
        """Where the model is."""
        return next(self.model.parameters()).device

    def run(self, inputs: Mapping[str, Any]) -> Any:
        """What the model makes of tokens, on the CPU."""
        out = self.model(**{name: t.to(self.device) for name, t in inputs.items()})
        return type(out)({name: value.cpu() if isinstance(value, dv.Tensor) else value for name, value in out.items()})

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write the model and its tokenizer into a folder, which ``pipeline(task, folder)`` reads."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({type(self.model).__name__}, device={str(self.device)!r})"


class _Stream(IterableDataset):
    """Inputs that come from a generator."""

    def __init__(self, inputs: Iterable[Any]) -> None:
        self.inputs = inputs

    def __iter__(self) -> Iterator[Any]:
        return iter(self.inputs)


class _NoText(TypeMismatch, ValueError):
    """What is no text: a ValueError, as in transformers."""


def text_of(where: str, text: Any) -> str:
    """The text itself. Raises a TypeError, which is a ValueError too, for what is none."""
    if not isinstance(text, str):
        raise _NoText(where, f"the input is {type(text).__name__}", "expected a str, or a list of them")
    return text
