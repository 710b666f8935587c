"""The command line as `python -m torch2trt`.

The program `torch2trt` is the same, and starts sooner (`torch2trt_command`).
"""

from torch2trt_command import run

from . import _core

if __name__ == "__main__":
    run(_core)
