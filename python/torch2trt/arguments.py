"""The arguments of a call, checked, and what those of NVIDIA's torch2trt mean here.

Every argument of the original is accepted. Those that TensorRT 11 made meaningless are mapped to what the user meant
and warned about once a process, never silently ignored.

This file must not know how a model is converted.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
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
    "onnx_opset": (None, "no ONNX file is between the model and TensorRT; save_onnx chooses the opset"),
    "gpu_fallback": (True, "there is no DLA to fall back from"),
    "int8_calib_batch_size": (1, "samples are assembled to the batch of the inputs"),
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


class LoadOptions(TypedDict):
    """The options of loading an engine, as the Rust half reads them."""

    device: int
    use_cuda_graph: bool | str
    trusted: bool
    threads: int | None
    tensorrt: str | None
    plugins: list[str]
    onnxruntime: str | None
    site_packages: list[str]


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
    "batch_size": "pass max_batch_size=, or sample inputs of that batch",
}
"""Names that other libraries have for what is asked for in another way here."""

_warned: set[str] = set()


def log_level(level: Any) -> int:
    """A `logging` level, from one or from TensorRT's `Logger.Severity`."""
    return accepted.log_level("log_level", level)


@dataclass(frozen=True)
class Arguments:
    """The arguments of a call of `torch2trt`, in the form that the stages expect.

    The fields are those that Python reads; `others` has the other ones by name, which only the Rust half reads.
    """

    module: Any
    inputs: Any
    kwargs: dict[str, Any]
    input_names: list[str] | None
    output_names: list[str] | None
    min_shapes: Any
    opt_shapes: Any
    max_shapes: Any
    max_batch_size: int | None
    dynamic_shapes: Any
    backend: str
    target: str | None
    use_cuda_graph: bool | str
    version_compatible: bool
    tensorrt: str | None
    plugins: list[str]
    precision: str | None
    tolerance: float | None
    metric: Any
    fp16_mode: bool
    bf16_mode: bool
    int8_mode: bool
    int8_calib_dataset: Any
    refittable: bool
    fallback: bool
    run_in_pytorch: list[str]
    min_layers: int
    verify: bool
    keep_network: bool
    progress: bool
    log_level: int
    legacy: dict[str, Any]
    others: dict[str, Any]

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Arguments:
        """The arguments by name, checked; `legacy` has the keyword arguments without effect.

        Raises:
            torch2trt.Error: E0701 for an argument that does not exist, a value that one does not take, or two that
                exclude each other; E0602 for sample inputs by name that are none.
        """
        checked = accepted.checked(given)
        ignored = {**checked["legacy"], "strict_type_constraints": checked["strict_type_constraints"]}
        take_legacy(ignored, [name for name in given if name != "legacy"])
        settle(checked)
        own = {name for name in cls.__dataclass_fields__ if name != "others"}
        arguments = cls(
            **{name: checked[name] for name in own},
            others={name: value for name, value in checked.items() if name not in own},
        )
        if arguments.fp16_mode and arguments.bf16_mode:
            raise error("E0701", "both `fp16_mode` and `bf16_mode` were asked for", "choose one of them")
        return arguments

    @property
    def half(self) -> str | None:
        """The half-precision type of mixed precision, where that is asked for."""
        return "float16" if self.fp16_mode else "bfloat16" if self.bf16_mode else None

    @property
    def quantization(self) -> str | None:
        """What convolutions and products with constant weights are quantized to: "int8" or "fp8"."""
        return "fp8" if self.precision == "fp8" else "int8" if self.int8_mode else None

    @property
    def is_searched(self) -> bool:
        """Whether the layers that need a higher precision are searched for."""
        return self.tolerance is not None

    @property
    def is_cut(self) -> bool:
        """Whether calls may run in PyTorch."""
        return self.fallback or bool(self.run_in_pytorch)

    def given(self) -> dict[str, Any]:
        """Every argument by name."""
        own = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "others"}
        return {**own, **self.others}

    def declared(self) -> dict[str, Any]:
        """The arguments that are declared in the Rust half."""
        given = self.given()
        return {option.name: given[option.name] for option in OPTIONS if option.name in given}


_PRECISION = ("precision", "tolerance", "int8_calib_algorithm", "refittable")
"""What can exclude each other, next to the modes."""


def settle(checked: dict[str, Any]) -> None:
    """Puts arguments that stand for others in their places: `precision`, `tolerance` and `calibration`.

    Raises:
        torch2trt.Error: E0701 for two arguments that exclude each other, or without effect.
    """
    names, precision, metric = ("fp16_mode", "bf16_mode", "int8_mode"), checked["precision"], checked["metric"]
    fp16, bf16, int8 = (checked[name] for name in names)
    if metric is not None and precision in (None, "fp32") and not (fp16 or bf16 or int8):
        raise error("E0701", "`metric` was given without a search", 'pass precision="auto", "int8" or "fp8", too')
    given = {name: checked[name] for name in (*names, *_PRECISION)}
    modes, tolerance = _core.settled_modes(given, metric is not None)
    checked.update(zip(names, modes, strict=True), tolerance=tolerance)
    calibration = checked.pop("calibration", None)
    if calibration is not None and checked["int8_calib_dataset"] is not None:
        raise error("E0701", "both `calibration` and `int8_calib_dataset` were given", "they mean the same: give one")
    if calibration is not None:
        checked["int8_calib_dataset"] = calibration


def tensor_names(arguments: Arguments, inputs: list[str], outputs: list[str]) -> tuple[list[str], list[str]]:
    """The names of inputs and outputs: those that the caller wants, then the model's own.

    Raises:
        torch2trt.Error: E0701 for more names than there are tensors, or a name that stands twice.
    """
    chosen: list[list[str]] = []
    asked = (("input_names", arguments.input_names, inputs), ("output_names", arguments.output_names, outputs))
    for argument, wanted, own in asked:
        wanted = list(wanted or [])
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
            if _asks(value, default) and name not in _warned:
                _warned.add(name)
                logger.warning("%s has no effect: %s", name, meaning)
        else:
            raise error("E0701", f"torch2trt() has no argument `{name}`", _nearest(name, known))


def _asks(value: Any, default: Any) -> bool:
    """Whether a value is something else than the default. None, no device types, and TensorRT's GPU ask for nothing."""
    if value is None or getattr(value, "name", "") == "GPU":
        return False
    try:
        return value != default and not (isinstance(value, dict) and not value)
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
