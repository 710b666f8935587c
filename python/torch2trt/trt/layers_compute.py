"""Layers that compute: element by element, by contraction, or along axes.

| class | network layers |
|---|---|
| IActivationLayer, IUnaryLayer, IElementWiseLayer, ISelectLayer, IParametricReLULayer | the same |
| IScaleLayer | ElementWise |
| IMatrixMultiplyLayer, IEinsumLayer, IReduceLayer, ISoftMaxLayer, IRaggedSoftMaxLayer, ITopKLayer | the same |
| ICumulativeLayer, INormalizationLayer, ILRNLayer | the same |
| IFullyConnectedLayer (TensorRT 8) | Shuffle, MatrixMultiply, ElementWise |
| ICastLayer, IIdentityLayer, IQuantizeLayer, IDequantizeLayer, IDynamicQuantizeLayer | the same |

This file must not know how drafts become final.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from .._core import Size
from .dtypes import network_name
from .emit import Emitter, Ref
from .enums import (
    ActivationType,
    CumulativeOperation,
    ElementWiseOperation,
    LayerType,
    MatrixOperation,
    ReduceOperation,
    ScaleMode,
    TopKOperation,
    UnaryOperation,
)
from .layer import Attribute, ILayer, choice, note
from .values import as_tensor


def axes_of(mask: int, rank: int) -> list[int]:
    """The axes of a bit mask.

    Raises:
        ValueError: the mask names an axis that the tensor has not.
    """
    mask = int(mask)
    if mask < 0 or mask >> rank:
        raise ValueError(f"the axes mask {mask:#b} names axes that a tensor of rank {rank} has not")
    return [axis for axis in range(rank) if mask >> axis & 1]


def axis_of(mask: int, rank: int) -> int:
    """The one axis of a bit mask.

    Raises:
        ValueError: the mask names none or several.
    """
    axes = axes_of(mask, rank)
    if len(axes) != 1:
        raise ValueError(f"the axes mask {mask:#b} must name one axis")
    return axes[0]


def third_from_last(rank: int) -> int:
    """The axis that softmax and concatenation take where none is given."""
    return max(0, rank - 3)


def array(attribute: torch.Tensor | None) -> np.ndarray | None:
    """Weights as an attribute shows them."""
    return None if attribute is None else attribute.numpy()


class WeightsAttribute(Attribute):
    """Weights: set as anything that is an array, read as a numpy array."""

    def __init__(self, doc: str) -> None:
        super().__init__(doc, as_tensor)

    def __get__(self, layer: ILayer | None, owner: type) -> Any:
        return self if layer is None else array(layer._values.get(self.name))


# What TensorRT's ONNX parser would pass for an attribute that a node leaves out.
_ACTIVATION_DEFAULTS = {
    ActivationType.LEAKY_RELU: (0.01, 0.0),
    ActivationType.ELU: (1.0, 0.0),
    ActivationType.SELU: (1.6732632423543772, 1.0507009873554805),
    ActivationType.SOFTPLUS: (1.0, 1.0),
    ActivationType.HARD_SIGMOID: (0.2, 0.5),
    ActivationType.SCALED_TANH: (1.0, 1.0),
    ActivationType.THRESHOLDED_RELU: (1.0, 0.0),
}


class IActivationLayer(ILayer):
    """An activation function. Float in, the same out; RELU also takes integers."""

    _kind = LayerType.ACTIVATION
    type = Attribute("Which function.", choice(ActivationType))
    alpha = Attribute("First parameter, where the function has one. Default: that of ONNX.", float)
    beta = Attribute("Second parameter, where the function has one. Default: that of ONNX.", float)

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        alpha, beta = _ACTIVATION_DEFAULTS.get(self.type, (0.0, 0.0))
        alpha, beta = (alpha if self.alpha is None else self.alpha), (beta if self.beta is None else self.beta)
        if self.type is ActivationType.CLIP and (self.alpha is None or self.beta is None):
            raise ValueError("CLIP needs alpha and beta: the bounds")
        return e.layer("Activation", inputs, kind=self.type, alpha=alpha, beta=beta)


class IUnaryLayer(ILayer):
    """A function of one tensor, element by element."""

    _kind = LayerType.UNARY
    op = Attribute("Which function.", choice(UnaryOperation))

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        return e.layer("Unary", inputs, op=self.op)


class IElementWiseLayer(ILayer):
    """A function of two tensors of equal rank, broadcast where a size is 1."""

    _kind = LayerType.ELEMENTWISE
    op = Attribute("Which function.", choice(ElementWiseOperation))

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        return e.layer("ElementWise", e.alike(*inputs), op=self.op)


class ISelectLayer(ILayer):
    """`condition ? then : else`, broadcast."""

    _kind = LayerType.SELECT

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        return e.layer("Select", [inputs[0], *e.alike(*inputs[1:])])


class IParametricReLULayer(ILayer):
    """`x < 0 ? slope * x : x`; the slopes broadcast to x."""

    _kind = LayerType.PARAMETRIC_RELU

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        x, slopes = inputs
        return e.layer("ParametricRelu", [x, e.like(slopes, x)])


class IScaleLayer(ILayer):
    """`(x * scale + shift) ** power` with constants: one of each, one a channel, or one an element of a sample."""

    _kind = LayerType.SCALE
    mode = Attribute("What an element of the weights belongs to.", choice(ScaleMode))
    shift = WeightsAttribute("Added. Default: 0.")
    scale = WeightsAttribute("Multiplied. Default: 1.")
    power = WeightsAttribute("Exponents. Default: 1.")
    channel_axis = Attribute("The axis of the channels. Default: 1.", int)

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        y = inputs[0]
        steps = (
            ("scale", 1.0, ElementWiseOperation.PROD),
            ("shift", 0.0, ElementWiseOperation.SUM),
            ("power", 1.0, ElementWiseOperation.POW),
        )
        for name, neutral, op in steps:
            weights = self._values.get(name)
            if weights is None or weights.numel() == 0 or bool((weights == neutral).all()):
                continue
            y = e.one("ElementWise", [y, e.like(e.constant(self._placed(e, inputs[0], weights)), y)], op=op)
        return [y if y is not inputs[0] else e.one("Identity", [y])]

    def _placed(self, e: Emitter, x: Ref, weights: torch.Tensor) -> torch.Tensor:
        rank = e.rank(x)
        shape = [1] * rank
        if self.mode is ScaleMode.CHANNEL:
            shape[self.channel_axis] = weights.numel()
        elif self.mode is ScaleMode.ELEMENTWISE:
            shape[1:] = [size.static_value or -1 for size in e.dims(x)[1:]]
        return weights.reshape(shape)


class IMatrixMultiplyLayer(ILayer):
    """The product of the last two axes, the others broadcast. Both inputs have one rank, but for VECTOR."""

    _kind = LayerType.MATRIX_MULTIPLY

    @staticmethod
    def _operation(value: Any) -> MatrixOperation:
        if isinstance(value, bool):  # TensorRT 5 to 7
            return MatrixOperation.TRANSPOSE if value else MatrixOperation.NONE
        return choice(MatrixOperation)(value)

    op0 = Attribute("What is done with the first operand: none, transpose, or it is a vector.", _operation)
    op1 = Attribute("What is done with the second operand.", _operation)

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        return e.layer("MatrixMultiply", e.alike(*inputs), op0=self.op0, op1=self.op1)


class IEinsumLayer(ILayer):
    """Einstein summation over one or two tensors."""

    _kind = LayerType.EINSUM
    equation = Attribute("Lower-case letters; the output may be left out.", str)

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        equation = self.equation.replace(" ", "")
        if "->" not in equation:
            letters = equation.replace(",", "")
            equation += "->" + "".join(sorted(letter for letter in set(letters) if letters.count(letter) == 1))
        return e.layer("Einsum", e.alike(*inputs), equation=equation)


class IReduceLayer(ILayer):
    """Joins the elements along axes."""

    _kind = LayerType.REDUCE
    op = Attribute("How elements are joined.", choice(ReduceOperation))
    axes = Attribute("Bit mask of the axes.", int)
    keep_dims = Attribute("Whether the axes stay, with size 1.", bool)

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        axes = axes_of(self.axes, e.rank(inputs[0]))
        return e.layer("Reduce", inputs, op=self.op, axes=axes, keep_dims=self.keep_dims)


class ISoftMaxLayer(ILayer):
    """Softmax along one axis."""

    _kind = LayerType.SOFTMAX
    axes = Attribute("Bit mask with the one axis. Default: the third from last, or the first.", int)

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        rank = e.rank(inputs[0])
        axis = third_from_last(rank) if self.axes is None else axis_of(self.axes, rank)
        return e.layer("SoftMax", inputs, axis=axis)


class IRaggedSoftMaxLayer(ILayer):
    """Softmax over the first elements of each row, as many as `bounds` says."""

    _kind = LayerType.RAGGED_SOFTMAX

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        return e.layer("RaggedSoftMax", inputs)


class ITopKLayer(ILayer):
    """The k largest or smallest elements along an axis. Outputs: values, indices (int32). Input 1 replaces `k`."""

    _kind = LayerType.TOPK
    _outputs = 2
    _optional_inputs = 1
    op = Attribute("Which elements.", choice(TopKOperation))
    k = Attribute("How many.", int)
    axes = Attribute("Bit mask with the one axis.", int)

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        return e.layer("TopK", inputs, op=self.op, k=self.k or 0, axis=axis_of(self.axes, e.rank(inputs[0])))


class ICumulativeLayer(ILayer):
    """A running sum along the axis that input 1, a constant, names."""

    _kind = LayerType.CUMULATIVE
    op = Attribute("How elements are joined.", choice(CumulativeOperation))
    exclusive = Attribute("Whether an element is left out of its own sum.", bool)
    reverse = Attribute("Whether it runs from the end.", bool)

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        x, axis = inputs
        [axis] = e.known(axis, "the axis")
        fields = {"op": self.op, "axis": axis % max(e.rank(x), 1), "exclusive": self.exclusive, "reverse": self.reverse}
        return e.layer("Cumulative", [x], **fields)


class INormalizationLayer(ILayer):
    """`(x - mean) / sqrt(variance + epsilon) * scale + bias` over axes; `scale` and `bias` broadcast to x."""

    _kind = LayerType.NORMALIZATION
    epsilon = Attribute("Added to the variance. Default: 1e-5.", float)
    axes = Attribute("Bit mask of the axes.", int)
    num_groups = Attribute("Number of groups the channels are split into. Default: 1.", int)
    compute_precision = Attribute("TensorRT 11 has none: the types of the inputs say it.")

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        if self.compute_precision is not None:
            note("compute_precision of a normalization is left out: networks are strongly typed")
        x, scale, bias = inputs
        inputs = [x, e.like(scale, x), e.like(bias, x)]
        axes = axes_of(self.axes, e.rank(x))
        return e.layer("Normalization", inputs, axes=axes, epsilon=self.epsilon, groups=self.num_groups)


class ILRNLayer(ILayer):
    """Local response normalization over neighbouring channels of [N, C, H, W]."""

    _kind = LayerType.LRN
    window_size = Attribute("How many channels.", int)
    alpha = Attribute("Factor of the sum of squares.", float)
    beta = Attribute("Exponent.", float)
    k = Attribute("Added before the exponent.", float)

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        return e.layer("Lrn", inputs, window=self.window_size, alpha=self.alpha, beta=self.beta, k=self.k)


class IFullyConnectedLayer(ILayer):
    """`x` with its last three axes joined, times the kernel, plus the bias: [..., K, 1, 1]. TensorRT 8's."""

    _kind = LayerType.FULLY_CONNECTED
    num_output_channels = Attribute("K.", int)
    kernel = WeightsAttribute("K times the joined axes.")
    bias = WeightsAttribute("K numbers, or none.")

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        x, count = inputs[0], self.num_output_channels
        dims = e.dims(x)
        if len(dims) < 3:
            raise ValueError(f"a fully connected layer takes tensors of rank 3 and more, got {e.info(x)}")
        kernel = self._values["kernel"]
        if kernel.numel() % count:
            raise ValueError(f"{kernel.numel()} weights are not a whole number for each of {count} outputs")
        rows = e.reshape(x, [*(dims[:-3] or [Size(1)]), Size(kernel.numel() // count)])
        kernel, lead = kernel.reshape(count, -1), [1] * (e.rank(rows) - 2)
        if e.rank(rows) == 1:
            raise ValueError("a fully connected layer takes a batch axis")
        matrix = e.like(e.constant(kernel.reshape(*lead, *kernel.shape)), x)
        y = e.one("MatrixMultiply", [rows, matrix], op0=MatrixOperation.NONE, op1=MatrixOperation.TRANSPOSE)
        bias = self._values.get("bias")
        if bias is not None and bias.numel():
            shift = e.like(e.constant(bias.reshape([1] * (e.rank(rows) - 1) + [count])), x)
            y = e.one("ElementWise", [y, shift], op=ElementWiseOperation.SUM)
        return [e.reshape(y, [*dims[:-3], Size(count), Size(1), Size(1)])]


class ICastLayer(ILayer):
    """The tensor in another type. Float to integer truncates."""

    _kind = LayerType.CAST
    to_type = Attribute("The type.", lambda value: value)

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        return e.layer("Cast", inputs, to=network_name(self.to_type))


class IIdentityLayer(ILayer):
    """The tensor itself; with `set_output_type`, in another type."""

    _kind = LayerType.IDENTITY

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        return e.layer("Identity", inputs)


class IQuantizeLayer(ILayer):
    """`round(x / scale) + zero point`, saturated. Input 2: the zero point."""

    _kind = LayerType.QUANTIZE
    _optional_inputs = 2
    _name_of_op = "Quantize"
    axis = Attribute("The axis of the scales; none for one scale.", int)
    to_type = Attribute("The type of the output.", lambda value: value)

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        axis = self.axis
        if axis is None or axis < 0:
            axis = None if axis is None or e.rank(inputs[1]) == 0 else axis % e.rank(inputs[0])
        return e.layer(self._name_of_op, inputs, axis=axis, to=network_name(self.to_type))


class IDequantizeLayer(IQuantizeLayer):
    """`(x - zero point) * scale`. Input 2: the zero point."""

    _kind = LayerType.DEQUANTIZE
    _name_of_op = "Dequantize"


class IDynamicQuantizeLayer(ILayer):
    """Quantizes blocks by their own largest element. Outputs: quantized x, scales."""

    _kind = LayerType.DYNAMIC_QUANTIZE
    _outputs = 2
    axis = Attribute("The axis that is cut into blocks.", int)
    block_size = Attribute("Elements a block.", int)
    to_type = Attribute("The type of the first output.", lambda value: value)
    scale_type = Attribute("The type of the scales.", lambda value: value)

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        types = {"to": network_name(self.to_type), "scale_type": network_name(self.scale_type)}
        return e.layer("DynamicQuantize", inputs, axis=self.axis, block_size=self.block_size, **types)
