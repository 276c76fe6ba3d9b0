"""Pictures of imports as SVG: rooms on floors with arrows down to what they import, and a matrix of dots.

Colours are the theme's, with others for where there is no theme; the same sources give the same picture to the last byte.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from itertools import pairwise
from typing import Any

__all__ = ["heights", "house", "matrix", "ordered"]

WIDTH, HEIGHT, GAP = 112, 34, 26  # of a room, and between two
STOREY = 92  # from floor to floor
LANE = 22  # for an arrow that passes a floor
SWEEPS = 24

STYLE = """<style>
.house text { font: 600 14px var(--font-stack, sans-serif); fill: var(--color-foreground-primary, #222); text-anchor: middle; }
.house text.row { text-anchor: end; }
.house text.count { font-weight: 400; font-size: 11px; letter-spacing: -0.2px; }
.house text.on { fill: var(--color-background-primary, #fff); }
.house rect { fill: var(--color-background-secondary, #f7f3ec); stroke: var(--color-brand-primary, #8a4b1f); stroke-width: 1.3; }
.house path, .house .later { fill: none; stroke: var(--color-foreground-muted, #777); stroke-width: 1.4; }
.house .head { fill: var(--color-foreground-muted, #777); stroke: none; }
.house .now { fill: var(--color-brand-primary, #8a4b1f); }
.house line { stroke: var(--color-background-border, #ddd); }
</style>"""


def heights(edges: dict[str, set[str]]) -> dict[str, int]:
    """The floor of every room: one above the highest that it imports. `edges` has the lowest rooms first."""
    found: dict[str, int] = {}
    for name, targets in edges.items():
        found[name] = 1 + max((found[target] for target in targets), default=-1)
    return found


def ordered(edges: dict[str, set[str]]) -> list[str]:
    """The rooms from the lowest floor up, each floor from left to right."""
    return [node for floor in _floors(edges)[0] for node in floor if isinstance(node, str)]


def _floors(edges: dict[str, set[str]]) -> tuple[list[list[Any]], list[tuple[Any, Any]]]:
    """The floors from the lowest up, and the steps from floor to floor; an arrow passes each floor between by a lane, (from, to, floor)."""
    at = heights(edges)
    floors: list[list[Any]] = [sorted(name for name in at if at[name] == height) for height in range(max(at.values()) + 1)]
    steps: list[tuple[Any, Any]] = []
    for name, targets in sorted(edges.items()):
        for target in sorted(targets):
            lanes = [(name, target, height) for height in range(at[name] - 1, at[target], -1)]
            for lane in lanes:
                floors[lane[2]].append(lane)
            steps += pairwise([name, *lanes, target])
    return _untangled(floors, steps), steps


def _untangled(floors: list[list[Any]], steps: list[tuple[Any, Any]]) -> list[list[Any]]:
    """The order on each floor with few crossings: rooms go to the mean place of those that they are joined with, up and down by turns."""
    best, fewest = floors, _crossings(floors, steps)
    for sweep in range(SWEEPS):
        floors = [list(floor) for floor in floors]
        for number in range(len(floors)) if sweep % 2 else reversed(range(len(floors))):
            beside = number + (-1 if sweep % 2 else 1)
            if 0 <= beside < len(floors):
                place = {node: (spot + 0.5) / len(floors[beside]) for spot, node in enumerate(floors[beside])}
                here = {node: (spot + 0.5) / len(floors[number]) for spot, node in enumerate(floors[number])}
                mean = {node: _mean(_joined(node, steps, place), spot) for node, spot in here.items()}
                floors[number].sort(key=mean.__getitem__)
        _swap(floors, steps)
        if (crossings := _crossings(floors, steps)) < fewest:
            best, fewest = [list(floor) for floor in floors], crossings
    return best


def _swap(floors: list[list[Any]], steps: list[tuple[Any, Any]]) -> None:
    """Exchange neighbours as long as that saves crossings."""
    for floor in floors:
        for spot in range(len(floor) - 1):
            before = _crossings(floors, steps)
            floor[spot], floor[spot + 1] = floor[spot + 1], floor[spot]
            if _crossings(floors, steps) >= before:
                floor[spot], floor[spot + 1] = floor[spot + 1], floor[spot]


def _crossings(floors: list[list[Any]], steps: list[tuple[Any, Any]]) -> int:
    spots = {node: (number, spot) for number, floor in enumerate(floors) for spot, node in enumerate(floor)}
    ends = sorted((spots[above][0], spots[above][1], spots[below][1]) for above, below in steps)
    return sum(a[0] == b[0] and a[1] < b[1] and a[2] > b[2] for spot, a in enumerate(ends) for b in ends[spot + 1 :])


def _joined(node: Any, steps: list[tuple[Any, Any]], place: dict[Any, float]) -> list[float]:
    return [place[other] for one, two in steps for own, other in ((one, two), (two, one)) if own == node and other in place]


def _mean(values: list[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _places(floors: list[list[Any]], steps: list[tuple[Any, Any]]) -> dict[Any, float]:
    """The middle of every room and lane: as near to those that it is joined with as its neighbours let it."""
    place: dict[Any, float] = {}
    for floor in floors:
        left = 0.0
        for node in floor:
            place[node] = left + _wide(node) / 2
            left += _wide(node) + GAP
        for node in floor:
            place[node] -= left / 2
    for sweep in range(4 * SWEEPS):
        for floor in floors if sweep % 2 else reversed(floors):
            wanted = {node: _mean(_joined(node, steps, place), place[node]) for node in floor}
            _apart(floor, wanted)
            place.update(wanted)
    _straighten(floors, place)
    left = min(place[node] - _wide(node) / 2 for floor in floors for node in floor)
    return {node: round(x - left + GAP / 2, 1) for node, x in place.items()}


def _apart(floor: list[Any], wanted: dict[Any, float]) -> None:
    """Move what overlaps: neighbours become one block, which sits at the mean of its wishes."""
    blocks: list[tuple[list[Any], float, float]] = []  # nodes, left edge, width
    for node in floor:
        nodes, left, wide = [node], wanted[node] - _wide(node) / 2, float(_wide(node))
        while blocks and blocks[-1][1] + blocks[-1][2] + GAP > left:
            before, its_left, its_wide = blocks.pop()
            shifted = left - its_wide - GAP
            left = (its_left * len(before) + shifted * len(nodes)) / (len(before) + len(nodes))
            nodes, wide = before + nodes, its_wide + GAP + wide
        blocks.append((nodes, left, wide))
    for nodes, left, _ in blocks:
        for node in nodes:
            wanted[node] = left + _wide(node) / 2
            left += _wide(node) + GAP


def _straighten(floors: list[list[Any]], place: dict[Any, float]) -> None:
    """Put the lanes of an arrow below each other, where they find room."""
    arrows: dict[Any, list[tuple[Any, Any]]] = {}  # (lane, another node of its floor)
    for nodes in floors:
        for lane in (node for node in nodes if not isinstance(node, str)):
            arrows.setdefault(lane[:2], []).extend((lane, other) for other in nodes if other != lane)
    for pairs in [*arrows.values(), *arrows.values()]:  # one that was straightened may make room for another
        least = max((_clear(*pair, place) for pair in pairs if place[pair[1]] < place[pair[0]]), default=-1e9)
        most = min((-_clear(*pair, place, -1) for pair in pairs if place[pair[1]] > place[pair[0]]), default=1e9)
        lanes = list(dict.fromkeys(lane for lane, _ in pairs))
        if least <= most:
            middle = sorted(place[lane] for lane in lanes)[len(lanes) // 2]
            place.update(dict.fromkeys(lanes, min(max(middle, least), most)))


def _clear(lane: Any, other: Any, place: dict[Any, float], side: int = 1) -> float:
    """How near to its neighbour a lane may come, counted to the right (1) or to the left (-1)."""
    return side * place[other] + (_wide(lane) + _wide(other)) / 2


def _wide(node: Any) -> int:
    if not isinstance(node, str):
        return LANE
    return max(WIDTH, 9 * len(node) + 16)


def house(edges: dict[str, set[str]]) -> str:
    """The rooms as boxes, the lowest floor at the foot; an arrow goes down to what a room imports."""
    floors, steps = _floors(edges)
    place = _places(floors, steps)
    middle = {node: (len(floors) - 1 - number) * STOREY + STOREY / 2 for number, floor in enumerate(floors) for node in floor}
    down, up = _ends(steps, place, 0), _ends(steps, place, 1)
    body = []
    for name, targets in sorted(edges.items()):
        for target in sorted(targets):
            way = [step for step in steps if step in _way(name, target, steps)]
            points = [(down[way[0]], middle[name] + HEIGHT / 2), *((place[b], middle[b]) for _, b in way[:-1])]
            points.append((up[way[-1]], middle[target] - HEIGHT / 2 - 7))
            body.append(f'<path data-from="{escape(name)}" data-to="{escape(target)}" d="{_curve(points)}"/>')
            x, y = points[-1]
            body.append(f'<path class="head" d="M{x - 4:g} {y:g}h8l-4 7z"/>')
    for name in (node for floor in floors for node in floor if isinstance(node, str)):
        left, top, wide = place[name] - _wide(name) / 2, middle[name] - HEIGHT / 2, _wide(name)
        body.append(f'<rect data-room="{escape(name)}" x="{left:g}" y="{top:g}" width="{wide}" height="{HEIGHT}" rx="7"/>')
        body.append(f'<text x="{place[name]:g}" y="{middle[name] + 5:g}">{escape(name)}</text>')
    width = max(place[node] + _wide(node) / 2 for node in place) + GAP / 2
    return _svg(width, len(floors) * STOREY, "Who imports whom in the core, from errors at the foot to the command line", body)


def _way(name: str, target: str, steps: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """The steps of one arrow."""
    lanes = [step for step in steps if (name, target) in {end[:2] for end in step if not isinstance(end, str)}]
    return lanes or [(name, target)]


def _ends(steps: list[tuple[Any, Any]], place: dict[Any, float], end: int) -> dict[tuple[Any, Any], float]:
    """Where a step leaves (0) or reaches (1) its room: side by side along the edge, in the order of the other ends."""
    found = {}
    for node in dict.fromkeys(step[end] for step in steps):
        own = sorted((step for step in steps if step[end] == node), key=lambda step: place[step[1 - end]])
        apart = min(14.0, (_wide(node) - 24) / max(1, len(own) - 1)) if isinstance(node, str) else 0.0
        for spot, step in enumerate(own):
            found[step] = round(place[node] + (spot - (len(own) - 1) / 2) * apart, 1)
    return found


def _curve(points: list[tuple[float, float]]) -> str:
    """A line through points that leaves and reaches each of them upright."""
    text = f"M{points[0][0]:g} {points[0][1]:g}"
    for (x, y), (u, v) in pairwise(points):
        bend = (v - y) / 2
        text += f"C{x:g} {y + bend:g} {u:g} {v - bend:g} {u:g} {v:g}"
    return text


def matrix(found: dict[str, Any], rows: Iterable[str]) -> str:
    """A dot where files of a plugin (a column) import from a room (a row), with their number; a ring where only functions do."""
    used = {name for own in found.values() for name in (*own.at_once, *own.later)}
    names = [name for name in rows if name in used]
    names += sorted(used - set(names))
    left, column, line = 9 * max(map(len, names)) + 20, 76, 30
    body, width = [], left + column * len(found)
    for spot, plugin in enumerate(found):
        body.append(f'<text x="{left + column * (spot + 0.5):g}" y="22">{escape(plugin)}</text>')
    for number, name in enumerate(names):
        y = 52 + line * number
        body += [f'<line x1="8" x2="{width - 8}" y1="{y + line / 2:g}" y2="{y + line / 2:g}"/>']
        body.append(f'<text class="row" x="{left - 14}" y="{y + 5}">{escape(name)}</text>')
        for spot, (plugin, own) in enumerate(found.items()):
            count = own.at_once.get(name, 0) or own.later.get(name, 0)
            if count:
                x, kind = left + column * (spot + 0.5), "now" if name in own.at_once else "later"
                on = " on" if kind == "now" else ""
                body.append(f'<circle class="{kind}" data-from="{escape(plugin)}" data-to="{escape(name)}" cx="{x:g}" cy="{y}" r="12"/>')
                body.append(f'<text class="count{on}" x="{x:g}" y="{y + 4}">{count}</text>')
    return _svg(width, 52 + line * len(names), "How many files of each plugin import from each room of the core", body)


def _svg(width: float, height: float, label: str, body: list[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{label}" class="house"'
    return "\n".join([f'{head} style="min-width: {0.75 * width:.0f}px; max-width: {width:.0f}px">', STYLE, *body, "</svg>\n"])
