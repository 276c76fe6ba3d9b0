"""Rotary position embeddings (Su et al., 2021), with the ways to stretch them that Llama's configurations name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import dovetail as dv
from dovetail import Tensor, nn
from dovetail.errors import UnsupportedError, ValueRangeError

__all__ = ["Rotary", "rotated"]

_KINDS = ("default", "linear", "llama3", "yarn")


def rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn ``x`` ``(N, heads, L, E)`` by angles ``(N, 1, L, E)``: the first half of the last dimension with the second.

    >>> rotated(dv.tensor([1.0, 0.0]), dv.tensor([0.0, 0.0]), dv.tensor([1.0, 1.0]))
    tensor([0., 1.])
    """
    half = x.shape[-1] // 2
    return x * cos + dv.cat([-x[..., half:], x[..., :half]], -1) * sin


class Rotary(nn.Module):
    """The angles of positions, for heads of ``size``: cosines and sines ``(N, 1, L, size)``.

    ``parameters`` are Hugging Face's ``rope_parameters``: ``rope_theta`` and ``rope_type``, one of default, linear, llama3 and yarn, with
    the fields of each. Raises an UnsupportedError for another type, a ValueError for a field that is missing.

    >>> cos, sin = Rotary(4, {"rope_theta": 10000.0}, 16)(dv.tensor([[0, 1]]), dv.float32)
    >>> cos.shape, sin[0, 0, 0]
    (dovetail.Size([1, 1, 2, 4]), tensor([0., 0., 0., 0.]))
    """

    def __init__(self, size: int, parameters: Mapping[str, Any], longest: int) -> None:
        super().__init__()
        kind = parameters.get("rope_type", parameters.get("type", "default"))
        if kind not in _KINDS or parameters.get("partial_rotary_factor", 1.0) != 1.0:
            what = f"rope_type is {kind!r}" if kind not in _KINDS else "partial_rotary_factor is not 1"
            raise UnsupportedError("Rotary", what, f"expected one of {', '.join(_KINDS)}, of whole heads")
        given = {"original_max_position_embeddings": longest, **{k: v for k, v in parameters.items() if v is not None}}
        try:
            frequencies, self.scaling = _frequencies(kind, size, given, longest)
        except KeyError as error:
            raise ValueRangeError("Rotary", f"{error.args[0]} is missing of rope_type {kind!r}", "expected it in rope_parameters") from None
        self.register_buffer("inv_freq", frequencies, persistent=False)

    def forward(self, position_ids: Tensor, dtype: Any) -> tuple[Tensor, Tensor]:
        """Angles are computed in float32, whatever the model computes in, as Hugging Face's are."""
        angles = position_ids[:, None, :, None].to(dv.float32) * self.inv_freq.to(dv.float32)
        angles = dv.cat([angles, angles], -1)
        return (angles.cos() * self.scaling).to(dtype), (angles.sin() * self.scaling).to(dtype)


def _frequencies(kind: str, size: int, given: Mapping[str, Any], longest: int) -> tuple[Tensor, float]:
    """One frequency for each pair of dimensions, and what cosines and sines are multiplied with."""
    powers = float(given["rope_theta"]) ** (dv.arange(0, size, 2, dtype=dv.float32) / size)
    frequencies = 1.0 / powers
    if kind == "linear":
        return frequencies / given["factor"], 1.0
    if kind == "llama3":
        return _llama3(frequencies, given), 1.0
    if kind == "yarn":
        return _yarn(powers, size, given, longest)
    return frequencies, 1.0


def _llama3(frequencies: Tensor, given: Mapping[str, Any]) -> Tensor:
    """Llama 3.1's: long waves are stretched by the factor, short ones stay, those between pass over smoothly."""
    low, high, factor = given["low_freq_factor"], given["high_freq_factor"], given["factor"]
    turns = given["original_max_position_embeddings"] * frequencies / (2 * math.pi)
    share = ((turns - low) / (high - low)).clamp(0, 1)
    return (1 - share) * frequencies / factor + share * frequencies


def _yarn(powers: Tensor, size: int, given: Mapping[str, Any], longest: int) -> tuple[Tensor, float]:
    """YaRN (Peng et al., 2023): stretched where a wave makes few turns in the original length, kept where it makes many."""
    original, base = given["original_max_position_embeddings"], given["rope_theta"]
    factor = given.get("factor", longest / original)

    def place(turns: float) -> float:
        return size * math.log(original / (turns * 2 * math.pi)) / (2 * math.log(base))

    def loudness(by: float = 1.0) -> float:
        return 1.0 if factor <= 1 else 0.1 * by * math.log(factor) + 1.0

    low, high = place(given.get("beta_fast") or 32), place(given.get("beta_slow") or 1)
    if given.get("truncate", True):
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, size - 1)
    ramp = ((dv.arange(size // 2, dtype=dv.float32) - low) / (high - low or 0.001)).clamp(0, 1)
    both = given.get("mscale") and given.get("mscale_all_dim")
    scaling = given.get("attention_factor") or (loudness(given["mscale"]) / loudness(given["mscale_all_dim"]) if both else loudness())
    return ramp / (factor * powers) + (1 - ramp) / powers, scaling
