"""The command lines of plugins/vision/recipes: help, and what is wrong is said before anything is trained."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "plugins/vision/recipes"
RECIPES = sorted(path.stem for path in FOLDER.glob("[!_]*.py"))


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    def run(name, *given):
        if name.endswith("_torch"):
            pytest.importorskip("torch")
        monkeypatch.chdir(tmp_path)
        monkeypatch.syspath_prepend(str(FOLDER))
        monkeypatch.setattr("sys.argv", [f"{name}.py", *given])
        with pytest.raises(SystemExit) as left:
            runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
        assert list(tmp_path.iterdir()) == []  # nothing was made
        printed = capsys.readouterr()
        return left.value.code, printed.out + printed.err

    return run


@pytest.mark.parametrize("name", RECIPES)
def test_command_lines(run, name):
    place = "folder" if name == "shapes_pictures" else "path"
    code, text = run(name, "--help")
    assert code == 0 and f"usage: {name}.py [-h] {place}" in text and f"python plugins/vision/recipes/{name}.py" in text
    wrong = {
        (): f"the following arguments are required: {place}",
        ("a/b/c",): f"{place}: there is no folder {Path('a/b')}",
        ("x", "1", "2", "3"): "unrecognized arguments: ",
    }
    for given, expected in wrong.items():
        code, text = run(name, *given)
        assert code == 2 and expected in text


def test_files_that_do_not_fit(run, tmp_path):
    assert "backbone: there is no file none.safetensors" in run("shapes_detector", "a.safetensors", "none.safetensors")[1]
    assert f"path: {tmp_path} is a folder; expected the name of a file" in run("shapes_segmenter", str(tmp_path))[1]
    assert "pictures: invalid int value: 'many'" in run("shapes_backbone", "a.safetensors", "many")[1]
