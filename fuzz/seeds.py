"""Writes the seeds of the fuzz targets: small archives, graphs, engine files, networks, programs, sizes of real models.

    python fuzz/seeds.py

The seeds are committed, so that fuzzing needs neither Python nor PyTorch. Run this after a format changed.
"""

from __future__ import annotations

import io
import json
import re
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.export import Dim

from torch2trt import _core, torch2trt

SEEDS = Path(__file__).parent / "seeds"


class Attention(nn.Module):
    """Matrix products, a softmax and views of dynamic sizes."""

    def forward(self, x: Any) -> Any:
        weights = torch.softmax(x @ x.transpose(1, 2) / 3, -1)
        return (weights @ x).flatten(1)[:, ::2].repeat(1, 2), {"sum": x.sum(-1)}


MODELS: dict[str, tuple[nn.Module, Any, Any]] = {
    "linear": (nn.Linear(3, 2), torch.randn(1, 3), None),
    "convolution": (
        nn.Sequential(nn.Conv2d(1, 2, 3, padding=1, stride=2), nn.BatchNorm2d(2), nn.ReLU(), nn.AdaptiveAvgPool2d(1)),
        torch.randn(1, 1, 6, 6),
        None,
    ),
    "attention": (Attention(), torch.randn(2, 4, 3), {0: Dim("batch", min=1, max=8), 1: Dim("length", min=2, max=9)}),
    "resize": (
        nn.Upsample(scale_factor=1.5, mode="bilinear"),
        torch.randn(1, 1, 4, 4),
        {2: Dim("height", min=2, max=9)},
    ),
    "lstm": (nn.LSTM(2, 3), torch.randn(4, 1, 2), None),
}

SIZES = ["1", "batch", "2*s0 + 1", "floordiv(s0 - 1, 2)", "max(s0, 3)*min(s1, 4)", "s0*s0*s1 - 7", "-(s0)", "s0 % 3"]


def without_paths(text: str) -> str:
    """The JSON of a graph without the stack traces, which name files of this machine."""
    return re.sub(
        r'"stack_trace": ?"(?:[^"\\]|\\.)*"', '"stack_trace": "File \\\\"net.py\\\\", line 3, in forward"', text
    )


def write(target: str, name: str, content: bytes) -> None:
    """A seed."""
    (SEEDS / target).mkdir(parents=True, exist_ok=True)
    (SEEDS / target / name).write_bytes(content)


def main() -> None:
    """Writes them all."""
    sizes = list(SIZES)
    for name, (model, x, dims) in MODELS.items():
        shapes = None if dims is None else ({next(iter(model.eval().forward.__code__.co_varnames[1:])): dims},)
        exported = torch.export.export(model.eval(), (x,), dynamic_shapes=shapes and shapes[0]).run_decompositions({})
        saved = io.BytesIO()
        torch.export.save(exported, saved)
        archive = io.BytesIO()
        with zipfile.ZipFile(saved) as read, zipfile.ZipFile(archive, "w") as written:
            for entry in read.namelist():
                data = read.read(entry)
                if entry.endswith("models/model.json"):
                    data = json.dumps(json.loads(without_paths(data.decode())), separators=(",", ":")).encode()
                    write("model", name, data)
                    sizes += re.findall(r'"expr_str": ?"((?:[^"\\]|\\.)*)"', data.decode())
                if "sample_inputs" not in entry:
                    written.writestr(zipfile.ZipInfo(entry), data)
        write("archive", name, archive.getvalue())
        with tempfile.NamedTemporaryFile(suffix=".pt2") as file:
            Path(file.name).write_bytes(archive.getvalue())
            write("program_text", name, str(_core.read_archive(file.name)).encode())
        converted = torch2trt(
            model, [x], dynamic_shapes=None if dims is None else [dims], progress=False, backend="cpu"
        )
        write("network_text", name, str(converted.network).encode())
        with tempfile.NamedTemporaryFile(suffix=".trt2") as file:
            converted.save(file.name)
            data = Path(file.name).read_bytes()
        if len(data) < 1 << 16:
            write("engine_file", name, data)
        found = re.search(rb'\{"made_by".*\}', data[: 1 << 14], re.DOTALL)
        if found:
            start = data.index(b'{"made_by"')
            manifest, _ = json.JSONDecoder().raw_decode(data[start:].decode("utf-8", "replace"))
            write("engine_file", f"{name}-manifest", json.dumps(manifest).encode())
    for number, size in enumerate(dict.fromkeys(sizes)):
        write("sizes", f"{number:03}", size.encode())


if __name__ == "__main__":
    main()
