"""The arguments of NVIDIA's torch2trt that need a word: what each means here, or why it cannot be met.

Every argument of the original is accepted. Those that TensorRT 11 made meaningless are mapped to what the user meant
and said once a process, never silently ignored.

This file must not know how a model is converted.
"""

from __future__ import annotations

import difflib
from collections import Counter
from typing import Any, NamedTuple, TypedDict

from . import _core, accepted
from ._log import logger
from .errors import error

_MAPPED = {
    "strict_type_constraints": (False, "every network is strongly typed, so each layer's type is always obeyed"),
    "use_onnx": (
        False,
        "the model is captured by torch.export either way; model_trt.network.save_onnx(path) writes ONNX",
    ),
    "onnx_opset": (None, "no ONNX file lies between the model and TensorRT; save_onnx chooses the opset"),
    "gpu_fallback": (True, "there is no DLA to fall back from"),
    "int8_calib_batch_size": (1, "samples are put together to the batch of the inputs"),
    "default_device_type": (None, "engines run on the GPU"),
    "dla_core": (0, "engines run on the GPU"),
    "device_types": (None, "engines run on the GPU"),
}


class Option(NamedTuple):
    """An option as it is declared in the Rust half (crates/torch2trt/src/options)."""

    name: str
    """The argument of `torch2trt`."""
    group: str
    flag: str
    """That of `torch2trt build`, without the dashes."""
    value: str | None
    """What stands for the flag's value; None for a flag without one."""
    help: str
    default: str
    """As JSON."""


OPTIONS = [Option(*row) for row in _core.options()]
"""Every option that is no Python object."""

RUN_OPTIONS = [option.name for option in OPTIONS if option.group == "The machine" and option.name != "device"]
"""The options that running an engine again needs: in a copy, after new weights."""


class Legacy(TypedDict, total=False):
    """The arguments of NVIDIA's torch2trt that have no effect here, for type checkers."""

    use_onnx: bool
    onnx_opset: int | None
    gpu_fallback: bool
    int8_calib_batch_size: int
    default_device_type: Any
    dla_core: int
    device_types: dict[Any, Any] | None


_ELSEWHERE = {
    "device": "engines run where the model and its inputs are: pass model.cuda() and inputs on that GPU",
    "dtype": "pass fp16_mode=True or bf16_mode=True, or convert model.float()",
    "precision": "pass fp16_mode=True, bf16_mode=True or int8_mode=True",
    "batch_size": "pass max_batch_size=, or sample inputs of that batch",
}
"""Names that other libraries have for what is asked for in another way here."""

_said: set[str] = set()


def log_level(level: Any) -> int:
    """A `logging` level, from one or from TensorRT's `Logger.Severity`."""
    return accepted.log_level("log_level", level)


def names(given: dict[str, Any], inputs: list[str], outputs: list[str]) -> tuple[list[str], list[str]]:
    """The names of inputs and outputs: those that the caller wants, then the model's own.

    Raises:
        torch2trt.Error: E0701 for more names than there are tensors, or a name that stands twice.
    """
    chosen: list[list[str]] = []
    for argument, own in (("input_names", inputs), ("output_names", outputs)):
        wanted = list(given[argument] or [])
        if len(wanted) > len(own):
            raise error(
                "E0701",
                f"`{argument}` has {len(wanted)} names, the model has {len(own)}: {', '.join(own)}",
                "give one for each",
            )
        chosen.append([*wanted, *own[len(wanted) :]])
    every = [*chosen[0], *chosen[1]]
    twice = next((name for name, count in Counter(every).items() if count > 1), None)
    if twice is not None:
        raise error("E0701", f"two tensors would be named `{twice}`", "give each input and output a name of its own")
    return chosen[0], chosen[1]


def take_legacy(given: dict[str, Any], known: list[str]) -> None:
    """Looks through the keyword arguments that `torch2trt` does not act on itself.

    Raises:
        torch2trt.Error: E0701 for an unknown argument, with the nearest known one.
    """
    for name, value in given.items():
        if name in _MAPPED:
            default, meaning = _MAPPED[name]
            if _asks(value, default) and name not in _said:
                _said.add(name)
                logger.warning("%s has no effect: %s", name, meaning)
        else:
            raise error("E0701", f"torch2trt() has no argument `{name}`", _nearest(name, known))


def _asks(value: Any, default: Any) -> bool:
    """Whether a value is something else than the default. None, no device types, and TensorRT's GPU ask for nothing."""
    if value is None or getattr(value, "name", "") == "GPU":
        return False
    try:
        return not (value == default) and not (isinstance(value, dict) and not value)
    except Exception:  # such as the comparison of a tensor
        return True


def _nearest(name: str, known: list[str]) -> str:
    """The help for an unknown argument. It suggests only arguments that have an effect."""
    if name in _ELSEWHERE:
        return _ELSEWHERE[name]
    near = difflib.get_close_matches(name, [*known, *_MAPPED], n=1)
    if near and near[0] in _MAPPED:
        return f"leave it out: `{near[0]}` has no effect either ({_MAPPED[near[0]][1]})"
    return f"did you mean `{near[0]}`?" if near else "see help(torch2trt.torch2trt) for the arguments"
