"""Trees of containers, ``dovetail.utils._pytree``: taken apart into leaves and a structure, mapped over, and put together again."""

from __future__ import annotations

import functools
import operator
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import UnionType
from typing import Any, NamedTuple

import dovetail as dv
from dovetail.errors import ValueRangeError

__all__ = [
    "GetAttrKey", "LeafSpec", "MappingKey", "PyTree", "SequenceKey", "TreeSpec", "arg_tree_leaves", "is_namedtuple", "is_namedtuple_class",
    "is_namedtuple_instance", "key_get", "keystr", "register_pytree_node", "tree_all", "tree_all_only", "tree_any", "tree_any_only",
    "tree_flatten", "tree_flatten_with_path", "tree_is_leaf", "tree_iter", "tree_leaves", "tree_leaves_with_path", "tree_map",
    "tree_map_", "tree_map_only", "tree_map_only_", "tree_map_with_path", "tree_structure", "tree_unflatten", "treespec_pprint",
]  # fmt: skip

PyTree = Any
IsLeaf = Callable[[Any], bool] | None


@dataclass(frozen=True)
class SequenceKey:
    """The step into a list or tuple."""

    idx: int

    def __str__(self) -> str:
        return f"[{self.idx!r}]"

    def get(self, sequence: Any) -> Any:
        """The element there."""
        return sequence[self.idx]


@dataclass(frozen=True)
class MappingKey:
    """The step into a dict."""

    key: Any

    def __str__(self) -> str:
        return f"[{self.key!r}]"

    def get(self, mapping: Any) -> Any:
        """The value there."""
        return mapping[self.key]


@dataclass(frozen=True)
class GetAttrKey:
    """The step into a named tuple or an object."""

    name: str

    def __str__(self) -> str:
        return f".{self.name}"

    def get(self, obj: Any) -> Any:
        """The attribute there."""
        return getattr(obj, self.name)


class _Node(NamedTuple):
    flatten: Callable[[Any], tuple[Any, Any]]
    unflatten: Callable[[Any, Any], Any]
    keys: Callable[[Any], Iterable[Any]] | None


def _numbered(tree: Any) -> Iterable[Any]:
    return map(SequenceKey, range(len(tree)))


def _named(tree: Any) -> Iterable[Any]:
    return map(MappingKey, tree)


def _values(tree: Any) -> tuple[list[Any], Any]:
    return list(tree.values()), list(tree)


_NODES: dict[Any, _Node] = {
    tuple: _Node(lambda t: (list(t), None), lambda c, _: tuple(c), _numbered),
    list: _Node(lambda t: (list(t), None), lambda c, _: list(c), _numbered),
    dict: _Node(_values, lambda c, names: dict(zip(names, c, strict=True)), _named),
    OrderedDict: _Node(_values, lambda c, names: OrderedDict(zip(names, c, strict=True)), _named),
    defaultdict: _Node(
        lambda t: (list(t.values()), [t.default_factory, list(t)]),
        lambda c, about: defaultdict(about[0], zip(about[1], c, strict=True)),
        _named,
    ),
    deque: _Node(lambda t: (list(t), t.maxlen), lambda c, maxlen: deque(c, maxlen), _numbered),
    dv.Size: _Node(lambda t: (list(t), None), lambda c, _: tuple(c), _numbered),  # PyTorch's becomes a tuple too
    "namedtuple": _Node(lambda t: (list(t), type(t)), lambda c, kind: kind(*c), lambda t: map(GetAttrKey, t._fields)),
}


def register_pytree_node(
    cls: type, flatten_fn: Callable[[Any], tuple[Any, Any]], unflatten_fn: Callable[[Any, Any], Any], *,
    flatten_with_keys_fn: Callable[[Any], tuple[Any, Any]] | None = None, **serialization: Any,
) -> None:  # fmt: skip
    """Let a class of containers be taken apart; its children come from ``flatten_fn(tree) -> (children, context)``.

    Raises a ValueError for a class that is registered already.
    """
    if cls in _NODES:
        raise ValueRangeError("register_pytree_node", f"{cls} is already registered as pytree node.")
    keys = (lambda tree: [key for key, _ in flatten_with_keys_fn(tree)[0]]) if flatten_with_keys_fn else None
    _NODES[cls] = _Node(flatten_fn, unflatten_fn, keys)


def is_namedtuple_class(cls: Any) -> bool:
    """Whether a class was made by ``namedtuple``, or derives from one that was."""
    return isinstance(cls, type) and issubclass(cls, tuple) and isinstance(getattr(cls, "_fields", None), tuple) and hasattr(cls, "_make")


def is_namedtuple_instance(obj: Any) -> bool:
    """Whether a value is a named tuple."""
    return is_namedtuple_class(type(obj))


def is_namedtuple(obj: Any) -> bool:
    """Whether a value or a class is of named tuples."""
    return is_namedtuple_class(obj if isinstance(obj, type) else type(obj))


def _kind(tree: Any, is_leaf: IsLeaf = None) -> Any:
    """The key of a container in the table; None for a leaf."""
    if is_leaf is not None and is_leaf(tree):
        return None
    kind = type(tree)
    return kind if kind in _NODES else "namedtuple" if is_namedtuple_class(kind) else None


class TreeSpec:
    """The structure of a tree: ``type`` of the container (None for a leaf), its ``context``, and the structures of its children.

    >>> tree_structure({"a": 1, "b": (2, 3)})
    TreeSpec(dict, ['a', 'b'], [*,
      TreeSpec(tuple, None, [*,
        *])])
    """

    def __init__(self, kind: Any = None, context: Any = None, children: Iterable[TreeSpec] = ()) -> None:
        self.kind, self.context, self._children = kind, context, list(children)
        self.num_children = len(self._children)
        self.num_leaves = sum(child.num_leaves for child in self._children) if kind is not None else 1
        self.num_nodes = sum(child.num_nodes for child in self._children) + 1

    @property
    def type(self) -> Any:
        """The class of the container; None for a leaf."""
        from collections import namedtuple

        return namedtuple if self.kind == "namedtuple" else self.kind

    def is_leaf(self) -> bool:
        """Whether this is a leaf."""
        return self.kind is None

    def children(self) -> list[TreeSpec]:
        """The structures of the children."""
        return list(self._children)

    children_specs = property(children)

    def child(self, index: int) -> TreeSpec:
        """The structure of one child."""
        return self._children[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TreeSpec) and (self.kind, self.context, self._children) == (other.kind, other.context, other._children)

    def __hash__(self) -> int:
        return hash((self.kind, repr(self.context), self.num_nodes))

    def __repr__(self, indent: int = 0) -> str:
        if self.kind is None:
            return "*"
        name = self.kind if isinstance(self.kind, str) else self.kind.__name__
        inside, step = indent + 2, ",\n" + " " * (indent + 2)
        children = step.join(child.__repr__(inside) for child in self._children)
        return f"TreeSpec({name}, {self.context}, [{children}])"

    def unflatten(self, leaves: Iterable[Any]) -> Any:
        """Put a tree of this structure together. Raises a ValueError for another number of leaves."""
        leaves = list(leaves)
        if len(leaves) != self.num_leaves:
            what = f"`leaves` has length {len(leaves)} but the spec refers to a pytree that holds {self.num_leaves} items ({self})."
            raise ValueRangeError("treespec.unflatten(leaves)", what)
        return self._grown(iter(leaves))

    def _grown(self, leaves: Iterator[Any]) -> Any:
        if self.kind is None:
            return next(leaves)
        return _NODES[self.kind].unflatten([child._grown(leaves) for child in self._children], self.context)

    def flatten_up_to(self, tree: Any) -> list[Any]:
        """The parts of a larger tree that stand where this structure has leaves. Raises a ValueError where the two differ."""
        if self.kind is None:
            return [tree]
        kind = _kind(tree)
        both_dicts = {self.kind, kind} <= {dict, OrderedDict, defaultdict}
        if kind != self.kind and not both_dicts:
            raise ValueRangeError("flatten_up_to", f"Node type mismatch; expected {self.type}, but got {type(tree)}.")
        if both_dicts:
            names = self.context[1] if self.kind is defaultdict else self.context
            if set(names) != set(tree):
                missing, extra = set(names) - set(tree), set(tree) - set(names)
                raise ValueRangeError("flatten_up_to", f"Node keys mismatch; missing key(s): {missing}; extra key(s): {extra}.")
            parts, context = [tree[name] for name in names], self.context
        else:
            parts, context = _NODES[kind].flatten(tree)
        if len(parts) != self.num_children:
            raise ValueRangeError("flatten_up_to", f"Node arity mismatch; expected {self.num_children}, but got {len(parts)}.")
        if context != self.context and self.kind is not deque:
            raise ValueRangeError("flatten_up_to", f"Node context mismatch for custom node type {self.type}.")
        return [found for child, part in zip(self._children, parts, strict=True) for found in child.flatten_up_to(part)]


class LeafSpec(TreeSpec):
    """The structure of a leaf."""

    def __init__(self) -> None:
        super().__init__()


def _flatten(tree: Any, leaves: list[Any], is_leaf: IsLeaf) -> TreeSpec:
    kind = _kind(tree, is_leaf)
    if kind is None:
        leaves.append(tree)
        return LeafSpec()
    children, context = _NODES[kind].flatten(tree)
    return TreeSpec(kind, context, [_flatten(child, leaves, is_leaf) for child in children])


def tree_flatten(tree: Any, is_leaf: IsLeaf = None) -> tuple[list[Any], TreeSpec]:
    """The leaves of a tree, in order, and its structure.

    >>> tree_flatten([1, (2, None)])[0]
    [1, 2, None]
    """
    leaves: list[Any] = []
    return leaves, _flatten(tree, leaves, is_leaf)


def tree_unflatten(leaves: Iterable[Any], treespec: TreeSpec) -> Any:
    """Put a tree together from its leaves. Raises a ValueError for another number of them."""
    if not isinstance(treespec, TreeSpec):
        raise dv.errors.TypeMismatch("tree_unflatten", f"Expected `treespec` to be a TreeSpec but got item of type {type(treespec)}")
    return treespec.unflatten(leaves)


def tree_leaves(tree: Any, is_leaf: IsLeaf = None) -> list[Any]:
    """The leaves of a tree, in order."""
    return tree_flatten(tree, is_leaf)[0]


def tree_iter(tree: Any, is_leaf: IsLeaf = None) -> Iterator[Any]:
    """The leaves of a tree, one by one."""
    yield from tree_leaves(tree, is_leaf)


def arg_tree_leaves(*args: Any, **kwargs: Any) -> list[Any]:
    """The leaves of arguments."""
    return tree_leaves((args, kwargs))


def tree_structure(tree: Any, is_leaf: IsLeaf = None) -> TreeSpec:
    """The structure of a tree."""
    return tree_flatten(tree, is_leaf)[1]


def tree_is_leaf(tree: Any, is_leaf: IsLeaf = None) -> bool:
    """Whether this is a leaf."""
    return _kind(tree, is_leaf) is None


def tree_map(func: Callable[..., Any], tree: Any, *rests: Any, is_leaf: IsLeaf = None) -> Any:
    """The same tree with ``func(leaf, …)`` in the place of each leaf; the others must have the structure of the first.

    >>> tree_map(lambda a, b: a + b, {"x": [1, 2]}, {"x": [10, 20]})
    {'x': [11, 22]}
    """
    leaves, spec = tree_flatten(tree, is_leaf)
    return spec.unflatten(map(func, leaves, *[spec.flatten_up_to(rest) for rest in rests]))


def tree_map_(func: Callable[..., Any], tree: Any, *rests: Any, is_leaf: IsLeaf = None) -> Any:
    """Call ``func`` for each leaf and return the tree as it is."""
    tree_map(func, tree, *rests, is_leaf=is_leaf)
    return tree


def _test(types: Any) -> Callable[[Any], bool]:
    return (lambda x: isinstance(x, types)) if isinstance(types, type | tuple | UnionType) else types


def tree_map_only(type_or_types_or_pred: Any, func: Callable[[Any], Any], tree: Any, is_leaf: IsLeaf = None) -> Any:
    """`tree_map` for leaves of these types, or those that the predicate takes."""
    test = _test(type_or_types_or_pred)
    return tree_map(lambda x: func(x) if test(x) else x, tree, is_leaf=is_leaf)


def tree_map_only_(type_or_types_or_pred: Any, func: Callable[[Any], Any], tree: Any, is_leaf: IsLeaf = None) -> Any:
    """`tree_map_` for leaves of these types, or those that the predicate takes."""
    tree_map_only(type_or_types_or_pred, func, tree, is_leaf)
    return tree


def tree_all(pred: Callable[[Any], bool], tree: Any, is_leaf: IsLeaf = None) -> bool:
    """Whether the predicate holds for all leaves."""
    return all(map(pred, tree_leaves(tree, is_leaf)))


def tree_any(pred: Callable[[Any], bool], tree: Any, is_leaf: IsLeaf = None) -> bool:
    """Whether the predicate holds for one leaf at least."""
    return any(map(pred, tree_leaves(tree, is_leaf)))


def tree_all_only(type_or_types: Any, pred: Callable[[Any], bool], tree: Any, is_leaf: IsLeaf = None) -> bool:
    """Whether the predicate holds for all leaves of these types."""
    return all(pred(x) for x in tree_leaves(tree, is_leaf) if _test(type_or_types)(x))


def tree_any_only(type_or_types: Any, pred: Callable[[Any], bool], tree: Any, is_leaf: IsLeaf = None) -> bool:
    """Whether the predicate holds for one leaf of these types at least."""
    return any(pred(x) for x in tree_leaves(tree, is_leaf) if _test(type_or_types)(x))


def _walk(tree: Any, path: tuple[Any, ...], is_leaf: IsLeaf) -> Iterator[tuple[tuple[Any, ...], Any]]:
    kind = _kind(tree, is_leaf)
    if kind is None:
        yield path, tree
        return
    node = _NODES[kind]
    if node.keys is None:
        raise ValueRangeError("tree_flatten_with_path", f"{kind} was registered without flatten_with_keys_fn")
    for key, child in zip(node.keys(tree), node.flatten(tree)[0], strict=True):
        yield from _walk(child, (*path, key), is_leaf)


def tree_leaves_with_path(tree: Any, is_leaf: IsLeaf = None) -> list[tuple[tuple[Any, ...], Any]]:
    """The leaves of a tree, each with the steps that lead to it."""
    return list(_walk(tree, (), is_leaf))


def tree_flatten_with_path(tree: Any, is_leaf: IsLeaf = None) -> tuple[list[tuple[tuple[Any, ...], Any]], TreeSpec]:
    """`tree_leaves_with_path`, and the structure."""
    return tree_leaves_with_path(tree, is_leaf), tree_structure(tree, is_leaf)


def tree_map_with_path(func: Callable[..., Any], tree: Any, *rests: Any, is_leaf: IsLeaf = None) -> Any:
    """`tree_map` of a function that is told the steps first: ``func(path, leaf, …)``."""
    leaves, spec = tree_flatten_with_path(tree, is_leaf)
    return spec.unflatten(map(func, *zip(*leaves, strict=True), *[spec.flatten_up_to(rest) for rest in rests]) if leaves else ())


def keystr(kp: Iterable[Any]) -> str:
    """Steps as text: ``['a'][0].b``."""
    return "".join(map(str, kp))


def key_get(obj: Any, kp: Iterable[Any]) -> Any:
    """The part of a tree to which steps lead."""
    return functools.reduce(lambda found, key: key.get(found), kp, obj)


def treespec_pprint(treespec: TreeSpec) -> str:
    """The structure as text: a tree with ``*`` for leaves."""
    return repr(tree_unflatten([_Star()] * treespec.num_leaves, treespec))


class _Star:
    __repr__ = operator.methodcaller("__str__")

    def __str__(self) -> str:
        return "*"
