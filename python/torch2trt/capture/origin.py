"""Where a graph node comes from: the module path and the line of the user's code.

PyTorch keeps both as metadata of each node. The line wanted is the one the user wrote: the innermost frame
outside the torch package (a library such as torchvision counts as the model's code). Only when the whole
stack is inside torch, as for a bare nn.Linear, is it torch's own.

This file must not know about programs beyond the `Origin` it fills in.
"""

from __future__ import annotations

import os
import re
import traceback
from functools import lru_cache

import torch

from .program import Origin

_FRAME = re.compile(r'File "([^"]+)", line (\d+), in ([^\n]+)')
# Spellings of "the model itself" in module paths, which differ between versions and capture modes.
_ROOT = re.compile(r"^(?:L__self__|L\['self'\])[._]?")
_INDEX = re.compile(r"\['([^']*)'\]")
_CALL = re.compile(r"@\d+$")

TORCH_PACKAGE = os.path.dirname(torch.__file__) + os.sep
OWN_PACKAGE = os.path.dirname(os.path.dirname(__file__)) + os.sep


def origin_of(node: torch.fx.Node | None) -> Origin:
    """The origin of a node, as far as PyTorch recorded it."""
    if node is None:
        return Origin()
    file, line, function = _innermost(node.meta.get("stack_trace") or "")
    return Origin(_module_path(node), file, line, function)


def is_user_code(file: str) -> bool:
    """Whether a file belongs to the model rather than to torch or to this package."""
    return not file.startswith((TORCH_PACKAGE, OWN_PACKAGE, "<"))


def place_of(error: BaseException) -> str:
    """The line of the model that an error came from, as ` (file.py:12 in forward)`; empty where it has none."""
    frames = [(frame.f_code, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    own = [
        (code, line) for code, line in frames if is_user_code(code.co_filename) and not _is_library(code.co_filename)
    ]
    return f" ({os.path.basename(own[-1][0].co_filename)}:{own[-1][1]} in {own[-1][0].co_name})" if own else ""


def user_line() -> str:
    """The line of the model that runs now, as `file.py:12 in forward`; empty where none does."""
    for frame, line in traceback.walk_stack(None):
        file = frame.f_code.co_filename
        if is_user_code(file) and not _is_library(file):
            return f"{os.path.basename(file)}:{line} in {frame.f_code.co_name}"
    return ""


def _is_library(file: str) -> bool:
    """Whether a file is of Python itself, which runs between the model's lines (`contextlib`, `functools`)."""
    return os.path.dirname(file) == os.path.dirname(os.__file__)


def _module_path(node: torch.fx.Node) -> str:
    stack = node.meta.get("nn_module_stack")
    if not stack:
        return ""
    return _clean(next(reversed(stack.values()))[0])


@lru_cache(maxsize=4096)
def _clean(path: str) -> str:
    path = _INDEX.sub(r".\1", _ROOT.sub("", path)).replace("_modules.", "")
    return _CALL.sub("", path).strip(".")


@lru_cache(maxsize=4096)
def model_trace(trace: str) -> str:
    """The frames of the model's code in a trace, or the innermost frame where all of it is PyTorch's."""
    frames = [frame for frame in re.split(r'(?m)^(?= *File ")', trace) if _FRAME.search(frame)]
    return "".join([frame for frame in frames if is_user_code(_FRAME.findall(frame)[0][0])] or frames[-1:])


@lru_cache(maxsize=4096)
def _innermost(trace: str) -> tuple[str, int, str]:
    frames = _FRAME.findall(trace)
    for file, line, function in reversed(frames):
        if is_user_code(file):
            return file, int(line), function
    if not frames:
        return "", 0, ""
    file, line, function = frames[-1]
    return file, int(line), function
