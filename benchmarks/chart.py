"""Draws the speed chart of the README from the rows of `gpu_table.py`.

    python benchmarks/chart.py benchmarks/rows/h200-tensorrt-8.6-float16.jsonl docs/images/speed.svg

A bar is the fastest mode of PyTorch divided by the faster mode of torch2trt.
"""

from __future__ import annotations

import sys
from pathlib import Path

from gpu_table import read_rows, speed_up
from results import chart
from run import geometric_mean


def main() -> None:
    """Reads the rows, writes the chart."""
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    ratios = {row["model"]: row.get("speed-up") or speed_up(row) for row in read_rows(Path(sys.argv[1]))}
    ratios["geometric mean"] = geometric_mean(list(ratios.values()))
    label = "times as fast as the fastest mode of PyTorch (batch 1, float16)"
    chart(ratios, "fastest mode of PyTorch", label, Path(sys.argv[2]))


if __name__ == "__main__":
    main()
