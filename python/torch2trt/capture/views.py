"""Weights of an exported program that are lazy views, which `torch.export.save` does not write.

This file must not know how programs are captured.
"""

from __future__ import annotations

import torch
from torch.export import ExportedProgram


def resolve_views(program: ExportedProgram) -> None:
    """Computes the weights that are conjugated or negated when they are read.

    torch.export.save writes what is stored, and not how it is to be read.
    """
    for weights in (program.state_dict, program.constants):
        for name, tensor in weights.items():
            if isinstance(tensor, torch.Tensor) and (tensor.is_conj() or tensor.is_neg()):
                resolved = tensor.detach().resolve_conj().resolve_neg()
                is_parameter = isinstance(tensor, torch.nn.Parameter)
                weights[name] = torch.nn.Parameter(resolved, requires_grad=False) if is_parameter else resolved


__all__ = ["resolve_views"]
