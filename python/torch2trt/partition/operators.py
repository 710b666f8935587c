"""The operators that a part in PyTorch calls, in the process that loads it.

This file must not know what else a file holds.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator

import torch

from ..errors import error

_TARGET = re.compile(r'"target":\s*"torch\.ops\.(\w+)\.(\w+)\.(\w+)"')


def check_operators(data: bytes) -> None:
    """Rejects an archive of torch.export that calls operators which nothing has registered here.

    Raises:
        torch2trt.Error: E0604, with the operators.
    """
    missing = sorted(
        {f"{space}::{name}" for space, name, overload in _called(data) if not _is_known(space, name, overload)}
    )
    if missing:
        raise error(
            "E0604",
            f"a part in PyTorch calls operators that are not registered in this process: {', '.join(missing)}",
            "import the module that registers them (torch.library) before you load the file",
        )


def _called(data: bytes) -> Iterator[tuple[str, str, str]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for entry in archive.namelist():
            if entry.endswith("models/model.json"):
                yield from _TARGET.findall(archive.read(entry).decode())


def _is_known(space: str, name: str, overload: str) -> bool:
    return hasattr(getattr(getattr(torch.ops, space), name, None), overload)


__all__ = ["check_operators"]
