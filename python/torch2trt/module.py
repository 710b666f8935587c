"""The converted model: an nn.Module that runs an engine and returns what the model returns.

This file must not know how the engine was made.
"""

from __future__ import annotations

from typing import Any

import torch

from ._core import Engine, Error, Plan
from .capture.tree import InputTree, OutputTree
from .errors import error
from .report import Report


def _stream(index: int) -> int:
    return torch.cuda.current_stream(index).cuda_stream


_current_stream = getattr(torch._C, "_cuda_getCurrentRawStream", _stream)
"""The address of PyTorch's current stream on a GPU; without making a stream object where this torch has that."""


class TRTModule(torch.nn.Module):
    """A converted model. Call it as the model was called.

    Attributes:
        report: what the conversion did, and how close the outputs are to PyTorch's.
        engine: what runs, or None for a plan that was built for another machine.
        plan: a TensorRT plan that was built for another machine, else None.
        network: the network in its canonical text form, where `keep_network` is set.
    """

    def __init__(
        self,
        engine: Engine | None,
        inputs: InputTree,
        outputs: OutputTree,
        report: Report,
        plan: Plan | None = None,
        borrowed: list[torch.Tensor] | None = None,
        network: Any = None,
    ) -> None:
        super().__init__()
        self.engine = engine
        self.plan = plan
        self.report = report
        self.network = network
        self._inputs = inputs
        self._outputs = outputs
        self._cuda = engine.device_index if engine else None
        # The CPU engine reads the model's weights in place: their version counters tell when somebody wrote to them.
        self._borrowed = [(weight, weight._version) for weight in borrowed or [] if not weight.is_inference()]

    @property
    def input_names(self) -> list[str]:
        """Names of the engine's inputs, in order."""
        return [name for name, _, _ in self.engine.inputs] if self.engine else self._inputs.names

    @property
    def output_names(self) -> list[str]:
        """Names of the engine's outputs, in order."""
        return [name for name, _, _ in self.engine.outputs] if self.engine else self._outputs.names

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the engine; returns the model's own structure with new tensors.

        Raises:
            torch2trt.Error: E0402 for a shape the engine does not accept, E0403 for a dtype, E0602 for arguments
                of another structure, E0603 when the model's weights changed since the conversion, E0604 when
                the plan was built for another machine.
        """
        if self.engine is None:
            raise error(
                "E0604",
                f"this plan was built ahead of time for {self.report.engine} and cannot run here",
                "write it with model_trt.save_plan(path) and load it on a machine with that GPU",
            )
        tensors = self._inputs.flatten(args, kwargs)
        if any(weight._version != version for weight, version in self._borrowed):
            raise error(
                "E0603",
                "the model's weights were written to after the conversion, which borrowed them",
                "convert again, or convert a copy: torch2trt(copy.deepcopy(model), inputs)",
            )
        return self._outputs.unflatten(self.run(tensors))

    def run(self, tensors: list[torch.Tensor], out: list[torch.Tensor] | None = None) -> list[torch.Tensor]:
        """Runs the engine on its inputs in order, without the model's structure around them.

        On a GPU the work goes to PyTorch's current stream, and inside a capture into the captured graph. `out` gives
        tensors to write the outputs to.
        """
        if self._cuda is None:
            return self.engine.run(tensors, None, out)
        return self.engine.run(tensors, _current_stream(self._cuda), out)

    def save_plan(self, path: str) -> None:
        """Writes the TensorRT plan as TensorRT serialized it (for trtexec, Triton or another machine)."""
        plan = self.plan.serialize() if self.plan else self.engine.plan
        if plan is None:
            raise error("E0701", "there is no TensorRT plan: the model runs on the CPU engine", 'convert with backend="tensorrt"')
        with open(path, "wb") as file:
            file.write(plan)

    def extra_repr(self) -> str:
        """What `print(model_trt)` shows."""
        return str(self.report)


__all__ = ["Error", "TRTModule"]
