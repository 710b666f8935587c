"""Unpacks an sdist into an empty folder and builds a wheel from it, as `pip install` does from source.

    python packaging/test_sdist.py dist/torch2trt-*.tar.gz

An optimised build takes minutes and differs in nothing that an sdist can lack, so the build is a debug build.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path


def main() -> None:
    """Builds in a temporary folder; the exit status is the build's."""
    with tempfile.TemporaryDirectory() as name, tarfile.open(sys.argv[1]) as archive:
        stray = [member for member in archive.getnames() if member.endswith((".so", ".whl", ".pyc"))]
        if stray:
            sys.exit(f"the sdist has built files: {', '.join(stray)}")
        archive.extractall(name, filter="data")
        (top,) = Path(name).iterdir()
        # Compiled crates of other sources are taken from Cargo's usual folder, if the caller names one.
        command = [sys.executable, "-m", "maturin", "build", "--profile", "dev", "--locked", "--out", f"{name}/wheel"]
        status = subprocess.run(command, cwd=top, env=os.environ, check=False).returncode
        if status == 0 and not list(Path(name, "wheel").glob("*.whl")):
            sys.exit("the build wrote no wheel")
        sys.exit(status)


if __name__ == "__main__":
    main()
