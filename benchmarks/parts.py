"""What a part in PyTorch costs on the GPU at hand: host time of a call, by the number of parts.

    python benchmarks/parts.py [--tensorrt PATH]

A chain of linear layers is split by modules that copy their input, and that run in PyTorch. A line has the host time of
a call in microseconds: of the model in eager PyTorch, of engines and parts, and of the whole call in one CUDA graph.
The last lines show what each part adds: one more engine, one copy, and the Python code between them.
"""

from __future__ import annotations

import argparse
import statistics
import warnings
from collections.abc import Callable
from typing import Any

from gpu_time import returns_after

COUNTS = (0, 1, 2, 4, 8)
WIDTH, BATCH = 64, 8


def host_time(call: Callable[[], Any]) -> float:
    """Microseconds until a call returns: the median of 200 rounds of a few calls."""
    return statistics.median(returns_after(call, 8) for _ in range(200))


def chain(count: int) -> Any:
    """`count + 1` blocks of linear layers, with a module between each two that copies its input."""
    from torch import nn

    class Copy(nn.Module):
        def forward(self, x: Any) -> Any:
            return x.clone()

    class Chain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(max(COUNTS) + 1))
            self.copies = nn.ModuleList(Copy() for _ in range(count))

        def forward(self, x: Any) -> Any:
            for index, layer in enumerate(self.layers):
                x = layer(x).relu()
                if index < count:
                    x = self.copies[index](x)
            return x

    return Chain().eval().cuda()


def measure(tensorrt: str | None) -> None:
    import torch

    from torch2trt import keep_builder, torch2trt

    x, rows = torch.randn(BATCH, WIDTH, device="cuda"), list[list[float]]()
    options = {"backend": "tensorrt", "tensorrt": tensorrt, "progress": False, "min_layers": 1, "optimization_level": 1}
    with torch.no_grad(), keep_builder(tensorrt=tensorrt):
        copy = host_time(x.clone)
        for count in COUNTS:
            model = chain(count)
            ways = [model]
            for whole in (False, True):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # that parts run in PyTorch
                    ways.append(
                        torch2trt(
                            model, [x], run_in_pytorch=["copies.*"] if count else None, use_cuda_graph=whole, **options
                        )
                    )
            assert len(ways[1].partitions) == (2 * count + 1 if count else 0)
            rows.append([host_time(lambda way=way: way(x)) for way in ways])
            print(
                f"{count} parts: eager {rows[-1][0]:.1f} us, ours {rows[-1][1]:.1f}, in a graph {rows[-1][2]:.1f}",
                flush=True,
            )
    for count, row in list(zip(COUNTS, rows, strict=True))[1:]:
        print(f"{count} parts: each adds {(row[1] - rows[0][1]) / count:.1f} us, of which the copy takes {copy:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tensorrt", help="path of the TensorRT library")
    measure(parser.parse_args().tensorrt)


if __name__ == "__main__":
    main()
