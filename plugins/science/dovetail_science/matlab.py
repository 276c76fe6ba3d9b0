"""MATLAB files (`.mat`, version 5): tensors by name, read and written by SciPy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

import dovetail as dv
from dovetail.errors import FormatError

__all__ = ["example", "read", "write"]

_ABOUT = "dovetail_about"  # the variable that holds the names, shapes and types of tensors as JSON


def read(path: str) -> dict[str, Any]:
    """Read the arrays of a file as tensors, by name.

    A file that `write` made gives its names and shapes back; in any other, an array has two dimensions or more, as MATLAB has no fewer.
    Cells, structs, objects and functions are not tensors: a FormatError names the variable. Nothing in a file is run.
    """
    from scipy.io import loadmat

    try:
        found = loadmat(path, mat_dtype=False, struct_as_record=True, verify_compressed_data_integrity=True)
    except NotImplementedError as error:
        raise FormatError(
            path, None, f"{error}; expected a version 5 file: save it with -v7 in MATLAB, or read version 7.3 with h5py"
        ) from error
    except MemoryError:
        size = Path(path).stat().st_size
        raise FormatError(path, None, f"asks for more memory than there is, in a file of {size} bytes; expected a whole file") from None
    except Exception as error:
        raise FormatError(path, None, f"is no MATLAB file of version 5 ({type(error).__name__}: {error}); expected one") from error
    about = _about(path, found.pop(_ABOUT, None))
    tensors = {}
    for variable, value in found.items():
        if variable.startswith("__") and variable.endswith("__"):
            continue
        if not isinstance(value, np.ndarray) or value.dtype.kind not in "biufc":
            kind = getattr(value, "dtype", type(value).__name__)
            raise FormatError(path, None, f"variable {variable!r} is of type {kind}, which is no tensor; expected numbers")
        name, shape, dtype = about.get(variable, (variable, list(value.shape), value.dtype.newbyteorder("=").name))
        try:
            array = np.ascontiguousarray(value.astype(dtype, casting="unsafe" if dtype == "bool" else "same_kind")).reshape(shape)
        except (TypeError, ValueError) as error:
            raise FormatError(path, None, f"variable {variable!r} does not fit what the file says of it ({error})") from error
        tensors[name] = dv.from_numpy(array)
    return tensors


def _about(path: str, text: Any) -> dict[str, tuple[str, list[int], str]]:
    """What `write` noted of each variable: the tensor's name, its shape and its type."""
    if text is None:
        return {}
    try:
        noted = json.loads(str(np.asarray(text).reshape(-1)[0]))
        return {key: (str(name), [int(n) for n in shape], np.dtype(dtype).name) for key, (name, shape, dtype) in noted.items()}
    except (ValueError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise FormatError(path, None, f"variable {_ABOUT!r} is not what dovetail writes ({error})") from error


def write(path: str, tensors: dict[str, Any]) -> None:
    """Write tensors by name, dots as underscores; what MATLAB has no name or no type for is a FormatError."""
    from scipy.io import savemat

    arrays: dict[str, Any] = {}
    about = {}
    for name, t in tensors.items():
        variable = name.replace(".", "_")
        if not (variable.isidentifier() and variable.isascii() and variable[0].isalpha() and len(variable) <= 63) or variable == _ABOUT:
            raise FormatError(path, None, f"{name!r} is no MATLAB name; expected a letter, then letters, digits and underscores, 63 in all")
        if variable in arrays:
            raise FormatError(path, None, f"two tensors would be called {variable!r}; expected names that differ in more than dots")
        if t.dtype in (dv.bfloat16, dv.float16):
            raise FormatError(path, None, f"{name!r} is of type {t.dtype}, which MATLAB does not have; expected float32 or float64")
        arrays[variable] = t.detach().cpu().numpy()
        about[variable] = (name, list(t.shape), arrays[variable].dtype.name)
    with open(path, "wb") as file:
        savemat(file, {**arrays, _ABOUT: json.dumps(about)}, format="5", long_field_names=True, do_compression=True, oned_as="row")


def example(path: Any) -> None:
    """Write a small file, for the conformance kit."""
    write(str(path), {"x": dv.arange(6.0).reshape(2, 3), "n": dv.tensor([[3]])})
