"""Draws the speed chart of the README from the rows of a benchmark.

    python benchmarks/chart.py benchmarks/rows/h200-tensorrt-8.6-float16.jsonl docs/images/speed.svg

The rows are those of `gpu_table.py`. A bar is the fastest mode of PyTorch divided by the faster mode of torch2trt. The
chart follows the reader's light or dark theme.
"""

import json
import math
import sys
from pathlib import Path

MODES = ("eager", "channels", "graph", "compile")
WIDTH, LEFT, RIGHT, BAR, STEP, TOP = 760, 130, 60, 14, 20, 44
STYLE = """
  text { font: 12px sans-serif; fill: #24292f } .axis { stroke: #8c959f } .bar { fill: #2da44e } .slow { fill: #cf222e }
  @media (prefers-color-scheme: dark) { text { fill: #d0d7de } .bar { fill: #3fb950 } .slow { fill: #f85149 } }
"""


def speed_up(row: dict) -> float:
    """The fastest mode of PyTorch divided by the faster one of torch2trt; as measured, where the row has the ratio."""
    ours = min(row[mode] for mode in ("enqueue", "ours") if row.get(mode))
    return row.get("speed-up") or min(row[mode] for mode in MODES if row.get(mode)) / ours


def chart(rows: list[dict]) -> str:
    """The bars of all rows, slowest last, with their geometric mean, as SVG."""
    bars = sorted(((row["model"], speed_up(row)) for row in rows), key=lambda bar: -bar[1])
    mean = math.exp(sum(math.log(value) for _, value in bars) / len(bars))
    bars.append(("geometric mean", mean))
    scale = (WIDTH - LEFT - RIGHT) / max(2.0, *(value for _, value in bars))
    height = TOP + STEP * len(bars) + 12
    one = LEFT + scale
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label='
        f'"Speed relative to the fastest mode of PyTorch, geometric mean {mean:.2f}"><style>{STYLE}</style>',
        f'<text x="{LEFT}" y="16">times as fast as the fastest mode of PyTorch</text>',
        f'<text x="{one:.1f}" y="34" text-anchor="middle">1.0</text>',
    ]
    for index, (name, value) in enumerate(bars):
        y = TOP + STEP * index
        weight = ' font-weight="bold"' if name == "geometric mean" else ""
        kind = "bar" if value >= 1 else "bar slow"
        lines += [
            f'<text x="{LEFT - 8}" y="{y + 11}" text-anchor="end"{weight}>{name}</text>',
            f'<rect class="{kind}" x="{LEFT}" y="{y}" width="{scale * value:.1f}" height="{BAR}" rx="2"/>',
            f'<text x="{LEFT + scale * value + 6:.1f}" y="{y + 11}"{weight}>{value:.2f}</text>',
        ]
    lines.append(f'<line class="axis" x1="{one:.1f}" y1="38" x2="{one:.1f}" y2="{height - 6}" stroke-dasharray="3 3"/></svg>')
    return "\n".join(lines) + "\n"


def main() -> None:
    """Reads the rows, writes the chart."""
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    rows = [json.loads(line) for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines() if line]
    Path(sys.argv[2]).write_text(chart(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
