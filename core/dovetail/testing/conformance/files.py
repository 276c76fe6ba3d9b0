"""Checks of file formats, on a file that the example's fixture writes: ``example = { fixture = "pkg.testing:file" }``.

The fixture is called with the path of a file to write, of a few hundred bytes, in the true format.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import FormatError
from ...plugins.manager import get_manager
from .case import Skip, Subject, check
from .model import same

__all__: list[str] = []

MUTATIONS = 200


def _with_file(subject: Subject, action: Callable[[Path], None]) -> None:
    fixture = subject.example.get("fixture")
    if fixture is None:
        raise Skip("its example has no fixture that writes a file")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"sample{subject.key}"
        get_manager().load(fixture, subject.plugin)(path)
        action(path)


def _readers(subject: Subject) -> list[Callable[[Path], Any]]:
    """How the plugin reads files of the format: as samples, as weights, or both."""
    import dovetail as dv
    from dovetail.io import decode

    found: list[Callable[[Path], Any]] = [decode] if "decode_sample" in subject.plugin.implements else []
    return found + ([dv.load] if "open_weights" in subject.plugin.implements else [])


@check("formats")
def a_good_file_is_read(subject: Subject) -> None:
    """The fixture's file is read, by every hook that the plugin has for files."""

    def action(path: Path) -> None:
        readers = _readers(subject)
        assert readers, "the plugin claims the suffix, but implements neither decode_sample nor open_weights"
        assert all(reader(path) is not None for reader in readers)

    _with_file(subject, action)


@check("formats")
def magic_is_as_declared(subject: Subject) -> None:
    """The file begins with (one of) the manifest's ``magic``."""
    magic = subject.fields.get("magic")
    if magic is None:
        raise Skip("the manifest declares no magic")
    starts = [text.encode("latin-1") for text in ([magic] if isinstance(magic, str) else magic)]

    def action(path: Path) -> None:
        assert any(path.read_bytes().startswith(start) for start in starts), f"it begins with {path.read_bytes()[:8]!r}"

    _with_file(subject, action)


@check("formats")
def damaged_files_are_format_errors(subject: Subject) -> None:
    """Two hundred mutations (bits, cuts, blocks) are read, or refused with a FormatError; nothing else is raised."""

    def action(path: Path) -> None:
        whole, draw = path.read_bytes(), np.random.RandomState(0)
        for number in range(MUTATIONS):
            path.write_bytes(_mutated(whole, draw))
            for reader in _readers(subject):
                try:
                    reader(path)
                except FormatError as error:
                    if "raised by plugin" in str(error):  # another error, which the core turned into this one
                        raise AssertionError(f"mutation {number}: {error}; expected the plugin's own FormatError") from error
                except Exception as error:
                    what = f"mutation {number} raises {type(error).__name__}: {error}; expected a FormatError"
                    raise AssertionError(what) from error

    _with_file(subject, action)


def _mutated(whole: bytes, draw: np.random.RandomState) -> bytes:
    data = bytearray(whole)
    kind = draw.randint(4)
    if kind == 0:
        return bytes(data[: draw.randint(len(data) + 1)])
    for _ in range(1 + draw.randint(4)):
        at = draw.randint(len(data))
        if kind == 1:
            data[at] ^= 1 << draw.randint(8)
        elif kind == 2:
            data[at] = (0, 255, 127, 128)[draw.randint(4)]
        else:
            data[at : at + 8] = draw.bytes(8)
    return bytes(data)


@check("formats")
def weights_make_the_round_trip(subject: Subject) -> None:
    """What is saved in the format is loaded again, where the plugin can do both."""
    import dovetail as dv

    if not {"save_weights", "open_weights"} <= set(subject.plugin.implements):
        raise Skip("the plugin does not both read and write weights")
    tensors = {"a": dv.arange(6).reshape(2, 3).float(), "b": dv.ones(())}
    with tempfile.TemporaryDirectory() as folder:
        dv.save(tensors, path := Path(folder) / f"w{subject.key}")
        assert same(dv.load(path), tensors), "the tensors come back changed"
