"""backward(): walk the graph from the results to the leaves, newest node first.

Every node is younger than the producers of its inputs, so a heap on the clock is a valid order. The gradients of one
call live in a table of that call: backward may run inside backward, and in several threads at once.

A leaf's gradient is complete when the oldest node that adds to it has run. Where somebody can tell (a hook, or memory that a
sum gives back) the leaf has it then; the others have theirs at the end, which costs nothing on the way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from math import inf
from typing import Any

from ..errors import GradError, TypeMismatch
from .modes import AUTOCAST, GRAD, OBSERVE, SAVING, STATE
from .node import CLASSES, Leaf, Node, Output, Tensor, producer, reached, wrap

__all__ = ["TWICE", "Walk", "run"]


class _Late:
    """What the engine needs from the ops, filled in when they are defined (the ops import the engine)."""

    add: Callable[[Tensor, Tensor], Tensor]
    fit: Callable[[Tensor, tuple[int, ...]], Tensor]  # undo broadcasting
    cast: Callable[[Tensor, Any], Tensor]
    clone: Callable[[Tensor], Tensor]
    iadd: Callable[[Tensor, Tensor], None]  # add in place, without recording
    exhausted: Callable[[str, MemoryError], Exception]
    walk: Callable[[Walk], None]  # `Walk.go` and `Walk.finish`, or their compiled twins
    collect: Callable[[Walk], None]
    inspect: Callable[[Node, Any], None] | None = None  # looks at the gradients that a node gave; see anomaly.py


late = _Late

Edge = Any  # Node | Leaf | Output


def run(
    roots: Sequence[tuple[Edge, Tensor]],
    *,
    keep: bool = False,
    create_graph: bool = False,
    wanted: Sequence[Edge] | None = None,
    accumulate: bool = True,
) -> dict[Edge, Tensor]:
    """Send each root's gradient backward.

    With `wanted` only the paths to those edges are walked and what arrives there is returned (or accumulated in the
    leaves among them, with `accumulate`). `keep` leaves the kept values for another run; `create_graph` records the
    gradient rules themselves.
    """
    word, outer = STATE.word, STATE.walk
    STATE.word = ((word | GRAD) if create_graph else (word & ~GRAD)) & ~(AUTOCAST | SAVING)  # the forward has chosen types
    try:
        walk = STATE.walk = Walk(keep, create_graph, wanted, roots, accumulate)
        for edge, g in roots:
            walk.send(edge, g)
        late.walk(walk)
        late.collect(walk)
        return walk.found
    except MemoryError as error:
        raise late.exhausted("backward", error) from None
    finally:
        STATE.word, STATE.walk = word, outer


class Walk:
    """The state of one backward call."""

    def __init__(
        self, keep: bool, create_graph: bool, wanted: Sequence[Edge] | None, roots: Sequence[tuple[Edge, Tensor]], accumulate: bool = False
    ) -> None:
        self.keep, self.create_graph, self.accumulate = keep, create_graph, accumulate
        self.table: dict[Any, Any] = {}  # gradients of nodes that have not run yet
        self.heap: list[tuple[int, Node]] = []
        self.leaves: dict[Leaf, Tensor] = {}
        self.wanted = None if wanted is None else set(wanted)
        self.found: dict[Edge, Tensor] = {}
        self.roots = [edge for edge, _ in roots]
        self.leading = {} if self.wanted is None else _leading(self.roots, self.wanted)
        self.taken = {id(g._a) for _, g in roots}  # arrays that belong to somebody: a leaf's gradient owns its memory
        self.due: list[tuple[Leaf, float]] | None = None  # leaves and the last nodes that add to them, the next one at the end

    def send(self, edge: Edge, g: Tensor) -> None:
        """Add a gradient to what an edge has received, undoing broadcasting and promotion."""
        g = fitted(g, edge)
        if edge.__class__ is Leaf:
            had = self.leaves.get(edge)
            self.leaves[edge] = g if had is None else late.add(had, g)
        elif edge.__class__ is Output:
            node = edge.node
            slots = self.table.get(node)
            if slots is None:
                slots = self.table[node] = [None] * node.extra
                heappush(self.heap, (-node.seq, node))
            had = slots[edge.index]
            slots[edge.index] = g if had is None else late.add(had, g)
        else:
            had = self.table.get(edge)
            if had is None:
                self.table[edge] = g
                heappush(self.heap, (-edge.seq, edge))
            else:
                self.table[edge] = late.add(had, g)

    def go(self) -> None:
        """Run the nodes, newest first. The loop repeats `send` for the commonest edge, which is most of its cost."""
        table, heap, leaves, summed = self.table, self.heap, self.leaves, set[Leaf]()
        keep, create_graph, special, inspect = self.keep or self.create_graph, self.create_graph, self.wanted is not None, late.inspect
        hidden = not create_graph and not STATE.word & OBSERVE  # sums may be made in place
        following: Node | None = None  # the newest node so far, kept out of the heap: in a chain nothing is ever pushed
        limit = inf if leaves else 0  # the clock of the next node to which a leaf that is listened to waits
        while heap or following is not None:
            if following is None or (heap and heap[0][0] < -following.seq):
                if following is not None:
                    heappush(heap, (-following.seq, following))
                following = heappop(heap)[1]
            node, following = following, None
            if node.seq < limit or node.__class__ is not Node:
                limit = self.hand(node.seq)
            g = table.pop(node)
            if special or node.__class__ is not Node:
                g = self.arrive(node, g)
                if g is None:
                    continue
            if node.saved is None:
                raise freed()
            for box in node.boxes:
                if box[0] > node.seq:
                    raise stale(node, box)
            plan = self.leading.get(node, node.plan) if special else node.plan
            grads = plan.again(node, g) if create_graph else plan.backward(g, node.saved)
            if not keep and node.plan.frees:
                node.saved, node.boxes = None, ()
            if node.__class__ is not Node:
                grads = after(node, grads, g)
            if inspect is not None:
                inspect(node, grads)
            for edge, r in zip(node.edges, grads):
                if r is None or edge is None:
                    continue
                a = r._a
                if a.shape != edge.shape or a.dtype is not edge.dtype:
                    r = fitted(r, edge)
                if edge.__class__ is Node:
                    had = table.get(edge)
                    table[edge] = r if had is None else late.add(had, r)
                    if had is None and (following is None or edge.seq > following.seq):
                        edge, following = following, edge
                    if had is None and edge is not None:
                        heappush(heap, (-edge.seq, edge))
                elif edge.__class__ is Leaf:
                    had = leaves.get(edge)
                    if had is None:
                        leaves[edge] = r
                        limit = inf if edge.after or edge.hooks or (edge.grad is not None and r._a.nbytes > _LARGE) else limit
                    elif edge in summed and r.__class__ in CLASSES:
                        had._a += r._a  # our own sum, seen by nobody else
                    else:
                        leaves[edge] = had = late.add(had, r)
                        if hidden and had.__class__ in CLASSES:
                            summed.add(edge)
                else:
                    self.send(edge, r)
        if limit:
            self.hand(-1)

    def arrive(self, node: Node, g: Any) -> Any:
        """Hooks, and what was asked for: returns the gradient, or None where nothing wanted lies further back."""
        if node.__class__ is not Node:
            g = _before(node, g)
        if self.wanted is None:
            return g
        if g.__class__ is list:
            for edge in self.wanted:
                if edge.__class__ is Output and edge.node is node and g[edge.index] is not None:
                    self.found[edge] = g[edge.index]
        elif node in self.wanted:
            self.found[node] = g
        return g if node in self.leading else None

    def hand(self, before: int) -> float:
        """Give the leaves their gradients to which no node from this clock back adds; return the clock of the next one that matters."""
        if self.due is None:
            last: dict[Leaf, float] = dict.fromkeys(self.leaves, inf)
            for node in sorted((n for n in reached(list(self.table)) if n.__class__ is not Leaf), key=lambda n: -n.seq):
                last.update((edge, node.seq) for edge in node.edges if edge.__class__ is Leaf)
            self.due = sorted(reversed(last.items()), key=lambda pair: pair[1])
        lying = _lying(*self.table.values(), *self.leaves.values()) if self.due and self.due[-1][1] > before else {}
        while self.due and self.due[-1][1] > before:
            edge = self.due.pop()[0]
            if edge in self.leaves and (self.wanted is None or edge in self.wanted):
                g = self.leaves.pop(edge)
                self.give(edge, g, lying[id(g._a)] < 2)
        return self.due[-1][1] if self.due else 0

    def finish(self) -> None:
        """Hand the leaves their gradients that have none yet."""
        for edge, g in self.leaves.items():
            if self.wanted is None or edge in self.wanted:
                self.give(edge, g)

    def give(self, edge: Leaf, g: Tensor, mine: bool = True) -> None:
        """Add a gradient to a leaf's, which takes its array if that is ``mine``: no other gradient lies in it."""
        if edge.hooks:
            g, mine = _call_hooks(edge.hooks, g), False
        if self.wanted is not None:
            self.found[edge] = g
        if not self.accumulate:
            return
        a, plain = g._a, g.__class__ in CLASSES
        mine = mine and id(a) not in self.taken
        if edge.grad is not None:
            if self.create_graph or edge.grad._n is not None or not plain or edge.grad.__class__ not in CLASSES:
                edge.grad = late.add(edge.grad, g)
            else:
                late.iadd(edge.grad, g)
        elif self.create_graph or not plain:
            edge.grad = g if mine or not plain else late.clone(g)
        else:
            edge.grad = wrap(a if mine and a.base is None and a.flags.c_contiguous else a.copy())
        self.taken.add(id(a))
        for hook in list(edge.after.values()):
            new = hook(edge.owner())
            if new is not None:
                where, what = "register_post_accumulate_grad_hook", "Tensor post accumulate grad hooks should return None."
                no_tensor = TypeMismatch(where, f"expected Variable, but hook returned '{type(new).__name__}'")
                raise GradError(where, what) if isinstance(new, Tensor) else no_tensor


late.walk, late.collect = Walk.go, Walk.finish
_LARGE = 1 << 16  # bytes of a gradient that is not kept until the end for a sum: to look for its last node takes less time than to add it


def _lying(*way: Any) -> Counter[int]:
    """How many of these gradients lie in each array."""
    found: Counter[int] = Counter()
    for a in [g._a for held in way for g in (held if held.__class__ is list else (held,)) if g is not None]:
        while getattr(a, "base", None) is not None:
            a = a.base
        found[id(a)] += 1
    return found


def _leading(roots: list[Edge], wanted: set[Edge]) -> dict[Any, Any]:
    """The nodes behind which something wanted lies, with plans for no more; those of which a node is made are older, and decided before."""
    found: dict[Any, Any] = {}
    for node in sorted((n for n in reached(roots) if n.__class__ is not Leaf), key=lambda n: n.seq):
        ways = tuple(e is not None and (e in wanted or producer(e)[0] in found) for e in node.edges)
        if any(ways):
            known = hasattr(type(node.plan), "narrowed")  # a user's Function computes what it likes
            found[node] = node.plan.narrowed(ways) if known else node.plan
    return found


def fitted(g: Tensor, edge: Edge) -> Tensor:
    """Undo what broadcasting and promotion did on the way from this edge."""
    a = g._a
    if a.shape != edge.shape:
        g = late.fit(g, edge.shape)
    return late.cast(g, edge.dtype) if a.dtype != edge.dtype else g


def _before(node: Node, g: Any) -> Any:
    """The hooks on a node's results, then those on the node."""
    many = g if g.__class__ is list else [g]
    for index, table in sorted(node.hooks["grad"].items()):
        many[index] = many[index] if many[index] is None else _call_hooks(table, many[index])
    for hook in list(node.hooks["pre"].values()):
        new = hook(tuple(many))
        many = many if new is None else list(_counted(new, len(many)))
    for index, owner in node.hooks["retain"].items():
        keeper, value = owner(), many[index]
        if keeper is not None and value is not None:
            had = getattr(keeper, "_kept_grad", None)
            keeper._kept_grad = wrap(value._a.copy(), value._n) if had is None else late.add(had, value)
    return many if g.__class__ is list else many[0]


def after(node: Node, grads: Any, g: Any) -> Any:
    """The hooks that see a node's work."""
    for hook in list(node.hooks["post"].values()):
        new = hook(tuple(grads), tuple(g) if g.__class__ is list else (g,))
        if new is not None:
            grads = _counted(new, len(grads))
    return grads


def _counted(new: Any, count: int) -> Any:
    """What a hook of a node returned, as a tuple."""
    new = new if isinstance(new, tuple) else (new,)
    if len(new) != count:
        raise GradError("register_hook", f"hook has returned an incorrect number of values (got {len(new)}, but expected {count})")
    return new


def _call_hooks(table: dict[int, Callable[..., Any]], g: Tensor) -> Tensor:
    for hook in list(table.values()):
        new = hook(g)
        new = g if new is None else new
        if not isinstance(new, Tensor):
            raise TypeMismatch("register_hook", f"expected Variable, but hook returned '{type(new).__name__}'")
        if new._a.shape != g._a.shape:
            raise GradError("register_hook", f"hook has changed the size of value ({g.shape}, now {new.shape})")
        if new._a.dtype != g._a.dtype:
            raise GradError("register_hook", f"hook has changed the type of value ({g.dtype}, now {new.dtype})")
        g = new
    return g


TWICE = "Trying to backward through the graph a second time (or directly access saved tensors after they have already been freed)"


def freed() -> GradError:
    why = "the values kept for the gradient were freed by the first backward"
    return GradError("backward", TWICE, why, "pass retain_graph=True the first time, or detach() what one step hands to the next")


def stale(node: Node, box: list[Any]) -> GradError:
    name, by = node.plan.op.name, "" if box[2] is None else f" by {box[2]}"
    what = f"one of the variables needed for gradient computation has been modified by an inplace operation{by}"
    kept = f"(a value that {name} kept is now at version {box[1]})"
    rule, remedy = "kept values must stay as they were until backward", "use the out-of-place form, or clone() before changing"
    return GradError(name, f"{what} {kept}", rule, remedy)
