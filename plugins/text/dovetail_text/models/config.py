"""Configurations of language models: a dataclass that reads and writes Hugging Face's config.json."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Self

from dovetail import Tensor
from dovetail.errors import FormatError, UnsupportedError, ValueRangeError
from dovetail.io import atomic
from dovetail.nn import functional as F

from ..hub_files import folder_of, hub_options

__all__ = ["CALLS", "Config", "activation", "labels_of", "labels_to", "named", "read_json", "refuse"]

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_new": lambda x: F.gelu(x, approximate="tanh"),
    "gelu_pytorch_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "relu": F.relu,
    "relu2": lambda x: F.relu(x).square(),
    "silu": F.silu,
    "swish": F.silu,
    "tanh": lambda x: x.tanh(),
}


def activation(name: str) -> Callable[[Tensor], Tensor]:
    """The function of a name in a config.json, such as ``"gelu_new"``. Raises an UnsupportedError for another name.

    >>> import dovetail as dv
    >>> activation("relu2")(dv.tensor([-1.0, 3.0]))
    tensor([0., 9.])
    """
    try:
        return _ACTIVATIONS[name]
    except (KeyError, TypeError):
        raise UnsupportedError("config", f"the activation is {name!r}", f"expected one of {', '.join(_ACTIVATIONS)}") from None


def read_json(path: str | os.PathLike[str], kind: type = dict) -> Any:
    """Read a JSON object, or another kind of value, from a file. Raises a FormatError for anything else."""
    try:
        found = json.loads(Path(path).read_bytes())
    except (ValueError, RecursionError) as error:
        raise FormatError(path, None, f"is not JSON ({error})") from None
    if not isinstance(found, kind):
        raise FormatError(path, None, f"holds a {type(found).__name__}; expected a {kind.__name__}, as Hugging Face writes it")
    return found


#: What a model of a folder is asked for in each call that does not say otherwise: no fields, but they may stand among them.
CALLS = ("output_hidden_states", "return_dict")


@dataclass
class Config:
    """The base of configurations: from and to dicts and folders, in Hugging Face's spelling."""

    model_type: ClassVar[str] = ""

    @classmethod
    def from_dict(cls, config: Mapping[str, Any], **changes: Any) -> Self:
        """Make one of Hugging Face's fields; those that make no difference here are left out, ``changes`` go before them.

        Raises an UnsupportedError for a field that would change the results, a ValueError for another kind of model, and for values
        that are of another type or larger than any model has.
        """
        kind = config.get("model_type", cls.model_type)
        if kind != cls.model_type:
            raise ValueRangeError(cls.__name__, f"the configuration is that of a {kind!r}", f"expected a {cls.model_type!r}")
        known = {field.name for field in fields(cls)}
        changes = {name: value for name, value in changes.items() if name != "label2id"}  # it is id2label, turned round
        asked = {name: changes.pop(name, config.get(name)) for name in CALLS}
        if changes.pop("output_attentions", False):
            raise UnsupportedError(cls.__name__, "output_attentions is True", "weights of attention are not kept", "leave it out")
        for name in changes:
            if name not in known:
                raise ValueRangeError(cls.__name__, f"there is no field {name!r}", f"expected one of {', '.join(sorted(known))}")
        if changes.get("id2label"):
            changes = {"num_labels": len(changes["id2label"]), **changes}
        given = cls.translated(dict(config))
        given = {**{name: value for name, value in given.items() if name in known}, **changes}
        for field in fields(cls):
            if field.name in given:
                _check(cls.__name__, field.name, str(field.type), given[field.name])
        made = cls(**given)
        vars(made).update({name: value for name, value in asked.items() if value is not None})
        return made

    @classmethod
    def translated(cls, config: dict[str, Any]) -> dict[str, Any]:
        """Bring the fields of a config.json to our names, and refuse those that we do not have; for subclasses to write."""
        return config

    @classmethod
    def from_pretrained(cls, folder: str | os.PathLike[str], **changes: Any) -> Self:
        """Read ``config.json`` of a folder, or of a model on the hub by its name.

        Raises a FormatError for what is no such file, and what :meth:`from_dict` and fetching raise.
        """
        found = read_json(folder_of(folder, **hub_options(changes)) / "config.json")
        return cls.from_dict(found, **changes)

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write ``config.json`` into a folder."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        with atomic.replacing(Path(folder) / "config.json") as path:
            path.write_text(self.to_json_string(), encoding="utf-8")

    def to_dict(self) -> dict[str, Any]:
        """The fields in Hugging Face's spelling, with ``model_type``."""
        return {"model_type": self.model_type, **asdict(self)}

    def to_json_string(self) -> str:
        """What ``config.json`` holds."""
        return json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n"


_LARGEST = 2**28  # of a size, so that the product of two still counts in 64 bits
_LAYERS = 10_000
_LEAST_ONE = ("head", "n_embd", "hidden_size", "d_model", "d_kv", "dim")  # what others are divided by, by a part of the name


def _check(where: str, name: str, kind: str, value: Any) -> None:
    """Raise a ValueError for a value that a field of this annotation cannot have."""
    if value is None and "None" in kind:
        return
    least, most = int(any(part in name for part in _LEAST_ONE)), _LAYERS if "layer" in name else _LARGEST
    whole = isinstance(value, int) and not isinstance(value, bool)
    if kind.startswith("int") and not name.endswith("_id"):
        if not (whole and least <= value <= most):
            raise ValueRangeError(where, f"{name} is {value!r}", f"expected a whole number from {least} to {most}")
    elif kind.startswith("int"):
        rows = value if isinstance(value, list) and "list" in kind else [value]
        if not all(isinstance(token, int) and not isinstance(token, bool) and abs(token) <= _LARGEST for token in rows):
            raise ValueRangeError(where, f"{name} is {value!r}", "expected the number of a token")
    elif kind.startswith("float") and not (whole or isinstance(value, float)):
        raise ValueRangeError(where, f"{name} is {value!r}", "expected a number")
    elif kind.startswith("str") and not isinstance(value, str):
        raise ValueRangeError(where, f"{name} is {value!r}", "expected a string")


def refuse(where: str, config: Mapping[str, Any], plain: Mapping[str, tuple[Any, ...]]) -> None:
    """Raise an UnsupportedError for a field whose value is not one of those that make no difference."""
    for name, values in plain.items():
        if name in config and config[name] not in values:
            what = f"{name} is {config[name]!r} in the configuration"
            raise UnsupportedError(where, what, f"only {' or '.join(map(repr, values))} is there")


def labels_of(config: dict[str, Any]) -> dict[str, Any]:
    """Take ``num_labels`` from the ``id2label`` of a config.json."""
    return {**config, "num_labels": len(config["id2label"])} if config.get("id2label") else config


def named(labels: Mapping[Any, str] | None, count: int) -> dict[int, str]:
    """The names of ``count`` labels by number; those given, if they are as many. Raises a ValueError for what is no such table.

    >>> named({"0": "bad", "1": "good"}, 2), named(None, 1)
    ({0: 'bad', 1: 'good'}, {0: 'LABEL_0'})
    """
    try:
        found = {int(number): str(name) for number, name in (labels or {}).items()}
    except (AttributeError, TypeError, ValueError):
        raise ValueRangeError("config", f"id2label is {labels!r}", "expected numbers and their names") from None
    return found if len(found) == count else {i: f"LABEL_{i}" for i in range(count)}


def labels_to(fields: dict[str, Any]) -> dict[str, Any]:
    """Let the number of labels stand in ``id2label``, as Hugging Face writes it.

    >>> labels_to({"num_labels": 1})
    {'id2label': {'0': 'LABEL_0'}, 'label2id': {'LABEL_0': 0}}
    """
    labels = named(fields.get("id2label"), fields["num_labels"])
    names = {"id2label": {str(i): name for i, name in labels.items()}, "label2id": {name: i for i, name in labels.items()}}
    return {**{name: value for name, value in fields.items() if name != "num_labels"}, **names}
