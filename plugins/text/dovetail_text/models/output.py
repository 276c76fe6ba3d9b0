"""What a language model returns: results by name, by attribute or by place, as Hugging Face's models return them."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Self

from dovetail.errors import UnknownAttribute

__all__ = ["ModelOutput"]


class ModelOutput(OrderedDict):
    """A dict of results that also answers to attributes and places; a result that is None is not in it, but is an attribute.

    >>> out = ModelOutput(loss=None, logits=[1, 2])
    >>> out.logits, out["logits"], out[0], out.loss, list(out)
    ([1, 2], [1, 2], [1, 2], None, ['logits'])
    """

    def __init__(self, *args: Any, **results: Any) -> None:
        given = dict(*args, **results)
        super().__init__({name: value for name, value in given.items() if value is not None})
        self.__dict__["_absent"] = frozenset(given) - frozenset(self)

    def beside(self, **results: Any) -> Self:
        """Let results be attributes that are not among the others: the cache of a model that was not asked for one."""
        self.__dict__["_beside"] = results
        return self

    def __getattr__(self, name: str) -> Any:
        if name in self:
            return super().__getitem__(name)
        if name in self.__dict__.get("_beside", ()):
            return self.__dict__["_beside"][name]
        if name in self.__dict__.get("_absent", ()):
            return None
        raise UnknownAttribute("ModelOutput", f"there is no result {name!r}", f"it has {', '.join(self) or 'none'}")

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(key) if isinstance(key, str) else self.to_tuple()[key]

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ({**dict(self), **dict.fromkeys(self.__dict__.get("_absent", ()))},)

    def to_tuple(self) -> tuple[Any, ...]:
        """The results in order, without those that are None."""
        return tuple(super(ModelOutput, self).__getitem__(name) for name in self)
