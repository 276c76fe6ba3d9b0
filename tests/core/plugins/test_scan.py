"""Discovery: which distributions are found, that faults stay where they are, and that the cache is only a cache."""

from __future__ import annotations

import os
import sys

import pytest

from dovetail import plugins
from dovetail.plugins.cache import Cache, cache_folder


def states() -> dict[str, str]:
    plugins.reset()
    return {plugin.name: plugin.state for plugin in plugins.installed()}


def test_plugins_are_found_in_the_order_of_distribution_names(site):
    for name in ("dovetail-zeta", "acme-audio", "dovetail-alpha"):
        site.model(name)
    assert [(plugin.name, plugin.version, plugin.state) for plugin in plugins.installed()] == [
        ("acme-audio", "0.1.0", "ready"),
        ("alpha", "0.1.0", "ready"),
        ("zeta", "0.1.0", "ready"),
    ]
    assert plugins.models.list() == ["acme-audio/net", "alpha/net", "zeta/net"]
    assert plugins.problems() == []


def test_unrelated_metadata_that_is_not_utf8_is_nobodys_business(site):
    site.write("other-1.0.dist-info/entry_points.txt", b"[console_scripts]\ncaf\xe9 = a:b\n")
    site.write("nometadata-1.0.dist-info/RECORD", b"")
    site.model("dovetail-audio")
    assert states() == {"audio": "ready"} and plugins.problems() == []


def test_metadata_of_a_plugin_that_is_not_utf8_is_reported(site):
    site.model("dovetail-audio")
    site.add("dovetail-bad", points=b"[dovetail.plugins]\nbad = dovetail_bad:dovetail.toml\n# \xe9\n")
    assert states() == {"audio": "ready", "bad": "broken"}
    (problem,) = plugins.problems()
    assert "is not UTF-8; reinstall dovetail-bad" in problem


def test_metadata_that_is_missing_gives_the_folders_name(site):
    site.model("dovetail-audio")
    os.unlink(site.folder / "dovetail_audio-0.1.0.dist-info" / "METADATA")
    assert states() == {"audio": "ready"}


def test_the_first_distribution_of_a_name_counts_as_in_python(site, tmp_path, monkeypatch):
    site.model("dovetail-audio")
    second = type(site)(tmp_path / "second")
    second.add("dovetail-audio", '[models."audio/late"]\ntarget = "a:b"\n', version="9.9")
    monkeypatch.setattr(sys, "path", [*sys.path, str(second.folder)])
    assert plugins.models.list() == ["audio/net"]
    assert [plugin.version for plugin in plugins.installed()] == ["0.1.0"]


def test_the_manifest_is_that_of_the_package_that_would_be_imported(site, tmp_path, monkeypatch):
    site.model("dovetail-audio")
    checkout = type(site)(tmp_path / "checkout")
    checkout.write("dovetail_audio/__init__.py", "")
    checkout.write("dovetail_audio/dovetail.toml", 'api = ">=1.0,<2"\n[models."audio/edited"]\ntarget = "a:b"\n')
    monkeypatch.setattr(sys, "path", [str(checkout.folder), *sys.path])
    assert plugins.models.list() == ["audio/edited"]


def test_the_order_is_by_name_also_across_folders(site, tmp_path, monkeypatch):
    site.model("dovetail-zeta")
    second = type(site)(tmp_path / "second")
    second.model("dovetail-alpha")
    monkeypatch.setattr(sys, "path", [*sys.path, str(second.folder)])
    assert [plugin.name for plugin in plugins.installed()] == ["alpha", "zeta"]


def test_a_module_that_shadows_the_package_is_believed_as_python_would(site, tmp_path, monkeypatch):
    site.model("dovetail-audio")
    checkout = type(site)(tmp_path / "checkout")
    checkout.write("dovetail_audio.py", "")
    monkeypatch.setattr(sys, "path", [str(checkout.folder), *sys.path])
    assert plugins.installed()[0].reason == "its package 'dovetail_audio' is not there; expected a folder on sys.path"


def test_an_editable_install_with_its_own_finder(site, tmp_path, monkeypatch):
    from importlib.machinery import PathFinder

    site.add("dovetail-audio", manifest=None)
    (site.folder / "dovetail_audio" / "__init__.py").unlink()
    (site.folder / "dovetail_audio").rmdir()
    source = type(site)(tmp_path / "source")
    source.write("dovetail_audio/__init__.py", "raise SystemExit('imported')")
    source.write("dovetail_audio/dovetail.toml", 'api = ">=1.0,<2"\n[models."audio/net"]\ntarget = "a:b"\n')

    class Finder:
        @staticmethod
        def find_spec(name, path=None, target=None):
            return PathFinder.find_spec(name, [str(source.folder)]) if name == "dovetail_audio" else None

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder])
    assert plugins.models.list() == ["audio/net"]
    assert "dovetail_audio" not in sys.modules


def test_a_package_inside_a_namespace_package(site):
    site.add("acme-audio", package="acme/audio", points=b"[dovetail.plugins]\nacme-audio = acme.audio:dovetail.toml\n")
    assert states() == {"acme-audio": "ready"}


def test_an_egg_info_folder_of_a_source_tree(site):
    site.add("dovetail-audio", '[models."audio/net"]\ntarget = "a:b"\n')
    info = site.folder / "dovetail_audio-0.1.0.dist-info"
    (info / "METADATA").rename(info / "PKG-INFO")
    info.rename(site.folder / "dovetail_audio.egg-info")
    assert [(plugin.name, plugin.version, plugin.state) for plugin in plugins.installed()] == [("audio", "0.1.0", "ready")]


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ("audio = dovetail_audio", "the entry point says 'dovetail_audio'; expected \"package:dovetail.toml\""),
        ("audio = dovetail_audio:../secret.toml", 'expected "package:dovetail.toml"'),
        ("audio = nowhere:dovetail.toml", "its package 'nowhere' is not there; expected a folder on sys.path"),
        ("audio = dovetail_audio:missing.toml", "its package has no missing.toml; looked in "),
        ("sound = dovetail_audio:dovetail.toml", "calls it 'sound', but the distribution dovetail-audio owns the name 'audio'"),
    ],
)
def test_a_wrong_entry_point_is_explained_and_its_sibling_works(site, points, message):
    site.model("dovetail-sibling")
    site.add("dovetail-audio", points=f"[dovetail.plugins]\n{points}\n".encode())
    assert message in plugins.installed()[0].reason
    assert plugins.installed()[0].state == "broken"
    assert plugins.models.load("sibling/net")().config == {}


def test_what_pip_leaves_of_a_broken_uninstallation_is_not_seen(site):
    site.model("dovetail-audio")
    (site.folder / "dovetail_audio-0.1.0.dist-info").rename(site.folder / "~ovetail_audio-0.1.0.dist-info")
    assert states() == {}


# -------------------------------------------------------------------------------------------------------- cache


def cached_rows(site) -> tuple[list[str], dict]:
    plugins.reset()
    return plugins.models.list(), plugins.models.get("audio/net").fields


def test_a_cached_answer_equals_a_fresh_one(site, monkeypatch):
    site.model("dovetail-audio", extra='[datasets."audio/d"]\ntarget = "a:b"\nday = 2026-01-02\n')
    fresh, day = cached_rows(site), plugins.datasets.get("audio/d").day
    from dovetail.plugins import manifest

    monkeypatch.setattr(manifest, "read", lambda *_: pytest.fail("the manifest was read again"))
    assert cached_rows(site) == fresh
    assert plugins.datasets.get("audio/d").day == day == "2026-01-02"


def test_a_change_of_the_manifest_is_seen(site):
    site.model("dovetail-audio")
    assert cached_rows(site)[0] == ["audio/net"]
    site.model("dovetail-audio", extra='[models."audio/more"]\ntarget = "a:b"\n')
    assert cached_rows(site)[0] == ["audio/more", "audio/net"]


def test_a_change_of_the_metadata_is_seen(site):
    site.model("dovetail-audio")
    assert plugins.installed()[0].version == "0.1.0"
    site.write("dovetail_audio-0.1.0.dist-info/METADATA", "Name: dovetail-audio\nVersion: 0.1.0.post1\n")
    plugins.reset()
    assert plugins.installed()[0].version == "0.1.0.post1"


@pytest.mark.parametrize("damage", [b"", b"\x00" * 500, b"{}", b"[]\n", b'{"rules": 1}\n', b"null\n\n"])
def test_a_damaged_cache_is_ignored_and_replaced(site, damage):
    site.model("dovetail-audio")
    fresh = cached_rows(site)
    path = Cache().path
    with open(path, "wb") as file:
        file.write(damage)
    assert cached_rows(site) == fresh
    with open(path, "rb") as file:
        assert b"audio/net" in file.read()


def test_a_cache_cut_short_or_with_foreign_scans_is_survived(site):
    site.model("dovetail-audio")
    fresh = cached_rows(site)
    path = Cache().path
    with open(path, "rb") as file:
        text = file.read()
    foreign = text.replace(b'"scans":{', b'"scans":{"x":[],'), text.replace(b'"claims"', b'"clams"')
    for cut in (text[: text.index(b"\n") + 1], text[:-20], *foreign):
        assert cut != text
        with open(path, "wb") as file:
            file.write(cut)
        assert cached_rows(site) == fresh


def test_a_file_where_the_cache_folder_should_be(site, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DOVETAIL_CACHE", str(tmp_path / "file"))
    site.model("dovetail-audio")
    assert cached_rows(site)[0] == ["audio/net"]
    assert cache_folder() == str(tmp_path / "file")


def test_the_cache_is_written_whole_or_not_at_all(site, monkeypatch):
    site.model("dovetail-audio")
    fresh = cached_rows(site)
    site.model("dovetail-more")

    def interrupted(source, target):
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", interrupted)
        assert cached_rows(site)[0] == ["audio/net", "more/net"]
    assert cached_rows(site) == (["audio/net", "more/net"], fresh[1])
    assert len(os.listdir(cache_folder())) == 1
