"""The converted model: an nn.Module that runs an engine and returns what the model returns.

This file must not know how the engine was made.
"""

from __future__ import annotations

import copy
import json
from bisect import bisect_left
from typing import Any

import torch

from . import accepted, boundary, tree_file
from ._core import Engine, Error, Plan, write_file
from .accepted import Path
from .capture.errors import one_line
from .capture.given import check_tensors
from .capture.tree import InputTree, OutputTree
from .errors import error
from .file import bytes_of, engine_from, load_options
from .partition.engine import PartitionedEngine
from .partition.partition import Partition
from .profiling import LayerTimes, arguments_of
from .replaced import Replaced
from .report import Report, facts_of


def _is_read(weight: torch.Tensor, addresses: list[int]) -> bool:
    """Whether one of these sorted addresses is in a weight's memory. A part of a weight may be read alone."""
    start = weight.data_ptr()
    first = bisect_left(addresses, start)
    return first < len(addresses) and addresses[first] < start + max(weight.nbytes, 1)


def _stream(index: int) -> int:
    return torch.cuda.current_stream(index).cuda_stream


_current_stream = getattr(torch._C, "_cuda_getCurrentRawStream", _stream)
"""The address of PyTorch's current stream on a GPU; without making a stream object where this torch has that."""

_NOTHING = tree_file.plain([], [])
"""The inputs and outputs of an empty module."""


class TRTModule(torch.nn.Module):
    """A converted model. Call it as the model was called.

    `TRTModule()` is empty: `load_state_dict` fills it with an engine that another process made.

    Attributes:
        report: what the conversion did, and how close the outputs are to PyTorch's.
        engine: what runs, or None for a plan that was built for another machine.
        plan: a TensorRT plan that was built for another machine, else None.
        network: the network in its canonical text form, where `keep_network` is set.
    """

    engine: Engine | PartitionedEngine | None
    plan: Plan | PartitionedEngine | None
    _borrowed: list[tuple[torch.Tensor, int]]
    """Weights of the model that the engine reads where they are, with their versions."""

    def __init__(
        self,
        engine: Any = None,
        inputs: InputTree | None = None,
        outputs: OutputTree | None = None,
        report: Report | None = None,
        plan: Plan | PartitionedEngine | None = None,
        weights: list[torch.Tensor] | None = None,
        network: Any = None,
        *,
        input_names: list[str] | None = None,
        output_names: list[str] | None = None,
    ) -> None:
        """A module around an engine of this package, or around one of NVIDIA's Python package.

        With the latter, `input_names` are the engine's inputs in the order of the call, and `output_names` its outputs
        in the order of the return value.
        """
        super().__init__()
        self._fill(None, inputs, outputs, report, plan, network)
        if hasattr(engine, "serialize"):
            self._fill(*engine_from(bytes(engine.serialize()), input_names, output_names))
        elif engine is not None and not isinstance(engine, (Engine, PartitionedEngine)):
            help = "give an engine of TensorRT's Python package, or use torch2trt.load(path)"
            raise accepted.rejected("engine", engine, help)
        elif engine is not None:
            self._fill(engine, inputs, outputs, report, plan, network)
            self.become(engine, weights or [])

    def become(self, engine: Engine | PartitionedEngine, weights: list[torch.Tensor]) -> None:
        """Runs this engine from now on; `weights` are the model's, some of which it may read where they are."""
        addresses = sorted(engine.borrowed)
        # Their version counters change with each write.
        borrowed = [weight for weight in weights if not weight.is_inference() and _is_read(weight, addresses)]
        self.engine, self._borrowed = engine, [(weight, weight._version) for weight in borrowed]

    def _fill(
        self,
        engine: Engine | PartitionedEngine | None,
        inputs: InputTree | None,
        outputs: OutputTree | None,
        report: Report | None,
        plan: Plan | PartitionedEngine | None = None,
        network: Any = None,
    ) -> None:
        self.engine, self.plan, self.network = engine, plan, network
        self.report = report or Report()
        self.report.facts = facts_of(engine or plan)
        self._inputs, self._outputs = inputs or _NOTHING[0], outputs or _NOTHING[1]
        self._cast_inputs = boundary.differs(self._inputs.dtypes)
        self._cast_outputs = boundary.differs(self._outputs.dtypes)
        self._cuda = engine.device_index if engine else None
        # Inputs that are copied to the GPU in each call. Parts in PyTorch read them in host memory.
        is_copied = self._cuda is not None and not isinstance(engine, PartitionedEngine)
        self._host = self._inputs.host if is_copied else ()
        self._borrowed = []
        self._is_profiling = False
        # How it runs, for copies: `use_cuda_graph`, `threads` and the like, as `load` takes them.
        self.run_options: dict[str, Any] = {}
        # The module that was converted, without its weights: a model that this is a part of may read its attributes.
        self._replaced: Replaced | None = None
        # What a refit converts the new model with; only where the plan takes new weights.
        self.conversion_arguments: dict[str, Any] | None = None

    def __getattr__(self, name: str) -> Any:
        """Attributes of the converted module that this one does not have."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            original = self.__dict__.get("_replaced")
            if original is None or name.startswith("__"):
                raise
            return original.read(name)

    @property
    def partitions(self) -> list[Partition]:
        """The engines and the parts in PyTorch, in the order of execution; empty where one engine runs everything."""
        return self.report.partitions

    @property
    def input_names(self) -> list[str]:
        """Names of the engine's inputs, in order."""
        if self.engine:
            return [name for name, _, _ in self.engine.inputs]
        if self.plan:
            return self.plan.input_names
        return self._inputs.names

    @property
    def output_names(self) -> list[str]:
        """Names of the engine's outputs, in order."""
        if self.engine:
            return [name for name, _, _ in self.engine.outputs]
        if self.plan:
            return self.plan.output_names
        return self._outputs.names

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the engine; returns the model's own structure with new tensors.

        Raises:
            torch2trt.Error: E0402 for a shape the engine does not accept, E0403 for a dtype, E0404 for a tensor on
                another device, E0602 for arguments of another structure, E0603 when the model's weights changed
                since the conversion, E0604 when the plan was built for another machine.
        """
        self._runnable()
        tensors = self._inputs.flatten(args, kwargs)
        if self._borrowed and any(weight._version != version for weight, version in self._borrowed):
            raise error(
                "E0603",
                "the model's weights were written to after the conversion, which borrowed them",
                "convert again, or convert a copy: torch2trt(copy.deepcopy(model), inputs)",
            )
        if self._is_profiling:
            print(self._layer_times(tensors, calls=1))
        return self._outputs.unflatten(self.run(tensors), tensors)

    def profile(self, inputs: Any, kwargs: dict[str, Any] | None = None, calls: int = 20) -> LayerTimes:
        """Times each layer in calls of their own, by TensorRT's profiler or ONNX Runtime's; `print` draws the result.

        `report.save(path)` shows it from then on.

        Raises:
            torch2trt.Error: as calls do; E0701 for a model with parts in PyTorch.
        """
        self._runnable()
        self.report.times = self._layer_times(self._inputs.flatten(arguments_of(inputs), kwargs or {}), calls)
        return self.report.times

    def enable_profiling(self, enabled: bool = True) -> None:
        """Prints the times of all layers in every later call, which makes calls slower. See `profile`."""
        self._is_profiling = enabled

    def _layer_times(self, tensors: list[torch.Tensor], calls: int) -> LayerTimes:
        return LayerTimes.of(self.engine, self._to_engine(tensors), calls)

    def _to_engine(self, tensors: list[torch.Tensor]) -> list[torch.Tensor]:
        """Inputs on the engine's device and in its dtypes."""
        if self._host:
            tensors = boundary.to_device(tensors, self._host, self._runnable().device)
        return boundary.to_engine(tensors, self._inputs.dtypes) if self._cast_inputs else tensors

    def run(self, tensors: list[torch.Tensor], out: list[torch.Tensor] | None = None) -> list[torch.Tensor]:
        """Runs the engine on its inputs in order, without the model's structure around them.

        On a GPU the work goes to PyTorch's current stream, and inside a capture into the captured graph. An input whose
        sample was in host memory, while others were on a GPU, is copied to the GPU.

        Args:
            tensors: one for each of `input_names`.
            out: tensors of the outputs' shapes to write to, one for each of `output_names`. The engine writes to
                contiguous ones of its own dtypes and device that overlap no other tensor of the call; others are copied
                to.

        Returns:
            `out`, or new tensors.

        Raises:
            torch2trt.Error: as calls do; E0406 for a tensor in `out` of another shape.
        """
        tensors = self._to_engine(tensors)
        if not self._cast_outputs:
            return self._run(tensors, out)
        made = self._run(tensors, boundary.written_to(out, self._outputs.dtypes))
        return out if out is not None else boundary.to_model(made, self._outputs.dtypes)

    def _run(self, tensors: list[torch.Tensor], out: list[torch.Tensor] | None) -> list[torch.Tensor]:
        engine = self._runnable()
        try:
            return engine.run(tensors, None if self._cuda is None else _current_stream(self._cuda), out)
        except Exception as failed:  # reading what is no plain tensor raises whatever its class raises
            if isinstance(failed, Error) and failed.code != "E0405":
                raise
            check_tensors(tensors, self.input_names, "tensors")
            if out is not None:
                check_tensors(out, self.output_names, "out")
            if isinstance(failed, Error):
                raise
            raise error(
                "E0407",
                f"the engine failed: {one_line(failed)}",
                "call the module with contiguous copies of the tensors",
            ) from failed

    def refit(self, model: Any, inputs: Any = None, verify: bool = True, **arguments: Any) -> None:
        """Puts the weights of a model of the same layers into the engine, without a rebuild.

        The plan must have been built with `refittable=True`. Calls under way end with the old weights.

        Args:
            model: the model with new weights.
            inputs: sample inputs, as for `torch2trt`. Default: those of the conversion, where it was in this process.
            verify: compare with the model afterwards, as `torch2trt` does.
            arguments: further arguments of the conversion, for a module that was loaded from a file: shapes, names and
                precision must be the same as then.

        Raises:
            torch2trt.Error: E0606 where the engine takes no new weights, or the model's are others than those it has.
        """
        from .refit import refit  # knows how engines are made, which this file must not

        refit(self, model, inputs, verify, arguments)

    def save(self, path: Path) -> None:
        """Writes an engine file: everything that `torch2trt.load(path)` needs, in a process that never saw the model.

        Raises:
            torch2trt.Error: E0605 where the file cannot be written, or the inputs have a structure with no written
                form.
        """
        path = _checked_path(path, "save", "an engine file")
        self._saved().save(self._description(), path)

    def save_plan(self, path: Path) -> None:
        """Writes the TensorRT plan as TensorRT serialized it (for trtexec, Triton or another machine).

        Raises:
            torch2trt.Error: E0605 where the file cannot be written, E0701 where the model runs on the CPU engine.
        """
        saved = self._saved()
        if isinstance(saved, PartitionedEngine):
            raise error(
                "E0701",
                "a model with parts in PyTorch has no single TensorRT plan",
                "write an engine file with model_trt.save(path)",
            )
        plan = saved.plan if isinstance(saved, Engine) else saved.serialize()
        if plan is None:
            raise error(
                "E0701",
                "there is no TensorRT plan: the model runs on the CPU engine",
                'convert with backend="tensorrt"',
            )
        path = _checked_path(path, "save_plan", "a TensorRT plan")
        try:
            write_file(path, plan)
        except OSError as refused:
            raise error(
                "E0605", f"the plan cannot be written: {refused}", "choose a path in a folder that exists"
            ) from refused

    def _saved(self) -> Engine | Plan | PartitionedEngine:
        saved = self.plan or self.engine
        if saved is None:
            raise error("E0604", "this TRTModule is empty", "convert a model, or fill it with load_state_dict first")
        return saved

    def _description(self) -> str:
        model = tree_file.to_json(self._inputs, self._outputs)
        return json.dumps({"model": model, **self.report.description()})

    def _runnable(self) -> Engine | PartitionedEngine:
        """What runs.

        Raises:
            torch2trt.Error: E0604 where nothing does.
        """
        if self.engine is None:
            raise self._not_runnable()
        return self.engine

    def _not_runnable(self) -> Error:
        if self.plan is None:
            return error("E0604", "this TRTModule is empty", "fill it with load_state_dict, or convert a model")
        return error(
            "E0604",
            f"this {self.report.engine} was built ahead of time and cannot run here",
            "write it with model_trt.save(path) and load it on a machine with that GPU: torch2trt.load(path)",
        )

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        """The engine file as bytes, and the names: what NVIDIA's torch2trt keeps under the same keys."""
        data = bytearray(self._saved().save(self._description()))
        destination[prefix + "engine"] = torch.frombuffer(data, dtype=torch.uint8)
        destination[prefix + "input_names"] = self.input_names
        destination[prefix + "output_names"] = self.output_names

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: Any,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        if prefix + "engine" not in state_dict:
            missing_keys.append(prefix + "engine")
            return
        data = bytes_of(state_dict[prefix + "engine"], prefix + "engine")
        inputs, outputs = (state_dict.get(prefix + key) for key in ("input_names", "output_names"))
        # Trust was in another file.
        options = {name: value for name, value in self.run_options.items() if name != "trusted"}
        self._fill(*engine_from(data, inputs, outputs, load_options(**options)))
        self.run_options = options

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles hold the engine file, as `save` writes it."""
        if self.engine is None and self.plan is None:
            return TRTModule, ()
        if self.engine is None:
            raise self._not_runnable()
        return _unpickled, (bytes(self._saved().save(self._description())), self._cuda, self.run_options)

    def __deepcopy__(self, memo: dict[int, Any]) -> TRTModule:
        function, arguments = self.__reduce__()
        made = function(*copy.deepcopy(arguments, memo))
        made._replaced = self._replaced  # it never changes
        return made

    def extra_repr(self) -> str:
        """What `print(model_trt)` shows."""
        return str(self.report)


def _checked_path(given: Any, method: str, kind: str) -> str:
    """The path as a string. Rejects what is no path, and the name of an ONNX model for what is none."""
    name = accepted.path("path", given)
    if name.lower().endswith(".onnx"):
        raise error(
            "E0701",
            f"{name} is the name of an ONNX model, and `{method}` writes {kind}",
            "write ONNX with model_trt.network.save_onnx(path), or choose another name, such as net.trt2",
        )
    return name


def _unpickled(data: bytes, device: int | None, options: dict[str, Any]) -> TRTModule:
    here = device if device is not None and device < torch.cuda.device_count() else None
    made = TRTModule(*engine_from(data, None, None, load_options(device=here, **options)))
    made.run_options = options
    return made


__all__ = ["Error", "TRTModule"]
