"""A ResNet-50 read from ONNX beside our own, on one image: `python -m benchmarks.onnx_import`. The bar is 1.3 times our own."""

from __future__ import annotations

import argparse
import statistics
import sys
import time

__all__ = ["main"]


def main(argv: list[str] | None = None) -> int:
    """Print the medians and their ratio; 1 where it is above the bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="vision/resnet50")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--batch", type=int, default=1)
    options = parser.parse_args(argv)
    import dovetail as dv
    from dovetail import onnx

    dv.manual_seed(0)
    native, x = dv.models.create(options.model).eval(), dv.rand(options.batch, 3, 224, 224)
    proto = onnx.export(native, x, verify=False)
    start = time.perf_counter()
    imported = onnx.load(proto)
    print(f"load: {time.perf_counter() - start:.2f} s")
    times: dict[str, list[float]] = {"native": [], "imported": []}
    with dv.no_grad():
        for turn in range(options.rounds + 2):
            for name, model in (("native", native), ("imported", imported)):
                start = time.perf_counter()
                model(x)
                if turn > 1:
                    times[name].append(time.perf_counter() - start)
    middle = {name: statistics.median(each) for name, each in times.items()}
    ratio = middle["imported"] / middle["native"]
    print(
        f"{options.model}: native {1e3 * middle['native']:.1f} ms, imported {1e3 * middle['imported']:.1f} ms, ratio {ratio:.2f} (bar 1.3)"
    )
    return int(ratio > 1.3)


if __name__ == "__main__":
    sys.exit(main())
