"""The package's log: one logger, shown on standard error unless the application configured logging itself.

This file must not know what is logged.
"""

from __future__ import annotations

import logging

logger = logging.getLogger("torch2trt")


def show(level: int = logging.INFO) -> None:
    """Makes messages of `level` and above visible where nobody else takes them."""
    logger.setLevel(level)
    if not logger.hasHandlers():
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
        logger.addHandler(handler)
