"""Checks dynamic shapes on every model of the test suite: converted once, compared with PyTorch at five sizes.

Every model with a dynamic batch; fully convolutional ones with a dynamic height and width, too.

    python benchmarks/dynamic.py [model ...]

Prints the largest difference over the five sizes, relative to the largest output; ends with 1 when a model fails.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import torch
from torch.utils import _pytree as pytree

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "python"))
from models import MODELS, build
from sizes import of_sizes

from torch2trt import torch2trt
from torch2trt.verify import difference

TOLERANCE = 1e-4
CONVOLUTIONAL = ["fcn_resnet50", "deeplabv3_resnet50", "squeezenet1_1", "resnet18", "mobilenet_v2", "efficientnet_b0"]
LARGEST_BATCH = 5


def check(name: str, sizes: list[dict[int, int]]) -> float:
    """The largest difference to PyTorch over these sizes, for one conversion of the model."""
    model, args, kwargs = build(name)

    def shapes(end) -> list[tuple[int, ...]]:
        axes = {axis: end(size[axis] for size in sizes) for axis in sizes[0]}
        tensors = [leaf for leaf in pytree.tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        return [tuple(axes.get(axis, size) for axis, size in enumerate(tensor.shape)) for tensor in tensors]

    model_trt = torch2trt(
        model, args, kwargs=kwargs, backend="cpu", progress=False, log_level=30, verify=False,
        min_shapes=shapes(min), opt_shapes=shapes(max), max_shapes=shapes(max),
    )  # fmt: skip
    worst = 0.0
    for size in sizes:
        given, named = of_sizes((args, kwargs), size)
        with torch.no_grad():
            pairs = zip(
                pytree.tree_leaves(model(*given, **named)), pytree.tree_leaves(model_trt(*given, **named)), strict=True
            )
            worst = max([worst, *(difference(e, g) for e, g in pairs if isinstance(e, torch.Tensor))])
    return worst


def main() -> int:
    names = sys.argv[1:] or list(MODELS)
    batches = [{0: batch} for batch in range(1, LARGEST_BATCH + 1)]
    jobs = [(name, "batch", batches) for name in names]
    fields = [{2: random.randrange(64, 200), 3: random.randrange(64, 200)} for _ in range(5)]
    jobs += [(name, "height and width", fields) for name in names if name in CONVOLUTIONAL]
    failed = 0
    print("| model | dynamic | difference |\n|---|---|---|")
    for name, axes, sizes in jobs:
        try:
            worst = check(name, sizes)
        except Exception as error:  # every model is tried, whatever one of them does
            failed += 1
            print(f"| {name} | {axes} | failed: {str(error).splitlines()[0]} |", flush=True)
            continue
        failed += worst > TOLERANCE
        print(f"| {name} | {axes} | {worst:.1e}{'' if worst <= TOLERANCE else ' wrong'} |", flush=True)
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
