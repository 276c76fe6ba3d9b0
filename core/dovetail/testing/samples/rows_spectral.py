"""Rows of the discrete Fourier transforms; NumPy's are the reference."""

import numpy as np

from .row import Row, T

_NO = RuntimeError
_OPS = {"fft": "fft_c2c", "ifft": "fft_c2c", "rfft": "fft_r2c", "ihfft": "fft_r2c", "irfft": "fft_c2r", "hfft": "fft_c2r"}
_COMPLEX = "complex128"


def row(name, args, kwargs=None, title="", **more):
    """One call of a function of ``dovetail.fft``; the first dimension is transformed too, so that an empty one is refused by both."""
    kwargs = kwargs or {}
    op = _OPS[name.rstrip("2n")]
    place = {"s": "s", "dim": "axes"} if name[-1] in "2n" else {"n": "n", "dim": "axis"}
    numpys = {place.get(key, key): value for key, value in kwargs.items()}
    return Row(op, args, kwargs, call=f"fft.{name}", name=title, ref=lambda x: getattr(np.fft, name)(x, **numpys), **more)


def _errors(name, real):
    """What every function of one dimension refuses."""
    found = [
        ([T(3), 0], {}, _NO, "Invalid number of data points (0) specified"),
        ([T(3), -1], {}, _NO, "Invalid number of data points (-1) specified"),
        ([T(3), 2.5], {}, TypeError, "'n'"),
        ([T(2, 3), None, 2], {}, IndexError, "Dimension out of range"),
        ([T()], {}, IndexError, "tensor has no dimensions"),
        ([T(3)], {"norm": "unit"}, _NO, "Invalid normalization mode"),
        ([T(3, dtype="float16")], {}, _NO, "Unsupported dtype Half"),
        ([[1.0, 2.0]], {}, TypeError, "must be Tensor"),
    ]
    return found + ([([T(3, dtype=_COMPLEX)], {}, _NO, "expects a real input tensor")] if real else [])


def _errors_of_many(half):
    """What every function of several dimensions refuses."""
    found = [
        ([T(2, 3)], {"s": (2, 2, 2)}, _NO, "Got shape with 3 values"),
        ([T(2, 3)], {"dim": (0, 0)}, _NO, "dims"),
        ([T(2, 3)], {"s": (2,), "dim": (0, 1)}, _NO, "must have the same length"),
        ([T(2, 3)], {"s": (0, 2)}, _NO, "Invalid number of data points (0) specified"),
        ([T(2, 3)], {"dim": (0, 5)}, IndexError, "Dimension out of range"),
    ]
    return found + ([([T(2, 3)], {"dim": ()}, _NO, "must transform at least one axis")] if half else [])


def _one(name):
    real, back = name in ("rfft", "ihfft"), name in ("irfft", "hfft")
    kinds = ["float64"] if real else ["float64", _COMPLEX]
    rows = []
    for kind in kinds:
        of = "" if kind == "float64" else "complex "
        rows += [
            row(name, [T(6, dtype=kind)], {}, of.strip(), errors=_errors(name, real) if not of else ()),
            row(name, [T(5, dtype=kind)], {"n": 8, "norm": "ortho"}, f"{of}filled"),
            row(name, [T(5, 2, dtype=kind)], {"n": 3, "dim": 0, "norm": "forward"}, f"{of}cut"),
            row(name, [T(4, 3, dtype=kind)], {"n": 1, "dim": 0}, f"{of}one"),
        ]
    return rows + ([row(name, [T(4, dtype=_COMPLEX)], {"n": 7}, "odd")] if back else [row(name, [T(7)], {}, "odd")])


def _many(name):
    back, kinds = name.startswith("irfft"), ["float64"] if name.startswith("rfft") else ["float64", _COMPLEX]
    two = name.endswith("2")
    errors = [([T(3)], {}, IndexError, "Dimension out of range")] if two else _errors_of_many("r" in name)
    rows = []
    for kind in kinds:
        of = "" if kind == "float64" else "complex "
        rows += [
            row(name, [T(3, 4, dtype=kind)], {}, of.strip(), errors=errors if not of else ()),
            row(name, [T(3, 4, dtype=kind)], {"s": (4, 5), "dim": (1, 0), "norm": "ortho"}, f"{of}turned"),
        ]
    if not two:
        rows += [row(name, [T(2, 3, 4)], {"dim": (0, 1, 2), "norm": "forward"}, "three")]
    return rows + ([row(name, [T(3, 4, dtype=_COMPLEX)], {"s": (3, 7), "dim": (0, 1)}, "odd")] if back else [])


def _plain(name, args, ref, errors, title=""):
    return Row(f"fft.{name}", args, call=f"fft.{name}", ref=ref, errors=errors, grad=False, promote=None, name=title)


_SHIFT = [([T(2, 3), 2], {}, IndexError, "Dimension out of range"), ([T()], {}, _NO, "`shifts` required")]
_FREQUENCIES = [([-4], {}, _NO, "negative dimension"), ([2.5], {}, TypeError, "'n'")]

ROWS = [
    *(r for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft") for r in _one(name)),
    *(r for name in ("fft2", "ifft2", "rfft2", "irfft2", "fftn", "ifftn", "rfftn", "irfftn") for r in _many(name)),
    _plain("fftfreq", [5, 0.5], lambda n, d: np.fft.fftfreq(n, d).astype("float32"), _FREQUENCIES),
    _plain("fftfreq", [4], lambda n: np.fft.fftfreq(n).astype("float32"), (), "even"),
    _plain("rfftfreq", [5, 0.5], lambda n, d: np.fft.rfftfreq(n, d).astype("float32"), _FREQUENCIES),
    *(
        Row("roll", args, call=f"fft.{name}", ref=getattr(np.fft, name), name=name + title, errors=() if title else _SHIFT)
        for name in ("fftshift", "ifftshift")
        for args, title in (([T(4, 3)], ""), ([T(5, 2), 0], " along one"))
    ),
]
