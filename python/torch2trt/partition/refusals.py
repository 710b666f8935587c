"""The calls of a captured graph that no engine runs, before anything is converted.

This file must not know how parts are made.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Sequence

from torch.fx import Node as FxNode

from .._log import logger
from ..capture import Whole
from ..capture.intercept import TARGET
from ..capture.origin import origin_of
from ..errors import brief

REFUSED = ("E0101", "E0102", "E0103", "E0104", "E0105", "E0107", "E0203", "E0302", "E0303", "E0307", "E0601")
"""What sends calls to PyTorch where an error names them."""


def refusals(whole: Whole, known: Collection[str], run_in_pytorch: Sequence[str]) -> dict[FxNode, str]:
    """The calls that run in PyTorch, each with the reason.

    Args:
        whole: the captured graph.
        known: the operators that convert.
        run_in_pytorch: patterns of module paths, such as "layers.*.router".
    """
    found = {node: brief(refused) for node, refused in whole.walked.refused.items()}
    matched = set()
    for node in whole.graph.module.graph.nodes:
        if node.op != "call_function" or str(node.target) == TARGET:
            continue
        path = origin_of(node).module
        pattern = next((pattern for pattern in run_in_pytorch if is_inside(path, pattern)), None)
        if pattern is not None:
            matched.add(pattern)
            found[node] = f"run_in_pytorch has `{pattern}`"
    for pattern in run_in_pytorch:
        if pattern not in matched:
            logger.warning("run_in_pytorch: `%s` names no module of the model that makes operator calls", pattern)
    for node, call in zip(whole.walked.origins, whole.walked.program.nodes, strict=True):
        if node not in found and call.target not in known and call.target != TARGET:
            found[node] = "no converter"
    return found


def is_inside(path: str, pattern: str) -> bool:
    """Whether a module is one that a pattern names, or inside one."""
    names = path.split(".")
    return any(fnmatch.fnmatchcase(".".join(names[:count]), pattern) for count in range(1, len(names) + 1))


class UnboundedSizeError(Exception):
    """A size depends on data and has no largest value, which the calls need in an engine."""

    def __init__(self, calls: list[FxNode]) -> None:
        super().__init__(
            "the size of a tensor depends on data and has no largest value"
            " (give one in the model: torch._check(n <= 1000))"
        )
        self.calls = calls


__all__ = ["REFUSED", "UnboundedSizeError", "is_inside", "refusals"]
