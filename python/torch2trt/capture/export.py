"""The first way to a graph: torch.export, then functional ATen.

Functional ATen is the level this project is built on: no in-place operators, composites such as conv2d, layer_norm and
scaled_dot_product_attention whole. `functional.py` rewrites most graphs; the others are traced again by
`run_decompositions({})`. Gradients are off, because with them some models come out with sub-graphs that only switch
them.

The result is an `AtenGraph`, which the other way (`trace.py`) produces too and `walk.py` reads.

This file must not know about builders or records.
"""

from __future__ import annotations

import io
import logging
import sys
import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr, suppress
from dataclasses import dataclass, field
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch.export.graph_signature import ConstantArgument, InputKind, OutputKind

from .conversions import symbolic_numbers
from .decisions import inputs_decide, with_values
from .decompose import decomposed
from .errors import CaptureError, warn
from .functional import made_functional
from .intercept import Interceptor, OpaqueCall
from .limits import Places, watched
from .preserve import preserved
from .program import Kind, Progress
from .repairs import repaired
from .resizing import functional_resizes
from .scopes import symbolic_names
from .size_guards import size_guards
from .symbols import argument_paths
from .tree import RUNTIME, InputTree, OutputTree
from .vmap import vmap_refused

_NOISY_LOGGERS = ("torch.fx.experimental.symbolic_shapes", "torch._subclasses.fake_tensor")


@dataclass
class AtenGraph:
    """A graph together with what its placeholders and outputs stand for."""

    module: torch.fx.GraphModule
    """The graph, and the sub-graphs it refers to as attributes."""
    weights: dict[str, tuple[str, torch.Tensor, Kind]]
    """Node name (a placeholder or get_attr) to (weight name, tensor, "parameter" | "buffer" | "constant")."""
    inputs: list[str]
    """The placeholder of each input tensor, in the order of `InputTree.names`."""
    outputs: list[Any]
    """The node or constant behind each leaf of `tree`, in order."""
    tree: OutputTree
    ranges: dict[Any, tuple[int, int | None]] = field(default_factory=dict)
    """sympy symbol to its range, both ends included, None when open."""
    places: Places = field(default_factory=dict)
    """Where the model fixed or limited sizes of its inputs."""
    guards: list[str] = field(default_factory=list)
    """What the model decided by sizes: Python expressions of `L`, the arguments by name, that held for the sample."""
    written: set[str] = field(default_factory=set)
    """The model's Python attributes that the capture wrote, which are put back."""
    fixed: list[str] = field(default_factory=list)
    """Numbers that a traced run read out of the inputs, which are constants of the graph: one line each."""
    decided: list[str] = field(default_factory=list)
    """Decisions that the model took by values of its inputs in a traced run: one line each."""
    opaque_calls: dict[int, OpaqueCall] = field(default_factory=dict)
    """The calls that were kept whole, by the `key` of their node."""
    exported: torch.export.ExportedProgram | None = None
    """What torch.export returned, whose graph it is; None of a traced graph."""


class ExportRefused(Exception):
    """torch.export could not capture the model; the cause is the exception it raised."""


def export(
    module: torch.nn.Module,
    inputs: InputTree,
    dynamic_shapes: Any,
    progress: Progress,
    interceptor: Interceptor,
    known: Collection[str] | None = None,
    values: bool = False,
    numbers: list[dict[str, Any]] | None = None,
) -> AtenGraph:
    """Captures `module` with torch.export. Operators that are not `known` are decomposed; None knows all.

    With `values`, those of the sample decide where the model decides by values that follow from no input. With
    `numbers`, `int` and `float` of a tensor are read when the engine runs, in the model's namespaces and in these.

    Raises:
        ExportRefused: torch.export or the decomposition raised; the original exception is the cause.
    """
    printed = io.StringIO()
    dump = ""
    places: Places = {}
    changed: set[str] = set()
    # What runs on values must not change those of the caller.
    args, kwargs = (
        inputs.rebuild([sample.detach().clone() for sample in inputs.samples])
        if values
        else (inputs.args, inputs.kwargs)
    )
    paths = argument_paths(module.forward, args)
    try:
        with (
            with_values() if values else nullcontext(),
            redirect_stderr(printed),
            torch.inference_mode(False),
            torch.no_grad(),
            _quiet_export(),
            repaired(),
            vmap_refused(),
            symbolic_numbers(module, numbers) if numbers else nullcontext(),
        ):
            progress("export", 0, 1)

            def exported(made: list[str] | None) -> torch.export.ExportedProgram:
                symbolic = symbolic_names(module, made is None) if dynamic_shapes is not None else nullcontext()
                places.clear()
                with preserved(module, values, changed), symbolic, interceptor.active(), watched(places, paths, made):
                    return torch.export.export(
                        module, args, kwargs or None, dynamic_shapes=dynamic_shapes, strict=False
                    )

            program = _exported(exported)
            progress("export", 1, 1)
            if any(isinstance(constant, FakeTensor) for constant in program.constants.values()):
                # Later versions than 2.6 refuse it themselves.
                raise ExportRefused from RuntimeError("torch.export misses an operation, such as torch.func.grad")
            if values and inputs_decide(program.graph, set(_inputs(program, inputs))):
                raise ExportRefused("the model decides by the values of its inputs")
            guards = _take_guards(program, paths)
            progress("decompose", 0, 1)
            functional_resizes(program.graph_module)
            if not made_functional(program.graph, known):
                program = program.run_decompositions({})
                if known is not None:
                    program = decomposed(program, known)
            progress("decompose", 1, 1)
    except ExportRefused:
        raise
    except Exception as error:  # torch.export raises whatever the model or any of its passes raises
        # It also prints the graph so far, thousands of lines of it, besides attaching it to the exception.
        graph = getattr(error, "partial_fx_graph", None)
        dump = f"{graph}\n" if graph else ""
        raise ExportRefused from error
    finally:
        sys.stderr.write(printed.getvalue().replace(dump, "") if dump else printed.getvalue())
    graph = read_program(program, inputs)
    graph.places.update(places)
    graph.guards.extend(guards)
    graph.written |= changed
    return graph


def _exported(attempt: Callable[[list[str] | None], torch.export.ExportedProgram]) -> torch.export.ExportedProgram:
    """The first attempt, or a second one that keeps symbolic the sizes of which the model made Python numbers."""
    outcome: torch.export.ExportedProgram | Exception
    numbers: list[str] = []
    try:
        outcome = attempt(numbers)
    except Exception as error:  # torch.export raises whatever the model raises
        outcome = error
    if numbers:
        with suppress(Exception):
            return attempt(None)
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _take_guards(program: torch.export.ExportedProgram, paths: list[str]) -> list[str]:
    """Removes the guards: a decomposition would assert them, and fails for inputs in containers of a library."""
    guards = getattr(program, "_guards_code", None)  # private
    if guards is None:
        return size_guards(program, paths)
    if not guards:
        return []
    program._guards_code = []
    return list(guards)


def read_program(program: torch.export.ExportedProgram, inputs: InputTree) -> AtenGraph:
    """The graph of an exported program, its signature resolved to tensors, nodes and constants."""
    outputs = _outputs(program)
    constants = [RUNTIME if isinstance(value, torch.fx.Node) else value for value in outputs]
    return AtenGraph(
        module=program.graph_module,
        weights=dict(_weights(program)),
        inputs=_inputs(program, inputs),
        outputs=outputs,
        tree=OutputTree(program.call_spec.out_spec, constants, inputs.names),
        ranges={symbol: _bounds(str(symbol), bounds) for symbol, bounds in program.range_constraints.items()},
        exported=program,
    )


def _weights(program: torch.export.ExportedProgram) -> Iterator[tuple[str, tuple[str, torch.Tensor, Kind]]]:
    kinds: dict[InputKind, Kind] = {
        InputKind.PARAMETER: "parameter",
        InputKind.BUFFER: "buffer",
        InputKind.CONSTANT_TENSOR: "constant",
    }
    for spec in program.graph_signature.input_specs:
        if spec.kind in kinds:
            tensor = program.state_dict.get(spec.target)
            # Buffers that state_dict leaves out are kept with the constants.
            tensor = program.constants[spec.target] if tensor is None else tensor
            yield spec.arg.name, (spec.target, tensor, kinds[spec.kind])


def _inputs(program: torch.export.ExportedProgram, inputs: InputTree) -> list[str]:
    specs = [spec for spec in program.graph_signature.input_specs if spec.kind is InputKind.USER_INPUT]
    found = [None if isinstance(spec.arg, ConstantArgument) else spec.arg.name for spec in specs]
    if [name is not None for name in found] != [leaf.is_runtime for leaf in inputs.leaves]:
        raise CaptureError(
            "torch.export took the sample inputs apart in an unexpected way",
            facts=(f"exported: {found}", f"expected: {[leaf.name for leaf in inputs.leaves]}"),
            help="dynamic_shapes may only make dimensions of tensors dynamic, not numbers",
        )
    return [name for name in found if name is not None]


def _outputs(program: torch.export.ExportedProgram) -> list[Any]:
    """What each leaf of the return value is; writes to buffers and inputs are reported and left out."""
    specs = program.graph_signature.output_specs
    values = next(node for node in reversed(program.graph.nodes) if node.op == "output").args[0]
    written = sorted({spec.target for spec in specs if "MUTATION" in spec.kind.name and spec.target})
    if written:
        warn(
            f"the model writes to {', '.join(written[:5])}{' and more' if len(written) > 5 else ''} when it runs; the "
            "converted model does not: it leaves these tensors as they are, and every call returns what the first "
            "call of the model returns"
        )
    return [value for spec, value in zip(specs, values) if spec.kind is OutputKind.USER_OUTPUT]


def _bounds(symbol: str, bounds: Any) -> tuple[int, int | None]:
    # The open end is an infinity object whose class differs between versions; only integers convert.
    lower = int(bounds.lower) if bounds.lower.is_Integer else 0
    upper = int(bounds.upper) if bounds.upper.is_Integer else None
    # What an operator outside of torch counts (torchvision's nms) is at least two by torch's default: there may be
    # none.
    return 0 if symbol.startswith("u") and lower == 2 else lower, upper


@contextmanager
def _quiet_export() -> Iterator[None]:
    """Holds back what torch.export logs about a failure before raising, since the exception has it too, and what
    torch 2.11 warns itself of.
    """
    loggers = [logging.getLogger(name) for name in _NOISY_LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r".*isinstance\(treespec, LeafSpec\)", FutureWarning)
            # What a model keeps in attributes is put back, and reported where outputs may follow from it.
            warnings.filterwarnings("ignore", r"The tensor attributes? .* assigned during export", UserWarning)
            yield
    finally:
        for logger, level in zip(loggers, levels):
            logger.setLevel(level)
