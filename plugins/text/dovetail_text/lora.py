"""Fine-tuning of a few parameters: low-rank adapters (LoRA) on layers chosen by name, and freezing by name."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import dovetail as dv
from dovetail import Tensor, nn
from dovetail.errors import FormatError, ValueRangeError
from dovetail.io import atomic, container
from dovetail.nn import functional as F

from .models.config import read_json
from .models.layers import Conv1D

__all__ = [
    "LoRA", "add_lora", "freeze", "load_lora", "load_lora_state_dict", "lora_state_dict", "merge_lora", "remove_lora", "save_lora",
    "unfreeze", "unmerge_lora",
]  # fmt: skip

_CONFIG, _WEIGHTS, _PREFIX = "adapter_config.json", "adapter_model.safetensors", "base_model.model."


class LoRA(nn.Module):
    """What a layer learns beside its frozen weight: ``dropout(x) Aᵀ Bᵀ · alpha / rank``; ``B`` begins as zeros, to change nothing.

    After Hu et al., LoRA, https://arxiv.org/abs/2106.09685. ``A`` is ``(rank, in)``, ``B`` is ``(out, rank)``.

    >>> LoRA(4, 3, rank=2)(dv.ones(1, 4)).tolist()
    [[0.0, 0.0, 0.0]]
    """

    def __init__(
        self, taken: int, given: int, rank: int = 8, alpha: float = 16.0, dropout: float = 0.0, like: Tensor | None = None
    ) -> None:
        super().__init__()
        if rank < 1:
            raise ValueRangeError("LoRA", f"rank is {rank}", "expected 1 or more")
        kind = {} if like is None else {"dtype": like.dtype, "device": like.device}
        self.A = nn.Parameter(dv.empty(rank, taken, **kind))
        self.B = nn.Parameter(dv.zeros(given, rank, **kind))
        nn.init.kaiming_uniform_(self.A, a=math.sqrt(5))
        self.alpha, self.p, self.merged = alpha, dropout, False

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(F.linear(F.dropout(x, self.p, self.training), self.A), self.B) * (self.alpha / self.A.shape[0])

    def change(self) -> Tensor:
        """What is added to the weight of a linear layer, ``(out, in)``."""
        return self.B @ self.A * (self.alpha / self.A.shape[0])


def _with_adapter(layer: nn.Module, args: tuple[Any, ...], out: Tensor) -> Tensor | None:
    lora = getattr(layer, "lora", None)
    return None if lora is None or lora.merged else out + lora(args[0])


def _adapted(where: str, model: nn.Module, some: bool = True) -> list[tuple[str, nn.Module]]:
    found = [(name, layer) for name, layer in model.named_modules() if isinstance(getattr(layer, "lora", None), LoRA)]
    if some and not found:
        raise ValueRangeError(where, "the model has no adapters", "expected some", "call add_lora first")
    return found


def _matching(where: str, names: Sequence[str], patterns: str | Sequence[str], what: str) -> list[str]:
    """The names that a pattern fits: whole ones with ``*`` and ``?``, or last parts. Every pattern must fit one."""
    chosen = set()
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        fits = [name for name in names if fnmatchcase(name, pattern) or name.endswith(f".{pattern}")]
        if not fits:
            ends = sorted({name.rpartition(".")[2] for name in names})
            raise ValueRangeError(
                where, f"no {what} is named {pattern!r}", f"expected names such as {', '.join(ends[:8])}", "use * for any"
            )
        chosen.update(fits)
    return [name for name in names if name in chosen]


def add_lora(
    model: nn.Module, patterns: str | Sequence[str], rank: int = 8, alpha: float = 16.0, dropout: float = 0.0,
    train: str | Sequence[str] = (),
) -> list[str]:  # fmt: skip
    """Put adapters beside the linear layers whose names fit ``patterns``, and freeze all else, but for parameters that fit ``train``.

    A pattern is the last part of a name, as ``"q_proj"``, or a whole name with ``*``. Returns the names of the layers. Names of the
    model's own parameters stay; those of an adapter are ``layer.lora.A`` and ``layer.lora.B``. Raises a ValueError for a pattern that
    fits nothing and for a layer that has an adapter.

    >>> model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    >>> add_lora(model, "0", rank=2), [name for name, p in model.named_parameters() if p.requires_grad]
    (['0'], ['0.lora.A', '0.lora.B'])
    """
    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, nn.Linear | Conv1D)}
    chosen = _matching("add_lora", list(layers), patterns, "linear layer")
    for name in chosen:
        if hasattr(layers[name], "lora"):
            raise ValueRangeError("add_lora", f"{name} has an adapter already", "expected one", "remove_lora takes it away")
    for p in model.parameters():
        p.requires_grad_(False)
    for name in chosen:
        weight = layers[name].weight
        taken, given = weight.shape if isinstance(layers[name], Conv1D) else weight.shape[::-1]
        layers[name].lora = LoRA(taken, given, rank, alpha, dropout, weight)
        layers[name].lora.train(layers[name].training)
        if not getattr(layers[name], "takes_lora", False):  # a layer keeps the hook when its adapter is taken away
            layers[name].register_forward_hook(_with_adapter)
            layers[name].takes_lora = True
    if train:
        unfreeze(model, train)
    return chosen


def merge_lora(model: nn.Module) -> None:
    """Add what the adapters learned to the weights, so that they cost nothing; :func:`unmerge_lora` takes it out again, to rounding."""
    for _, layer in _adapted("merge_lora", model):
        _shift(layer, True)


def unmerge_lora(model: nn.Module) -> None:
    """Take what :func:`merge_lora` added out of the weights, so that adapters can learn on."""
    for _, layer in _adapted("unmerge_lora", model):
        _shift(layer, False)


def _shift(layer: nn.Module, merged: bool) -> None:
    if layer.lora.merged != merged:
        with dv.no_grad():
            change = layer.lora.change()
            change = change.t() if isinstance(layer, Conv1D) else change
            layer.weight.add_(change, alpha=1 if merged else -1)
        layer.lora.merged = merged


def remove_lora(model: nn.Module) -> nn.Module:
    """Take the adapters away, what is merged stays; return the model, which can be saved as any other."""
    for _, layer in _adapted("remove_lora", model):
        del layer.lora
    return model


def lora_state_dict(model: nn.Module) -> dict[str, Tensor]:
    """The parameters of the adapters alone, by their names in the model."""
    return {
        f"{name}.lora.{part}": getattr(layer.lora, part).detach() for name, layer in _adapted("lora_state_dict", model) for part in "AB"
    }


def load_lora_state_dict(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Put numbers into the adapters of a model. Raises a ValueError for names or shapes that do not fit, and changes nothing then."""
    own = lora_state_dict(model)
    wrong = sorted(set(own) ^ set(state)) or [name for name, t in own.items() if t.shape != state[name].shape]
    if wrong:
        raise ValueRangeError("load_lora_state_dict", f"{', '.join(wrong[:4])} do not fit", "expected the names and shapes of the adapters")
    with dv.no_grad():
        for name, t in own.items():
            t.copy_(state[name])


def save_lora(model: nn.Module, folder: str | os.PathLike[str]) -> None:
    """Write the adapters alone, as the package peft lays them out: ``adapter_config.json`` and ``adapter_model.safetensors``."""
    adapted = _adapted("save_lora", model)
    folder, first = Path(folder), adapted[0][1].lora
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {
        f"{_PREFIX}{name}.lora_{part}.weight": getattr(layer.lora, part).detach().cpu().contiguous().numpy()
        for name, layer in adapted
        for part in "AB"
    }
    with atomic.replacing(folder / _WEIGHTS) as path, open(path, "wb") as file:
        container.write(file, arrays, {"format": "pt"})
    about = {
        "peft_type": "LORA", "r": first.A.shape[0], "lora_alpha": first.alpha, "lora_dropout": first.p, "bias": "none",
        "target_modules": [name for name, _ in adapted], "fan_in_fan_out": isinstance(adapted[0][1], Conv1D),
    }  # fmt: skip
    with atomic.replacing(folder / _CONFIG) as path:
        path.write_text(json.dumps(about, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def load_lora(model: nn.Module, folder: str | os.PathLike[str]) -> list[str]:
    """Read a folder of :func:`save_lora` or of peft; a model without adapters is given them. Returns the names of the layers.

    Raises a FormatError for a folder that is none of LoRA, a ValueError for one that does not fit the model.
    """
    about = read_json(Path(folder) / _CONFIG)
    plain = {"peft_type": ("LORA",), "use_rslora": (False, None), "use_dora": (False, None), "bias": ("none", None)}
    for field, values in plain.items():
        if about.get(field) not in values and field in about | {"peft_type": 0}:
            raise FormatError(Path(folder) / _CONFIG, None, f"{field} is {about.get(field)!r}; expected {values[0]!r}")
    rank, alpha = about.get("r"), about.get("lora_alpha", 8)
    if not isinstance(rank, int) or not isinstance(alpha, int | float):
        raise FormatError(Path(folder) / _CONFIG, None, f"r is {rank!r} and lora_alpha {alpha!r}; expected numbers")
    state = dict(_renamed(dv.load(Path(folder) / _WEIGHTS)))
    if not _adapted("load_lora", model, some=False):
        layers = sorted({name.rpartition(".lora.")[0] for name in state})
        add_lora(model, layers, rank, alpha, float(about.get("lora_dropout") or 0.0))
    load_lora_state_dict(model, state)
    return [name for name, _ in _adapted("load_lora", model)]


def _renamed(state: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    for name, t in state.items():
        name = name.removeprefix(_PREFIX)
        yield name.replace(".lora_A.weight", ".lora.A").replace(".lora_B.weight", ".lora.B"), t


def freeze(model: nn.Module, patterns: str | Sequence[str] = "*") -> list[str]:
    """Let parameters whose names fit ``patterns`` learn nothing; return their names. Raises a ValueError for a pattern that fits none.

    >>> freeze(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), "0.*")
    ['0.weight', '0.bias']
    """
    return _learning("freeze", model, patterns, False)


def unfreeze(model: nn.Module, patterns: str | Sequence[str] = "*") -> list[str]:
    """Let the parameters whose names fit ``patterns`` learn; return their names."""
    return _learning("unfreeze", model, patterns, True)


def _learning(where: str, model: nn.Module, patterns: str | Sequence[str], learns: bool) -> list[str]:
    parameters = dict(model.named_parameters())
    chosen = _matching(where, list(parameters), patterns, "parameter")
    for name in chosen:
        parameters[name].requires_grad_(learns)
    return chosen
