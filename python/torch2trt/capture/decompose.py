"""Operators that the reader of a program does not know, decomposed by PyTorch's own rules.

PyTorch decomposes many operators into others: aliases such as `multiply`, losses, special functions. Only those that
are not known are decomposed, since the others mean more whole than in parts. This file must not know who knows
operators.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

import torch
from torch._decomp import decomposition_table
from torch._ops import OpOverload
from torch.utils import _pytree as pytree

Rules = dict[OpOverload, Callable[..., Any]]

_COMPOSITE = torch._C.DispatchKey.CompositeImplicitAutograd

ROUNDS = 4
"""What a rule makes may have to be decomposed too; nothing needs more rounds than this."""


def unknown(module: torch.fx.GraphModule, known: Collection[str]) -> set[OpOverload]:
    """PyTorch's own operators in a graph that make tensors and are not known, and those of others with a rule."""
    return {
        node.target
        for part in module.modules()
        if isinstance(part, torch.fx.GraphModule)
        for node in part.graph.nodes
        if isinstance(node.target, OpOverload)
        and may_have_rule(node.target)
        and str(node.target) not in known
        and any(isinstance(value, torch.Tensor) for value in pytree.tree_leaves(node.meta.get("val")))
    }


def rules(operators: Collection[OpOverload]) -> Rules:
    """The rules of those that have one: of torch.export's, then of all others."""
    if not operators:
        return {}
    exported = torch.export.default_decompositions()
    found = {
        operator: exported[operator] if operator in exported else decomposition_table.get(operator)
        for operator in operators
    }
    # Not `operator.decompose`, which asks for the rule.
    composite = {operator: partial(operator._op_dk, _COMPOSITE) for operator in operators if _is_composite(operator)}
    return {**composite, **{operator: rule for operator, rule in found.items() if rule is not None}}


def may_have_rule(operator: OpOverload) -> bool:
    """Whether an operator is one of PyTorch's own, or made of others."""
    return operator.namespace in ("aten", "prims") or _is_composite(operator)


def _is_composite(operator: OpOverload) -> bool:
    """Whether an operator of another package is made of others: its rule is its implementation."""
    has_kernel = torch._C._dispatch_has_kernel_for_dispatch_key
    return operator.namespace not in ("aten", "prims") and has_kernel(operator.name(), _COMPOSITE)


def decomposed(program: torch.export.ExportedProgram, known: Collection[str]) -> torch.export.ExportedProgram:
    """The program with unknown operators decomposed into known ones where they can be; the others stay as they are."""
    missing = unknown(program.graph_module, known)
    made = _taken_apart(program, known, missing)
    if unknown(made.graph_module, known) <= missing:
        return made
    alone = {operator: _taken_apart(program, known, {operator}) for operator in rules(missing)}
    sound = {operator for operator, made in alone.items() if unknown(made.graph_module, known) <= missing}
    return _taken_apart(program, known, sound)


def _taken_apart(
    program: torch.export.ExportedProgram, known: Collection[str], chosen: Collection[OpOverload]
) -> torch.export.ExportedProgram:
    """The program without the chosen operators and without unknown ones that come out of them; what fails stays."""
    others = unknown(program.graph_module, known).difference(chosen)
    for _ in range(ROUNDS):
        found = rules(unknown(program.graph_module, known) - others)
        if not found:
            break
        try:
            program = program.run_decompositions(dict(found))
        except Exception:  # rules decide by values, or ask for what the operands lack
            for operator, rule in found.items():
                try:
                    program = program.run_decompositions({operator: rule})
                except Exception:
                    others.add(operator)
    return program


__all__ = ["ROUNDS", "Rules", "decomposed", "may_have_rule", "rules", "unknown"]
