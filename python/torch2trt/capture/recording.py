"""The state of a walk over a graph, shared by the parts of the walker: `walk.py`, `numbers.py` and `floats.py`.

This file must not know what is recorded of a node.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch.fx import Node as FxNode

from .errors import CaptureError
from .origin import origin_of
from .program import Arg, Node, Output, Program
from .schema import Reader


class Recording(Reader):
    """The values seen so far, the program that is recorded, and the node being read (which errors are about)."""

    node: FxNode

    def __init__(self) -> None:
        self.program = Program()
        self.ids: dict[FxNode, int | list[int | None] | None] = {}
        self.computed: dict[FxNode, str] = {}  # integers computed from data, and the symbol of each
        self.bound: set[Any] = set()  # symbols whose value some input or earlier output gives
        self.count = 0

    def _new_id(self) -> int:
        self.count += 1
        return self.count - 1

    def _append(self, node: FxNode, target: str, args: list[tuple[str, Arg]], dtype: str) -> int:
        """Records an operator that returns a 0-D tensor, whose id is returned."""
        made = self.ids[node] = self._new_id()
        output = Output(f"{node.name}.{len(self.program.nodes)}", dtype, [])
        self.program.nodes.append(Node(target, args, [output], [made], origin_of(node)))
        return made

    @abstractmethod
    def _declare(self, dim: Any, size: int, name: str = "") -> None:
        """Makes the symbol of a symbolic size known."""

    @abstractmethod
    def _text(self, expression: Any) -> int | str:
        """An integer expression in the grammar of `symbols.py`."""

    @abstractmethod
    def _dtype(self, value: torch.Tensor) -> str:
        """The name of a tensor's dtype."""

    def _error(self, message: str, help: str = "") -> CaptureError:
        return CaptureError(message, where=self._where(), help=help)

    def _where(self) -> str:
        """The node's place in the model; empty where PyTorch recorded none."""
        origin = origin_of(self.node)
        return str(origin) if origin.line or origin.module else ""


__all__ = ["Recording"]
