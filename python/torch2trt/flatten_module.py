"""Modules between nested and flat arguments, as in NVIDIA's torch2trt.

`Flatten(module)` takes flat tensors and returns flat tensors; `Unflatten(module)` is its inverse. `torch2trt` needs
neither: it takes nested inputs and returns nested outputs by itself.
"""

from __future__ import annotations

from typing import Any

import torch

from .flattener import Flattener


class Flatten(torch.nn.Module):
    """Calls a module that takes nested arguments with flat ones."""

    def __init__(
        self,
        module: torch.nn.Module,
        input_flattener: Flattener | None = None,
        output_flattener: Flattener | None = None,
    ) -> None:
        super().__init__()
        self.module, self.input_flattener, self.output_flattener = module, input_flattener, output_flattener

    def forward(self, *args: Any) -> Any:
        """Flat tensors in, a flat tuple out (one tensor where the module returns one)."""
        if self.input_flattener is not None:
            args = self.input_flattener.unflatten(list(args))
        output = self.module(*args)
        if self.output_flattener is None:
            self.output_flattener = Flattener.from_value(output)
        flat = tuple(self.output_flattener.flatten(output))
        return flat[0] if isinstance(output, torch.Tensor) else flat


class Unflatten(torch.nn.Module):
    """Calls a module that takes flat arguments with nested ones."""

    def __init__(
        self,
        module: torch.nn.Module,
        input_flattener: Flattener | None = None,
        output_flattener: Flattener | None = None,
    ) -> None:
        super().__init__()
        self.module, self.input_flattener, self.output_flattener = module, input_flattener, output_flattener

    def forward(self, *args: Any) -> Any:
        """Nested tensors in, the nested output out."""
        flat = args if self.input_flattener is None else self.input_flattener.flatten(args)
        output = self.module(*flat)
        if self.output_flattener is None:
            return output
        return self.output_flattener.unflatten([output] if isinstance(output, torch.Tensor) else list(output))
