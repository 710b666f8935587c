"""Decisions by values that no input decides: `if mask.all():` for a mask that the model itself makes.

torch.export knows no values and refuses them. PyTorch can carry the values along, and then every decision is taken;
what it took them by has to follow from the model's weights and from sizes alone. This file must not know programs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch._functorch import config
from torch._subclasses import fake_utils
from torch._subclasses.fake_tensor import DataDependentOutputException

from ..deferred import symbolic_shapes
from .repairs import replaced

_SETTING = "fake_tensor_propagate_real_tensors"


def is_by_values(refusal: BaseException | None) -> bool:
    """Whether torch.export refused a decision by values, and PyTorch can carry them along."""
    return isinstance(refusal, (symbolic_shapes.GuardOnDataDependentSymNode, DataDependentOutputException)) and hasattr(
        config, _SETTING
    )


@contextmanager
def with_values() -> Iterator[None]:
    """Carries the values of the sample along with the sizes.

    PyTorch then also asks whether both agree on where tensors begin in memory, which would fix sizes to the sample's.
    """
    with (
        replaced([(fake_utils, "_check_fake_real_tensors", lambda _: lambda *_, **__: None)]),
        config.patch({_SETTING: True}),
    ):
        yield


def inputs_decide(graph: torch.fx.Graph, inputs: set[str]) -> bool:
    """Whether a number was read from data that follow from the values of any of these placeholders."""
    pending = [node for node in graph.nodes if _reads_data(node)]
    seen = set(pending)
    while pending:
        node = pending.pop()
        if node.name in inputs:
            return True
        # A size is known without the tensor that it is of.
        before = [
            used for used in node.all_input_nodes if isinstance(used.meta.get("val"), (torch.Tensor, list, tuple))
        ]
        pending.extend(used for used in before if used not in seen)
        seen.update(before)
    return False


_SIZES = ("sym_size", "sym_stride", "sym_numel", "sym_storage_offset")


def _reads_data(node: torch.fx.Node) -> bool:
    """Whether the node makes a number of a tensor's values, or a tensor of a size that only values determine."""
    if not any(isinstance(used.meta.get("val"), (torch.Tensor, list, tuple)) for used in node.all_input_nodes):
        return False
    value = node.meta.get("val")
    if isinstance(value, (bool, int, float, torch.SymBool, torch.SymInt, torch.SymFloat)):
        return not any(name in str(node.target) for name in _SIZES)
    return bool(symbolic_shapes.free_unbacked_symbols(value))


__all__ = ["inputs_decide", "is_by_values", "with_values"]
