"""The pictures on docs/architecture.md: each arrow is an import of the sources, and each import is an arrow or follows from arrows."""

from __future__ import annotations

import re

import pytest

from docs._ext import floors, imports
from tests.contracts.sources import CORE, ROOT, core_files, module_name, parse, plugin_files
from tests.contracts.sources import imports as imported
from tests.contracts.test_imports import MODULES, inside

ARROW = re.compile(r'data-from="(.+?)" data-to="(.+?)"')
BOX = re.compile(r'<rect data-room="(.+?)" x="([\d.]+)" y="([\d.]+)" width="(\d+)"')


@pytest.fixture(scope="module")
def core() -> dict[str, imports.Imports]:
    return imports.of_core()


@pytest.fixture(scope="module")
def house(core) -> str:
    return floors.house(imports.drawn(core))


def read(*, lazy: bool) -> set[tuple[str, str]]:
    """The imports between rooms as the contract tests read them."""
    found = [(imports.room(module), imports.room(target), late) for path in core_files() for module, target, late, _ in inside(path)]
    for path in core_files():
        module = module_name(path)
        targets = imported(parse(path), module if path.name == "__init__.py" else module.rpartition(".")[0])
        found += [(imports.room(module), "numerics", item.lazy) for item in targets if item.target.startswith("dovetail_numerics")]
    return {(source, target) for source, target, late in found if late == lazy and source != target}


def test_the_rooms_import_what_the_sources_say(core) -> None:
    assert {(name, target) for name, own in core.items() for target in own.at_once} == read(lazy=False)
    late = {(name, target) for name, own in core.items() for target in (*own.later, *own.at_once)}
    assert late == read(lazy=False) | read(lazy=True)


def test_every_import_is_an_arrow_or_follows_from_arrows(house) -> None:
    arrows = set(ARROW.findall(house))
    assert arrows <= read(lazy=False)
    reached = set(arrows)
    while more := {(a, d) for a, b in reached for c, d in arrows if b == c} - reached:
        reached |= more
    assert reached >= read(lazy=False)
    for arrow in arrows:  # none follows from the others
        others = arrows - {arrow}
        ends = {arrow[0]}
        while more := {b for a, b in others if a in ends} - ends:
            ends |= more
        assert arrow[1] not in ends


def test_arrows_point_down_and_boxes_are_apart(house) -> None:
    boxes = {name: (float(x), float(y), float(x) + float(wide)) for name, x, y, wide in BOX.findall(house)}
    assert set(boxes) == {"numerics", *(imports.room(module_name(path)) for path in _places())}
    assert all(boxes[source][1] < boxes[target][1] for source, target in ARROW.findall(house))
    for name, (left, top, right) in boxes.items():
        beside = [other for other, (x, y, _) in boxes.items() if y == top and x >= left and other != name]
        assert all(boxes[other][0] - right > 10 for other in beside)
    assert boxes["numerics"][1] == max(y for _, y, _ in boxes.values())
    assert not {"cli", "extend"} & {target for _, target in ARROW.findall(house)}  # what nothing imports stands on top


def _places() -> list:
    return [path for path in core_files() if path.name != "__init__.py" or path.parent != CORE]


def test_the_dots_are_the_imports_of_the_plugins() -> None:
    found = imports.of_plugins()
    assert set(found) == {path.parent.name for path in ROOT.glob("plugins/*/pyproject.toml")}
    exists = MODULES | {f"dovetail.{name}" for name in found}
    expected: dict[tuple[str, str], set] = {}
    for path in plugin_files():
        plugin, *folders = path.relative_to(ROOT / "plugins").parts[:-1]
        for item in imported(parse(path), ".".join(folders), exists):
            if item.target.split(".")[0] in ("dovetail", imports.NUMERICS) and imports.room(item.target) != plugin:
                expected.setdefault((plugin, imports.room(item.target)), set()).add((path, item.lazy))
    svg = floors.matrix(found, [])
    assert set(ARROW.findall(svg)) == set(expected)
    for (plugin, name), files in expected.items():
        at_once = {path for path, lazy in files if not lazy}
        assert found[plugin].at_once.get(name, 0) == len(at_once)
        assert found[plugin].later.get(name, 0) == len({path for path, _ in files} - at_once)


def test_a_circle_of_rooms_is_named() -> None:
    circle = {"a": imports.Imports({"b": 1}), "b": imports.Imports({"a": 1})}
    with pytest.raises(ValueError, match=r"cycle.*'a'"):
        imports.drawn(circle)


def test_the_picture_is_the_same_each_time(core, house) -> None:
    assert floors.house(imports.drawn(dict(reversed(core.items())))) == house
