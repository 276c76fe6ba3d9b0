"""Autocast gives results of PyTorch's types, and mixed-precision training goes as PyTorch's does."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

import dovetail as dv

# name → expression; x, y: float32 (4, 4); b(): bfloat16 (4, 4); t: labels; im, vol: images and volumes
CASES = {
    "matmul": "x@y",
    "mm": "lib.mm(x,y)",
    "bmm": "lib.bmm(x[None],y[None])",
    "mv": "lib.mv(x,y[0])",
    "dot": "lib.dot(x[0],y[0])",
    "outer": "lib.outer(x[0],y[0])",
    "vdot": "lib.vdot(x[0],y[0])",
    "addmm": "lib.addmm(x,x,y)",
    "baddbmm": "lib.baddbmm(x[None],x[None],y[None])",
    "addbmm": "lib.addbmm(x,x[None],y[None])",
    "addmv": "lib.addmv(x[0],x,y[0])",
    "addr": "lib.addr(x,x[0],y[0])",
    "linear": "f.linear(x,y)",
    "bilinear": "f.bilinear(x,y,lib.rand(3,4,4))",
    "einsum": "lib.einsum('ij,jk->ik',x,y)",
    "einsum1": "lib.einsum('ij->i',x)",
    "tensordot": "lib.tensordot(x,y,1)",
    "chain": "lib.linalg.multi_dot([x,y,x])",
    "inner": "lib.inner(x,y)",
    "kron": "lib.kron(x,y)",
    "conv2d": "f.conv2d(im,lib.rand(3,2,3,3))",
    "conv1d": "f.conv1d(im[0],lib.rand(3,8,3))",
    "convt": "f.conv_transpose2d(im,lib.rand(2,3,3,3))",
    "sdpa": "f.scaled_dot_product_attention(x[None,None],x[None,None],y[None,None])",
    "exp": "x.exp()",
    "log": "x.log()",
    "pow": "x**2",
    "softmax": "x.softmax(-1)",
    "bsoftmax": "b().softmax(-1)",
    "bexp": "b().exp()",
    "bsum": "b().sum()",
    "bln": "f.layer_norm(b(),(4,))",
    "bln2": "f.layer_norm(b(),(4,),lib.ones(4),lib.zeros(4))",
    "bbn": "f.batch_norm(b(),lib.zeros(4),lib.ones(4),training=True)",
    "bgn": "f.group_norm(b(),2)",
    "ce": "f.cross_entropy(b(),t)",
    "nll": "f.nll_loss(b(),t)",
    "mse": "f.mse_loss(b(),b())",
    "l1": "f.l1_loss(b(),b())",
    "sl1": "f.smooth_l1_loss(b(),b())",
    "huber": "f.huber_loss(b(),b())",
    "bcel": "f.binary_cross_entropy_with_logits(b(),b())",
    "bce": "f.binary_cross_entropy(b()/2,b()/2)",
    "kl": "f.kl_div(b(),b())",
    "poisson": "f.poisson_nll_loss(b(),b())",
    "cos": "f.cosine_embedding_loss(b(),b(),lib.ones(4))",
    "hinge": "f.hinge_embedding_loss(b(),lib.ones(4,4))",
    "margin": "f.margin_ranking_loss(b(),b(),lib.ones(4,4))",
    "soft_margin": "f.soft_margin_loss(b(),lib.ones(4,4))",
    "triplet": "f.triplet_margin_loss(b(),b(),b())",
    "multi_margin": "f.multi_margin_loss(b(),t)",
    "mlm": "f.multilabel_margin_loss(b(),lib.randint(0,4,(4,4)))",
    "mlsm": "f.multilabel_soft_margin_loss(b(),b())",
    "gnll": "f.gaussian_nll_loss(b(),b(),b())",
    "ctc": "f.ctc_loss(lib.rand(5,2,4).bfloat16().log_softmax(-1),lib.ones(2,2,dtype=lib.long),lib.tensor([5,5]),lib.tensor([2,2]))",
    "cat": "lib.cat([x,b()])",
    "stack": "lib.stack([x,b()])",
    "add": "x+b()",
    "where": "lib.where(x>0,x,b())",
    "prod": "b().prod()",
    "cdist": "lib.cdist(b(),b())",
    "trace": "b().trace()",
    "quantile": "lib.quantile(b(),.5)",
    "inv": "lib.linalg.inv(b())",
    "svd": "lib.linalg.svd(b())[1]",
    "qr": "lib.linalg.qr(b())[0]",
    "norm": "b().norm()",
    "vnorm": "lib.linalg.vector_norm(b())",
    "solve": "lib.linalg.solve(b(),b())",
    "eigh": "lib.linalg.eigh(b())[0]",
    "lstsq": "lib.linalg.lstsq(b(),b())[0]",
    "matrix_norm": "lib.linalg.matrix_norm(b())",
    "mpow": "lib.linalg.matrix_power(b(),2)",
    "fft": "lib.fft.fft(b())",
    "ap3": "f.avg_pool3d(vol.bfloat16(),2)",
    "mp3": "f.max_pool3d(vol.bfloat16(),2)",
    "aap3": "f.adaptive_avg_pool3d(vol.bfloat16(),2)",
    "amp3": "f.adaptive_max_pool3d(vol.bfloat16(),2)",
    "ap2": "f.avg_pool2d(im.bfloat16(),2)",
    "grid": "f.grid_sample(im.bfloat16(),lib.rand(1,3,3,2))",
    "rpad": "f.pad(im.bfloat16(),(1,1,1,1),mode='reflect')",
    "rep": "f.pad(im.bfloat16(),(1,1,1,1),mode='replicate')",
    "interp": "f.interpolate(im.bfloat16(),scale_factor=2)",
    "interpb": "f.interpolate(im.bfloat16(),scale_factor=2,mode='bilinear')",
    "unpool": "f.max_unpool2d(*f.max_pool2d(im.bfloat16(),2,return_indices=True),2)",
    "lstm": "lib.nn.LSTM(4,3)(x[:,None])[0]",
    "gru": "lib.nn.GRU(4,3)(x[:,None])[0]",
    "rnn": "lib.nn.RNN(4,3)(x[:,None])[0]",
    "lstmcell": "lib.nn.LSTMCell(4,3)(x)[0]",
    "grucell": "lib.nn.GRUCell(4,3)(x)",
    "mha": "lib.nn.MultiheadAttention(4,2)(x,x,x)[0]",
    "tel": "lib.nn.TransformerEncoderLayer(4,2,8)(x[:,None])",
    "emb": "f.embedding(t,x)",
    "cumsum": "b().cumsum(0)",
    "f64": "x.double()@y.double()",
    "f64b": "lib.mm(x.double(),y.double())",
    "cossim": "f.cosine_similarity(b(),b())",
    "prelu": "f.prelu(b(),lib.rand(1))",
    "gelu": "f.gelu(b())",
    "ln_f": "f.layer_norm(x,(4,))",
    "xlinmix": "f.linear(b(),x)",
    "conv1d_mix": "f.conv1d(im[0].bfloat16(),lib.rand(3,8,3),lib.rand(3))",
    "conv2d_mix": "f.conv2d(im.bfloat16(),lib.rand(3,2,3,3),bias=lib.rand(3))",
    "conv2d_weight": "f.conv2d(im,lib.rand(3,2,3,3).bfloat16())",
    "conv3d_mix": "f.conv3d(vol.bfloat16(),lib.rand(3,2,3,3,3))",
    "conv_tbc_mix": "lib.conv_tbc(b()[:,None],lib.rand(2,4,3),lib.rand(3))",
    "convt_mix": "f.conv_transpose2d(im.bfloat16(),lib.rand(2,3,3,3),lib.rand(3))",
    "convt_bias": "f.conv_transpose2d(im,lib.rand(2,3,3,3),lib.rand(3))",
    "sdpa_mix": "f.scaled_dot_product_attention(b()[None,None],x[None,None],y[None,None])",
    "gru_mix": "lib.nn.GRU(4,3,2)(b()[:,None])[0]",
    "rnn_mix": "lib.nn.RNN(4,3)(b()[:,None])[0]",
    "lstmcell_mix": "lib.nn.LSTMCell(4,3)(b())[0]",
    "grucell_mix": "lib.nn.GRUCell(4,3)(b())",
    "rnncell_mix": "lib.nn.RNNCell(4,3)(b())",
}


def types(lib, lower, skipped):
    """The type of each case's result under autocast; an error by its class."""
    found = {}
    half = lib.bfloat16
    names = {
        "lib": lib, "f": lib.nn.functional, "x": lib.rand(4, 4) + 0.1, "y": lib.rand(4, 4) + 0.1, "t": lib.randint(0, 4, (4,)),
        "b": lambda: lib.rand(4, 4).to(half) + 0.1, "im": lib.rand(1, 2, 8, 8), "vol": lib.rand(1, 2, 4, 4, 4),
    }  # fmt: skip
    with lib.autocast("cpu", dtype=getattr(lib, lower)), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in CASES.keys() - skipped:
            found[name] = str(eval(CASES[name], names).dtype).split(".")[-1]  # noqa: S307  the expressions are those above
    return found


@pytest.mark.parametrize("lower", ["bfloat16", "float16"])
def test_types(lower):
    skipped = {"lstm"} if lower == "float16" else set()  # PyTorch has no float16 LSTM on a CPU
    assert types(dv, lower, skipped) == types(torch, lower, skipped)


def net(lib):
    lib.manual_seed(0)
    n = lib.nn
    front = n.Sequential(n.Conv2d(1, 4, 3, padding=1), n.BatchNorm2d(4), n.ReLU(), n.Conv2d(4, 4, 3, padding=1), n.Flatten())
    return n.Sequential(front, n.Linear(256, 32), n.LayerNorm(32), n.Linear(32, 5))


def losses(lib, scaler):
    model = net(lib)
    optimizer = lib.optim.SGD(model.parameters(), lr=0.05)
    x, y = lib.randn(16, 1, 8, 8), lib.randint(0, 5, (16,))
    found = []
    for _ in range(15):
        optimizer.zero_grad()
        with lib.autocast(device_type="cpu", dtype=lib.bfloat16):
            out = model(x)
            loss = lib.nn.functional.cross_entropy(out, y)
        assert out.dtype is lib.bfloat16 and loss.dtype is lib.float32
        if scaler is None:
            loss.backward()
            optimizer.step()
        else:
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
            lib.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
            scaler.step(optimizer)
            scaler.update()
        assert all(p.grad.dtype is lib.float32 for p in model.parameters())
        found.append(loss.item())
    return np.array(found)


@pytest.mark.parametrize("scaled", [False, True])
def test_training(scaled):
    ours = losses(dv, dv.amp.GradScaler("cpu") if scaled else None)
    theirs = losses(torch, torch.amp.GradScaler("cpu") if scaled else None)
    assert theirs[-1] < theirs[0] / 2
    # bfloat16 has 8 bits: products summed in another order differ in the last one
    np.testing.assert_allclose(ours, theirs, rtol=0.05, atol=0.01)


def scales(lib):
    w = lib.nn.Parameter(lib.ones(2))
    optimizer = lib.optim.SGD([w], lr=0.1)
    scaler = lib.amp.GradScaler("cpu", init_scale=8.0, growth_interval=2)
    found = []
    for factor in (1.0, 1.0, float("inf"), 1.0, float("nan"), 1.0, 1.0, 1.0):
        optimizer.zero_grad()
        scaler.scale((w * factor).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        found.append((scaler.get_scale(), w.tolist()))
    return found, scaler.state_dict()


def test_the_scale_adapts():
    (ours, state), (theirs, expected) = scales(dv), scales(torch)
    assert [s for s, _ in ours] == [s for s, _ in theirs] and state == expected
    np.testing.assert_allclose([w for _, w in ours], [w for _, w in theirs], rtol=1e-6)
    again = dv.amp.GradScaler("cpu")
    again.load_state_dict(state)
    assert again.get_scale() == state["scale"] and again.get_growth_interval() == 2


def orders(lib):
    """The error class of each wrong order of calls."""
    found = []

    def attempt(*steps):
        w = lib.nn.Parameter(lib.ones(1))
        optimizer = lib.optim.SGD([w], lr=0.1)
        scaler = lib.amp.GradScaler("cpu")
        try:
            for step in steps:
                if step == "backward":
                    scaler.scale(w.sum()).backward()
                elif step in ("unscale_", "step"):
                    getattr(scaler, step)(optimizer)
                else:
                    scaler.update()
            found.append(None)
        except (RuntimeError, AssertionError) as error:
            found.append(RuntimeError if isinstance(error, RuntimeError) else AssertionError)

    for steps in (
        ["backward", "step", "update"], ["unscale_"], ["step"], ["update"], ["backward", "unscale_", "unscale_"],
        ["backward", "step", "step"], ["backward", "step", "unscale_"], ["backward", "unscale_", "step", "update"],
    ):  # fmt: skip
        attempt(*steps)
    return found


def test_wrong_orders_are_refused():
    assert orders(dv) == orders(torch)


def functions(lib):
    seen = []

    class Double(lib.autograd.Function):
        @staticmethod
        @lib.amp.custom_fwd(device_type="cpu", cast_inputs=lib.float32)
        def forward(ctx, x):
            seen.append((str(x.dtype).split(".")[-1], lib.is_autocast_enabled("cpu")))
            return x * 2

        @staticmethod
        @lib.amp.custom_bwd(device_type="cpu")
        def backward(ctx, g):
            seen.append((str(g.dtype).split(".")[-1], lib.is_autocast_enabled("cpu")))
            return g * 2

    x = lib.ones(2, dtype=lib.bfloat16, requires_grad=True)
    with lib.autocast("cpu"):
        Double.apply(x).sum().backward()
        seen.append(lib.is_autocast_enabled("cpu"))

        @lib.autocast("cpu", enabled=False)
        def plain():
            return str((lib.ones(2, 2) @ lib.ones(2, 2)).dtype).split(".")[-1], lib.is_autocast_enabled("cpu")

        seen.append(plain())
        seen.append(str(lib.get_autocast_dtype("cpu")).split(".")[-1])
    return seen, lib.is_autocast_enabled("cpu"), str(lib.get_autocast_dtype("cuda")).split(".")[-1]


def test_functions_and_blocks():
    assert functions(dv) == functions(torch)


def test_what_cannot_be_is_switched_off_with_a_warning():
    for lib in (dv, torch):
        with pytest.warns(UserWarning, match="CUDA is not available"):
            off = lib.autocast("cuda")
        with off:
            assert not lib.is_autocast_enabled("cuda")
        with pytest.warns(UserWarning, match="not supported. Disabling"):
            off = lib.autocast("cpu", dtype=lib.float64)
        with off:
            assert (lib.ones(2, 2) @ lib.ones(2, 2)).dtype is lib.float32
        with pytest.warns(UserWarning, match="CUDA is not available"):
            scaler = lib.cuda.amp.GradScaler() if lib is dv else lib.amp.GradScaler("cuda")
        assert not scaler.is_enabled() and scaler.get_scale() == 1.0 and scaler.state_dict() == {}


def test_import_paths():
    from dovetail.amp import GradScaler, autocast
    from dovetail.cuda.amp import GradScaler as CudaScaler
    from dovetail.cuda.amp import autocast as cuda_autocast

    assert issubclass(CudaScaler, GradScaler) and issubclass(cuda_autocast, autocast)


def test_backward_inside_the_block_keeps_the_types_of_the_forward():
    grads = []
    for lib in (dv, torch):
        lib.manual_seed(0)
        a, b = lib.rand(4, 4, requires_grad=True), lib.rand(4, 4)
        with lib.autocast("cpu"):
            (a @ b).sum().backward()
        grads.append(a.grad.numpy())
    np.testing.assert_allclose(*grads, rtol=1e-2)
