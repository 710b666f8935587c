"""What runs a partitioned model: engines and parts in PyTorch, one after the other, on one stream.

Tensors pass from part to part by reference. This file must not know how parts came to be.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, overload

import torch

from .. import boundary
from .._core import Engine, Error, write_file
from ..capture.size import Size
from ..errors import error
from .graphs import WholeCall, obstacle
from .partition import Partition

Run = Callable[[list[torch.Tensor], "int | None"], list[torch.Tensor]]


class PythonPart:
    """The Python code of a model, which runs engines of its own. No file holds the code.

    Attributes:
        weights: weights of the model that are constants of its engines.
    """

    weights: Sequence[torch.Tensor]

    def __call__(self, *tensors: torch.Tensor) -> list[torch.Tensor]:
        """What it computes for these tensors."""
        raise NotImplementedError

    def saved(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """What a file holds of it: a description, and members by name."""
        raise NotImplementedError


@dataclass(frozen=True)
class Step:
    """One part of a partitioned model, ready to run.

    Attributes:
        engine: the engine, or the plan of one for another machine; None for a part that PyTorch runs.
        in_pytorch: the part in PyTorch: tensors and sizes in, tensors out. None for an engine of a file.
        reads: where its inputs are: indices among the values of a run.
        sizes: the sizes that a part in PyTorch reads, over the shapes of the values so far.
        input_dtypes: the model's dtype of each input.
        output_dtypes: the model's dtype of each output.
        last: values that no later part reads, which are released.
        weights: the weights of a part in PyTorch.
        example: inputs with which a part in PyTorch can be exported; None for one that cannot be saved.
        source: the archive that a part in PyTorch was read from.
    """

    engine: Engine | None
    in_pytorch: Callable[..., Sequence[torch.Tensor]] | None
    reads: list[int]
    sizes: list[Size]
    input_dtypes: Sequence[str | None]
    output_dtypes: Sequence[str | None]
    last: list[int]
    weights: Sequence[torch.Tensor]
    example: Any = None
    source: bytes | None = None

    def prepared(self, keeps_shape: Container[int], host: Container[int]) -> _Prepared:
        """What the run needs of it.

        Args:
            keeps_shape: values whose shapes are read after their release.
            host: values that are in host memory although engines run on a GPU.
        """
        call: Callable[..., Sequence[torch.Tensor]]
        in_host_memory = [position for position, index in enumerate(self.reads) if index in host]
        if self.engine is None:
            assert self.in_pytorch is not None
            call = bound(self.in_pytorch)
        elif in_host_memory or boundary.differs(self.input_dtypes) or boundary.differs(self.output_dtypes):
            call = functools.partial(self._run_cast, in_host_memory)
        else:
            call = self.engine.run
        kept = [index for index in self.last if index in keeps_shape]
        dropped = [index for index in self.last if index not in keeps_shape]
        return _Prepared(self.engine is not None, call, self.reads, self.sizes, kept, dropped)

    def _run_cast(
        self, host: Sequence[int], tensors: list[torch.Tensor], stream: int | None, out: None
    ) -> list[torch.Tensor]:
        """The outputs of an engine that lacks some of the model's dtypes, or reads tensors from host memory."""
        assert self.engine is not None
        tensors = boundary.to_engine(boundary.to_device(tensors, host, self.engine.device), self.input_dtypes)
        return boundary.to_model(self.engine.run(tensors, stream, out), self.output_dtypes)


class _Prepared(NamedTuple):
    """A step without the parts of it that no call needs."""

    is_engine: bool
    call: Callable[..., Sequence[torch.Tensor]]
    reads: list[int]
    sizes: list[Size]
    kept: list[int]
    """Values that are released after the step and replaced by their shapes."""
    dropped: list[int]
    """Values that are released after the step."""


def bound(part: Callable[..., Sequence[torch.Tensor]]) -> Callable[..., Sequence[torch.Tensor]]:
    """A part in PyTorch as a function of its inputs: without the hooks of a module, and with its weights at hand.

    A module searches a weight in three dictionaries each time that its code reads one.
    """
    if not isinstance(part, torch.fx.GraphModule):
        return part
    names = {str(node.target) for node in part.graph.nodes if node.op in ("get_attr", "call_module")}
    if any("." in name or name not in (*part._buffers, *part._parameters, *part._modules) for name in names):
        return part.forward
    held = types.SimpleNamespace(**{name: getattr(part, name) for name in names})
    return functools.partial(type(part).forward, held)


class PartitionedEngine:
    """Engines and parts in PyTorch, with the interface of an `Engine`.

    Attributes:
        inputs, outputs: (name, dtype, sizes) of each tensor.
        steps: the parts in the order in which they run.
        ranges: the smallest and the largest size of each axis of each input.
        host: the inputs, by position, that stay in host memory while the others are on a GPU, such as lengths of
            sequences. Parts in PyTorch read them there; engines read copies.
        partitions: what the report shows of the parts.
        whole: replays whole calls from CUDA graphs; None where that was not asked for.
    """

    plan = None

    def __init__(
        self,
        inputs: list[tuple[str, str, list[str]]],
        outputs: list[tuple[str, str, list[str]]],
        steps: list[Step],
        results: list[int | Size | torch.Tensor],
        ranges: list[list[tuple[int, int]]],
        device: torch.device,
        nested: int = 0,
        host: Sequence[int] = (),
    ) -> None:
        """An engine of these steps.

        `results` are the outputs: indices among the values of a run, sizes over their shapes, or weights of the model.
        `ranges` are the smallest and the largest size of each axis of each input. `nested` counts the engines that
        parts in PyTorch call. `host` are inputs in host memory.
        """
        self.inputs, self.outputs, self.steps, self.results = inputs, outputs, steps, results
        self.ranges, self._device, self._nested, self.host = ranges, device, nested, list(host)
        self.partitions: list[Partition] = []
        self.whole: WholeCall | None = None
        named = zip(inputs, ranges, strict=True)
        self._takes = [
            (name, getattr(torch, dtype), torch.device("cpu") if index in self.host else device, axes, _fixed(axes))
            for index, ((name, dtype, _), axes) in enumerate(named)
        ]

    @property
    def input_names(self) -> list[str]:
        """Names of the inputs, in order."""
        return [name for name, _, _ in self.inputs]

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs, in order."""
        return [name for name, _, _ in self.outputs]

    @property
    def device(self) -> str:
        """Where it runs, as torch names it."""
        return str(self._device)

    @property
    def device_index(self) -> int | None:
        """The GPU; None on the CPU."""
        return self._device.index if self._device.type == "cuda" else None

    @property
    def borrowed(self) -> list[int]:
        """Addresses of the model's weights that engines read in place, and of those that parts in PyTorch share."""
        engines = [address for step in self.steps if step.engine for address in step.engine.borrowed]
        return engines + [weight.data_ptr() for step in self.steps if not step.engine for weight in step.weights]

    @property
    def description(self) -> str:
        """One line."""
        return f"{self._counted('engine')}, on {self.device}"

    def description_for(self, target: str) -> str:
        """One line for plans that were built for another machine."""
        return self._counted("TensorRT plan", f" for {target}")

    @property
    def is_python(self) -> bool:
        """Whether Python code of the model runs between engines."""
        return any(isinstance(step.in_pytorch, PythonPart) for step in self.steps)

    def _counted(self, engine: str, where: str = "") -> str:
        own = sum(step.engine is not None for step in self.steps)
        engines, others = own + self._nested, len(self.steps) - own
        plural = "s" * (engines != 1)
        return f"{engines} {engine}{plural}{where} and {others} part{'s' * (others != 1)} in PyTorch"

    def replay_whole_calls(self) -> None:
        """Captures whole calls in CUDA graphs from now on, where the parts in PyTorch allow it."""
        parts = [step.in_pytorch for step in self.steps if step.engine is None]
        index = self._device.index

        def run(inputs: list[torch.Tensor]) -> list[torch.Tensor]:
            return self._run_parts(inputs, torch.cuda.current_stream(index).cuda_stream)

        reason = "an input is in host memory" if self.host else obstacle(parts, self._device)
        self.whole = WholeCall(run, reason)

    @overload
    def save(self, description: str, path: None = None) -> bytes: ...

    @overload
    def save(self, description: str, path: str) -> None: ...

    def save(self, description: str, path: str | None = None) -> bytes | None:
        """Writes a file to a path, or returns its bytes, which copies and state dicts hold.

        Raises:
            torch2trt.Error: E0605 where a part in PyTorch cannot be saved, or the file cannot be written.
        """
        from .file import write  # reads engines, and so knows this class

        if path is None and self.is_python:
            raise error(
                "E0605",
                "a model whose Python code runs in PyTorch cannot be copied, pickled, or held in a state dict",
                "write a file with model_trt.save(path), and load it with torch2trt.load(path, module=model)",
            )
        data = write(self, description, self.partitions)
        if path is None:
            return data
        try:
            write_file(path, data)
        except OSError as refused:
            raise error(
                "E0605", f"the file cannot be written: {refused}", "choose a path in a folder that exists"
            ) from refused
        return None

    def run(
        self, inputs: list[torch.Tensor], stream: int | None = None, out: list[torch.Tensor] | None = None
    ) -> list[torch.Tensor]:
        """Runs all parts.

        Raises:
            torch2trt.Error: E0401 to E0404 for inputs that do not fit, and those of an engine.
        """
        self._check(inputs)
        made = None if self.whole is None else self.whole(inputs)
        if made is None:
            made = self._run_parts(inputs, stream)
        if out is None:
            return made
        for given, tensor in zip(out, made, strict=True):
            if given.shape != tensor.shape:
                raise error(
                    "E0406",
                    f"`out` has the shape {list(given.shape)}, the output {list(tensor.shape)}",
                    "pass one of that shape",
                )
            given.copy_(tensor)
        return out

    @functools.cached_property
    def _prepared(self) -> list[_Prepared]:
        """The steps as `_run_in_order` takes them."""
        sizes = [size for step in self.steps for size in step.sizes]
        sizes += [result for result in self.results if isinstance(result, Size)]
        keeps_shape = {k for size in sizes for _, k, _ in size.reads}
        return [step.prepared(keeps_shape, self.host) for step in self.steps]

    def _run_parts(self, inputs: Sequence[torch.Tensor], stream: int | None) -> list[torch.Tensor]:
        if not torch.is_grad_enabled():
            return self._run_in_order(inputs, stream)
        with torch.no_grad():
            return self._run_in_order(inputs, stream)

    def _run_in_order(self, inputs: Sequence[torch.Tensor], stream: int | None) -> list[torch.Tensor]:
        """The outputs. What does not depend on the call is in `_prepared`: this is the host's time between kernels."""
        values: list[Any] = list(inputs)
        for is_engine, call, reads, sizes, kept, dropped in self._prepared:
            tensors = [values[index] for index in reads]
            if is_engine:
                values.extend(call(tensors, stream, None))
            elif sizes:
                values.extend(call(*tensors, *[size.value(values) for size in sizes]))
            else:
                values.extend(call(*tensors))
            for index in kept:
                values[index] = Shape(values[index].shape)
            for index in dropped:
                values[index] = None
        return [as_tensor(_found(result, values)) for result in self.results]

    def _check(self, inputs: list[torch.Tensor]) -> None:
        if len(inputs) != len(self.inputs):
            raise error(
                "E0401",
                f"{len(inputs)} inputs were given, the model has {len(self.inputs)}",
                "pass one tensor for each input",
            )
        for tensor, (name, dtype, device, axes, fixed) in zip(inputs, self._takes, strict=True):
            if tensor.dtype != dtype:
                raise error(
                    "E0403", f"input `{name}` is {tensor.dtype}, the model takes {dtype}", f"pass {name}.to({dtype})"
                )
            if tensor.device != device:
                raise error(
                    "E0404",
                    f"input `{name}` is on {tensor.device}, the model takes it on {device}",
                    "move it there first",
                )
            if fixed is not None and tensor.shape == fixed:
                continue
            if len(axes) != tensor.dim() or not all(
                low <= size <= high for size, (low, high) in zip(tensor.shape, axes, strict=True)
            ):
                raise _bad_shape(name, tensor.shape, axes)


def _fixed(axes: list[tuple[int, int]]) -> torch.Size | None:
    """The only shape within these ranges; None where there are more."""
    return None if any(low != high for low, high in axes) else torch.Size(low for low, _ in axes)


def _found(result: int | Size | torch.Tensor, values: list[Any]) -> Any:
    if isinstance(result, torch.Tensor):
        return result
    return values[result] if isinstance(result, int) else result.value(values)


def _bad_shape(name: str, shape: torch.Size, axes: list[tuple[int, int]]) -> Error:
    taken = ", ".join(str(low) if low == high else f"{low}..{high}" for low, high in axes)
    text = f"input `{name}` has the shape {list(shape)}, the model takes [{taken}]"
    if len(shape) != len(axes):
        return error("E0402", text, f"pass a tensor of {len(axes)} axes")
    misfits = [
        (axis, size, *axes[axis]) for axis, size in enumerate(shape) if not axes[axis][0] <= size <= axes[axis][1]
    ]
    lines = "".join(f"\n  axis {axis}: got {size}, allowed {low}..{high}" for axis, size, low, high in misfits)
    wanted = [[end(size, axes[axis][k]) for axis, size in enumerate(shape)] for k, end in enumerate((min, max))]
    low, high = (tuple(one) for one in wanted)
    return error(
        "E0402",
        text + lines,
        f"convert again with a range that holds it: for `{name}`, from {low} to {high} (min_shapes, max_shapes)",
    )


@dataclass(frozen=True)
class Shape:
    """What is left of a tensor that no later part reads: sizes may follow from its shape."""

    shape: torch.Size


_NUMBER = Shape(torch.Size())


def as_tensor(value: Any) -> torch.Tensor:
    """A tensor as it is, a number as a 0-D tensor that holds it exactly."""
    if isinstance(value, torch.Tensor):
        return value
    return torch.tensor(value, dtype=torch.float64 if isinstance(value, (float, torch.SymFloat)) else None)


def with_shapes(values: Iterable[Any]) -> list[Any]:
    """The values of a run, with something that has a shape in the place of each number."""
    return [value if hasattr(value, "shape") else _NUMBER for value in values]


__all__ = ["PartitionedEngine", "PythonPart", "Shape", "Step", "as_tensor", "with_shapes"]
