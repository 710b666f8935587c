"""New weights for a converted model, without a rebuild.

The model is captured and converted as it was the first time, which makes the same network with other constants; the
engine takes those by name. This file must not know how an engine is refitted.
"""

from __future__ import annotations

import inspect
from typing import Any

from ._convert import convert, torch2trt
from .errors import error
from .module import TRTModule


def refit(made: TRTModule, model: Any, inputs: Any, verify: bool, arguments: dict[str, Any]) -> None:
    """See `TRTModule.refit`."""
    if made.engine is None or made.engine.plan is None:
        what = "runs on the CPU engine" if made.engine else "has no engine on this machine"
        raise error("E0606", f"there is no TensorRT engine to refit: the module {what}", "convert the model again")
    given = {**_defaults(), **(made.conversion_arguments or _recorded(made)), **arguments}
    if inputs is not None:
        given["inputs"] = inputs
    if given["inputs"] is None:
        raise error(
            "E0606",
            "the module was loaded from a file, which keeps no sample inputs",
            "pass those of the conversion: model_trt.refit(model, [x])",
        )
    conversion = convert({**given, "module": model, "backend": "tensorrt"})
    made.engine = conversion.network.refitted(made.engine)
    if made.network is not None:
        made.network = conversion.network
    made.report.difference.clear()
    if verify:
        conversion.verify(made)


def _defaults() -> dict[str, Any]:
    """The arguments of `torch2trt` as they are when nobody gives them."""
    parameters = inspect.signature(torch2trt).parameters.values()
    given = {p.name: None if p.default is p.empty else p.default for p in parameters if p.kind is not p.VAR_KEYWORD}
    return {**given, "legacy": {}}


def _recorded(made: TRTModule) -> dict[str, Any]:
    """What an engine file tells of the arguments."""
    options = dict(made.report.options)
    half = options.pop("half", None)
    return {**options, "fp16_mode": half == "float16", "bf16_mode": half == "bfloat16", "progress": False}


__all__ = ["refit"]
