"""to_web(): a model as one web page, which runs it with onnxruntime-web in the browser and fetches nothing."""

from __future__ import annotations

import base64
import gzip
import html
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dovetail as dv
from dovetail.errors import TypeMismatch, UnsupportedError
from dovetail.io import atomic

from ..exporter import export
from ..reading import Tensors, parse
from ..summary import nodes_of
from .runtime import VERSION, parts
from .settings import settings

__all__ = ["to_web"]

_LARGEST = 256 << 20  # of the model: browsers hold a page's text in memory, several times over


def to_web(
    model: Any,
    folder: str | os.PathLike[str],
    args: Any = None,
    *,
    kind: str = "auto",
    transforms: Any = None,
    labels: Any = None,
    title: str | None = None,
    top: int = 5,
    runtime: str | os.PathLike[str] | None = None,
    **options: Any,
) -> Path:
    """Write ``index.html`` into a folder (or the file, where the name ends in ``.html``) and return its path.

    ``model`` is a Module, which is exported on ``args`` with the ``options`` of `export`, or an ONNX model: a path, bytes, a ModelProto.
    The page runs it in the browser, served or opened as a file; no address is contacted, and the page forbids itself to.

    ``kind`` is what is asked for: ``"draw"`` (a drawing pad), ``"image"`` (a picture), ``"numbers"`` (text fields), or ``"auto"``, by
    the model's input. ``transforms`` says how a picture is prepared: the transforms that the model was trained with, of which resizing,
    cropping, grey, scaling and normalizing are read. ``labels`` names the classes; the ``top`` likeliest are shown.

    onnxruntime-web is fetched from the npm registry once, checked and kept in the cache; ``runtime`` is a copy of the package instead.
    Raises an UnsupportedError where a page cannot do what is asked, a DownloadError or HashMismatch where the runtime is not to be had.
    """
    name = title or (type(model).__name__ if isinstance(model, dv.nn.Module) else Path(model).stem if _is_path(model) else "Model")
    proto = _proto(model, args, options)
    data = proto.SerializeToString()
    if len(data) > _LARGEST:
        what = f"the model has {len(data) / 1e6:,.0f} MB"
        raise UnsupportedError("to_web", what, f"expected at most {_LARGEST / 1e6:,.0f} MB, which a page can hold", "serve it by a program")
    said = settings(proto, kind, transforms, labels, top)
    page = _page(name, said, data, parts(runtime))
    target = Path(folder)
    target = target if target.suffix == ".html" else target / "index.html"
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(target) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return target


def _is_path(model: Any) -> bool:
    return isinstance(model, str | os.PathLike)


def _proto(model: Any, args: Any, options: dict[str, Any]) -> Any:
    """The ModelProto, with all its weights inside."""
    if isinstance(model, dv.nn.Module):
        if args is None:
            raise TypeMismatch("to_web", "args is None and model a Module", "expected an example of its inputs", "to_web(model, folder, x)")
        return export(model, args, **options)
    if args is not None or options:
        raise TypeMismatch(
            "to_web", f"model is {type(model).__name__}, and args or {sorted(options)} are given", "expected them for a Module"
        )
    if not _is_path(model) and not isinstance(model, bytes | bytearray | memoryview):
        if not hasattr(model, "graph"):
            raise TypeMismatch("to_web", f"model is {type(model).__name__}", "expected a Module, a path, bytes or a ModelProto")
        return _whole(model, "model", None)
    if _is_path(model):
        return _whole(parse(model, Path(model).read_bytes()), model, Path(model).parent)
    return _whole(parse("model", bytes(model)), "model", None)


def _whole(proto: Any, path: object, folder: Path | None) -> Any:
    """The model with the weights that lie in files beside it."""
    from onnx import TensorProto, numpy_helper

    tensors = Tensors(path, folder)
    for weight in _tensors(proto):
        if weight.data_location == TensorProto.EXTERNAL:
            weight.CopyFrom(numpy_helper.from_array(tensors.array(weight), weight.name))
    return proto


def _tensors(proto: Any) -> Iterator[Any]:
    """Every tensor of a model: those of its graph, of graphs inside, and of attributes."""
    yield from proto.graph.initializer
    for node in nodes_of(proto):
        for item in node.attribute:
            for graph in (item.g, *item.graphs):
                yield from graph.initializer
            yield from (item.t, *item.tensors)


def _page(title: str, said: dict[str, Any], model: bytes, runtime: dict[str, bytes]) -> str:
    here = Path(__file__).parent
    filled = {
        "title": html.escape(title),
        "style": (here / "page.css").read_text(encoding="utf-8"),
        "script": (here / "page.js").read_text(encoding="utf-8"),
        "settings": json.dumps(said, ensure_ascii=False).replace("<", "\\u003c"),
        "runtime": runtime["script"].decode("utf-8"),
        "glue": _packed(runtime["glue"]),
        "wasm": _packed(runtime["wasm"]),
        "model": _packed(model),
        "footer": f"Made with Dovetail. Runs in this page with ONNX Runtime Web {VERSION}, © Microsoft Corporation, MIT License.",
    }
    template = (here / "page.html").read_text(encoding="utf-8")
    return re.sub(r"<!--(\w+)-->", lambda found: filled[found[1]], template)


def _packed(data: bytes) -> str:
    return base64.b64encode(gzip.compress(data, 6, mtime=0)).decode("ascii")
