"""Complex numbers as pairs of real ones, and Fourier transforms: results, gradients, other sizes, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

import dovetail as dv
from dovetail.errors import UnsupportedError
from dovetail_onnx import export, load
from tests.onnx.running import assert_same

fft = dv.fft
X = dv.from_numpy(np.random.default_rng(0).normal(size=(2, 64)).astype("f4"))
WINDOW = dv.hann_window(16)


def stft(x):
    return dv.stft(x, 16, 8, window=WINDOW, return_complex=True)


def pairs(x):
    return dv.view_as_complex(x.view(x.shape[0], -1, 2))


CALLS = {
    "power": lambda x: stft(x).abs() ** 2,
    "stft": lambda x: dv.view_as_real(stft(x)),
    "istft": lambda x: dv.istft(stft(x) * 2, 16, 8, window=WINDOW),
    "ifft": lambda x: fft.ifft(fft.fft(x) * 2j).real,
    "of complex numbers": lambda x: dv.view_as_real(fft.fft(pairs(x), norm="forward")),
    "irfft": lambda x: fft.irfft(fft.rfft(x) * (1 + 2j), n=64),
    "irfft of an odd length": lambda x: fft.irfft(fft.rfft(x[:, :9], norm="ortho"), n=9, norm="forward"),
    "two dimensions": lambda x: fft.fft2(x, norm="ortho").imag,
    "back from two": lambda x: fft.irfft2(fft.rfft2(x.view(-1, 8, 8)) * 1j, s=(8, 8)),
    "fewer frequencies": lambda x: fft.irfft(fft.rfft(x), n=20),
    "a vector": lambda x: fft.rfft(x[0]).abs(),
    "shifted": lambda x: fft.fftshift(fft.fft(x)).abs(),
    "conj": lambda x: pairs(x).conj().imag,
    "angle": lambda x: pairs(x).angle(),
    "products": lambda x: ((pairs(x) * pairs(x) + x[:, :32]) / (pairs(x) - 3j)).real,
    "moved": lambda x: dv.cat([pairs(x), pairs(x)], 1)[:, ::3].T.reshape(-1).imag,
    "exp": lambda x: dv.exp(dv.complex(x, x)).real,
    "polar": lambda x: dv.polar(x.exp(), x).imag,
    "rotary": lambda x: dv.view_as_real(pairs(x) * dv.polar(dv.ones(32), dv.arange(32.0))).flatten(1),
}


@pytest.mark.parametrize("name", CALLS)
def test_results_and_gradients(name):
    """`export` has compared the results in onnxruntime; at both definitions of DFT."""
    call = CALLS[name]
    for opset in (17, 20):
        module, found = load(export(call, X, opset=opset)), []
        for each in (call, module):
            x = X.clone().requires_grad_()
            out = each(x)
            (out * out.detach().cos()).sum().backward()
            found.append((out.detach().numpy(), x.grad.numpy()))
        assert not module.handed_over
        for a, b in zip(*found):
            np.testing.assert_allclose(b, a, rtol=1e-4, atol=2e-5 * max(1, np.abs(a).max()))


def test_free_sizes():
    """The batch, and the length of what is transformed."""
    for name, free in (("power", {0: "n"}), ("ifft", {0: "n", 1: "time"}), ("istft", {0: "n"}), ("rotary", {0: "n"})):
        spec = {"x": free}
        proto = export(CALLS[name], X, dynamic_shapes=spec)
        assert_same(proto, CALLS[name], X, {"n": 5, "time": 45}, spec)


def test_in_half_precision_transforms_stay_in_float32():
    proto = export(CALLS["power"], X, half=True, verify=False)
    casts = [node.output[0] for node in proto.graph.node if node.op_type == "Cast"]
    (dft,) = [node for node in proto.graph.node if node.op_type == "DFT"]
    assert any("float32" in name for name in casts) and dft.input[0]


def test_what_is_refused():
    for call, x, match in (
        (lambda x: fft.fft(x).tanh().real, X, "tanh: complex numbers have no counterpart in ONNX; compute with real and imaginary parts"),
        (lambda x: fft.fft(x), X, "complex numbers have no counterpart in ONNX where this one is used; return view_as_real"),
        (lambda x: x.abs(), dv.complex(X, X), "abs: a complex input has no counterpart in ONNX; take its real and imaginary parts"),
    ):
        with pytest.raises(UnsupportedError, match=match):
            export(call, x)
    with pytest.raises(UnsupportedError, match="Fourier transforms need opset 17, got 16; export with a newer opset"):
        export(CALLS["ifft"], X, opset=16)
    with pytest.raises(UnsupportedError, match="a transform of .* frequencies to .* real numbers; fix the size"):
        export(lambda x: fft.irfft(fft.rfft(x), n=x.shape[1]), X, dynamic_shapes={"x": {1: "time"}})
