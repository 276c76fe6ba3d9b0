"""Untrusted ONNX files: parsed, their tensors' sizes checked before anything is allocated, weights beside them confined."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from dovetail.errors import FormatError, UnsupportedError

from .external import External

__all__ = ["Tensors", "parse"]

# Elements that a sparse tensor may stand for, at least: a few bytes can declare any size.
_DENSE = 1 << 24
# How often the bytes of the data files may be used: several tensors may share a range, as tied weights do.
_SHARED = 8


def not_there(where: str, error: ImportError, why: str) -> UnsupportedError:
    """The error for a package that cannot be imported: it is not installed, or a program of its name lies in its place.

    >>> not_there("export", ImportError("half imported", name="onnx", path="/home/me/onnx.py"), "it writes the model")
    UnsupportedError("export: the package 'onnx' cannot be imported; it writes the model; rename /home/me/onnx.py, which lies in its place")
    """
    what = f"the package {error.name or 'onnx'!r} cannot be imported"
    if Path(error.path or "").name == "onnx.py":
        return UnsupportedError(where, what, why, f"rename {error.path}, which lies in its place")
    return UnsupportedError(where, what if isinstance(error, ModuleNotFoundError) else f"{what} ({error})", why, "pip install onnx")


def parse(path: str | os.PathLike[str], data: bytes) -> Any:
    """The ModelProto in ``data``, which was read from ``path``.

    Raises a FormatError for bytes that are no ONNX model, and an UnsupportedError where the package ``onnx`` is not installed.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise not_there("onnx", error, "it reads the files") from error
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError as error:
        raise FormatError(path, None, f"is not an ONNX model, or is cut off ({error})") from None
    # Protobuf takes many a foreign file for a message of unknown fields, and the empty file for a message of none.
    if not model.ir_version or not model.opset_import or not model.HasField("graph"):
        raise FormatError(path, None, "is not an ONNX model: expected an IR version, an opset and a graph")
    return model


class Tensors:
    """Reads the tensors of one model; ``folder`` is where its external data may lie, None where there is no file."""

    def __init__(self, path: object, folder: Path | None) -> None:
        self.path = path
        self.external = None if folder is None else External(path, folder, _SHARED)

    def array(self, tensor: Any) -> np.ndarray[Any, Any]:
        """The values of a TensorProto. Raises a FormatError where they are not all there, or more than declared."""
        import onnx
        from onnx import numpy_helper

        where = f"tensor {tensor.name!r}"
        dims = list(tensor.dims)
        if any(size < 0 for size in dims):
            raise FormatError(self.path, None, f"{where} has the shape {dims}; expected sizes of 0 or more")
        bits = _bits(tensor.data_type)
        if not bits and tensor.data_type != onnx.TensorProto.STRING:
            raise FormatError(self.path, None, f"{where} has the element type {tensor.data_type}, which ONNX does not define")
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            tensor = self._fetched(tensor, where, (math.prod(dims) * bits + 7) // 8)
        else:
            there = len(tensor.raw_data) if tensor.HasField("raw_data") else tensor.ByteSize()
            if math.prod(dims) > 8 * there:
                declared = f"declares {math.prod(dims):,} elements in {there:,} bytes"
                raise FormatError(self.path, None, f"{where} {declared}; expected as many as are there")
        try:
            return np.array(numpy_helper.to_array(tensor))
        except Exception as error:  # onnx raises many kinds for data that does not fit its type and shape
            raise FormatError(self.path, None, f"{where} cannot be read ({type(error).__name__}: {error})") from error

    def _fetched(self, tensor: Any, where: str, length: int) -> Any:
        import onnx

        if self.external is None:
            what = f"{where} lies outside the model, and this model was not read from a file"
            raise FormatError(self.path, None, f"{what}; load it by its path, or call onnx.load_external_data_for_model first")
        whole = onnx.TensorProto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
        whole.raw_data = self.external.read(where, {entry.key: entry.value for entry in tensor.external_data}, length)
        return whole

    def dense(self, sparse: Any) -> np.ndarray[Any, Any]:
        """The values of a SparseTensorProto, with zeros where it has none."""
        values, indices = self.array(sparse.values), self.array(sparse.indices)
        dims = list(sparse.dims)
        size = math.prod(dims)
        where = f"sparse tensor {sparse.values.name!r}"
        if any(one < 0 for one in dims) or size > max(_DENSE, 1000 * values.size):
            raise FormatError(
                self.path, None, f"{where} with {values.size:,} values has the shape {dims}; expected one nearer to their number"
            )
        flat = indices if indices.ndim == 1 else indices @ np.array([math.prod(dims[at + 1 :]) for at in range(len(dims))], np.int64)
        if flat.shape != values.shape or (flat.size and not (flat.min() >= 0 and flat.max() < size)):
            raise FormatError(self.path, None, f"{where} has indices that do not fit its shape {dims} and its {values.size:,} values")
        whole = np.zeros(size, values.dtype)
        whole[flat] = values
        return whole.reshape(dims)


def _bits(data_type: int) -> int:
    """How many bits an element has; 0 for strings and for what ONNX does not define."""
    from onnx import TensorProto, helper

    if data_type in (TensorProto.UNDEFINED, TensorProto.STRING) or data_type not in TensorProto.DataType.values():
        return 0
    name = TensorProto.DataType.Name(data_type)
    packed = next((bits for ending, bits in (("INT4", 4), ("INT2", 2), ("FLOAT4E2M1", 4)) if name.endswith(ending)), 0)
    return packed or 8 * int(np.dtype(helper.tensor_dtype_to_np_dtype(data_type)).itemsize)
