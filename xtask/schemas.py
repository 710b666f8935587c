"""Writes crates/archive/src/schemas.txt: the schemas of the operators that convert, as the installed PyTorch has them.

    python xtask/schemas.py

It takes the list of operators from the installed torch2trt. Nothing here is shipped.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.ao.quantization.fx._decomposed  # registers its operators
import torchvision  # noqa: F401  (registers its operators)
import transformers.integrations.moe  # noqa: F401  (the same)

from torch2trt import _core

PATH = Path(__file__).resolve().parent.parent / "crates" / "archive" / "src" / "schemas.txt"


if not hasattr(torch.ops.tensorrt, "quantize_op"):
    # NVIDIA ModelOpt's, where that is not installed.
    torch.library.define(
        "tensorrt::quantize_op",
        "(Tensor input, Tensor amax, int num_bits, int exponent_bits, bool unsigned, bool narrow_range) -> Tensor",
    )


def schema(overload: str) -> torch.FunctionSchema:
    """The schema of an overload such as "aten.conv2d.default"."""
    found = torch.ops
    for part in overload.split("."):
        found = getattr(found, part)
    return found._schema


def text() -> str:
    """The file: a schema a line, sorted."""
    lines = {str(schema(overload)) for _, overload, _, _ in _core.operators()}
    return "".join(f"{line}\n" for line in sorted(lines))


if __name__ == "__main__":
    PATH.write_text(text())
    print(f"{PATH.name}: {len(text().splitlines())} schemas")
