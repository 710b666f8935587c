"""The program `torch2trt`, as `pip install` makes it.

It loads the compiled half of the package alone: no command needs PyTorch, which takes seconds to import. This package
must not import `torch2trt`.
"""

from __future__ import annotations

import signal
import sys
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, FileFinder
from importlib.util import find_spec, module_from_spec
from typing import Any

__all__ = ["main", "run"]


def main() -> None:
    """The program: runs the command of the process's arguments, and ends the process with its status."""
    _end_by_interrupt()
    run(_core())


def run(core: Any) -> None:
    """The same by `torch2trt._core`, where it is there already."""
    _end_by_interrupt()
    sys.exit(core.run_command(["torch2trt", *sys.argv[1:]], core.site_packages()))


def _end_by_interrupt() -> None:
    """Lets Ctrl-C end the process itself: nothing of Python runs until the command is over."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _core() -> Any:
    """`torch2trt._core`, without the package that it is a part of."""
    package = find_spec("torch2trt")
    for folder in (package and package.submodule_search_locations) or []:
        spec = FileFinder(folder, (ExtensionFileLoader, EXTENSION_SUFFIXES)).find_spec("torch2trt._core")
        if spec is not None and spec.loader is not None:
            module = module_from_spec(spec)
            spec.loader.exec_module(module)
            return module
    sys.exit(
        "torch2trt: the package torch2trt is not installed as a whole; install it again: pip install "
        "--force-reinstall torch2trt"
    )
