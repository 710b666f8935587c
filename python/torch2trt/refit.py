"""New weights for a converted model, without a rebuild.

The model is captured and converted as it was the first time, which makes the same network with other constants; the
engine takes those by name. This file must not know how an engine is refitted.
"""

from __future__ import annotations

from typing import Any

from ._convert import defaults
from ._core import Engine
from .accepted import flag
from .arguments import Arguments
from .errors import error
from .module import TRTModule
from .partition.engine import PartitionedEngine
from .stages import convert


def refit(made: TRTModule, model: Any, inputs: Any, verify: bool, arguments: dict[str, Any]) -> None:
    """See `TRTModule.refit`."""
    if made.engine is None:
        raise error(
            "E0606", "there is no engine to refit on this machine", "load the plan where it runs, or convert again"
        )
    engine = made.engine
    if isinstance(engine, PartitionedEngine):
        raise error("E0606", "a model with parts in PyTorch takes no new weights", "convert the new model")
    on_cpu = engine.device_index is None
    if on_cpu and not (made.conversion_arguments or made.report.options.get("refittable")):
        raise error("E0606", "the engine was not made for new weights", "convert with refittable=True")
    verify, known = flag("verify", verify), defaults()
    legacy = {name: value for name, value in arguments.items() if name not in known}
    asked = {name: value for name, value in arguments.items() if name in known}
    given = {**known, **(made.conversion_arguments or _recorded(made)), **asked, "legacy": legacy}
    if inputs is not None:
        given["inputs"] = inputs
    if given["inputs"] is None:
        raise error(
            "E0606",
            "the module was loaded from a file, which keeps no sample inputs",
            "pass those of the conversion: model_trt.refit(model, [x])",
        )
    conversion = convert(Arguments.of({**given, "module": model, "backend": "cpu" if on_cpu else "tensorrt"}))
    if on_cpu:
        made.become(_alike(conversion.network.cpu_engine(), engine), conversion.weights)
    else:
        made.engine = conversion.network.refitted(engine)
    if made.network is not None:
        made.network = conversion.network
    for known in (made.report.difference, made.report.fresh_difference, made.report.skipped):
        known.clear()
    if verify:
        conversion.verify(made)


def _alike(engine: Engine, old: Engine) -> Engine:
    """A CPU engine in the place of another. It is made anew: that takes no build worth saving."""
    if (engine.inputs, engine.outputs) != (old.inputs, old.outputs):
        raise error(
            "E0606",
            "the model becomes another network than that of the engine: its inputs or outputs differ",
            "refit with a model of the same layers, and the arguments of the first conversion",
        )
    return engine


def _recorded(made: TRTModule) -> dict[str, Any]:
    """What an engine file records of the arguments, and what it was loaded with."""
    options = {**made.report.options, **made.run_options}
    half, _ = options.pop("half", None), options.pop("trusted", None)
    return {**options, "fp16_mode": half == "float16", "bf16_mode": half == "bfloat16", "progress": False}


__all__ = ["refit"]
