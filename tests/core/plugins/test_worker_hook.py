"""The hook of a loader's worker processes, and the plugins that they see."""

from __future__ import annotations

import os

import pytest

from dovetail import plugins
from dovetail.data import DataLoader, Dataset
from dovetail.plugins.manager import get_manager

HOOKS = """
import os
from dovetail.hooks import hookimpl

@hookimpl
def worker_init(worker_id, num_workers, seed):
    if os.environ.get("TONES_FAIL"):
        raise OSError("no sound card")
    os.environ["TONES"] = f"{worker_id} of {num_workers}, {seed}"
"""


class Told(Dataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        return os.environ.get("TONES", ""), [plugin.name for plugin in plugins.installed() if plugin.usable]


def tones(site):
    site.add("dovetail-tones", 'hooks = { module = "dovetail_tones.hooks", implements = ["worker_init"] }\n', code={"hooks.py": HOOKS})
    site.add("dovetail-other")
    plugins.reset()


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_each_process_calls_it_and_sees_the_plugins_of_the_main_one(site, monkeypatch, method):
    tones(site)
    monkeypatch.setenv("DOVETAIL_DISABLE_PLUGINS", "other")
    plugins.reset()
    rows = list(DataLoader(Told(), batch_size=None, num_workers=2, multiprocessing_context=method, collate_fn=list))
    seeds = [int(text.rpartition(", ")[2]) for text, _ in rows]
    assert [text.rpartition(",")[0] for text, _ in rows] == ["0 of 2", "1 of 2"] and seeds[1] == seeds[0] + 1
    assert all(names == ["tones"] for _, names in rows) and "TONES" not in os.environ


def test_its_error_comes_out_of_the_loader(site, monkeypatch):
    tones(site)
    monkeypatch.setenv("TONES_FAIL", "1")
    with pytest.raises(
        OSError, match=r"(?s)Caught OSError in DataLoader worker process 0.*no sound card.*raised by plugin tones .* in hook"
    ):
        list(DataLoader(Told(), num_workers=2))
    assert [list(DataLoader("ab", num_workers=0))] == [[["a"], ["b"]]]


def test_threads_do_not_call_it_and_pluggy_is_not_needed_without_it(site):
    tones(site)
    rows = list(DataLoader(Told(), batch_size=None, num_workers=1, multiprocessing_context="thread", collate_fn=list))
    assert [text for text, _ in rows] == ["", ""] and get_manager()._pm is None
