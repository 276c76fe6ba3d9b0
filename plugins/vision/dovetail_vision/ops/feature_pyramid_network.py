"""Feature pyramids: maps of several sizes, each told what the coarser ones see."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from dovetail import Tensor, nn
from dovetail.errors import TypeMismatch, ValueRangeError
from dovetail.nn import functional as F

from .misc import Conv2dNormActivation

__all__ = ["ExtraFPNBlock", "FeaturePyramidNetwork", "LastLevelMaxPool", "LastLevelP6P7"]

Maps = tuple[list[Tensor], list[str]]


class ExtraFPNBlock(nn.Module):
    """What makes further, coarser maps: of the pyramid's maps, the original ones and their names it gives all maps and names."""

    def forward(self, results: list[Tensor], x: list[Tensor], names: list[str]) -> Maps:
        raise NotImplementedError(f"{type(self).__name__} has no forward")


class FeaturePyramidNetwork(nn.Module):
    """Maps by name, from fine to coarse, brought to ``out_channels`` and each added to the ones coarser than it, made larger.

    Source: https://arxiv.org/abs/1612.03144. Raises a ValueError for 0 channels, a TypeError for another kind of ``extra_blocks``.

    >>> from dovetail import zeros
    >>> maps = {"a": zeros(1, 4, 8, 8), "b": zeros(1, 6, 4, 4)}
    >>> [(name, tuple(one.shape)) for name, one in FeaturePyramidNetwork([4, 6], 5, LastLevelMaxPool())(maps).items()]
    [('a', (1, 5, 8, 8)), ('b', (1, 5, 4, 4)), ('pool', (1, 5, 2, 2))]
    """

    _version = 2

    def __init__(
        self,
        in_channels_list: Sequence[int],
        out_channels: int,
        extra_blocks: ExtraFPNBlock | None = None,
        norm_layer: Callable[..., nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.inner_blocks = nn.ModuleList()
        self.layer_blocks = nn.ModuleList()
        for channels in in_channels_list:
            if channels == 0:
                raise ValueRangeError("FeaturePyramidNetwork", "in_channels_list has a 0", "expected positive numbers")
            self.inner_blocks.append(_plain(channels, out_channels, 1, norm_layer))
            self.layer_blocks.append(_plain(out_channels, out_channels, 3, norm_layer))
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                _start(m)
        if extra_blocks is not None and not isinstance(extra_blocks, ExtraFPNBlock):
            raise TypeMismatch("FeaturePyramidNetwork", f"extra_blocks is {type(extra_blocks).__name__}", "expected an ExtraFPNBlock")
        self.extra_blocks = extra_blocks

    def _load_from_state_dict(self, state_dict: Any, prefix: str, local_metadata: Any, *rest: Any) -> None:
        if local_metadata.get("version") is None or local_metadata["version"] < 2:  # files in which the convolutions stand alone
            blocks = [(kind, i) for kind in ("inner_blocks", "layer_blocks") for i in range(len(self.inner_blocks))]
            move_keys(state_dict, prefix, {f"{kind}.{i}": f"{kind}.{i}.0" for kind, i in blocks})
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)

    def get_result_from_inner_blocks(self, x: Tensor, idx: int) -> Tensor:
        """A map brought to ``out_channels`` by the block of its place; places below 0 count from the coarsest."""
        return self.inner_blocks[idx](x)

    def get_result_from_layer_blocks(self, x: Tensor, idx: int) -> Tensor:
        """What the block of a place makes of a map that has seen the coarser ones."""
        return self.layer_blocks[idx](x)

    def forward(self, x: dict[str, Tensor]) -> dict[str, Tensor]:
        names, maps = list(x.keys()), list(x.values())
        last = self.get_result_from_inner_blocks(maps[-1], -1)
        results = [self.get_result_from_layer_blocks(last, -1)]
        for i in range(len(maps) - 2, -1, -1):
            lateral = self.get_result_from_inner_blocks(maps[i], i)
            last = lateral + F.interpolate(last, size=lateral.shape[-2:], mode="nearest")
            results.insert(0, self.get_result_from_layer_blocks(last, i))
        if self.extra_blocks is not None:
            results, names = self.extra_blocks(results, maps, names)
        return OrderedDict(zip(names, results, strict=False))


def _plain(in_channels: int, out_channels: int, size: int, norm_layer: Callable[..., nn.Module] | None) -> nn.Module:
    return Conv2dNormActivation(in_channels, out_channels, size, norm_layer=norm_layer, activation_layer=None)


def _start(conv: nn.Conv2d) -> None:
    nn.init.kaiming_uniform_(conv.weight, a=1)
    if conv.bias is not None:
        nn.init.constant_(conv.bias, 0)


def move_keys(state_dict: Any, prefix: str, names: dict[str, str]) -> None:
    """Give the weight and bias of modules in an older state_dict the names that they have now."""
    for old, new in names.items():
        for kind in ("weight", "bias"):
            if f"{prefix}{old}.{kind}" in state_dict:
                state_dict[f"{prefix}{new}.{kind}"] = state_dict.pop(f"{prefix}{old}.{kind}")


class LastLevelMaxPool(ExtraFPNBlock):
    """One more map, "pool": every second cell of the coarsest.

    >>> from dovetail import zeros
    >>> LastLevelMaxPool()([zeros(1, 2, 4, 4)], [], ["0"])[1]
    ['0', 'pool']
    """

    def forward(self, x: list[Tensor], y: list[Tensor], names: list[str]) -> Maps:
        return [*x, F.max_pool2d(x[-1], 1, 2)], [*names, "pool"]


class LastLevelP6P7(ExtraFPNBlock):
    """Two more maps, "p6" and "p7", by convolutions of stride 2: those of RetinaNet.

    >>> from dovetail import zeros
    >>> maps, names = LastLevelP6P7(2, 2)([zeros(1, 2, 8, 8)], [zeros(1, 2, 8, 8)], ["0"])
    >>> names, tuple(maps[-1].shape)
    (['0', 'p6', 'p7'], (1, 2, 2, 2))
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.p6 = nn.Conv2d(in_channels, out_channels, 3, 2, 1)
        self.p7 = nn.Conv2d(out_channels, out_channels, 3, 2, 1)
        for conv in (self.p6, self.p7):
            _start(conv)
        self.use_P5 = in_channels == out_channels

    def forward(self, p: list[Tensor], c: list[Tensor], names: list[str]) -> Maps:
        p6 = self.p6(p[-1] if self.use_P5 else c[-1])
        return [*p, p6, self.p7(F.relu(p6))], [*names, "p6", "p7"]
