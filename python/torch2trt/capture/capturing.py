"""The stages of a capture in order: the model, its arguments, the graph, the program.

This file must not know about TensorRT, engines or conversion.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection, Iterable
from contextlib import suppress
from typing import Any

import torch

from ..fresh import proposals
from .captured import Captured, Whole
from .constants import constant_arguments
from .containers import register_containers, register_transformers_cache
from .conversions import converting
from .decisions import is_by_values
from .errors import CaptureError, ModelError, ValuesDecideError, one_line, warn
from .export import AtenGraph, ExportRefused, export
from .folding import fold_unknown
from .fork import Fork
from .given import normalized
from .intercept import Interceptor, Method
from .lenient import walk_all
from .origin import place_of
from .preserve import as_module, check_weights, preserved, settle_mode, tensors_of
from .program import Progress
from .remembered import Others, caches_restored, remembering
from .state import states
from .threads import exclusive
from .trace import trace
from .tree import InputTree
from .vmap import VmapError
from .walk import walk


def capture(
    module: Any,
    args: Any = (),
    kwargs: dict[str, Any] | None = None,
    dynamic_shapes: Any = None,
    progress: Progress | None = None,
    keep: Iterable[Method] = (),
    known: Collection[str] | None = None,
    others: Others | None = None,
    to_cut: bool = False,
) -> Captured:
    """Captures a model as a functional ATen program.

    The model is left as it was found, whatever happens. One in training mode is captured in evaluation mode
    (with a warning if that changes anything): an engine is for inference.

    Args:
        module: an nn.Module, or a function of tensors.
        args: the sample inputs: a list or tuple of positional arguments, a dict of keyword arguments, or one tensor.
        kwargs: further keyword arguments.
        dynamic_shapes: as for torch.export.export; None makes every size static.
        progress: called with (stage, done, total), stages being "export", "decompose", "trace" and "walk".
        keep: methods whose calls become one node each, see `intercept.py`.
        known: the operators that the reader of the program knows, as "aten.relu.default"; others are decomposed where
            PyTorch has a rule for it. Default: all.
        others: calls that make the model remember other sizes before it is captured, see `remembered.py`; symbolic
            sizes can then be keys, too.
        to_cut: calls that have no form in a program are no error, and `Captured.whole` holds the graph.

    Raises:
        CaptureError: the model cannot be captured; the message has the place and help.

    Warns:
        CaptureWarning: the program differs from the model: traced with fixed shapes, taken out of training mode,
            or without the model's writes to its own buffers.
    """
    progress = progress or (lambda stage, done, total: None)
    module = as_module(module)
    check_weights(module)
    if type(module).__module__.startswith("transformers."):
        register_transformers_cache()
    inputs = InputTree(inspect.signature(module.forward), *normalized(args, kwargs))
    inputs.separate(tensors_of(module))
    with exclusive():
        fork = Fork(module)
        with remembering(fork.module, others), preserved(fork.module), caches_restored(fork.module):
            settle_mode(fork.module)
            interceptor = Interceptor(keep)
            try:
                graph, reason = _graph(fork.module, inputs, dynamic_shapes, progress, interceptor, known, to_cut)
            finally:
                interceptor.release()
            if graph.written:
                _warn_states(fork.module, inputs)
        if not graph.tree.names and not any(leaf.is_number for leaf in graph.tree.leaves):
            raise CaptureError(
                f"the model returns no tensor and no number: {type(module).__name__}.forward returns "
                f"{graph.tree.described()}",
                help="return a tensor computed from the inputs",
            )
        if known is not None:
            fold_unknown(graph, known)
        walked = walk_all(graph, inputs.names, inputs.samples, progress) if to_cut else None
        program = walked.program if walked else walk(graph, inputs.names, inputs.samples, progress)
        graph.tree.dtypes = program.output_dtypes()
        constants = constant_arguments(graph) if interceptor.opaque_calls else {}
    opaque_calls = {key: fork.originals(call) for key, call in interceptor.opaque_calls.items()}
    graph.opaque_calls = opaque_calls
    return Captured(
        program,
        inputs,
        graph.tree,
        reason,
        opaque_calls,
        constants,
        graph.places,
        graph.guards,
        graph.fixed,
        graph,
        Whole(graph, walked) if walked else None,
    )


def _graph(
    module: torch.nn.Module,
    inputs: InputTree,
    dynamic_shapes: Any,
    progress: Progress,
    interceptor: Interceptor,
    known: Collection[str] | None,
    to_cut: bool = False,
) -> tuple[AtenGraph, str | None]:
    """The graph by export, or by tracing together with the reason."""
    try:
        return export(module, inputs, dynamic_shapes, progress, interceptor, known), None
    except ExportRefused as refused:
        refusal = refused.__cause__ or refused
    if isinstance(refusal, CaptureError):
        raise refusal
    if _learns_outputs(module, inputs):
        try:
            return export(module, inputs, dynamic_shapes, progress, interceptor, known), None
        except ExportRefused as refused:
            refusal = refused.__cause__ or refused
    if is_by_values(refusal) and (numbers := converting(refusal)):
        with suppress(ExportRefused):
            return export(module, inputs, dynamic_shapes, progress, interceptor, known, numbers=numbers), None
    if is_by_values(refusal):
        with suppress(ExportRefused):
            return export(module, inputs, dynamic_shapes, progress, interceptor, known, values=True), None
    if to_cut and is_by_values(refusal):
        raise ValuesDecideError(
            f"the model decides by the values of its inputs{place_of(refusal)}", help="write torch.cond, or torch.where"
        ) from refusal
    if dynamic_shapes is not None:
        raise _not_dynamic(refusal) from refusal
    reason = one_line(refusal) + place_of(refusal)
    try:
        written: set[str] = set()
        with preserved(module, values=True, changed=written):
            graph = trace(module, inputs, progress, interceptor, known)
        graph.written |= written
    except CaptureError as failed:
        facts = (*failed.facts, f"torch.export: {reason}")
        raise type(failed)(failed.message, where=failed.where, facts=facts, help=failed.help) from refusal
    except Exception as error:  # whatever the model's code or the tracer raises
        raise CaptureError(
            "the model can neither be exported nor traced",
            facts=(f"torch.export: {reason}", f"tracing: {one_line(error)}"),
            help=refusal.help
            if isinstance(refusal, VmapError)
            else "convert the parts of the model that are tensor computations on their own",
        ) from refusal
    _warn_traced(graph, reason)
    return graph, reason


def _warn_traced(graph: AtenGraph, reason: str) -> None:
    numbers, help = [], ""
    if graph.decided:
        numbers = [
            "decisions by values of the inputs, now as they were for the sample inputs:",
            *_listed(graph.decided),
        ]
        help = "\nhelp: choose with torch.where, or convert once for each decision"
    if graph.fixed:
        numbers += ["numbers that were read out of the inputs, now constants:", *_listed(graph.fixed)]
        help = "\nhelp: keep these numbers tensors, as x * y.sum() for x * float(y.sum()), or pass them as inputs"
    lines = "".join(f"\n  {line}" for line in (*numbers, f"reason: {reason}"))
    warn(
        "torch.export refused the model, so one run on the sample inputs was traced: shapes, and decisions that "
        f"depend on values{', and values read out of tensors' if graph.fixed else ''}, are fixed to those of the "
        f"sample inputs{lines}{help}"
    )


def _listed(lines: list[str], most: int = 8) -> list[str]:
    return [f"  {line}" for line in lines[:most]] + ([f"  and {len(lines) - most} more"] if len(lines) > most else [])


def _warn_states(module: torch.nn.Module, inputs: InputTree) -> None:
    """Warns of what the model keeps in Python attributes from call to call. Runs it twice, on different values."""
    samples = [sample.detach() for sample in inputs.samples]
    other = next((way(0) for way in proposals(samples)), samples)

    def run(tensors: list[torch.Tensor]) -> Any:
        args, kwargs = inputs.rebuild([tensor.clone() for tensor in tensors])
        return module(*args, **kwargs)

    with preserved(module, values=True), torch.no_grad():
        found = states(module, [lambda: run(samples), lambda: run(other)])
    if found:
        lines = [f"  {name}" + (f" at {line}" if line else "") for name, line in list(found.items())[:8]]
        more = [f"  and {len(found) - 8} more"] if len(found) > 8 else []
        first = (
            "the model keeps state in Python attributes; the converted model does not: every call computes with the "
            "values that they had at the conversion"
        )
        help = (
            "help: pass the state as an input and return it as an output, or call the model itself where it is needed"
        )
        warn("\n".join([first, *lines, *more, help]))


def _learns_outputs(module: torch.nn.Module, inputs: InputTree) -> bool:
    """Runs the model for real after export refused it: is it the model that fails, or its output that is new?

    Returns whether an output class was registered, so that exporting again may work.

    Raises:
        ModelError: the model itself fails on the sample inputs.
        CaptureError: it returns something without tensors.
    """
    args, kwargs = inputs.rebuild([sample.detach().clone() for sample in inputs.samples])
    try:
        with preserved(module, values=True), torch.no_grad():
            result = module(*args, **kwargs)
    except Exception as error:  # the user's code may raise anything
        raise ModelError(
            f"the model itself fails on the sample inputs: {one_line(error)}",
            help="model(*args, **kwargs) must run in PyTorch before it can be converted",
        ) from error
    return register_containers(result, "output")


def _not_dynamic(refusal: BaseException) -> CaptureError:
    lines = [line.rstrip() for line in str(refusal).splitlines() if line.strip()]
    text = str(refusal)
    if isinstance(refusal, VmapError):
        help = refusal.help
    elif re.search(r"constant \([01]\)", text):
        help = "give a sample with at least 2 along dynamic axes: torch.export takes sizes of 0 and 1 for constants"
    elif "Suggested fixes" in text:
        help = "narrow the ranges as suggested, or make these dimensions static"
    else:
        help = (
            "write what decides by values with torch.where, or convert for fixed shapes: one run on the sample inputs "
            "is then traced"
        )
    return CaptureError(
        "the model cannot be captured with these dynamic shapes",
        facts=[
            (f"{type(refusal).__name__}: {lines[0]}" if lines else type(refusal).__name__) + place_of(refusal),
            *lines[1:12],
        ],
        help=help,
    )


__all__ = ["capture"]
