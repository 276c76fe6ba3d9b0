"""DistributedDataParallel: every rank has the model and its own part of each batch; the gradients that they step by are one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

import dovetail as dv
from dovetail.errors import GradError, UnsupportedError, ValueRangeError

from .buffers import array, put, restore, words
from .buffers import row as row_of
from .collectives import all_reduce
from .errors import DistError
from .group import is_initialized, member
from .join import Join, Joinable, JoinHook
from .links import backend, link
from .objects import gathered
from .reducer import Reducer
from .work import Work

__all__ = ["DistributedDataParallel"]

_MB = 1 << 20


class DistributedDataParallel(dv.nn.Module, Joinable):
    """Hold a module as ``.module``, and average the gradients of every backward pass over the ranks of a group.

    Rank 0's parameters and buffers are given to all when it is made, and the buffers again before each forward; without
    ``broadcast_buffers`` buffers are each rank's own, and with ``forward_sync_buffers=False`` they are given once.
    Gradients are collected in buckets of ``bucket_cap_mb`` megabytes (at most 25, and a sixth of the model), the last layers first, and
    each is reduced as soon as it is full, while backward computes those of the layers before. ``find_unused_parameters`` looks, after
    each forward, for parameters that the output does not depend on; without it such a parameter is an error of the next forward, which
    names it. ``gradient_as_bucket_view`` saves the memory of one copy. State dicts have the prefix ``module.``. The mean weighs every rank
    alike: where the ranks' batches are not of one size, scale the losses, as ``loss.sum() * world_size / samples_of_all``.

    Raises a ValueError without a process group, and for ``device_ids`` of a module on the CPU; a DistError (RuntimeError) where the ranks'
    models differ, which names the first parameter; a RuntimeError for a module without parameters to train. Li and others, 2020
    (arXiv:2006.15704).

    >>> from dovetail import distributed
    >>> distributed.init_process_group("gloo", rank=0, world_size=1)
    >>> list(DistributedDataParallel(dv.nn.Linear(2, 1)).state_dict())
    ['module.weight', 'module.bias']
    >>> distributed.destroy_process_group()
    """

    def __init__(
        self, module: dv.nn.Module, device_ids: Any = None, output_device: Any = None, dim: int = 0, broadcast_buffers: bool | None = None,
        init_sync: bool = True, process_group: Any = None, bucket_cap_mb: float | None = None, find_unused_parameters: bool = False,
        check_reduction: bool = False, gradient_as_bucket_view: bool = False, static_graph: bool = False,
        forward_sync_buffers: bool | None = None, batched_grad_copy: bool = False, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        where = "DistributedDataParallel"
        if process_group is None and not is_initialized():
            what = "Default process group has not been initialized"
            raise ValueRangeError(where, what, "it needs dovetail.distributed.init_process_group", "one process trains the module as it is")
        if other := {name: value for name, value in options.items() if value}:
            raise UnsupportedError(where, f"{', '.join(other)}: not there", "expected no such option")
        if not any(p.requires_grad for p in module.parameters()):
            raise GradError(
                where, "DistributedDataParallel is not needed when a module doesn't have any parameter that requires a gradient."
            )
        _refuse_devices(where, module, device_ids, output_device)
        self.module, self.process_group = module, member(process_group)
        self.device_ids, self.output_device = device_ids or None, output_device if device_ids else None
        self.dim, self.static_graph, self.find_unused_parameters = dim, static_graph, find_unused_parameters
        self.broadcast_buffers = broadcast_buffers is not False if forward_sync_buffers is None else forward_sync_buffers
        self.forward_sync_buffers = self.broadcast_buffers
        self.gradient_as_bucket_view, self.require_backward_grad_sync, self._divides_by_all = gradient_as_bucket_view, True, True
        self.bucket_bytes_cap = int((bucket_cap_mb or 25) * _MB)
        self._collect()
        if init_sync:
            self._check_models()
            ignored = self._ignored()
            given = self.broadcast_buffers or forward_sync_buffers is not None
            shared = [b for _, b in self._buffers_shared] if given else []
            self._broadcast([p for name, p in module.named_parameters() if name not in ignored] + shared)
        if bucket_cap_mb is None:  # several buckets also of a small model: one travels while the next is filled
            size = sum(p.numel() * p.element_size() for _, p in self._named)
            self.bucket_bytes_cap = min(self.bucket_bytes_cap, max(_MB, size // 6))
        if self.process_group.watch is not None:
            self._begin()

    def _ignored(self) -> set[str]:
        return set(getattr(self.module, "_ddp_params_and_buffers_to_ignore", ()))

    def _collect(self) -> None:
        """Note the parameters whose gradients are averaged, and the buffers."""
        ignored = self._ignored()
        self._named = [(name, p) for name, p in self.module.named_parameters() if p.requires_grad and name not in ignored]
        self._buffers_shared = [(name, b) for name, b in self.module.named_buffers() if name not in ignored]
        self.reducer: Reducer | None = None

    def _begin(self) -> None:
        """Make the buckets; all members come here together."""
        cap, unused = self.bucket_bytes_cap, self.find_unused_parameters or self.static_graph
        self.reducer = Reducer(self._named, self.process_group, min(_MB, cap), cap, self.gradient_as_bucket_view, unused)

    def __getstate__(self) -> dict[str, Any]:
        """What a copy is made of: all but what belongs to the processes."""
        ours = ("process_group", "reducer", "_named", "_buffers_shared")
        return {name: value for name, value in self.__dict__.items() if name not in ours}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A copy averages in the world's group, as PyTorch's; its buckets are made by its first forward pass, to which all ranks come."""
        super().__setstate__(state)
        self.process_group = member()
        self._collect()

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        syncs = dv.is_grad_enabled() and self.require_backward_grad_sync and self.process_group.watch is not None
        root = self._joined(syncs) if self._join_config[0] and dv.is_grad_enabled() else 0
        if syncs:
            if self.reducer is None:
                self._begin()
            self.reducer.check()  # type: ignore[union-attr]
        if self.broadcast_buffers and self.require_backward_grad_sync and self._buffers_shared:
            self._broadcast([b for _, b in self._buffers_shared], root)
        output = self.module(*inputs, **kwargs)
        if syncs:
            self.reducer.prepare(output)  # type: ignore[union-attr]
        elif self.reducer is not None and dv.is_grad_enabled():
            self.reducer.expects = False
        return output

    @contextlib.contextmanager
    def no_sync(self) -> Iterator[None]:
        """In this block gradients add up on each rank; the first backward of a forward after it reduces their sum."""
        before, self.require_backward_grad_sync = self.require_backward_grad_sync, False
        try:
            yield
        finally:
            self.require_backward_grad_sync = before

    def join(self, divide_by_initial_world_size: bool = True, enable: bool = True, throw_on_early_termination: bool = False) -> Join:
        """A block in which ranks may have other numbers of batches; see `distributed.algorithms.join.Join`.

        A rank without batches gives gradients of zero. The sum of all is divided by the number of ranks, or without
        ``divide_by_initial_world_size`` by the number of those that had a batch. At the end all have the model of one that had the most.
        """
        options = {"divide_by_initial_world_size": divide_by_initial_world_size}
        return Join([self], enable, throw_on_early_termination, **options)

    def join_hook(self, **kwargs: Any) -> JoinHook:
        """What a rank without batches does; ``divide_by_initial_world_size`` is as in `join`."""
        self._divides_by_all = kwargs.get("divide_by_initial_world_size", True)
        return _Hook(self)

    @property
    def join_device(self) -> Any:
        """Where the parameters are."""
        return self._named[0][1].device

    @property
    def join_process_group(self) -> Any:
        """The group over which gradients are averaged."""
        return self.process_group

    def _joined(self, syncs: bool, here: bool = True) -> int:
        """In a `join` block: tell, and hear, whether this pass reduces gradients; the last rank with a batch, or -1 for no reduction."""
        size = self.process_group.size()
        if here and (work := Join.notify_join_context(self)) is not None:
            work.wait()
        counted = dv.zeros(size + 1, device=self.join_device)
        if here:
            counted[self.process_group.rank()] = 1
            counted[size] = float(syncs)
        all_reduce(counted, group=self.process_group)
        if self.reducer is None and counted[size] and self.process_group.watch is not None:
            self._begin()
        present = counted[:size].tolist()
        if self.reducer is not None:
            self.reducer.share = 1 / (size if self._divides_by_all else sum(present))
        return max(rank for rank, one in enumerate(present) if one) if counted[size] or here else -1

    def register_comm_hook(self, state: Any, hook: Any) -> None:
        """Always an UnsupportedError (NotImplementedError): the mean of all ranks' gradients is what there is."""
        where = "DistributedDataParallel.register_comm_hook"
        raise UnsupportedError(where, "there are no communication hooks", "", "change .grad between backward() and step()")

    def _check_models(self) -> None:
        """All ranks have the same tensors, or an error on all of them says which is the first that differs."""
        if self.process_group.watch is None:
            return
        where, group = "DistributedDataParallel", self.process_group
        mine = [
            [n, f"{t.dtype}{' by NCCL' * (backend(group, where, t) == 'nccl')}", list(t.shape), t.requires_grad]
            for n, t in (*self.module.named_parameters(), *self.module.named_buffers())
        ]
        everyone = gathered("DistributedDataParallel", mine, self.process_group)
        for rank, other in enumerate(everyone):
            for place in range(max(len(other), len(everyone[0]))):
                a, b = (_shown(rows[place]) if place < len(rows) else "no more tensors" for rows in (everyone[0], other))
                if a != b:
                    ranks = self.process_group.ranks
                    what = f"the models differ: rank {ranks[0]} has {a} where rank {ranks[rank]} has {b}"
                    raise DistError("DistributedDataParallel", what, "expected the same parameters and buffers in the same order")

    def _broadcast(self, tensors: list[dv.Tensor], root: int = 0) -> None:
        """Give one rank's tensors to all, those of one type in one go."""
        group = self.process_group
        if group.watch is None:
            return
        for dtype, device in dict.fromkeys((t.dtype, t.device) for t in tensors):
            part = [t for t in tensors if (t.dtype, t.device) == (dtype, device)]
            where = "DistributedDataParallel"
            way, what = link(group, where, f"{where}(broadcast of {len(part)} tensors)", part[0])
            if way is not None:
                whole = row_of(part)
                Work(group, what, lambda way=way, whole=whole: [way.broadcast(whole, root)]).wait()
                for tensor, values in zip(part, whole.split([t.numel() for t in part]), strict=True) if group.rank() != root else ():
                    restore(tensor, values)
                continue
            arrays = [array(t) for t in part]
            row = np.concatenate([a.reshape(-1) for a in arrays])
            Work(group, what, lambda row=row: [group.comm.Ibcast(words(row), root)], moving=row.nbytes > _MB).wait()
            if group.rank() != root:
                for tensor, values in zip(part, np.split(row, np.cumsum([a.size for a in arrays])[:-1]), strict=True):
                    put(tensor, values)


class _Hook(JoinHook):
    """What a rank that has no batches left does for a model."""

    def __init__(self, model: DistributedDataParallel) -> None:
        self.model = model

    def main_hook(self) -> None:
        """The collectives of one batch of the others."""
        model, root = self.model, self.model._joined(False, here=False)
        if root >= 0:
            if model.broadcast_buffers and model._buffers_shared:
                model._broadcast([b for _, b in model._buffers_shared], root)
            if model.reducer is not None:
                model.reducer.shadow()

    def post_hook(self, is_last_joiner: bool) -> None:
        """All have the model of the last of the ranks that had the most batches, as in PyTorch."""
        model = self.model
        last = dv.zeros(model.process_group.size(), device=model.join_device)
        last[model.process_group.rank()] = float(is_last_joiner)
        all_reduce(last, group=model.process_group)
        model._broadcast([t for _, t in (*model._named, *model._buffers_shared)], int(last.nonzero().max()))
        if model.reducer is not None:
            model.reducer.share = 1 / model.process_group.size()


def _refuse_devices(where: str, module: dv.nn.Module, device_ids: Any, output_device: Any) -> None:
    """Numbers of GPUs are for a module that is on one."""
    devices = {p.device for p in module.parameters()}
    if (device_ids or output_device) and {d.type for d in devices} == {"cpu"}:
        what = f"device_ids are {device_ids} and output_device is {output_device}, and the module's parameters are on the CPU"
        raise ValueRangeError(where, what, "expected none of both", "move the module to its GPU first, or leave them out")


def _shown(row: list[Any]) -> str:
    return f"{row[0]} {tuple(row[2])} of {row[1]}{'' if row[3] else ', frozen'}"
