"""Types of the compiled half. Its users are the package's own files; people use what `torch2trt` exports."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from os import PathLike
from typing import Any, overload

import torch

__version__: str

class Error(RuntimeError):
    """What every failure of this package raises."""

    code: str
    """Stable, such as "E0402"; docs/errors.md lists them."""
    message: str
    """What happened and where, without code and help."""
    place: str | None
    """Operator, module path, file and line in the model; the message names them, too."""
    help: str | None
    """What to do about it."""
    nodes: list[int]
    """The nodes of the program that do not convert, by index."""

class ProgressBar:
    """A bar on standard error, while that is a terminal."""

    def __init__(self, shown: bool = True) -> None: ...
    def __call__(self, stage: str, done: int, total: int) -> None: ...

def set_log_level(level: int) -> None:
    """Passes messages of the Rust half and TensorRT to Python's logging, from this level on."""

class ProgramBuilder:
    """Takes the records of a captured program; see `capture/program.py`."""

    def symbol(self, name: str, min: int, max: int | None, hint: int) -> None: ...
    def input(self, name: str, dtype: str, dims: Sequence[int | str]) -> int: ...
    def weight(self, name: str, tensor: torch.Tensor, kind: str, dtype: str | None = None) -> int: ...
    def node(
        self, target: str, args: list[Any], outputs: list[Any], module: str, file: str, line: int, function: str
    ) -> list[int | None]: ...
    def output(self, arg: Any) -> None: ...
    def finish(self) -> Program: ...

class Program:
    """A captured program; `str(program)` is its text form."""

    @staticmethod
    def parse(text: str, weights_of: Program | None = None) -> Program: ...
    @property
    def node_count(self) -> int: ...
    def coverage(self) -> list[tuple[str, int, bool]]: ...
    def opaque_calls(self) -> list[tuple[int, int]]: ...
    def computed_in(self) -> list[list[str]]:
        """Of each output that an engine computes, the half-precision types in which the model itself computes it."""
    def convert(self, options: dict[str, Any], calls: Any = None, plainly: bool = False) -> Network:
        """The network; with `plainly` as the converters make it, before passes."""
    def debug(self, options: dict[str, Any], calls: Any = None, output: str | None = None) -> tuple[str, str] | None:
        """The call that does not convert, alone: a report, and the same as JSON; None where all convert."""

class Network:
    """A network of TensorRT's layers; `str(network)` is its canonical text."""

    @property
    def layer_count(self) -> int: ...
    @property
    def weight_bytes(self) -> int: ...
    @property
    def half_layers(self) -> int: ...
    @property
    def kept_float32(self) -> list[tuple[str, str, str]]:
        """Layers that stay float32 although half precision was asked for: (layer, module, reason)."""
    @property
    def unmatched(self) -> list[tuple[str, str]]: ...
    def precise(self, sample: Sequence[Any], rows: Iterator[Sequence[Any]] | None = None) -> Network:
        """The network in the precision of the options. `rows` are the tensors of each call to calibrate on."""
    def searched(
        self,
        sample: Sequence[Any],
        rows: Iterator[Sequence[Any]] | None = None,
        reference: Callable[[list[Any]], list[Any]] | None = None,
        metric: Callable[[list[Any], list[Any]], float] | None = None,
    ) -> Network:
        """The network in float16, with the layers in float32 that the tolerance of the options needs."""
    def debug(
        self,
        plain: Network,
        inputs: Sequence[Any],
        reference: Any,
        computed_in: list[str],
        max_error: float | None = None,
        memory: int | None = None,
        output: str | None = None,
    ) -> tuple[str, str]:
        """Which call of the model the engine gets wrong: a report, and the same as JSON."""
    @property
    def search(self) -> dict[str, Any] | None:
        """What `searched` found."""
    @property
    def notes(self) -> list[str]:
        """What the user should know of the precision."""
    @property
    def quantized(self) -> tuple[str, int] | None: ...
    @property
    def is_quantized(self) -> bool: ...
    def refitted(self, engine: Engine) -> Engine:
        """The engine with the weights of this network in place of its own."""
    def cpu_engine(self) -> Engine: ...
    def to_svg(self, most: int = 300) -> str:
        """The network as SVG, coloured by precision; modules are folded where it has more layers than that."""
    def _repr_html_(self) -> str: ...
    def save_onnx(self, path: str | bytes | PathLike[str] | PathLike[bytes]) -> None:
        """Writes an ONNX file; weights beyond protobuf's limit go to a file next to it."""
    def check_target(self) -> None: ...
    def forecast(self, device: str) -> tuple[str, str, str]:
        """What the network will need on a GPU of this name: a table, a table of all kernels, and JSON."""
    def build(self, progress: ProgressBar) -> Plan:
        """Builds a TensorRT plan. Ctrl-C cancels it."""
    def __getattr__(self, name: str) -> Any: ...

def options() -> list[tuple[str, str, str, str | None, str, str]]:
    """Every option that is no Python object: name, group, flag, value, help, default as JSON."""

def recorded_options(options: dict[str, Any]) -> str:
    """What an engine file records of these options, as JSON."""

def settled_modes(options: dict[str, Any], has_metric: bool) -> tuple[tuple[bool, bool, bool], float | None]:
    """The modes with what the name of a precision stands for, and the tolerance of a search."""

def choose_backend(options: Mapping[str, Any], on_host: str | None) -> tuple[str, str]:
    """What runs a model with these options, and why."""

def shape_profiles(shapes: Any) -> list[list[list[list[int]]]]:
    """The smallest, best and largest shapes of the inputs in each profile that a call asks for."""

def symbolic_size(
    text: str, ranges: dict[str, tuple[int, int | None]] | None
) -> tuple[int | str, list[tuple[str, int]]]:
    """The size of a sympy expression, from its `srepr`, and the largest values of symbols for which it is right.

    Raises:
        ValueError: it has no form.
    """

class Plan:
    """A serialized TensorRT engine."""

    @property
    def input_names(self) -> list[str]: ...
    @property
    def output_names(self) -> list[str]: ...
    @property
    def size(self) -> int: ...
    @property
    def summary(self) -> list[tuple[str, str]]: ...
    @property
    def facts(self) -> str:
        """What a report shows of it, as JSON."""
    def serialize(self) -> bytes: ...
    def engine(self) -> Engine: ...
    @overload
    def save(self, description: str, path: None = None) -> bytes:
        """The bytes of an engine file."""
    @overload
    def save(self, description: str, path: str | PathLike[str]) -> None:
        """Writes an engine file."""

class Engine:
    """Something that runs: the CPU engine or a TensorRT engine."""

    @property
    def inputs(self) -> list[tuple[str, str, list[str]]]: ...
    @property
    def outputs(self) -> list[tuple[str, str, list[str]]]: ...
    @property
    def borrowed(self) -> list[int]: ...
    @property
    def device(self) -> str: ...
    @property
    def device_index(self) -> int | None: ...
    @property
    def plan(self) -> bytes | None: ...
    @property
    def description(self) -> str: ...
    @overload
    def save(self, description: str, path: None = None) -> bytes:
        """The bytes of an engine file."""
    @overload
    def save(self, description: str, path: str | PathLike[str]) -> None:
        """Writes an engine file."""
    def run(
        self, inputs: list[torch.Tensor], stream: int | None = None, out: list[torch.Tensor] | None = None
    ) -> list[torch.Tensor]:
        """Runs on the inputs in order; enqueued on the CUDA stream of that address where it runs on a GPU."""
    def layer_times(
        self, inputs: list[torch.Tensor], calls: int
    ) -> tuple[float, list[tuple[str, str, float]], str, str]:
        """Mean seconds of a call, the layers as (name, operator, mean seconds), a table, and what the rest is."""
    def __getattr__(self, name: str) -> Any: ...

def write_report(source: str, path: str) -> None:
    """Writes a report, from JSON, as one HTML file."""

def describe_calls(
    calls: list[tuple[float, float]], elapsed: float, samples: int | None
) -> tuple[list[tuple[str, str]], str]:
    """What the seconds of calls come to: (name, value) pairs, and JSON. A call is (whole, until it was enqueued)."""

class Comparison:
    """An output compared with PyTorch's."""

    @property
    def difference(self) -> float:
        """Max |expected - got| / max |expected|."""
    @property
    def allowed(self) -> float:
        """The largest difference that counts as rounding."""
    @property
    def is_rounding(self) -> bool: ...
    def error(self, output: str, place: str) -> Error:
        """The error E0702 of an output. `place` is where the difference was found, such as " at min shapes"."""

def compare(
    expected: torch.Tensor, got: torch.Tensor, computed_in: list[str], half: str | None, quantized: bool, on_gpu: bool
) -> Comparison:
    """Compares an output with PyTorch's, which computes it in the half-precision types `computed_in`."""

def difference(expected: torch.Tensor, got: torch.Tensor) -> float:
    """The relative error of two tensors on the CPU: max abs error / max abs reference."""

class CallSite:
    """One call that a user's converter takes: its node's arguments, and where in the model it is."""

    key: int
    ids: list[int]
    tensors: list[tuple[str, list[Size]]]
    sizes: list[Size]
    outputs: list[tuple[str, list[Size]] | None]
    hints: dict[str, int]
    place: tuple[str, str, int, str]

class Size:
    """A size: a number, or an expression of dynamic sizes."""

    def __init__(self, value: int) -> None: ...
    @staticmethod
    def parse(text: str) -> Size: ...
    def __add__(self, other: Size | int) -> Size: ...
    def __radd__(self, other: Size | int) -> Size: ...
    def __sub__(self, other: Size | int) -> Size: ...
    def __rsub__(self, other: Size | int) -> Size: ...
    def __mul__(self, other: Size | int) -> Size: ...
    def __rmul__(self, other: Size | int) -> Size: ...
    def __floordiv__(self, other: Size | int) -> Size: ...
    def __rfloordiv__(self, other: Size | int) -> Size: ...
    def __mod__(self, other: Size | int) -> Size: ...
    def __rmod__(self, other: Size | int) -> Size: ...
    @property
    def static_value(self) -> int | None: ...
    def value(self, symbols: dict[str, int]) -> int | None: ...

class TensorInfo:
    """What is known of a tensor of a network: dtype, sizes, and its value where that is known."""

    def __init__(self, dtype: str, sizes: list[Size]) -> None: ...
    @staticmethod
    def constant(tensor: torch.Tensor) -> TensorInfo: ...
    @staticmethod
    def sizes(sizes: list[Size]) -> TensorInfo: ...
    @property
    def dtype(self) -> str: ...
    @property
    def dims(self) -> list[Size]: ...
    @property
    def value(self) -> list[Size] | None: ...
    @property
    def is_constant(self) -> bool: ...
    def __getattr__(self, name: str) -> Any: ...

class UserNetwork:
    """The network that a user's converter adds layers to."""

    def tensor(self, id: int) -> TensorInfo: ...
    def add(self, op: str, inputs: list[int | None], operator: str) -> list[int]: ...
    def constant(self, tensor: torch.Tensor, operator: str) -> int: ...
    def sizes(self, sizes: list[Size], operator: str) -> int: ...
    def reshape(self, id: int, sizes: list[Size], operator: str) -> int: ...

class RetainedBuilder:
    """TensorRT's builder, kept until it is closed."""

    def __init__(self, options: dict[str, Any]) -> None: ...
    def close(self) -> None: ...

def infer(op: str, inputs: list[TensorInfo | None]) -> list[TensorInfo]: ...
def read_archive(path: Any) -> Program: ...
def operators() -> list[tuple[str, str, str, float]]: ...
def site_packages() -> list[str]: ...
def run_command(arguments: list[str], site_packages: list[str]) -> int: ...
def find_tensorrt(options: dict[str, Any]) -> tuple[str, str, list[str]]: ...
def plugin_creators(options: dict[str, Any], own: bool) -> list[tuple[str, str, str, bool]]: ...
def plugin_fields(options: dict[str, Any], name: str, version: str, namespace: str) -> list[tuple[str, str | None]]: ...
def error_codes() -> list[tuple[str, str]]: ...
def write_file(path: str | PathLike[str], content: bytes) -> None:
    """Writes a file atomically, through links, into devices and FIFOs."""

def is_engine_file(bytes: bytes) -> bool: ...
def load_engine(source: Any, options: Mapping[str, Any]) -> tuple[Engine, str]: ...
def load_plan(plan: Any, options: Mapping[str, Any]) -> Engine: ...
def read_manifest(source: Any) -> str: ...
def __getattr__(name: str) -> Any: ...
