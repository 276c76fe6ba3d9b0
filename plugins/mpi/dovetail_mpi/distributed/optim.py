"""ZeroRedundancyOptimizer: each rank keeps the state of, and steps, its own share of the parameters: ``dovetail.distributed.optim``."""

from __future__ import annotations

from typing import Any

import numpy as np

import dovetail as dv
from dovetail.errors import GradError, TypeMismatch, UnsupportedError, ValueRangeError

from ..buffers import array, put, restore, row, words
from ..group import member
from ..join import Join, Joinable, JoinHook
from ..links import link
from ..objects import gathered
from ..work import Work

__all__ = ["ZeroRedundancyOptimizer"]


class _Hook(JoinHook):
    """What a rank that has no batches left does: it steps its share by the gradients that its model has got from the others."""

    def __init__(self, optimizer: ZeroRedundancyOptimizer) -> None:
        self.optimizer = optimizer

    def main_hook(self) -> None:
        """One step of the others."""
        self.optimizer._step(None)


class ZeroRedundancyOptimizer(dv.optim.Optimizer, Joinable):
    """An optimizer whose state is divided among the ranks: each steps its own share of the parameters and sends it to the others.

    The shares are of about the same number of elements, the largest parameters dealt first. The numbers are those of ``optimizer_class``
    alone, bit for bit. `consolidate_state_dict` gathers the state at one rank, whose `state_dict` is then that of the plain optimizer;
    `load_state_dict` takes it on any number of ranks. `Join` takes it after its model, whose gradients have to be views of the buckets:
    ``Join([DistributedDataParallel(…, gradient_as_bucket_view=True), optimizer])``.
    Rajbhandari and others, 2020 (arXiv:1910.02054), stage 1.

    Raises a TypeError for parameters that are no tensors; a RuntimeError for `state_dict` before it was gathered.

    >>> from dovetail import distributed
    >>> distributed.init_process_group("gloo", rank=0, world_size=1)
    >>> w = dv.nn.Parameter(dv.ones(1))
    >>> optimizer = ZeroRedundancyOptimizer([w], dv.optim.SGD, lr=0.5)
    >>> w.sum().backward(); optimizer.step(); w.detach()
    tensor([0.5000])
    >>> distributed.destroy_process_group()
    """

    def __init__(
        self, params: Any, optimizer_class: type[dv.optim.Optimizer], process_group: Any = None, parameters_as_bucket_view: bool = False,
        overlap_with_ddp: bool = False, **defaults: Any,
    ) -> None:  # fmt: skip
        if overlap_with_ddp:
            raise UnsupportedError("ZeroRedundancyOptimizer", "overlap_with_ddp is not there", "expected False")
        params = list(params)
        if not all(isinstance(p, dv.Tensor | dict) for p in params):
            kinds = {type(p).__name__ for p in params}
            raise TypeMismatch(
                "ZeroRedundancyOptimizer", f"params holds {', '.join(sorted(kinds))}", "expected tensors, or dicts of groups"
            )
        self.process_group, self._class, self._defaults = member(process_group), optimizer_class, defaults
        self._gathered: dict[str, Any] | None = None
        self.optim: Any = None
        super().__init__(params, optimizer_class([dv.nn.Parameter(dv.zeros(1))], **defaults).defaults)
        self._deal()

    def _deal(self) -> None:
        """Give every parameter an owner, and make the optimizer of those that are this rank's."""
        sizes = [0] * self.process_group.size()
        every = [p for group in self.param_groups for p in group["params"]]
        self._owner: dict[int, int] = {}
        for parameter in sorted(every, key=lambda p: -p.numel()):
            owner = sizes.index(min(sizes))
            self._owner[id(parameter)] = owner
            sizes[owner] += parameter.numel()
        rank = self.process_group.rank()
        mine = [[p for p in group["params"] if self._owner[id(p)] == rank] for group in self.param_groups]
        groups = [{**group, "params": own} for group, own in zip(self.param_groups, mine, strict=True)]
        before = {} if self.optim is None else self.optim.state
        self.optim = self._class([*groups] if any(mine) else [{**groups[0], "params": [dv.nn.Parameter(dv.zeros(0))]}], **self._defaults)
        self.optim.state.update({p: before[p] for own in mine for p in own if p in before})
        self._empty = not any(mine)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with options of their own; all owners are dealt anew, and the state so far stays where its owner does."""
        super().add_param_group(param_group)
        if self.optim is not None:
            if self.optim.state:
                raise GradError("ZeroRedundancyOptimizer.add_param_group", "it has stepped already", "expected groups to be added before")
            self._deal()

    def step(self, closure: Any = None, **options: Any) -> Any:
        """Step this rank's share, and exchange the shares."""
        Join.notify_join_context(self)
        return self._step(closure, **options)

    def join_hook(self, **kwargs: Any) -> JoinHook:
        """What a rank without batches does: it goes on stepping its share."""
        return _Hook(self)

    @property
    def join_device(self) -> Any:
        """Where the parameters are."""
        return self.param_groups[0]["params"][0].device

    @property
    def join_process_group(self) -> Any:
        """The group that shares the state."""
        return self.process_group

    def _step(self, closure: Any, **options: Any) -> Any:
        if not self._empty:
            for group, own in zip(self.param_groups, self.optim.param_groups, strict=True):
                own.update({name: value for name, value in group.items() if name != "params"})  # what a scheduler has set
        loss = self.optim.step(**options) if closure is None else self.optim.step(closure, **options)
        self._gathered = None
        self._exchange()
        return loss

    def _exchange(self) -> None:
        group = self.process_group
        if group.watch is None:
            return
        every = [p for one in self.param_groups for p in one["params"]]
        for dtype in dict.fromkeys(p.dtype for p in every):
            shares = [[p for p in every if p.dtype == dtype and self._owner[id(p)] == r] for r in range(group.size())]
            first = next(p for p in every if p.dtype == dtype)
            way, what = link(group, "ZeroRedundancyOptimizer", "ZeroRedundancyOptimizer(parameters)", first)
            if way is not None:
                self._spread(way, what, [share for share in shares if share])
                continue
            own = [array(p).reshape(-1) for p in shares[group.rank()]]
            empty = np.empty(0, array(dv.zeros(0, dtype=dtype)).dtype)
            mine = words(np.concatenate([empty, *own]))
            sizes = [sum(p.numel() * p.element_size() for p in share) // mine.itemsize for share in shares]
            whole = np.empty(sum(sizes), mine.dtype)

            def start(mine: Any = mine, whole: Any = whole, sizes: Any = sizes) -> list[Any]:
                return [group.comm.Iallgatherv(mine, [whole, sizes])]

            Work(group, what, start, checked=False).wait()
            for rank, part in enumerate(np.split(whole, np.cumsum(sizes)[:-1])):
                if rank != group.rank():
                    values = part.view(empty.dtype)
                    ends = np.cumsum([p.numel() for p in shares[rank]])[:-1]
                    for parameter, piece in zip(shares[rank], np.split(values, ends), strict=True) if shares[rank] else ():
                        put(parameter, piece)

    def _spread(self, way: Any, what: str, shares: list[list[dv.Tensor]]) -> None:
        """Give all each owner's parameters, on their GPU."""
        rows, owners = [row(share) for share in shares], [self._owner[id(share[0])] for share in shares]
        Work(self.process_group, what, lambda: [way.spread(rows, owners)], checked=False).wait()
        others = [pair for pair, owner in zip(zip(shares, rows, strict=True), owners, strict=True) if owner != self.process_group.rank()]
        for share, values in others:
            for parameter, piece in zip(share, values.split([p.numel() for p in share]), strict=True):
                restore(parameter, piece)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if set_to_none:
                    parameter.grad = None
                elif parameter.grad is not None:
                    parameter.grad.zero_()

    def _local(self) -> dict[int, Any]:
        """The state of this rank's parameters, by their places among all."""
        place = {id(p): i for i, p in enumerate(p for group in self.param_groups for p in group["params"])}
        return {place[id(p)]: dict(slots) for p, slots in self.optim.state.items() if id(p) in place}

    def consolidate_state_dict(self, to: int = 0) -> None:
        """Gather the state of all ranks at one; every rank calls it. Raises a ValueError for a rank that is not there."""
        if not 0 <= to < self.process_group.size():
            raise ValueRangeError("consolidate_state_dict", f"to is {to}", f"expected 0 to {self.process_group.size() - 1}")
        parts = gathered("consolidate_state_dict", {str(place): slots for place, slots in self._local().items()}, self.process_group)
        if self.process_group.rank() == to:
            self._gathered = {str(place): slots for part in parts for place, slots in part.items()}

    def state_dict(self) -> dict[str, Any]:
        """The state dict of the plain optimizer. Raises a RuntimeError at a rank that has not gathered it since the last step."""
        if self._gathered is None and self.process_group.size() > 1:
            what = f"Optimizer state has not been consolidated on rank {self.process_group.rank()}"
            raise GradError("ZeroRedundancyOptimizer.state_dict", what, "", "call consolidate_state_dict(to=rank) on every rank first")
        state = {int(k): v for k, v in self._gathered.items()} if self._gathered is not None else self._local()
        at, groups = 0, []
        for group in self.param_groups:
            places = list(range(at, at := at + len(group["params"])))
            groups.append({**{k: v for k, v in group.items() if k != "params"}, "params": places})
        return {"state": dict(sorted(state.items())), "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take from a plain optimizer's state dict what is of this rank's parameters."""
        every = [p for group in self.param_groups for p in group["params"]]
        count = sum(len(group["params"]) for group in state_dict["param_groups"])
        if count != len(every) or len(state_dict["param_groups"]) != len(self.param_groups):
            raise ValueRangeError(
                "ZeroRedundancyOptimizer.load_state_dict", f"the state is of {count} parameters", f"expected {len(every)}"
            )
        for group, given in zip(self.param_groups, state_dict["param_groups"], strict=True):
            group.update({name: value for name, value in given.items() if name != "params"})
        rank = self.process_group.rank()
        place = {id(p): i for i, p in enumerate(every)}
        local: dict[str, Any] = {"state": {}, "param_groups": []}
        at = 0
        for group, own in zip(self.param_groups, self.optim.param_groups, strict=False):
            members = [p for p in group["params"] if self._owner[id(p)] == rank]
            for i, p in enumerate(members):
                if place[id(p)] in state_dict["state"]:
                    local["state"][at + i] = state_dict["state"][place[id(p)]]
            count = len(own["params"])
            local["param_groups"].append({**{k: v for k, v in group.items() if k != "params"}, "params": list(range(at, at + count))})
            at += count
        self.optim.load_state_dict(local)
        self._gathered = None

    def share(self) -> dict[int, Any]:
        """The state that this rank keeps, by the places of its parameters among all."""
        return self._local()

    def places(self) -> list[int]:
        """The places among all of the parameters whose state this rank keeps: what of a checkpoint it needs."""
        every = [p for group in self.param_groups for p in group["params"]]
        return [place for place, p in enumerate(every) if self._owner[id(p)] == self.process_group.rank()]
