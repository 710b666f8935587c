"""Writes mypy's baseline: what existing modules do not pass yet, so that `make lint` checks everything new.

    python xtask/lint_baseline.py

The end of `mypy.ini` lists the error codes of each module. Run it after mending findings: the list gets shorter.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
MYPY = TOP / "mypy.ini"
MARK = "# Generated below by `python xtask/lint_baseline.py`: what existing modules do not pass yet.\n"


def tool(*command: str) -> str:
    """The standard output of a linter of this environment, whose exit status is 1 if it found something."""
    return subprocess.run([sys.executable, "-m", *command], cwd=TOP, capture_output=True, text=True, check=False).stdout


def mypy() -> None:
    """Writes mypy's baseline, below the mark in its configuration."""
    kept = MYPY.read_text().partition(MARK)[0] + MARK
    codes = defaultdict(set)
    with tempfile.NamedTemporaryFile("w", suffix=".ini") as config:
        config.write(kept)
        config.flush()
        listing = tool("mypy", "--config-file", config.name, "--no-incremental")
    for file, code in re.findall(r"^python/(\S+)\.py:\d+: error: .*\[([a-z-]+)\]$", listing, re.MULTILINE):
        codes[file.replace("/", ".").removesuffix(".__init__")].add(code)
    rows = [f"\n[mypy-{module}]\ndisable_error_code = {', '.join(sorted(codes[module]))}\n" for module in sorted(codes)]
    MYPY.write_text(kept + "".join(rows))


if __name__ == "__main__":
    mypy()
