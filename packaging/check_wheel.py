"""Checks what is inside wheels: files, size, licences, metadata, and that no path of the build machine is in a binary.

python packaging/check_wheel.py dist/*.whl
"""

from __future__ import annotations

import os
import sys
import zipfile
from pathlib import Path

# A wheel holds one extension and Python files. Twice the size of the first one that was published is a mistake.
LARGEST = 32 << 20
REQUIRED = (
    "torch2trt/__init__.py",
    "torch2trt/_core.abi3.so",
    "torch2trt/_core.pyi",
    "torch2trt/py.typed",
    "torch2trt_command/__init__.py",
    "licenses/LICENSE-MIT",
    "licenses/LICENSE-APACHE",
    "licenses/THIRD-PARTY-LICENSES.txt",
    "entry_points.txt",
    "METADATA",
)


def machine_paths() -> list[bytes]:
    """Folders of this machine that a compiler writes into binaries: of the sources, of Cargo and of the user."""
    folders = {Path.cwd(), Path.home(), Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))}
    return [os.fsencode(folder) + b"/" for folder in folders if len(folder.parts) > 1]


def check(path: Path) -> list[str]:
    """What is wrong with a wheel."""
    wrong = []
    if path.stat().st_size > LARGEST:
        wrong.append(f"{path.stat().st_size >> 20} MiB are more than {LARGEST >> 20} MiB")
    if "-abi3-" not in path.name:
        wrong.append("is not an abi3 wheel")
    if "linux" in path.name and "manylinux" not in path.name:
        wrong.append("is not a manylinux wheel")
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
        wrong += [f"{needed} is missing" for needed in REQUIRED if not any(name.endswith(needed) for name in names)]
        folders = ("torch2trt/", "torch2trt_command/", "torch2trt-")
        wrong += [f"{name} does not belong there" for name in names if not name.startswith(folders)]
        for name in names:
            data = wheel.read(name)
            for folder in machine_paths():
                if folder in data:
                    at = data.index(folder)
                    wrong.append(f"{name} has a path of this machine: {data[at : at + 120]!r}")
    return wrong


def main() -> None:
    """Reports every wheel; the exit status is 1 if one is wrong."""
    failed = False
    for path in map(Path, sys.argv[1:]):
        wrong = check(path)
        failed |= bool(wrong)
        print(f"{path.name}: {path.stat().st_size / 2**20:.1f} MiB: {'; '.join(wrong) or 'ok'}")
    sys.exit(failed or len(sys.argv) == 1)


if __name__ == "__main__":
    main()
