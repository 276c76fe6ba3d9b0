"""GenerationConfig: how a model generates unless it is told otherwise, as ``generation_config.json`` says it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Self

from dovetail.io import atomic

from ..hub_files import folder_of, hub_options
from ..models.config import read_json
from .given import NAMED, OTHER_WAYS, refuse_other_way
from .rules import Rules

__all__ = ["GenerationConfig"]

_BEGUN = ("bos_token_id", "decoder_start_token_id", "guidance_scale", "output_hidden_states")
_READ = (*NAMED, *_BEGUN, *(field.name for field in fields(Rules)))


class GenerationConfig:
    """Settings of ``model.generate`` by the names of transformers; None, which all are at first, leaves a setting as it is.

    ``model.generation_config`` is one; what ``generate`` is called with goes before it, and so does one that it is given.
    Names that are not known are kept and make no difference, as those that only say how to compute.

    >>> config = GenerationConfig(max_new_tokens=9, num_beams=2)
    >>> config.num_beams, config.temperature, config.asked()
    (2, None, {'max_new_tokens': 9, 'num_beams': 2})
    """

    def __init__(self, **settings: Any) -> None:
        for name in _READ:
            setattr(self, name, None)
        self.__dict__.update({name: value for name, value in settings.items() if not hasattr(type(self), name)})

    @classmethod
    def from_pretrained(cls, folder: str | os.PathLike[str], **changes: Any) -> Self:
        """Read ``generation_config.json`` of a folder, or of a model on the hub by its name; ``changes`` go before it.

        Raises a FormatError for what is no such file, a FileNotFoundError without one.
        """
        found = read_json(folder_of(folder, **hub_options(changes)) / "generation_config.json")
        return cls(**{**found, **changes})

    @classmethod
    def from_model_config(cls, config: Any) -> Self:
        """The settings that stand in the configuration of a model: its tokens, and what old files have there.

        >>> from dovetail_text.models import GPTConfig
        >>> GenerationConfig.from_model_config(GPTConfig(eos_token_id=5)).eos_token_id
        5
        """
        found = dict(config) if isinstance(config, Mapping) else config.to_dict()
        return cls(**{name: found[name] for name in _READ if found.get(name) is not None})

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write ``generation_config.json`` into a folder."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        with atomic.replacing(Path(folder) / "generation_config.json") as path:
            path.write_text(json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n", encoding="utf-8")

    def to_dict(self) -> dict[str, Any]:
        """The settings that are not None."""
        return {name: value for name, value in self.__dict__.items() if value is not None}

    def update(self, **settings: Any) -> dict[str, Any]:
        """Change settings that there are; return the others."""
        self.__dict__.update({name: value for name, value in settings.items() if name in self.__dict__})
        return {name: value for name, value in settings.items() if name not in self.__dict__}

    def asked(self) -> dict[str, Any]:
        """What they ask of ``generate``. Raises an UnsupportedError for a way to generate that is not there."""
        found = self.to_dict()
        for name in OTHER_WAYS:
            refuse_other_way(name, found.get(name), " in the generation_config")
        return {name: value for name, value in found.items() if name in _READ}

    def __repr__(self) -> str:
        return f"GenerationConfig({', '.join(f'{name}={value!r}' for name, value in self.to_dict().items())})"
