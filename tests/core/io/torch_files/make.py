"""Makes the files beside it with PyTorch (2.13 made those that are committed): ``python tests/core/io/torch_files/make.py``."""

from __future__ import annotations

from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
DTYPES = "bool uint8 int8 int16 int32 int64 uint16 uint32 uint64 float16 bfloat16 float32 float64 complex64 complex128".split()


def plain(T: Any) -> Any:
    """Values that need no tensor, but for the types that name one."""
    nested: dict[Any, Any] = {"list": [1, [2.5, ["x", (None, True, False)]]], 3: {"deep": ()}, (1, "a"): {1, 2}}
    numbers = [0, -1, 255, 256, 65_536, -(2**31), 2**31, 2**63, -(2**70), 1e300, float("inf")]
    texts = ["", "ü\n漢", "\0", b"", b"\x00\xff", bytearray(b"ab"), bytearray(), 1 - 2j]
    types = [T.float32, T.bfloat16, T.uint16, T.device("cpu"), T.device("cuda", 1), T.Size([2, 3]), T.strided]
    return {"nested": nested, "numbers": numbers, "texts": texts, "types": types, "ordered": OrderedDict(b=1, a=2), "count": Counter("aab")}


def dtypes(T: Any) -> Any:
    """Every element type, in shapes with and without elements."""
    return {
        f"{name} {shape}": T.arange(6 if shape else 1)[: 0 if 0 in shape else None].reshape(shape).to(getattr(T, name))
        for name in DTYPES
        for shape in ((), (2, 3), (0,), (2, 0, 3))
    }


def views(T: Any) -> Any:
    """Tensors that share memory, and lie in it in every way."""
    base = T.arange(24.0)
    cube = base.reshape(2, 3, 4)
    turned = {"t": cube.transpose(0, 2), "step": cube[:, ::2], "part": base[5:9], "expand": T.ones(3, 1).expand(3, 4)}
    image = T.arange(48.0).reshape(2, 3, 2, 4).contiguous(memory_format=T.channels_last)
    flags = {"grad": T.ones(2).requires_grad_(), "parameter": T.nn.Parameter(T.zeros(2)), "frozen": T.nn.Parameter(T.zeros(2), False)}
    return {"base": base, "again": base, "cube": cube, "image": image, **turned, **flags}


def checkpoint(T: Any) -> Any:
    """What a training program saves: a model after two steps of momentum, on numbers that are exact."""
    model = T.nn.Sequential(T.nn.Conv2d(1, 2, 1), T.nn.BatchNorm2d(2), T.nn.Flatten(), T.nn.Linear(8, 2))
    with T.no_grad():
        for p in model.parameters():
            p.copy_((T.arange(p.numel()) / 4).reshape(p.shape))
    model.eval()
    optimizer = T.optim.SGD([{"params": model[0].parameters()}, {"params": model[3].parameters(), "lr": 0.25}], lr=0.5, momentum=0.5)
    scheduler = T.optim.lr_scheduler.StepLR(optimizer, 2)
    for _ in range(2):
        optimizer.zero_grad()
        (model[0](T.ones(1, 1, 2, 2)).sum() + model[3](T.ones(1, 8)).sum()).backward()
        optimizer.step()
    return {"epoch": 2, "model": model.state_dict(), "optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict(), "best": 0.5}


VALUES = {made.__name__: made for made in (plain, dtypes, views, checkpoint)}


def main() -> None:
    """Write every value in both formats."""
    import torch

    for name, made in VALUES.items():
        for suffix, new in (("pth", True), ("legacy.pth", False)):
            torch.save(made(torch), FOLDER / f"{name}.{suffix}", _use_new_zipfile_serialization=new)
    torch.save(torch.nn.Linear(2, 2), FOLDER / "module.pth")  # which names a class, and is refused


if __name__ == "__main__":
    main()
