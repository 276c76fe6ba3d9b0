"""A picture of the graph behind a tensor, or of a recorded run: Graphviz source, and SVG also without that program."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape
from typing import Any

from dovetail import Tensor
from dovetail.errors import TypeMismatch, ValueRangeError
from dovetail.graph import Graph
from dovetail.io.atomic import replacing

__all__ = ["Picture", "draw"]

_FILL = {"op": "#eceff1", "parameter": "#bbdefb", "input": "#c8e6c9", "result": "#ffe0b2", "constant": "#f5f5f5", "buffer": "#e1bee7"}


@dataclass
class Picture:
    """Boxes by number, each a kind and lines of text, and arrows between them; a notebook shows it as SVG."""

    boxes: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    arrows: list[tuple[int, int]] = field(default_factory=list)

    def add(self, kind: str, *lines: str) -> int:
        """A box more; returns its number."""
        self.boxes.append((kind, tuple(line for line in lines if line)))
        return len(self.boxes) - 1

    @property
    def source(self) -> str:
        """The picture in Graphviz's language."""
        lines = ["digraph {", '  node [shape=box, style="rounded,filled", fontname="sans-serif", fontsize=11]']
        for at, (kind, text) in enumerate(self.boxes):
            label = "\\n".join(line.replace("\\", "\\\\").replace('"', '\\"') for line in text)
            lines.append(f'  n{at} [label="{label}", fillcolor="{_FILL[kind]}"]')
        return "\n".join([*lines, *(f"  n{a} -> n{b}" for a, b in self.arrows), "}"]) + "\n"

    __str__ = source.fget  # type: ignore[attr-defined, assignment]

    def _repr_svg_(self) -> str:
        return self.svg()

    def svg(self) -> str:
        """The picture as SVG: by Graphviz's program `dot` where it is installed, else in plain layers from top to bottom."""
        program = shutil.which("dot")
        return _layers(self) if program is None else _run(program, "svg", self.source).decode()

    def save(self, path: Any) -> None:
        """Write the picture: ``.svg``, ``.dot`` or ``.gv``, and ``.png`` or ``.pdf`` where Graphviz is installed.

        Raises a ValueRangeError (ValueError) for another ending, or where the program is needed and not there.
        """
        kind = str(path).rpartition(".")[2].lower()
        if kind in ("dot", "gv", "svg"):
            data = (self.svg() if kind == "svg" else self.source).encode()
        elif kind in ("png", "pdf"):
            program = shutil.which("dot")
            if program is None:
                what = f"{kind} needs Graphviz's program dot, which is not there"
                raise ValueRangeError("draw", what, "", "install graphviz, or save .svg")
            data = _run(program, kind, self.source)
        else:
            raise ValueRangeError("draw", f"the file's name ends with {kind!r}", "expected svg, dot, gv, png or pdf")
        with replacing(path) as file:
            file.write_bytes(data)


def _run(program: str, kind: str, source: str) -> bytes:
    return subprocess.run([program, f"-T{kind}"], input=source.encode(), capture_output=True, check=True, timeout=120).stdout


def _layers(picture: Picture) -> str:
    """Each box below all that lead to it, side by side as they come."""
    into: dict[int, list[int]] = {at: [] for at in range(len(picture.boxes))}
    for a, b in picture.arrows:
        into[b].append(a)
    level: dict[int, int] = {}
    for at in _ordered(into):
        level[at] = max((level[a] + 1 for a in into[at]), default=0)
    for at in reversed(_ordered(into)):  # what leads to one place only stands right above it
        below = [level[b] for a, b in picture.arrows if a == at]
        if below and not into[at]:
            level[at] = min(below) - 1
    widths = [max((len(line) for line in text), default=1) * 7 + 16 for _, text in picture.boxes]
    places: dict[int, tuple[int, int]] = {}
    ends: dict[int, int] = {}
    heights = [44] * (max(level.values(), default=0) + 1)
    for at, n in level.items():
        heights[n] = max(heights[n], len(picture.boxes[at][1]) * 14 + 44)
    for at in range(len(picture.boxes)):
        x = ends.get(level[at], 10)
        places[at] = x, 10 + sum(heights[: level[at]])
        ends[level[at]] = x + widths[at] + 16
    width, height = max(ends.values(), default=10), 10 + sum(heights)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="11">']
    head = '<marker id="a" markerWidth="8" markerHeight="8" refX="7" refY="3" orient="auto"><path d="M0,0 L7,3 L0,6 z"/></marker>'
    out.append(f"<defs>{head}</defs>")
    for a, b in picture.arrows:
        (x, y), (to_x, to_y) = places[a], places[b]
        y += len(picture.boxes[a][1]) * 14 + 10
        ends_at = f'x2="{to_x + widths[b] // 2}" y2="{to_y}"'
        out.append(f'<line x1="{x + widths[a] // 2}" y1="{y}" {ends_at} stroke="#555" marker-end="url(#a)"/>')
    for at, (kind, text) in enumerate(picture.boxes):
        x, y = places[at]
        size = f'width="{widths[at]}" height="{len(text) * 14 + 10}"'
        out.append(f'<rect x="{x}" y="{y}" {size} rx="5" fill="{_FILL[kind]}" stroke="#555"/>')
        out += [
            f'<text x="{x + widths[at] // 2}" y="{y + 16 + 14 * n}" text-anchor="middle">{escape(t)}</text>' for n, t in enumerate(text)
        ]
    return "\n".join([*out, "</svg>"])


def _ordered(into: dict[int, list[int]]) -> list[int]:
    """The boxes so that each comes after those that lead to it."""
    done: dict[int, None] = {}
    for first in into:
        stack = [first]
        while stack:
            waiting = [a for a in into[stack[-1]] if a not in done]
            if waiting:
                stack.append(waiting[0])
            else:
                done.setdefault(stack.pop())
    return list(done)


def draw(what: Any, params: dict[str, Tensor] | None = None) -> Picture:
    """A picture of the graph behind a tensor (or several), or of what `dovetail.graph.trace` recorded.

    `params` names tensors that require gradients: ``params=dict(model.named_parameters())``. A recorded run knows its names, and the
    module of each op. Raises a TypeMismatch (TypeError) for anything else, or a tensor that no graph is behind.

    >>> import dovetail as dv
    >>> layer = dv.nn.Linear(3, 2)
    >>> picture = draw(layer(dv.ones(1, 3)).relu(), params=dict(layer.named_parameters()))
    >>> [text for kind, text in picture.boxes]
    [('result', '(1, 2)'), ('ReluBackward0', '(1, 2)'), ('AddmmBackward0', '(1, 2)'), ('weight', '(2, 3)'), ('bias', '(2,)')]
    """
    if isinstance(what, Graph):
        return _recorded(what)
    tensors = [what] if isinstance(what, Tensor) else list(what) if isinstance(what, list | tuple) else []
    if not tensors or not all(isinstance(t, Tensor) and t.requires_grad for t in tensors):
        kind = "a tensor without a graph" if isinstance(what, Tensor) else type(what).__name__
        raise TypeMismatch("draw", f"got {kind}", "expected a tensor that requires a gradient, or a graph of dovetail.graph.trace")
    return _behind(tensors, {id(t): name for name, t in (params or {}).items()})


def _behind(tensors: Iterable[Tensor], names: dict[int, str]) -> Picture:
    picture, known = Picture(), dict[int, int]()
    kept: list[Any] = []  # what numbers are known by must stay alive
    stack: list[tuple[Any, int]] = []
    for t in tensors:
        stack.append((t if t.grad_fn is None else t.grad_fn, picture.add("result", "result", str(tuple(t.shape)))))
    while stack:
        node, to = stack.pop()
        leaf = node if isinstance(node, Tensor) else getattr(node, "variable", None)
        key = id(leaf if leaf is not None else node)
        if key not in known:
            kept.append(leaf if leaf is not None else node)
            if leaf is not None:
                known[key] = picture.add("parameter" if key in names else "input", names.get(key, "leaf"), str(tuple(leaf.shape)))
            else:
                shape = getattr(node, "shape", None)
                known[key] = picture.add("op", node.name(), str(tuple(shape)) if shape else "")
                stack += [(before, known[key]) for before, _ in reversed(node.next_functions) if before is not None]
        picture.arrows.append((known[key], to))
    return picture


def _recorded(graph: Graph) -> Picture:
    picture, known = Picture(), dict[Any, int]()
    for value in (*graph.inputs, *graph.captured):
        known[value] = picture.add(value.kind, value.name, f"{value.dtype.name}{list(value.shape)}")
    for call in graph.calls:
        shapes = ", ".join(f"{v.dtype.name}{list(v.shape)}" for v in call.outputs)
        box = picture.add("op", call.op, shapes, call.module)
        picture.arrows += [(known[v], box) for v in call.inputs() if v in known]
        known.update(dict.fromkeys(call.outputs, box))
    return picture
