"""Capture: from an nn.Module to a functional ATen program, handed to a builder.

    captured = capture(model, (x,))
    captured.walk(torch2trt._core.ProgramBuilder())
    ...
    model_output = captured.unflatten_outputs(engine(captured.flatten_inputs((x,))))

`capturing` runs the stages, one file each: `preserve` (the model, and putting it back), `tree` (arguments and results),
`export` or `trace` (the graph, in which `intercept` keeps some calls whole and `limits` notes fixed sizes), `walk`
(the records of `program`, with `schema`, `symbols` and `origin`).

This package must not know about TensorRT, engines or conversion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..deferred import lazy_names

if TYPE_CHECKING:
    from .captured import Captured, Whole
    from .capturing import capture
    from .errors import CaptureError, CaptureWarning, InputError, ModelError, ValuesDecideError
    from .given import normalized
    from .intercept import Method, OpaqueCall
    from .program import Program
else:
    __getattr__ = lazy_names(
        globals(),
        {
            "captured": ["Captured", "Whole"],
            "capturing": ["capture"],
            "errors": ["CaptureError", "CaptureWarning", "InputError", "ModelError", "ValuesDecideError"],
            "given": ["normalized"],
            "intercept": ["Method", "OpaqueCall"],
            "program": ["Program"],
        },
    )

__all__ = [
    "CaptureError",
    "CaptureWarning",
    "Captured",
    "InputError",
    "Method",
    "ModelError",
    "OpaqueCall",
    "Program",
    "ValuesDecideError",
    "Whole",
    "capture",
    "normalized",
]
