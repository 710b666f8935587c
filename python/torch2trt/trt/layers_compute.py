"""Layers that compute element by element, and how they are added.

| class | network layers |
|---|---|
| IActivationLayer, IUnaryLayer, IElementWiseLayer, ISelectLayer, IParametricReLULayer | the same |
| IScaleLayer | ElementWise |
| ICastLayer, IIdentityLayer, IQuantizeLayer, IDequantizeLayer, IDynamicQuantizeLayer | the same |

This file must not know how drafts become final.
"""

from __future__ import annotations

from typing import Any

import torch

from .drafts import Drafts
from .dtypes import DataType, network_name
from .emit import Emitter, Ref
from .enums import ActivationType, ElementWiseOperation, LayerType, ScaleMode, UnaryOperation
from .layer import Attribute, ILayer, ITensor, WeightsAttribute, choice

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


class ComputeLayers(Drafts):
    """How these layers are added to the drafts."""

    def add_activation(self, input: ITensor, type: Any) -> IActivationLayer:
        """An activation function."""
        return self._add(IActivationLayer, "add_activation", input=input, values={"type": type})

    def add_unary(self, input: ITensor, op: Any) -> IUnaryLayer:
        """A function of one tensor, element by element."""
        return self._add(IUnaryLayer, "add_unary", input=input, values={"op": op})

    def add_elementwise(self, input1: ITensor, input2: ITensor, op: Any) -> IElementWiseLayer:
        """A function of two tensors of equal rank, element by element."""
        return self._add(IElementWiseLayer, "add_elementwise", input1=input1, input2=input2, values={"op": op})

    def add_select(self, condition: ITensor, then_input: ITensor, else_input: ITensor) -> ISelectLayer:
        """`condition ? then_input : else_input`."""
        return self._add(ISelectLayer, "add_select", condition=condition, then_input=then_input, else_input=else_input)

    def add_parametric_relu(self, input: ITensor, slopes: ITensor) -> IParametricReLULayer:
        """A ReLU with slopes for negative elements."""
        return self._add(IParametricReLULayer, "add_parametric_relu", input=input, slopes=slopes)

    def add_scale(
        self, input: ITensor, mode: Any, shift: Any = None, scale: Any = None, power: Any = None
    ) -> IScaleLayer:
        """`(input * scale + shift) ** power`, channels along axis 1."""
        return self.add_scale_nd(input, mode, shift, scale, power, 1)

    def add_scale_nd(
        self, input: ITensor, mode: Any, shift: Any = None, scale: Any = None, power: Any = None, channel_axis: int = 1
    ) -> IScaleLayer:
        """`(input * scale + shift) ** power`."""
        values = {"mode": mode, "shift": shift, "scale": scale, "power": power, "channel_axis": channel_axis}
        return self._add(IScaleLayer, "add_scale_nd", input=input, values=values)

    def add_cast(self, input: ITensor, to_type: Any) -> ICastLayer:
        """The tensor in another type."""
        return self._add(ICastLayer, "add_cast", input=input, values={"to_type": to_type})

    def add_identity(self, input: ITensor) -> IIdentityLayer:
        """The tensor itself."""
        return self._add(IIdentityLayer, "add_identity", input=input)

    def add_quantize(self, input: ITensor, scale: ITensor, output_type: Any = DataType.INT8) -> IQuantizeLayer:
        """Quantizes with a scale."""
        given = {"input": input, "scale": scale}
        return self._add(IQuantizeLayer, "add_quantize", **given, values={"to_type": output_type})

    def add_dequantize(self, input: ITensor, scale: ITensor, output_type: Any = DataType.FLOAT) -> IDequantizeLayer:
        """Takes a quantization back."""
        given = {"input": input, "scale": scale}
        return self._add(IDequantizeLayer, "add_dequantize", **given, values={"to_type": output_type})

    def add_dynamic_quantize(
        self, input: ITensor, axis: int, block_size: int, output_type: Any, scale_type: Any
    ) -> IDynamicQuantizeLayer:
        """Quantizes blocks by their own largest element."""
        values = {"axis": axis, "block_size": block_size, "to_type": output_type, "scale_type": scale_type}
        return self._add(IDynamicQuantizeLayer, "add_dynamic_quantize", input=input, values=values)
