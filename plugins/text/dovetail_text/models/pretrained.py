"""Models that live in folders as Hugging Face writes them: config.json, and the tensors in safetensors or PyTorch's format."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self

import dovetail as dv
from dovetail import Tensor, nn
from dovetail.errors import FormatError, TypeMismatch, ValueRangeError
from dovetail.io import atomic, container

from ..hub_files import folder_of, hub_options
from .config import CALLS, Config, read_json
from .words import Words

__all__ = ["PreTrainedModel", "as_asked", "read_weights"]

_loading: ContextVar[bool] = ContextVar("_loading", default=False)  # initial weights would be overwritten
_IGNORED = ("attn_implementation", "device_map", "low_cpu_mem_usage", "use_safetensors")
_FILES = ("model.safetensors", "pytorch_model.bin")


def read_weights(folder: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Read ``model.safetensors`` or ``pytorch_model.bin`` of a folder, in one piece or as an index names its pieces.

    Raises a FileNotFoundError where there is none of them, a FormatError for damaged ones.
    """
    folder = Path(folder)
    for name in _FILES:
        if (folder / name).is_file():
            return dict(dv.load(folder / name))
        if (folder / f"{name}.index.json").is_file():
            return _pieces(folder, f"{name}.index.json")
    raise FileNotFoundError(f"{folder}: there are no weights in it; expected {' or '.join(_FILES)}")


def _pieces(folder: Path, index: str) -> dict[str, Tensor]:
    names = read_json(folder / index).get("weight_map")
    if not isinstance(names, dict) or not all(isinstance(name, str) and Path(name).name == name for name in names.values()):
        raise FormatError(folder / index, None, "its weight_map is not a table of tensors and files in the same folder")
    found: dict[str, Tensor] = {}
    for name in sorted(set(names.values())):
        if not (folder / name).is_file():
            raise FormatError(folder / index, None, f"it names {name!r}, which is not in the folder; was all of the model fetched?")
        found.update(dv.load(folder / name))
    return found


def _ends(config: Config, about: Mapping[str, Any]) -> Config:
    """The configuration with the tokens for ends that ``generation_config.json`` names, which go before those of config.json."""
    for name in ("eos_token_id", "pad_token_id"):
        if about.get(name) is not None and hasattr(config, name):
            setattr(config, name, about[name])
    return config


def _generation(model: Any, folder: Path) -> None:
    """Let a model that generates do so as ``generation_config.json``, or else what old files have in config.json, says."""
    from ..generation.settings import GenerationConfig

    path = folder / "generation_config.json"
    if path.is_file():
        model.generation_config = GenerationConfig(**{**GenerationConfig.from_model_config(model.config).to_dict(), **read_json(path)})
    else:
        model.generation_config = GenerationConfig.from_model_config({**read_json(folder / "config.json"), **model.config.to_dict()})


def _dtype(asked: Any, state: Mapping[str, Tensor]) -> Any:
    """The type that ``dtype`` asks for: itself, that of a name, or of the first floating-point tensor of the file."""
    if asked == "auto":
        return next((t.dtype for t in state.values() if t.is_floating_point()), dv.float32)
    found = getattr(dv, asked.removeprefix("torch."), None) if isinstance(asked, str) else asked
    if not isinstance(found, dv.dtype) or not found.is_floating_point:
        raise ValueRangeError("from_pretrained", f"dtype is {asked!r}", "expected a floating-point type, or 'auto'")
    return found


def as_asked(model: Any) -> Any:
    """The model, which is called as its configuration asks where a call does not say otherwise.

    >>> from dovetail_text.models import GPTConfig, GPT2Model
    >>> model = as_asked(GPT2Model(GPTConfig.from_dict({"n_layer": 1, "n_head": 1, "n_embd": 4}, output_hidden_states=True)))
    >>> len(model(dv.tensor([[1, 2]])).hidden_states)
    2
    """
    found = {name: getattr(model.config, name, None) for name in CALLS}
    if asked := {name: value for name, value in found.items() if isinstance(value, bool)}:
        model.register_forward_pre_hook(partial(_asked, asked), with_kwargs=True)
    return model


def _asked(asked: dict[str, bool], module: Any, args: tuple[Any, ...], given: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    return args, asked | {name: value for name, value in given.items() if value is not None or name not in asked}


class PreTrainedModel(Words):
    """The base of models that are read from and written to folders, with Hugging Face's names of parameters."""

    config_class: ClassVar[type[Config]]
    base_model_prefix: ClassVar[str] = ""  # the attribute that holds the model without its head
    heads: ClassVar[tuple[str, ...]] = ()  # names of heads beside the base model, which one folder has and another has not
    optional: ClassVar[tuple[str, ...]] = ()  # likewise, inside the base model

    def __init__(self, config: Config) -> None:
        super().__init__()
        if not isinstance(config, self.config_class):
            what = f"config is {type(config).__name__}"
            raise TypeMismatch(type(self).__name__, what, f"expected a {self.config_class.__name__}", "use from_pretrained for a folder")
        self.config = config

    @classmethod
    def from_pretrained(cls, folder: str | os.PathLike[str], *, config: Config | None = None, **changes: Any) -> Self:
        """Build a model of the ``config.json`` and the weights in a folder (or of a model on the hub, by its name), in eval mode.

        ``changes`` go before the fields of the file. Others are options as in transformers: ``dtype`` (or ``torch_dtype``) of the
        parameters, float32 unless given, ``"auto"`` for the file's; ``ignore_mismatched_sizes`` leaves a head of another size
        untrained; ``output_hidden_states`` and ``return_dict`` are those of each call that does not say otherwise; ``revision``,
        ``cache_dir``, ``token`` and ``local_files_only`` go to the hub. What only says how to load is ignored.

        Every name must fit. Only a head may be missing, which then is new, or not be wanted; a UserWarning says so.
        Raises a StateDictError (RuntimeError) with the names that do not fit, and what reading raises.
        """
        given = hub_options(changes)
        dtype, any_size = changes.pop("dtype", changes.pop("torch_dtype", None)), changes.pop("ignore_mismatched_sizes", False)
        changes = {name: value for name, value in changes.items() if name not in _IGNORED}
        folder = folder_of(folder, weights=True, **given)
        if config is None:
            path = folder / "generation_config.json"
            config = _ends(cls.config_class.from_pretrained(folder, **changes), read_json(path) if path.is_file() else {})
        token = _loading.set(True)
        try:
            model = cls(config)
        finally:
            _loading.reset(token)
        state = read_weights(folder)
        model.load_pretrained(model._fitting(state) if any_size else state)
        if dtype is not None:
            model.to(_dtype(dtype, state))
        if hasattr(model, "generation_config") and (folder / "config.json").is_file():
            _generation(model, folder)
        return as_asked(model).eval()

    def _fitting(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Without heads whose sizes are others than here."""
        own = self.state_dict()
        other = {self._head(name) for name, t in state.items() if name in own and t.shape != own[name].shape and self._may_miss(name)}
        return {name: t for name, t in state.items() if self._head(name) not in other}

    @property
    def device(self) -> dv.device:
        """Where the parameters are."""
        return next(self.parameters()).device

    @property
    def dtype(self) -> dv.dtype:
        """The type of the parameters."""
        return next(self.parameters()).dtype

    def load_pretrained(self, state: Mapping[str, Tensor]) -> None:
        """Load a state dict by Hugging Face's names of any time, with or without the prefix of the base model.

        Raises a StateDictError (RuntimeError) with the names that do not fit.
        """
        known = set(self.state_dict())
        given = self._placed(self.renamed(dict(state)), known)
        given |= {name: given[source] for name, source in self.tied().items() if name not in given and source in given}
        fresh = [name for name in known - set(given) if self._may_miss(name)]
        whole = {self._head(name) for name in fresh} - {self._head(name) for name in known & set(given)}
        fresh = [name for name in fresh if self._head(name) in whole]  # half a head is a mistake
        spare = [name for name in set(given) - known if self._may_miss(name)]
        for name in {name.rpartition(".")[0] for name in fresh}:
            self.init_weights(self.get_submodule(name))
        own = self.state_dict()
        self.load_state_dict({name: t for name, t in given.items() if name not in spare} | {name: own[name] for name in fresh})
        for names, what in ((fresh, "not in the folder and start untrained"), (spare, "in the folder and have no place in this model")):
            if names:
                warnings.warn(f"{type(self).__name__}: {', '.join(sorted(names))} are {what}", stacklevel=3)

    def post_init(self, *parts: nn.Module) -> None:
        """Give parts, or the whole, initial weights, unless they are about to be read from a file; for the end of a constructor."""
        if not _loading.get():
            for part in parts or (self,):
                part.apply(self.init_weights)

    def init_weights(self, module: nn.Module) -> None:
        """Give one module its initial weights; for subclasses to write."""

    @property
    def base_model(self) -> nn.Module:
        """The model without its head; itself where it has none."""
        return getattr(self, self.base_model_prefix or "_", self)

    def num_parameters(self, only_trainable: bool = False) -> int:
        """How many numbers the model has, or learns; those with two names count once."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad or not only_trainable)

    def renamed(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Bring names of older versions to today's and leave out what is no parameter; for subclasses to write."""
        return state

    def _placed(self, state: dict[str, Tensor], known: Iterable[str]) -> dict[str, Tensor]:
        """Put the prefix of the base model before names, or take it away, as this model has it."""
        prefix = f"{self.base_model_prefix}."
        if any(name.startswith(prefix) for name in known):
            if any(name.startswith(prefix) for name in state):
                return state
            return {name if self._head(name) in self.heads else prefix + name: t for name, t in state.items()}
        return {name.removeprefix(prefix): t for name, t in state.items()}

    def _head(self, name: str) -> str:
        return name.removeprefix(f"{self.base_model_prefix}.").partition(".")[0]

    def _may_miss(self, name: str) -> bool:
        return self._head(name) in self.heads + self.optional

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write ``config.json`` and ``model.safetensors``, which Hugging Face's from_pretrained reads, each whole or not at all."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        tied = self.tied()
        arrays = {name: t.cpu().contiguous().numpy() for name, t in self.state_dict().items() if name not in tied}
        with atomic.replacing(folder / "model.safetensors") as path, open(path, "wb") as file:
            container.write(file, arrays, {"format": "pt"})
        about = {**self.config.to_dict(), "architectures": [type(self).__name__]}
        with atomic.replacing(folder / "config.json") as path:
            path.write_text(json.dumps(about, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        settings = getattr(self, "_generation_config", None)
        if settings is not None and set(settings.to_dict()) - {"eos_token_id", "pad_token_id", "use_cache"}:
            settings.save_pretrained(folder)
