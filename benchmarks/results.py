"""What a benchmark measured, as files: JSON with every number, Markdown tables, and an SVG chart of the speed table.

    python benchmarks/results.py results.json folder     # Markdown and chart again, from the JSON of an earlier run

This file must not know how anything is measured.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

Rows = list[dict[str, Any]]

GREY = "#808080"

# Title, then the columns: the key in a row, its heading, and how its value is printed.
TABLES: dict[str, tuple[str, list[tuple[str, str, str]]]] = {
    "speed": (
        "Speed: batch 1, float32, milliseconds",
        [
            ("model", "model", ""),
            ("eager", "PyTorch eager", ".2f"),
            ("onnx", "ONNX route", ".2f"),
            ("ours", "torch2trt", ".2f"),
            ("over_eager", "× eager", ".2f"),
            ("over_onnx", "× ONNX route", ".2f"),
        ],
    ),
    "conversion": (
        "Conversion: milliseconds; ours is everything between torch.export and the engine's builder",
        [
            ("model", "model", ""),
            ("export", "torch.export", ".0f"),
            ("walk", "walk", ".0f"),
            ("convert", "convert and passes", ".0f"),
            ("share", "ours / export", ".3f"),
        ],
    ),
    "memory": (
        "Memory: VGG-16, resident memory above what PyTorch holds, in multiples of the weights",
        [("path", "path", ""), ("peak", "peak", ".2f"), ("after", "after", ".2f")],
    ),
}


def machine() -> dict[str, str]:
    """The processor and the versions that the numbers depend on."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        processor = names[0] if names else processor
    found = {"processor": processor, "cores": str(os.cpu_count()), "python": platform.python_version()}
    installed = {package.name: package.version for package in metadata.distributions()}
    return found | {name: installed[name] for name in ("torch", "onnxruntime", "torch2trt") if name in installed}


def markdown(tables: dict[str, Rows], facts: dict[str, str]) -> str:
    """The tables, under the machine they were measured on."""
    text = ", ".join(f"{name} {value}" for name, value in facts.items()) + "\n"
    for name, rows in tables.items():
        title, columns = TABLES[name]
        text += f"\n{title}\n\n| {' | '.join(heading for _, heading, _ in columns)} |\n|{'---|' * len(columns)}\n"
        for row in rows:
            cells = [format(row[key], style) if row.get(key) is not None else "" for key, _, style in columns]
            text += f"| {' | '.join(cells)} |\n"
    return text


def chart(ratios: dict[str, float], baseline: str, label: str, path: Path) -> None:
    """Bars of how many times as fast as the baseline each model runs. Readable on light and dark pages."""
    import matplotlib as mpl

    mpl.use("svg")
    # Text stays text, and the same numbers give the same file.
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "torch2trt", "font.family": "sans-serif"})
    mpl.rcParams.update(
        dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), GREY)
    )
    from matplotlib import pyplot

    ranked = dict(sorted(ratios.items(), key=lambda item: item[1]))
    figure, axes = pyplot.subplots(figsize=(8, 1.2 + 0.26 * len(ranked)), layout="constrained")
    bars = axes.barh(list(ranked), list(ranked.values()), color="#76b900", height=0.7)
    axes.bar_label(bars, fmt="%.2f×", padding=3, fontsize=9)
    axes.axvline(1, color=GREY, linewidth=1)
    axes.annotate(baseline, (1, 1), (3, 2), ("data", "axes fraction"), "offset points", fontsize=9)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(0, max(ranked.values()) * 1.12)
    axes.margins(y=0.01)
    axes.set_xlabel(label, fontsize=9)
    figure.savefig(path, metadata={"Date": None}, transparent=True)
    pyplot.close(figure)


def write(tables: dict[str, Rows], facts: dict[str, str], folder: Path) -> None:
    """Writes results.json, results.md and, if speed was measured, speed.svg."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps({"machine": facts, "tables": tables}, indent=2) + "\n")
    (folder / "results.md").write_text(markdown(tables, facts))
    if tables.get("speed"):
        ratios = {row["model"]: row["over_eager"] for row in tables["speed"] if row["eager"] is not None}
        label = f"times as fast as PyTorch eager (batch 1, float32, {facts.get('processor', '')})"
        chart(ratios, "PyTorch eager", label, folder / "speed.svg")


if __name__ == "__main__":
    stored = json.loads(Path(sys.argv[1]).read_text())
    write(stored["tables"], stored["machine"], Path(sys.argv[2]))
