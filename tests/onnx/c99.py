"""What the tests of C programs share: a model written, compiled without a warning, called through ctypes or as a program of its own."""

from __future__ import annotations

import ctypes
import itertools
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import dovetail as dv
from dovetail_onnx import to_c

STRICT = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]


def compiler(name="gcc"):
    """The path of a compiler; where there is none the test is left out, which the summary says."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"NOT SEEN as a C program: no {name}; apt-get install build-essential")
    return found


def run(*command, **more):
    done = subprocess.run(list(map(str, command)), capture_output=True, timeout=300, check=False, **more)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")[:3000]
    return done.stdout


def library(path: Path, *flags):
    """The C file as a library."""
    made = path.with_name(f"{path.stem}{next(_NUMBERS)}.so")  # a name that was loaded before would give the old library
    run(compiler(), *STRICT, *(flags or ("-O1",)), "-fPIC", "-shared", path, "-o", made, "-lm")
    return ctypes.CDLL(str(made))


_NUMBERS = itertools.count()


def called(loaded, name, n, inputs, shapes, dtypes=None):
    """The arrays that NAME_run gives."""
    outputs = [np.full((n, *shape), 7, kind) for shape, kind in zip(shapes, dtypes or ["f4"] * len(shapes))]
    pointers = [ctypes.c_void_p(array.ctypes.data) for array in (*inputs, *outputs)]
    return getattr(loaded, f"{name}_run")(ctypes.c_size_t(n), *pointers), outputs


def results(found):
    return [t.detach().numpy() for t in (found if isinstance(found, tuple | list) else (found,))]


def check(tmp_path, model, *inputs, bar=1e-5, flags=(), **options):
    """Write, compile and run a model on samples; every result is the model's to ``bar`` of its largest element, or of 1."""
    if isinstance(model, dv.nn.Module):
        model.eval()
    made = to_c(model, tmp_path / "net.c", *inputs, **options)
    loaded = library(tmp_path / "net.c", *flags)
    if len(made.files) > 2:
        assert loaded.net_load(made.files[0].encode()) == 0
    with dv.no_grad():
        wanted = results(model(*inputs))
    batch = options.get("batch", True)
    n = len(inputs[0]) if batch else 1
    given = [np.ascontiguousarray(x.numpy()) for x in inputs]
    shapes = [one.shape[1:] if batch else one.shape for one in wanted]
    code, found = called(loaded, "net", n, given, shapes, [one.dtype for one in wanted])
    assert code == 0
    for at, (one, other) in enumerate(zip(found, wanted)):
        one = one.reshape(other.shape)
        assert np.array_equal(np.isnan(one), np.isnan(other)), at
        with np.errstate(invalid="ignore"):  # infinity less infinity is well; infinity less a number is not
            apart = one - other if one.dtype.kind == "f" else one != other
        far = float(np.abs(np.nan_to_num(apart.astype("f8"), nan=0.0)).max(initial=0))
        assert far <= bar * max(float(np.abs(other[np.isfinite(other)].astype("f8")).max(initial=0)), 1.0), (at, far)
    return made, loaded
