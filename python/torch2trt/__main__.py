"""The command line: `torch2trt`, or `python -m torch2trt`.

This file must not know any command.
"""

from __future__ import annotations

import signal
import sys

from . import _core
from .backend import site_packages


def main() -> None:
    """Runs the command of the process's arguments, and ends the process with its status."""
    # Nothing of Python runs until the command is over, so that Ctrl-C has to end the process itself.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(_core.run_command(["torch2trt", *sys.argv[1:]], site_packages()))


if __name__ == "__main__":
    main()
