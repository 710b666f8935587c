"""Compares a converted model with PyTorch, output by output.

The measure and the tolerances are those of the Rust half (crates/torch2trt/src/conversion/verify.rs); which inputs are
compared, and why a difference is not the engine's, is decided here. This file must not know how the engine was made.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import torch
from torch.utils import _pytree as pytree

from . import _core
from .capture import Captured
from .capture.errors import one_line
from .capture.fork import Fork
from .capture.preserve import as_module, preserved, settle_mode
from .conditioning import PERTURBATION, Cause, cause
from .errors import Error, error, first_line
from .fresh import proposals, within
from .smallest import smallest_help
from .undefined import zeros_where_undefined

_FIXED_HELP = (
    "keep these numbers tensors (x.sum() for float(x.sum()), torch.where for if), or pass them as inputs; verify=False "
    "skips the comparison"
)

_CONDITION_HELP = (
    "convert with trained weights and inputs on which these values differ by more than rounding, or pass verify=False "
    "and measure the accuracy of the task"
)

_HALF_HELP = (
    "keep the modules that compute these values in float32 (keep_fp32), or pass verify=False and measure the accuracy "
    "of the task"
)

_RANDOM_HELP = "pass the random numbers as an input, or pass verify=False"

FRESH = "fresh values"


def difference(expected: torch.Tensor, got: torch.Tensor) -> float:
    """Max |expected - got| / max |expected|; infinite where shapes, NaNs or infinities differ."""
    return _core.difference(real(expected), real(got))


def real(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor in host memory; a complex one as pairs of real numbers."""
    tensor = tensor.detach().cpu().resolve_conj().resolve_neg()
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor


class _Difference(NamedTuple):
    """What an error of a comparison is about."""

    output: int
    differs: float
    allowed: float


class _Expected(list[torch.Tensor]):
    """PyTorch's values of the engine's outputs, in order."""

    wrong: str | None = None
    """A number among the outputs that is another than what the converted model returns."""


def _tensors(captured: Captured, value: Any, inputs: list[torch.Tensor]) -> _Expected:
    """The tensors of a return value, in the order of the engine's outputs."""
    leaves = list(zip(pytree.tree_leaves(value), captured.outputs.leaves, strict=True))
    if any(leaf.is_runtime for _, leaf in leaves):
        expected = _Expected(torch.as_tensor(item) for item, leaf in leaves if leaf.is_runtime)
    else:
        expected = _Expected(torch.as_tensor(size) for size in _number_outputs_at(captured, inputs))
    for item, leaf in leaves:
        found = leaf.constant.value(inputs) if leaf.is_size else leaf.constant
        if isinstance(item, _NUMBERS) and isinstance(found, _NUMBERS) and item != found and item == item:
            expected.wrong = f"output `{leaf.name}` is {item} in PyTorch, and {found} in the converted model"
    return expected


_NUMBERS = (bool, int, float)


def _number_outputs_at(captured: Captured, inputs: list[torch.Tensor]) -> list[int]:
    """The size that an engine gives whose model returns sizes only: that of the first symbol of its inputs, or 1."""
    if captured.outputs.names and not captured.program.symbols:
        return [1]
    dims = (
        (dim, size)
        for given, tensor in zip(captured.program.inputs, inputs)
        for dim, size in zip(given.dims, tensor.shape)
    )
    return (
        [next(size for dim, size in dims if dim == captured.program.symbols[0].name)] if captured.outputs.names else []
    )


def _called(
    module: Any,
    captured: Captured,
    args: Any,
    kwargs: dict[str, Any],
    label: str,
    tensors: list[torch.Tensor],
    advise: bool,
) -> Any:
    """The outputs of the model. The smallest sizes that work are searched to `advise` only: that runs it many times."""
    try:
        return module(*args, **kwargs)
    except Exception as refused:  # the model's code may raise anything
        if not label:
            raise
        shapes = ", ".join(str(list(tensor.shape)) for tensor in tensors)
        raise error(
            "E0307",
            f"the model itself fails in PyTorch at the {label} shapes {shapes}\n  {one_line(refused)}",
            (advise and smallest_help(module, captured, tensors)) or "ask for sizes that the model accepts",
        ) from refused


def _suspects(captured: Captured) -> str | None:
    """What to look at first where the user's own converters took part."""
    names = dict.fromkeys(call.method.name for call in captured.opaque_calls.values())
    if not names:
        return None
    made = ", ".join(names)
    return (
        f"look at your own converters first, which made parts of the network: {made}; verify=False skips the comparison"
    )


def check(
    module: torch.nn.Module,
    made: Any,
    captured: Captured,
    label: str,
    tensors: list[torch.Tensor],
    decision: str | None = None,
    optional: bool = False,
) -> None:
    """Runs both on these input tensors and notes the differences in the report, under names that end in the label.

    `decision` is what the model decides otherwise at their sizes than at the sample's. An `optional` comparison is left
    out where the model does not run at these sizes.

    Raises:
        torch2trt.Error: E0702 where an output differs by more than rounding, E0307 where the model does not run at
            sizes that were asked for, or decides otherwise there.
    """
    try:
        tensors, expected = _accepted(module, captured, label, tensors, advise=not optional)
    except Error as refused:
        if not optional:
            raise
        made.report.skipped[label] = first_line(refused)
        return
    with _decided(decision, tensors):
        try:
            found = _differences(made, captured, label, tensors, expected)
        except Error as wrong:
            if decision is None:
                _raise_explained(wrong, _cause(wrong, module, made, captured, tensors), made)
            raise
        made.report.difference.update(found)


def check_elsewhere(
    module: torch.nn.Module, made: Any, captured: Captured, tensors: list[torch.Tensor], decision: str
) -> None:
    """Runs both where the model decides otherwise; where the model does not run, there is nothing to compare.

    Raises:
        torch2trt.Error: E0307 where the decision makes a difference.
    """
    try:
        tensors, expected = _accepted(module, captured, "other", tensors)
    except Error:
        return
    with _decided(decision, tensors):
        _differences(made, captured, "other", tensors, expected)


def check_fresh(module: torch.nn.Module, made: Any, captured: Captured) -> None:
    """Runs both on fresh values at the shapes of the samples, and notes the differences in the report.

    The first proposal counts for which the model runs and gives finite values. It is compared twice before it is an
    error, since values at which a model is ill-conditioned can be drawn by chance.

    Raises:
        torch2trt.Error: E0702 where an output differs by more than rounding.
    """
    report = made.report
    reason = "no value of the sample inputs can be changed"
    # What int8, float8 and float16 can hold was found out on the samples: other magnitudes would be another question.
    ways = (
        ()
        if report.is_quantized
        else proposals([sample.detach() for sample in captured.inputs.samples], not report.half)
    )
    if report.is_quantized:
        reason = "the ranges of quantization are those of the calibration"
    for way in ways:
        tensors = way(0)
        try:
            expected = reference_outputs(module, captured, "", tensors)
        except Exception as refused:  # the model's code may raise anything
            reason = f"the model fails on them in PyTorch ({one_line(refused)})"
            continue
        wrong = _wrong(made, captured, tensors, expected)
        if wrong and not all(tensor.isfinite().all() for tensor in expected):
            reason = "the model gives values that are not finite for them"
            continue
        if wrong and captured.traced_because and not captured.fixed:
            reason = "the traced run decided by the values of the samples, see the warning"
        elif wrong and (again := _wrong_again(module, made, captured, way)):
            why = None if captured.fixed else _cause(again, module, made, captured, way(1))
            if why is None:
                raise again
            reason = why.text
        else:
            return
    report.skipped["fresh values"] = reason


def _wrong_again(module: torch.nn.Module, made: Any, captured: Captured, way: Any) -> Error | None:
    """What is wrong with values that another seed gives."""
    tensors = way(1)
    try:
        expected = reference_outputs(module, captured, "", tensors)
    except Exception:  # these are not valid; what was wrong with the first ones stands
        tensors = way(0)
        expected = reference_outputs(module, captured, "", tensors)
    return _wrong(made, captured, tensors, expected)


def _wrong(made: Any, captured: Captured, tensors: list[torch.Tensor], expected: _Expected) -> Error | None:
    """What is wrong with the engine's outputs for fresh values; notes the differences where nothing is."""
    try:
        made.report.fresh_difference = _differences(made, captured, FRESH, tensors, expected)
    except Error as wrong:
        if not captured.fixed:
            return wrong
        read = "\n  ".join(
            ["the model reads numbers out of its inputs, and the engine has those of the samples:", *captured.fixed]
        )
        return error("E0702", f"{first_line(wrong)}\n  {read}", _FIXED_HELP)
    return None


def _cause(wrong: Error, module: Any, made: Any, captured: Captured, tensors: list[torch.Tensor]) -> Cause | None:
    """Why no engine could agree with PyTorch on these inputs; None where this one should."""
    found: _Difference | None = vars(wrong).get("difference")
    if found is None or made.report.is_quantized:
        return None
    output = found.output
    module = as_module(module)

    def run(inputs: list[torch.Tensor], parameters: dict[str, torch.Tensor]) -> _Expected:
        args, kwargs = captured.inputs.rebuild([tensor.clone() for tensor in inputs])
        with preserved(module, values=True), torch.no_grad():
            settle_mode(module, warn=False)
            if parameters:
                value = torch.func.functional_call(module, parameters, args, kwargs)
            else:
                value = module(*args, **kwargs)
            return _tensors(captured, value, inputs)

    def compared(left: _Expected, right: _Expected) -> float:
        return difference(left[output], right[output])

    size = max(PERTURBATION[precision] for precision in _precisions(made, captured.computed_in[output]))
    try:
        return cause(run, compared, module, tensors, found.differs, found.allowed, size)
    except Exception:  # the model's code may raise anything; what is wrong stands without a cause
        return None


def _precisions(made: Any, computed_in: list[str]) -> set[str | None]:
    """The precisions in which an output is computed, by their names in `PERTURBATION`."""
    found = {None, *computed_in}
    if made.report.half:
        found.add(made.report.half)
    if made.engine.device_index is not None:
        found.add("tf32")
    return found


def _raise_explained(wrong: Error, why: Cause | None, made: Any) -> None:
    """Raises what is wrong with its cause, where that is known.

    Raises:
        torch2trt.Error: E0702.
    """
    if why is None:
        return
    help = _RANDOM_HELP if why.is_random else _HALF_HELP if made.report.half else _CONDITION_HELP
    raise error("E0702", f"{first_line(wrong)}\n  {why.text}", help) from None


@contextmanager
def _decided(decision: str | None, tensors: list[torch.Tensor]) -> Iterator[None]:
    """Explains why the two differ, where the model decides by sizes."""
    try:
        yield
    except Error as wrong:
        if decision is None:
            raise
        shapes = ", ".join(str(list(tensor.shape)) for tensor in tensors)
        raise error(
            "E0307",
            "the model decides by sizes, and the engine has what it did at the sample's\n"
            f"  no longer so at shapes {shapes}: {decision}\n  {first_line(wrong)}",
            "give min and max shapes between which the decision is the same, or convert once for each; verify=False "
            "skips the comparison",
        ) from wrong


def reference_outputs(
    module: torch.nn.Module, captured: Captured, label: str, tensors: list[torch.Tensor], advise: bool = False
) -> _Expected:
    """PyTorch's values of the engine's outputs."""
    module = Fork(as_module(module)).module  # other threads may use the model
    args, kwargs = captured.inputs.rebuild([tensor.clone() for tensor in tensors])
    with preserved(module, values=True), torch.no_grad(), zeros_where_undefined(captured.program):
        settle_mode(module, warn=False)
        return _tensors(captured, _called(module, captured, args, kwargs, label, tensors, advise), tensors)


def _accepted(
    module: torch.nn.Module, captured: Captured, label: str, tensors: list[torch.Tensor], advise: bool = False
) -> tuple[list[torch.Tensor], _Expected]:
    """Input tensors at which the model runs, and PyTorch's values: these tensors, or others with smaller integers.

    Raises:
        torch2trt.Error: E0307 where the model runs with none of them.
    """
    try:
        return tensors, reference_outputs(module, captured, label, tensors)
    except Error:
        for others in within(tensors, captured.inputs.samples) if label else ():
            with suppress(Error):
                return others, reference_outputs(module, captured, label, others)
        if not advise:
            raise
    return tensors, reference_outputs(module, captured, label, tensors, advise=True)


def _at(label: str) -> str:
    """Which inputs a comparison was made on."""
    if label == FRESH:
        return " on fresh values within the samples' ranges, and not on the samples"
    return f" at {label} shapes" if label else " on the sample inputs"


def _differences(
    made: Any, captured: Captured, label: str, tensors: list[torch.Tensor], expected: _Expected
) -> dict[str, float]:
    """The differences by output and label.

    Raises:
        torch2trt.Error: E0702 for one that is more than rounding; those of a call.
    """
    if expected.wrong:
        raise error(
            "E0702", expected.wrong + _at(label), "pass verify=False to skip the comparison, and please report this"
        )
    host, device = captured.inputs.host, made.engine.device
    got = made.run([tensor if k in host else tensor.to(device) for k, tensor in enumerate(tensors)])
    found: dict[str, float] = {}
    report, on_gpu = made.report, made.engine.device_index is not None
    rows = zip(made.output_names, expected, got, captured.computed_in, strict=True)
    for index, (name, wanted, value, computed_in) in enumerate(rows):
        compared = _core.compare(real(wanted), real(value), computed_in, report.half, report.quantizes, on_gpu)
        found[f"{name} ({label})" if label not in ("", FRESH) else name] = compared.difference
        if not compared.is_rounding:
            wrong = compared.error(name, _at(label))
            if suspects := _suspects(captured):
                wrong = error("E0702", first_line(wrong), suspects)
            vars(wrong)["difference"] = _Difference(index, compared.difference, compared.allowed)
            raise wrong
    return found
