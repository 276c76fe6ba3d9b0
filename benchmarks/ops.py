"""Single ops beside PyTorch's: `python -m benchmarks ops`, or `python -m benchmarks.ops PART …` for those with a part of a name.

Each framework runs in a process of its own, and each op in turn in both: forward, and forward with backward. What is compared is the
time that the calling thread was on a processor, with one thread, the least of many calls: other work on the machine changes it little.
The seeds are the same, so are the arguments; an op whose results differ is not timed.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.record import record

__all__ = ["CASES", "main"]

_MATRIX, _IMAGES, _ROWS = (1024, 1024), (8, 64, 28, 28), (1024, 1000)
_PLAIN = (
    "relu gelu silu elu selu celu mish softplus hardswish hardsigmoid leaky_relu tanh sigmoid softsign logsigmoid relu6 hardtanh glu "
    "softshrink hardshrink"
).split()
_OF_ONE = "exp erf sin cos abs sign floor expm1 reciprocal square".split()

#: Name: (sizes of the arguments, what is called with the framework and them).
CASES: dict[str, tuple[list[tuple[int, ...]], Callable[..., Any]]] = {
    **{name: ([(256, 4096)], lambda t, x, name=name: getattr(t.nn.functional, name)(x)) for name in _PLAIN},
    **{name: ([(256, 4096)], lambda t, x, name=name: getattr(t, name)(x)) for name in _OF_ONE},
    "threshold": ([(256, 4096)], lambda t, x: t.nn.functional.threshold(x, 0.1, 2.0)),
    "prelu": ([_IMAGES, (64,)], lambda t, x, w: t.nn.functional.prelu(x, w)),
    "conv1d": ([(16, 64, 256), (64, 64, 5)], lambda t, x, w: t.nn.functional.conv1d(x, w, padding=2)),
    "conv2d, 5x5, stride 2": ([(8, 32, 56, 56), (64, 32, 5, 5)], lambda t, x, w: t.nn.functional.conv2d(x, w, stride=2, padding=2)),
    "conv2d, dilated": ([(4, 64, 28, 28), (64, 64, 3, 3)], lambda t, x, w: t.nn.functional.conv2d(x, w, padding=2, dilation=2)),
    "conv2d, 4 groups": ([(4, 64, 28, 28), (64, 16, 3, 3)], lambda t, x, w: t.nn.functional.conv2d(x, w, padding=1, groups=4)),
    "conv2d, depthwise 7x7": ([(4, 96, 28, 28), (96, 1, 7, 7)], lambda t, x, w: t.nn.functional.conv2d(x, w, padding=3, groups=96)),
    "conv3d": ([(2, 16, 8, 32, 32), (16, 16, 3, 3, 3)], lambda t, x, w: t.nn.functional.conv3d(x, w, padding=1)),
    "conv_transpose2d": ([(8, 64, 16, 16), (64, 32, 4, 4)], lambda t, x, w: t.nn.functional.conv_transpose2d(x, w, stride=2, padding=1)),
    "max_pool2d, 3x3": ([(8, 64, 56, 56)], lambda t, x: t.nn.functional.max_pool2d(x, 3, 2, 1)),
    "max_pool3d, 3x3x3": ([(2, 16, 16, 32, 32)], lambda t, x: t.nn.functional.max_pool3d(x, 3, 2, 1)),
    "avg_pool2d": ([(8, 64, 56, 56)], lambda t, x: t.nn.functional.avg_pool2d(x, 2)),
    "adaptive_avg_pool2d to 7": ([_IMAGES], lambda t, x: t.nn.functional.adaptive_avg_pool2d(x, 7)),
    "interpolate, bilinear": ([(4, 32, 28, 28)], lambda t, x: t.nn.functional.interpolate(x, scale_factor=2, mode="bilinear")),
    "interpolate, nearest": ([(4, 32, 28, 28)], lambda t, x: t.nn.functional.interpolate(x, scale_factor=2)),
    "grid_sample": ([(4, 64, 32, 32), (4, 32, 32, 2)], lambda t, x, grid: t.nn.functional.grid_sample(x, grid.tanh(), align_corners=False)),
    "pad, reflect": ([(8, 32, 56, 56)], lambda t, x: t.nn.functional.pad(x, (2, 2, 2, 2), mode="reflect")),
    "group_norm": ([_IMAGES], lambda t, x: t.nn.functional.group_norm(x, 8)),
    "group_norm, affine": ([_IMAGES, (64,), (64,)], lambda t, x, w, b: t.nn.functional.group_norm(x, 8, w, b)),
    "instance_norm": ([_IMAGES], lambda t, x: t.nn.functional.instance_norm(x)),
    "layer_norm": ([(1024, 512)], lambda t, x: t.nn.functional.layer_norm(x, (512,))),
    "rms_norm": ([(1024, 512)], lambda t, x: t.nn.functional.rms_norm(x, (512,))),
    "batch_norm": ([(256, 512)], lambda t, x: t.nn.functional.batch_norm(x, None, None, training=True)),
    "normalize": ([(1024, 512)], lambda t, x: t.nn.functional.normalize(x, dim=1)),
    "softmax": ([_ROWS], lambda t, x: t.nn.functional.softmax(x, -1)),
    "softmax, of channels": ([(16, 64, 28, 28)], lambda t, x: t.nn.functional.softmax(x, 1)),
    "log_softmax": ([_ROWS], lambda t, x: t.nn.functional.log_softmax(x, -1)),
    "logsumexp": ([_ROWS], lambda t, x: t.logsumexp(x, -1)),
    "add": ([_MATRIX, _MATRIX], lambda t, x, y: x + y),
    "add a row": ([_MATRIX, (1024,)], lambda t, x, y: x + y),
    "where": ([_MATRIX, _MATRIX], lambda t, x, y: t.where(x > 0, x, y)),
    "clamp": ([_MATRIX], lambda t, x: x.clamp(-1, 1)),
    "lerp": ([_MATRIX, _MATRIX], lambda t, x, y: t.lerp(x, y, 0.3)),
    "addcmul": ([_MATRIX] * 3, lambda t, x, y, z: t.addcmul(x, y, z, value=0.5)),
    "masked_fill": ([_MATRIX], lambda t, x: x.masked_fill(x > 0, 0.0)),
    "sum": ([_MATRIX], lambda t, x: x.sum()),
    "sum of columns": ([_MATRIX], lambda t, x: x.sum(0)),
    "var": ([_MATRIX], lambda t, x: x.var(1)),
    "max": ([_MATRIX], lambda t, x: x.max(1)[0]),
    "norm": ([_MATRIX], lambda t, x: x.norm()),
    "cumsum": ([_MATRIX], lambda t, x: x.cumsum(1)),
    "cumprod": ([(1024, 128)], lambda t, x: x.cumprod(1)),
    "sort": ([(256, 1024)], lambda t, x: x.sort(1)[0]),
    "topk": ([(256, 1024)], lambda t, x: x.topk(10, 1)[0]),
    "cat": ([(1024, 512), (1024, 512)], lambda t, x, y: t.cat([x, y], 1)),
    "t().contiguous()": ([_MATRIX], lambda t, x: x.t().contiguous()),
    "permute(0, 2, 3, 1)": ([(16, 64, 28, 28)], lambda t, x: x.permute(0, 2, 3, 1).contiguous()),
    "tril": ([_MATRIX], lambda t, x: x.tril()),
    "matmul": ([(512, 512), (512, 512)], lambda t, x, y: x @ y),
    "bmm": ([(128, 64, 64), (128, 64, 64)], lambda t, x, y: x @ y),
    "einsum bhid,bhjd->bhij": ([(8, 8, 64, 64)] * 2, lambda t, x, y: t.einsum("bhid,bhjd->bhij", x, y)),
    "attention": ([(8, 8, 128, 64)] * 3, lambda t, q, k, v: t.nn.functional.scaled_dot_product_attention(q, k, v)),
    "embedding": ([(10000, 128)], lambda t, w: t.nn.functional.embedding(t.arange(4096).view(64, 64) * 2, w)),
    "embedding_bag": ([(10000, 128)], lambda t, w: t.nn.functional.embedding_bag(t.arange(4096).view(64, 64) * 2, w)),
    "index rows": ([(5000, 64)], lambda t, x: x[t.arange(4096) * 3 % 5000]),
    "gather": ([_MATRIX], lambda t, x: x.gather(1, t.arange(256).expand(1024, 256) * 3)),
    "index_add": ([(4096, 64)], lambda t, x: t.zeros(500, 64).index_add(0, t.arange(4096) % 500, x)),
    "scatter_add": ([(4096, 64)], lambda t, x: t.zeros(500, 64).scatter_add(0, (t.arange(4096) % 500)[:, None].expand(-1, 64), x)),
    "scatter_reduce, mean": (
        [(4096, 64)],
        lambda t, x: t.zeros(500, 64).scatter_reduce(0, (t.arange(4096) % 500)[:, None].expand(-1, 64), x, "mean"),
    ),
    "mse_loss": ([_MATRIX, _MATRIX], lambda t, x, y: t.nn.functional.mse_loss(x, y)),
    "l1_loss": ([_MATRIX, _MATRIX], lambda t, x, y: t.nn.functional.l1_loss(x, y)),
    "smooth_l1_loss": ([_MATRIX, _MATRIX], lambda t, x, y: t.nn.functional.smooth_l1_loss(x, y)),
    "cross_entropy": ([_ROWS], lambda t, x: t.nn.functional.cross_entropy(x, t.arange(1024) % 1000)),
    "cross_entropy, of images": ([(4, 21, 64, 64)], lambda t, x: t.nn.functional.cross_entropy(x, t.arange(16384).view(4, 64, 64) % 21)),
    "rfft": ([(256, 1024)], lambda t, x: t.fft.rfft(x).abs()),
    "inv": ([(128, 128)], lambda t, x: t.linalg.inv(x + 64 * t.eye(128))),
    "add_, in place": ([_MATRIX, _MATRIX], lambda t, x, y: (x * 1).add_(y)),
    "relu_, in place": ([_MATRIX], lambda t, x: (x * 1).relu_()),
}


def _least(call: Callable[[], Any]) -> float:
    """The least time on a processor of many calls, in microseconds."""
    call()
    found, until, calls = math.inf, time.perf_counter() + 0.3, 0
    while calls < 5 or (calls < 60 and time.perf_counter() < until):
        start = time.thread_time()
        call()
        found, calls = min(found, time.thread_time() - start), calls + 1
    return found * 1e6


def _serve(framework: str) -> None:
    """Answer each line, the name of a case, with what it computes and how long that takes."""
    import importlib

    t: Any = importlib.import_module(framework)
    t.set_num_threads(1)
    for line in sys.stdin:
        sizes, function = CASES[line.rstrip("\n")]
        t.manual_seed(0)
        leaves = [t.randn(*size, requires_grad=True) for size in sizes]
        out = function(t, *leaves)
        like = (t.arange(out.numel()) % 7 - 3).reshape(out.shape).to(out.dtype)  # one that no sum takes away
        out.backward(like)
        told = [[float(x.double().sum()), float(x.double().abs().sum())] for x in (out.detach(), *(x.grad for x in leaves))]

        def step(function: Any = function, leaves: Any = leaves, like: Any = like) -> None:
            function(t, *leaves).backward(like)
            for x in leaves:
                x.grad = None

        with t.no_grad():
            forward = _least(lambda function=function, leaves=leaves: function(t, *leaves))
        print(json.dumps({"told": told, "forward": forward, "step": _least(step)}), flush=True)


def _agree(mine: list[list[float]], theirs: list[list[float]]) -> bool:
    """Whether sums are alike, counted on the sums of sizes."""
    return all(abs(a - b) <= 1e-4 * max(theirs[i][1], 1) for i in range(len(theirs)) for a, b in zip(mine[i], theirs[i], strict=True))


def main(arguments: list[str]) -> int:
    """Print and record the table, the slowest of ours first; 1 where an op's results differ."""
    names = [name for name in CASES if not arguments or any(part in name for part in arguments)]
    environment = {**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")}
    workers = [
        subprocess.Popen([sys.executable, "-m", "benchmarks.ops", "--serve", framework], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         text=True, env=environment)
        for framework in ("dovetail", "torch")
    ]  # fmt: skip
    rows: dict[str, dict[str, float]] = {}
    wrong = []
    for name in names:
        answers = []
        for worker in workers:
            assert worker.stdin is not None and worker.stdout is not None
            worker.stdin.write(f"{name}\n")
            worker.stdin.flush()
            answers.append(json.loads(worker.stdout.readline()))
        mine, theirs = answers
        if not _agree(mine["told"], theirs["told"]):
            wrong.append(name)
            continue
        rows[name] = {"forward": theirs["forward"] / mine["forward"], "step": theirs["step"] / mine["step"], "us": mine["step"]}
    for worker in workers:
        worker.communicate()
    print(f"{'PyTorch over ours':28} forward  forward and backward")
    for name, row in sorted(rows.items(), key=lambda item: item[1]["step"]):
        print(f"{name:28} {row['forward']:7.2f}  {row['step']:7.2f}   (ours {row['us']:9.0f} us)")
    means = {what: math.exp(sum(math.log(row[what]) for row in rows.values()) / len(rows)) for what in ("forward", "step")}
    slower = sum(row["step"] < 1 for row in rows.values())
    print(f"{len(rows)} ops; geometric means {means['forward']:.2f} and {means['step']:.2f}; slower than PyTorch with backward: {slower}")
    for name in wrong:
        print(f"{name}: the results differ")
    record("ops", rows, means=means)
    return int(bool(wrong))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        _serve(sys.argv[2])
    else:
        raise SystemExit(main(sys.argv[1:]))
