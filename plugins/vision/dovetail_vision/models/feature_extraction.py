"""Results on the way through a model, by the names of its modules and ops: torchvision's ``feature_extraction``.

torchvision rewrites a model's program; here the model itself runs, what it calls is watched, and it ends with the last result asked for.
"""

from __future__ import annotations

import copy
import inspect
import re
import warnings
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import dovetail
from dovetail import Tensor, nn
from dovetail.autograd.modes import observing
from dovetail.errors import UnsupportedError, ValueRangeError
from dovetail.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from dovetail.random import fork_rng

from .. import ops as layers

__all__ = ["create_feature_extractor", "get_graph_node_names"]

_SIZES = (224, 64, 32, 299)  # of images to try a model with
_WHOLE = tuple(value for value in vars(layers).values() if isinstance(value, type) and issubclass(value, nn.Module))


class _Enough(Exception):
    """All that was asked for is there."""


def _is_leaf(module: nn.Module, more: tuple[type, ...] = ()) -> bool:
    """Whether nothing inside a module has a name: the layers of `nn`, and those of this plugin's `ops`."""
    kind = type(module)
    return isinstance(module, _WHOLE + more) or (kind.__module__.startswith("dovetail.nn") and kind is not nn.Sequential)


@contextmanager
def _watched(model: nn.Module, node: Callable[[str, Any], None], leaves: tuple[type, ...] = (), with_ops: bool = True) -> Iterator[None]:
    """Call ``node(name, value)`` for what each leaf and each op outside of leaves gives, and for what other modules return."""
    paths = {id(module): path for path, module in model.named_modules()}
    inside: list[str] = [""] if isinstance(model, _Extractor) else []  # an extractor is watched from within its own call
    leaf: list[int] = []  # the leaf that runs: nothing in it is named
    seen: Counter[str] = Counter()

    def numbered(name: str) -> str:
        seen[name] += 1
        return name if seen[name] == 1 else f"{name}_{seen[name] - 1}"

    def before(module: nn.Module, _: Any) -> None:
        if leaf or id(module) not in paths:
            return
        if module is not model and _is_leaf(module, leaves):
            leaf.append(id(module))
        else:
            inside.append(paths[id(module)])

    def after(module: nn.Module, _: Any, out: Any) -> None:
        if leaf and leaf[0] == id(module):
            leaf.clear()
            node(numbered(paths[id(module)]), out)
        elif not leaf and id(module) in paths and inside:
            node(f"{inside.pop()}.", out)  # a whole part of the model

    def op(record: Any, args: Any, run: Callable[[], Any]) -> Any:
        out = run()
        if not leaf and inside and isinstance(out, Tensor):
            name = record.name.rpartition(".")[2].strip("_")
            if name == "reshape" and out.ndim == 2 < args[0].ndim:
                name = "flatten"
            node(numbered(f"{inside[-1]}.{name}" if inside[-1] else name), out)
        return out

    handles = [register_module_forward_pre_hook(before), register_module_forward_hook(after)]
    try:
        if with_ops:
            with observing(op):
                yield
        else:
            yield
    finally:
        for handle in handles:
            handle.remove()


def _tries(model: nn.Module) -> Iterator[Tensor]:
    """What the first layer with weights takes, in their type: rows of features, or images of the usual sizes."""
    first = next((part for part in model.modules() if isinstance(part, (nn.Conv2d, nn.Linear))), None)
    how = {} if first is None else {"dtype": first.weight.dtype, "device": first.weight.device}
    if isinstance(first, nn.Linear):
        yield dovetail.zeros(2, first.in_features, **how)
    own, channels = getattr(model, "image_size", None), first.in_channels if isinstance(first, nn.Conv2d) else 3
    for size in (own,) if isinstance(own, int) else _SIZES:
        yield dovetail.zeros(2, channels, size, size, **how)


def _inputs(model: nn.Module, given: Any, leaves: tuple[type, ...]) -> tuple[Any, ...]:
    """Arguments to try a model with: those given, or what its first layer is for."""
    if given is not None:
        return given if isinstance(given, tuple) else (given,)
    for one in _tries(model):
        try:
            _names(model, (one,), leaves)
        except (RuntimeError, ValueError, TypeError, AssertionError):
            continue
        return (one,)
    raise UnsupportedError(
        "feature_extraction", f"{type(model).__name__} does not take images (N, 3, H, W)", "expected a model that does", "give inputs="
    )


def _names(model: nn.Module, inputs: tuple[Any, ...], leaves: tuple[type, ...]) -> list[str]:
    """The names of the nodes in the order of a run, which leaves buffers and random numbers as they were."""
    kept = {name: buffer.clone() for name, buffer in model.named_buffers()}
    found = list(inspect.signature(model.forward).parameters)[: len(inputs)]
    try:
        with fork_rng(), dovetail.no_grad(), _watched(model, lambda name, _: found.append(name), leaves):
            model(*inputs)
    finally:
        for name, buffer in model.named_buffers():
            buffer.data.copy_(kept[name])
    return found


def _both(model: nn.Module, inputs: Any, leaves: tuple[type, ...]) -> dict[str, list[str]]:
    """The nodes of a run while training, and of one in evaluation."""
    training = model.training
    try:
        inputs = _inputs(model.eval(), inputs, leaves)
        return {mode: _names(model.train(mode == "train"), inputs, leaves) for mode in ("train", "eval")}
    finally:
        model.train(training)


def _leaves(tracer_kwargs: Mapping[str, Any] | None, concrete_args: Any) -> tuple[type, ...]:
    if concrete_args is not None:
        what = f"concrete_args is {concrete_args!r}"
        raise UnsupportedError("feature_extraction", what, "expected None", "nothing is traced symbolically; give inputs=")
    more = dict(tracer_kwargs or {})
    leaves = tuple(more.pop("leaf_modules", ()))
    if more:
        what = f"tracer_kwargs has {', '.join(map(repr, more))}"
        raise UnsupportedError("feature_extraction", what, "expected leaf_modules alone", "nothing is traced symbolically")
    return leaves


def get_graph_node_names(
    model: nn.Module, tracer_kwargs: dict[str, Any] | None = None, suppress_diff_warning: bool = False,
    concrete_args: dict[str, Any] | None = None, *, inputs: Any = None,
) -> tuple[list[str], list[str]]:  # fmt: skip
    """The names of what a model's layers and ops give, in their order: while training, and in evaluation.

    A layer has the name of its place (``layer1.0.conv1``), an op that of the part in which it stands (``layer1.0.add``), and what comes
    again a number (``layer1.0.relu_1``). The model runs once each way, on ``inputs`` or on an image of a usual size; ops have our names
    for them, which are mostly torchvision's. ``tracer_kwargs`` may hold ``leaf_modules``, classes that are taken whole.

    >>> from dovetail_vision.models import resnet18
    >>> get_graph_node_names(resnet18(), inputs=dovetail.zeros(2, 3, 32, 32))[1][:6]
    ['x', 'conv1', 'bn1', 'relu', 'maxpool', 'layer1.0.conv1']
    """
    found = _both(model, inputs, _leaves(tracer_kwargs, concrete_args))
    train, evaluation = ([name for name in found[mode] if not name.endswith(".")] for mode in ("train", "eval"))
    if train != evaluation and not suppress_diff_warning:
        what = "The nodes obtained by tracing the model in train mode are different to those obtained in eval mode. "
        warnings.warn(what + "You may need to specify output nodes for train and eval mode separately.", stacklevel=2)
    return train, evaluation


class _Extractor(nn.Module):
    """A model that gives a dict of results on its way, in the order in which they come. Made by `create_feature_extractor`."""

    _wanted: dict[str, dict[str, str]]
    _last: dict[str, tuple[str, int]]  # the node with which all is there, and which of its kind it is
    _ops: bool
    _kinds: tuple[type, ...]

    def forward(self, *args: Any, **kwargs: Any) -> OrderedDict[str, Any]:
        mode = "train" if self.training else "eval"
        wanted, (last, times) = self._wanted[mode], self._last[mode]
        found: OrderedDict[str, Any] = OrderedDict()
        left = [times]

        def node(name: str, value: Any) -> None:
            for query, called in wanted.items():
                if name in (query, f"{query}."):
                    found.pop(called, None)
                    found[called] = value
            if name == last:
                left[0] -= 1
                if left[0] == 0:
                    raise _Enough

        names = list(inspect.signature(super().forward).parameters)
        for name, value in [*zip(names, args, strict=False), *kwargs.items()]:
            node(name, value)
        try:
            with _watched(self, node, self._kinds, self._ops):
                self._model_forward(*args, **kwargs)
        except _Enough:
            pass
        return found

    def _model_forward(self, *args: Any, **kwargs: Any) -> Any:
        return super().forward(*args, **kwargs)


def _strings(nodes: Any) -> dict[str, str]:
    return {str(k): str(v) for k, v in (nodes.items() if isinstance(nodes, Mapping) else ((n, n) for n in nodes))}


def _asked(return_nodes: Any, train: Any, evaluation: Any) -> dict[str, dict[str, str]]:
    """What to return in both modes; a ValueError unless it is said once."""
    where = "create_feature_extractor"
    if return_nodes is None and train is None and evaluation is None:
        what = "Either `return_nodes` or `train_return_nodes` and `eval_return_nodes` together, should be specified"
        raise ValueRangeError(where, what)
    if (train is None) != (evaluation is None) or (return_nodes is None) == (train is None):
        what = "If any of `train_return_nodes` and `eval_return_nodes` are specified, then both should be specified"
        raise ValueRangeError(where, what, "and return_nodes not")
    return {"train": _strings(return_nodes if train is None else train), "eval": _strings(return_nodes if train is None else evaluation)}


def create_feature_extractor(
    model: nn.Module, return_nodes: list[str] | dict[str, str] | None = None, train_return_nodes: list[str] | dict[str, str] | None = None,
    eval_return_nodes: list[str] | dict[str, str] | None = None, tracer_kwargs: dict[str, Any] | None = None,
    suppress_diff_warning: bool = False, concrete_args: dict[str, Any] | None = None, *, inputs: Any = None,
) -> nn.Module:  # fmt: skip
    """A model that gives the results named in ``return_nodes``, as a dict, and computes nothing after the last of them.

    Names are those of `get_graph_node_names`, or of a whole part (``layer1``), whose result it is; a dict gives them names of one's own.
    The layers are the model's, not copies; those that are not needed are left out of the state dict. The model runs once each way on
    ``inputs``, or on an image, to see what is needed. Raises a ValueError for a name that is not there.

    >>> from dovetail_vision.models import resnet18
    >>> features = create_feature_extractor(resnet18(), {"layer1": "low", "layer3": "high"}, inputs=dovetail.zeros(2, 3, 32, 32))
    >>> {name: tuple(value.shape) for name, value in features(dovetail.zeros(1, 3, 32, 32)).items()}
    {'low': (1, 64, 8, 8), 'high': (1, 256, 2, 2)}
    """
    wanted, kinds = _asked(return_nodes, train_return_nodes, eval_return_nodes), _leaves(tracer_kwargs, concrete_args)
    runs = _both(model, inputs, kinds)
    needed: set[str] = set()
    ends: dict[str, tuple[str, int]] = {}
    for mode, queries in wanted.items():
        names = runs[mode]
        for query in queries:
            if not any(re.match(rf"^{re.escape(query)}(\.|$)", name) for name in names):
                what = f"node: '{query}' is not present in model"
                hint = "use get_graph_node_names to see those that are; train and eval may need return nodes of their own"
                raise ValueRangeError("create_feature_extractor", what, "", hint)
        end = max(i for i, name in enumerate(names) if name in queries or (name.endswith(".") and name[:-1] in queries))
        ends[mode] = names[end], names[: end + 1].count(names[end])
        needed.update(names[: end + 1])
    out = _shallow(model, "", {re.sub(r"_\d+$", "", name) for name in needed} | needed, kinds)
    out.__class__ = type(type(model).__name__, (_Extractor, type(model)), {"__module__": type(model).__module__})
    modules = {path for path, _ in model.named_modules()}
    out._wanted, out._last, out._kinds = wanted, ends, kinds
    out._ops = any(re.sub(r"_\d+$", "", query) not in modules and query not in modules for queries in wanted.values() for query in queries)
    return out


def _shallow(module: nn.Module, path: str, needed: set[str], kinds: tuple[type, ...]) -> Any:
    """A module of the same children, each part anew and leaves as they are; None in the place of those that are not needed."""
    new = copy.copy(module)
    children = {}
    for name, child in module._modules.items():
        at = f"{path}.{name}" if path else name
        if child is None or not any(n == at or n.startswith(f"{at}.") for n in needed):
            children[name] = None
        else:
            children[name] = child if _is_leaf(child, kinds) else _shallow(child, at, needed, kinds)
    new.__dict__["_modules"] = type(module._modules)(children)
    return new
