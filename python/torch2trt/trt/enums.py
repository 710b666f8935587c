"""TensorRT's enumerations, by the names of its Python package.

They exist so that a converter can be written, and run, where that package is not installed. Members of an installed
`tensorrt` or `tensorrt_rtx` are accepted wherever one of these is: what counts is the name, because the numbers
changed between versions.

This file must not know about networks.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, TypeVar

E = TypeVar("E", bound=Enum)

_OLDER_NAMES = {"SampleMode": "SliceMode", "InterpolationMode": "ResizeMode"}
"""Enumerations that were renamed: an installed package may use either name."""


def member(kind: type[E], value: Any) -> E:
    """The member of `kind` that `value` is: one of its own, or one of that name in another package's enumeration.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(value, kind):
        return value
    name = getattr(value, "name", None)
    names = (kind.__name__, _OLDER_NAMES.get(kind.__name__))
    if isinstance(name, str) and type(value).__name__ in names and name in kind.__members__:
        return kind[name]
    raise TypeError(f"{value!r} is not a {kind.__name__}: {', '.join(kind.__members__)}")


class LayerType(Enum):
    """What a layer is."""

    CONVOLUTION = 0
    CAST = 1
    ACTIVATION = 2
    POOLING = 3
    LRN = 4
    SCALE = 5
    SOFTMAX = 6
    DECONVOLUTION = 7
    CONCATENATION = 8
    ELEMENTWISE = 9
    PLUGIN = 10
    UNARY = 11
    PADDING = 12
    SHUFFLE = 13
    REDUCE = 14
    TOPK = 15
    GATHER = 16
    MATRIX_MULTIPLY = 17
    RAGGED_SOFTMAX = 18
    CONSTANT = 19
    IDENTITY = 20
    PLUGIN_V2 = 21
    SLICE = 22
    SHAPE = 23
    PARAMETRIC_RELU = 24
    RESIZE = 25
    TRIP_LIMIT = 26
    RECURRENCE = 27
    ITERATOR = 28
    LOOP_OUTPUT = 29
    SELECT = 30
    FILL = 31
    QUANTIZE = 32
    DEQUANTIZE = 33
    CONDITION = 34
    CONDITIONAL_INPUT = 35
    CONDITIONAL_OUTPUT = 36
    SCATTER = 37
    EINSUM = 38
    ASSERTION = 39
    ONE_HOT = 40
    NON_ZERO = 41
    GRID_SAMPLE = 42
    NMS = 43
    REVERSE_SEQUENCE = 44
    NORMALIZATION = 45
    PLUGIN_V3 = 46
    SQUEEZE = 47
    UNSQUEEZE = 48
    CUMULATIVE = 49
    DYNAMIC_QUANTIZE = 50
    FULLY_CONNECTED = 51
    ATTENTION_INPUT = 52
    ATTENTION_OUTPUT = 53
    ROTARY_EMBEDDING = 54
    KVCACHE_UPDATE = 55
    MOE = 56


class ActivationType(Enum):
    """Activation functions."""

    RELU = 0
    SIGMOID = 1
    TANH = 2
    LEAKY_RELU = 3
    ELU = 4
    SELU = 5
    SOFTSIGN = 6
    SOFTPLUS = 7
    CLIP = 8
    HARD_SIGMOID = 9
    SCALED_TANH = 10
    THRESHOLDED_RELU = 11
    GELU_ERF = 12
    GELU_TANH = 13


class UnaryOperation(Enum):
    """Functions of one tensor, element by element."""

    EXP = 0
    LOG = 1
    SQRT = 2
    RECIP = 3
    ABS = 4
    NEG = 5
    SIN = 6
    COS = 7
    TAN = 8
    SINH = 9
    COSH = 10
    ASIN = 11
    ACOS = 12
    ATAN = 13
    ASINH = 14
    ACOSH = 15
    ATANH = 16
    CEIL = 17
    FLOOR = 18
    ERF = 19
    NOT = 20
    SIGN = 21
    ROUND = 22
    ISINF = 23
    ISNAN = 24


class ElementWiseOperation(Enum):
    """Functions of two tensors, element by element."""

    SUM = 0
    PROD = 1
    MAX = 2
    MIN = 3
    SUB = 4
    DIV = 5
    POW = 6
    FLOOR_DIV = 7
    AND = 8
    OR = 9
    XOR = 10
    EQUAL = 11
    GREATER = 12
    LESS = 13


class ReduceOperation(Enum):
    """How a reduction joins elements."""

    SUM = 0
    PROD = 1
    MAX = 2
    MIN = 3
    AVG = 4


class TopKOperation(Enum):
    """Which elements a TopK layer takes."""

    MAX = 0
    MIN = 1


class PoolingType(Enum):
    """How a pooling joins elements."""

    MAX = 0
    AVERAGE = 1
    MAX_AVERAGE_BLEND = 2


class PaddingMode(Enum):
    """How a size that the stride does not divide is rounded. The Caffe modes went in TensorRT 10."""

    EXPLICIT_ROUND_DOWN = 0
    EXPLICIT_ROUND_UP = 1
    SAME_UPPER = 2
    SAME_LOWER = 3
    CAFFE_ROUND_DOWN = 4
    CAFFE_ROUND_UP = 5


class MatrixOperation(Enum):
    """What a matrix product does with an operand first."""

    NONE = 0
    TRANSPOSE = 1
    VECTOR = 2


class GatherMode(Enum):
    """numpy.take, ONNX GatherElements, ONNX GatherND."""

    DEFAULT = 0
    ELEMENT = 1
    ND = 2


class ScatterMode(Enum):
    """ONNX ScatterElements, ONNX ScatterND."""

    ELEMENT = 0
    ND = 1


class SampleMode(Enum):
    """What is read outside a tensor. `DEFAULT` is the name of `STRICT_BOUNDS` before TensorRT 8.5."""

    STRICT_BOUNDS = 0
    WRAP = 1
    CLAMP = 2
    FILL = 3
    REFLECT = 4
    DEFAULT = 0  # noqa: PIE796  TensorRT's other name of it


class InterpolationMode(Enum):
    """How a resize finds values between elements."""

    NEAREST = 0
    LINEAR = 1
    CUBIC = 2


class ResizeCoordinateTransformation(Enum):
    """How an output coordinate becomes an input coordinate."""

    ALIGN_CORNERS = 0
    ASYMMETRIC = 1
    HALF_PIXEL = 2


class ResizeSelector(Enum):
    """Which coordinate is used where the output has one element."""

    FORMULA = 0
    UPPER = 1


class ResizeRoundMode(Enum):
    """How a coordinate is rounded in nearest mode."""

    HALF_UP = 0
    HALF_DOWN = 1
    FLOOR = 2
    CEIL = 3


class ScaleMode(Enum):
    """What each element of a scale layer's weights belongs to."""

    UNIFORM = 0
    CHANNEL = 1
    ELEMENTWISE = 2


class FillOperation(Enum):
    """What a fill layer makes."""

    LINSPACE = 0
    RANDOM_UNIFORM = 1
    RANDOM_NORMAL = 2


class CumulativeOperation(Enum):
    """How a cumulative layer joins elements."""

    SUM = 0


class BoundingBoxFormat(Enum):
    """How a box is written."""

    CORNER_PAIRS = 0
    CENTER_SIZES = 1


class AttentionNormalizationOp(Enum):
    """What attention makes of scores. In TensorRT since 10.14."""

    NONE = 0
    SOFTMAX = 1


class CausalMaskKind(Enum):
    """Which keys query i may attend to: all, those up to key i, or the same counted from the last query and key."""

    NONE = 0
    UPPER_LEFT = 1
    LOWER_RIGHT = 2


class KVCacheMode(Enum):
    """Where new rows of a cache go: from the write index on."""

    LINEAR = 0


class MoEActType(Enum):
    """What experts make of their gate: nothing, or x * sigmoid(x)."""

    NONE = 0
    SILU = 1


class AttentionIOForm(Enum):
    """How sequences of different lengths lie in memory."""

    PADDED_BHND = 0
    PACKED_NHD = 1


class LoopOutput(Enum):
    """What a loop gives: a recurrence's last value, or the values of all iterations, forward or backward."""

    LAST_VALUE = 0
    CONCATENATE = 1
    REVERSE = 2


class TripLimit(Enum):
    """What ends a loop: a number of iterations, or a condition."""

    COUNT = 0
    WHILE = 1


class TensorLocation(Enum):
    """Where a tensor is."""

    DEVICE = 0
    HOST = 1


class TensorFormat(Enum):
    """Memory layouts; engines made here are linear at their inputs and outputs."""

    LINEAR = 0
    CHW2 = 1
    HWC8 = 2
    CHW4 = 3
    CHW16 = 4
    CHW32 = 5
    HWC = 8


class DeviceType(Enum):
    """What runs a layer."""

    GPU = 0
    DLA = 1


class PluginFieldType(Enum):
    """Type of the elements of a plugin's field."""

    FLOAT16 = 0
    FLOAT32 = 1
    FLOAT64 = 2
    INT8 = 3
    INT16 = 4
    INT32 = 5
    CHAR = 6
    DIMS = 7
    UNKNOWN = 8
    BF16 = 9
    INT64 = 10
    FP8 = 11
    INT4 = 12
    FP4 = 13


class TensorRTPhase(Enum):
    """What a plugin is created for."""

    BUILD = 0
    RUNTIME = 1


SliceMode = SampleMode
ResizeMode = InterpolationMode

ALL = tuple(kind for kind in list(globals().values()) if isinstance(kind, type) and kind.__module__ == __name__)
"""Every enumeration here."""
