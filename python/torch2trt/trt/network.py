"""`ctx.network`: TensorRT's INetworkDefinition over the network under construction.

Every `add_*` has TensorRT 11's name and argument names; those that TensorRT 8.6 or 10 had under other names are
there too. What it returns is a draft (drafts.py). Those that are several layers here are in composites.py.

This file must not know about PyTorch's methods or converters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from ..errors import error
from . import layers_compute as compute
from . import layers_move as move
from . import layers_plugin as plugin_layers
from . import layers_window as window
from .composites import Composites
from .dtypes import DataType
from .enums import (
    BoundingBoxFormat,
    CumulativeOperation,
    GatherMode,
    InterpolationMode,
    PaddingMode,
    ResizeCoordinateTransformation,
    ResizeRoundMode,
    ResizeSelector,
    SampleMode,
)
from .layer import ITensor
from .plugins import IPluginV2, IPluginV3


class INetworkDefinition(Composites):
    """The network that a converter adds layers to."""

    # Layers that compute

    def add_activation(self, input: ITensor, type: Any) -> compute.IActivationLayer:
        """An activation function."""
        return self._add(compute.IActivationLayer, "add_activation", input=input, values={"type": type})

    def add_unary(self, input: ITensor, op: Any) -> compute.IUnaryLayer:
        """A function of one tensor, element by element."""
        return self._add(compute.IUnaryLayer, "add_unary", input=input, values={"op": op})

    def add_elementwise(self, input1: ITensor, input2: ITensor, op: Any) -> compute.IElementWiseLayer:
        """A function of two tensors of equal rank, element by element."""
        return self._add(compute.IElementWiseLayer, "add_elementwise", input1=input1, input2=input2, values={"op": op})

    def add_select(self, condition: ITensor, then_input: ITensor, else_input: ITensor) -> compute.ISelectLayer:
        """`condition ? then_input : else_input`."""
        given = {"condition": condition, "then_input": then_input, "else_input": else_input}
        return self._add(compute.ISelectLayer, "add_select", **given)

    def add_parametric_relu(self, input: ITensor, slopes: ITensor) -> compute.IParametricReLULayer:
        """A ReLU with slopes for negative elements."""
        return self._add(compute.IParametricReLULayer, "add_parametric_relu", input=input, slopes=slopes)

    def add_scale(
        self, input: ITensor, mode: Any, shift: Any = None, scale: Any = None, power: Any = None
    ) -> compute.IScaleLayer:
        """`(input * scale + shift) ** power`, channels along axis 1."""
        return self.add_scale_nd(input, mode, shift, scale, power, 1)

    def add_scale_nd(
        self, input: ITensor, mode: Any, shift: Any = None, scale: Any = None, power: Any = None, channel_axis: int = 1
    ) -> compute.IScaleLayer:
        """`(input * scale + shift) ** power`."""
        values = {"mode": mode, "shift": shift, "scale": scale, "power": power, "channel_axis": channel_axis}
        return self._add(compute.IScaleLayer, "add_scale_nd", input=input, values=values)

    def add_matrix_multiply(self, input0: ITensor, op0: Any, input1: ITensor, op1: Any) -> compute.IMatrixMultiplyLayer:
        """The product of the last two axes."""
        values = {"op0": op0, "op1": op1}
        return self._add(
            compute.IMatrixMultiplyLayer, "add_matrix_multiply", input0=input0, input1=input1, values=values
        )

    def add_fully_connected(
        self, input: ITensor, num_outputs: int, kernel: Any, bias: Any = None
    ) -> compute.IFullyConnectedLayer:
        """TensorRT 8's fully connected layer: `input` has three axes after the batch's, the output two of size 1."""
        values = {"num_output_channels": num_outputs, "kernel": kernel, "bias": bias}
        return self._add(compute.IFullyConnectedLayer, "add_fully_connected", input=input, values=values)

    def add_einsum(self, inputs: Sequence[ITensor], equation: str) -> compute.IEinsumLayer:
        """Einstein summation."""
        return self._add_many(compute.IEinsumLayer, "add_einsum", inputs, {"equation": equation})

    def add_reduce(self, input: ITensor, op: Any, axes: int, keep_dims: bool) -> compute.IReduceLayer:
        """Joins the elements along the axes of a bit mask."""
        values = {"op": op, "axes": axes, "keep_dims": keep_dims}
        return self._add(compute.IReduceLayer, "add_reduce", input=input, values=values)

    def add_softmax(self, input: ITensor) -> compute.ISoftMaxLayer:
        """Softmax along one axis; set `axes`."""
        return self._add(compute.ISoftMaxLayer, "add_softmax", input=input)

    def add_ragged_softmax(self, input: ITensor, bounds: ITensor) -> compute.IRaggedSoftMaxLayer:
        """Softmax over the first elements of each row."""
        return self._add(compute.IRaggedSoftMaxLayer, "add_ragged_softmax", input=input, bounds=bounds)

    def add_topk(self, input: ITensor, op: Any, k: int, axes: int, indices_type: Any = None) -> compute.ITopKLayer:
        """The k largest or smallest elements along an axis."""
        layer = self._add(compute.ITopKLayer, "add_topk", input=input, values={"op": op, "k": k, "axes": axes})
        return self._with_indices(layer, 1, indices_type)

    def add_cumulative(
        self,
        input: ITensor,
        axis: ITensor,
        op: Any = CumulativeOperation.SUM,
        exclusive: bool = False,
        reverse: bool = False,
    ) -> compute.ICumulativeLayer:
        """A running sum along the axis that a constant names."""
        values = {"op": op, "exclusive": exclusive, "reverse": reverse}
        return self._add(compute.ICumulativeLayer, "add_cumulative", input=input, axis=axis, values=values)

    def add_normalization(
        self, input: ITensor, scale: ITensor, bias: ITensor, axesMask: int
    ) -> compute.INormalizationLayer:
        """Normalizes over the axes of a bit mask."""
        values = {"axes": axesMask, "epsilon": 1e-5, "num_groups": 1}
        given = {"input": input, "scale": scale, "bias": bias}
        return self._add(compute.INormalizationLayer, "add_normalization", **given, values=values)

    add_normalization_v2 = add_normalization

    def add_lrn(self, input: ITensor, window: int, alpha: float, beta: float, k: float) -> compute.ILRNLayer:
        """Local response normalization."""
        values = {"window_size": window, "alpha": alpha, "beta": beta, "k": k}
        return self._add(compute.ILRNLayer, "add_lrn", input=input, values=values)

    def add_cast(self, input: ITensor, to_type: Any) -> compute.ICastLayer:
        """The tensor in another type."""
        return self._add(compute.ICastLayer, "add_cast", input=input, values={"to_type": to_type})

    def add_identity(self, input: ITensor) -> compute.IIdentityLayer:
        """The tensor itself."""
        return self._add(compute.IIdentityLayer, "add_identity", input=input)

    def add_quantize(self, input: ITensor, scale: ITensor, output_type: Any = DataType.INT8) -> compute.IQuantizeLayer:
        """Quantizes with a scale."""
        given = {"input": input, "scale": scale}
        return self._add(compute.IQuantizeLayer, "add_quantize", **given, values={"to_type": output_type})

    def add_dequantize(
        self, input: ITensor, scale: ITensor, output_type: Any = DataType.FLOAT
    ) -> compute.IDequantizeLayer:
        """Takes a quantization back."""
        given = {"input": input, "scale": scale}
        return self._add(compute.IDequantizeLayer, "add_dequantize", **given, values={"to_type": output_type})

    def add_dynamic_quantize(
        self, input: ITensor, axis: int, block_size: int, output_type: Any, scale_type: Any
    ) -> compute.IDynamicQuantizeLayer:
        """Quantizes blocks by their own largest element."""
        values = {"axis": axis, "block_size": block_size, "to_type": output_type, "scale_type": scale_type}
        return self._add(compute.IDynamicQuantizeLayer, "add_dynamic_quantize", input=input, values=values)

    # Windows over images

    def add_convolution_nd(
        self, input: ITensor, num_output_maps: int, kernel_shape: Any, kernel: Any = None, bias: Any = None
    ) -> window.IConvolutionLayer:
        """A convolution."""
        return self._convolution(
            window.IConvolutionLayer, "add_convolution_nd", input, num_output_maps, kernel_shape, kernel, bias
        )

    add_convolution = add_convolution_nd

    def add_deconvolution_nd(
        self, input: ITensor, num_output_maps: int, kernel_shape: Any, kernel: Any = None, bias: Any = None
    ) -> window.IDeconvolutionLayer:
        """A transposed convolution."""
        return self._convolution(
            window.IDeconvolutionLayer, "add_deconvolution_nd", input, num_output_maps, kernel_shape, kernel, bias
        )

    add_deconvolution = add_deconvolution_nd

    def add_pooling_nd(self, input: ITensor, type: Any, window_size: Any) -> window.IPoolingLayer:
        """The maximum or average of a window."""
        values = {
            **_NO_PADDING,
            "type": type,
            "window_size_nd": window_size,
            "blend_factor": 0.0,
            "average_count_excludes_padding": True,
        }
        return self._add(window.IPoolingLayer, "add_pooling_nd", input=input, values=values)

    add_pooling = add_pooling_nd

    def add_resize(self, input: ITensor) -> window.IResizeLayer:
        """An image in another size; set `shape` or `scales`."""
        values = {
            "resize_mode": InterpolationMode.NEAREST,
            "coordinate_transformation": ResizeCoordinateTransformation.ASYMMETRIC,
            "selector_for_single_pixel": ResizeSelector.FORMULA,
            "nearest_rounding": ResizeRoundMode.FLOOR,
            "exclude_outside": False,
            "cubic_coeff": -0.75,
        }
        return self._add(window.IResizeLayer, "add_resize", input=input, values=values)

    # Layers that move elements

    def add_constant(self, shape: Any, weights: Any) -> move.IConstantLayer:
        """A constant; `weights` is an array of any kind."""
        return self._add(move.IConstantLayer, "add_constant", values={"shape": shape, "weights": weights})

    def add_shape(self, input: ITensor) -> move.IShapeLayer:
        """The sizes of a tensor."""
        return self._add(move.IShapeLayer, "add_shape", input=input)

    def add_shuffle(self, input: ITensor) -> move.IShuffleLayer:
        """Transpose, reshape, transpose; set what is wanted."""
        return self._add(move.IShuffleLayer, "add_shuffle", input=input, values={"zero_is_placeholder": True})

    def add_slice(self, input: ITensor, start: Any, shape: Any, stride: Any) -> move.ISliceLayer:
        """A part of a tensor."""
        values = {"start": start, "shape": shape, "stride": stride, "mode": SampleMode.STRICT_BOUNDS}
        return self._add(move.ISliceLayer, "add_slice", input=input, values=values)

    def add_concatenation(self, inputs: Sequence[ITensor]) -> move.IConcatenationLayer:
        """Tensors joined along an axis; set `axis`."""
        return self._add_many(move.IConcatenationLayer, "add_concatenation", inputs, {})

    def add_padding_nd(self, input: ITensor, pre_padding: Any, post_padding: Any) -> move.IPaddingLayer:
        """Zeros around the last two axes."""
        values = {"pre_padding": pre_padding, "post_padding": post_padding}
        return self._add(move.IPaddingLayer, "add_padding_nd", input=input, values=values)

    add_padding = add_padding_nd

    def add_squeeze(self, input: ITensor, axes: ITensor) -> move.ISqueezeLayer:
        """Without axes of size 1."""
        return self._add(move.ISqueezeLayer, "add_squeeze", input=input, axes=axes)

    def add_unsqueeze(self, input: ITensor, axes: ITensor) -> move.IUnsqueezeLayer:
        """With more axes of size 1."""
        return self._add(move.IUnsqueezeLayer, "add_unsqueeze", input=input, axes=axes)

    def add_gather(self, input: ITensor, indices: ITensor, axis: int) -> move.IGatherLayer:
        """Elements by index along an axis, as numpy.take."""
        values = {"mode": GatherMode.DEFAULT, "axis": axis, "num_elementwise_dims": 0}
        return self._add(move.IGatherLayer, "add_gather", input=input, indices=indices, values=values)

    def add_gather_v2(self, input: ITensor, indices: ITensor, mode: Any) -> move.IGatherLayer:
        """Elements by index, in one of three ways."""
        values = {"mode": mode, "axis": 0, "num_elementwise_dims": 0}
        return self._add(move.IGatherLayer, "add_gather_v2", input=input, indices=indices, values=values)

    def add_scatter(self, data: ITensor, indices: ITensor, updates: ITensor, mode: Any) -> move.IScatterLayer:
        """Data with elements replaced by index."""
        given = {"data": data, "indices": indices, "updates": updates}
        return self._add(move.IScatterLayer, "add_scatter", **given, values={"mode": mode, "axis": 0})

    def add_one_hot(self, indices: ITensor, values: ITensor, depth: ITensor, axis: int) -> move.IOneHotLayer:
        """One-hot vectors along a new axis."""
        tensors = [
            self._checked(t, "add_one_hot", n) for n, t in (("indices", indices), ("values", values), ("depth", depth))
        ]
        return move.IOneHotLayer(self, tensors, axis=axis)

    def add_non_zero(self, input: ITensor, indices_type: Any = None) -> move.INonZeroLayer:
        """The indices of the elements that are not zero."""
        return self._with_indices(self._add(move.INonZeroLayer, "add_non_zero", input=input), 0, indices_type)

    def add_nms(
        self, boxes: ITensor, scores: ITensor, max_output_boxes_per_class: ITensor, indices_type: Any = None
    ) -> move.INMSLayer:
        """Non-maximum suppression."""
        given = {"boxes": boxes, "scores": scores, "max_output_boxes_per_class": max_output_boxes_per_class}
        values = {"bounding_box_format": BoundingBoxFormat.CORNER_PAIRS, "topk_box_limit": 2000}
        return self._with_indices(self._add(move.INMSLayer, "add_nms", **given, values=values), 0, indices_type)

    def add_reverse_sequence(self, input: ITensor, sequence_lens: ITensor) -> move.IReverseSequenceLayer:
        """Each sequence of a batch reversed."""
        values = {"batch_axis": 1, "sequence_axis": 0}
        given = {"input": input, "sequence_lens": sequence_lens}
        return self._add(move.IReverseSequenceLayer, "add_reverse_sequence", **given, values=values)

    def add_grid_sample(self, input: ITensor, grid: ITensor) -> move.IGridSampleLayer:
        """Values at the coordinates of a grid."""
        values = {
            "interpolation_mode": InterpolationMode.LINEAR,
            "align_corners": False,
            "sample_mode": SampleMode.FILL,
        }
        return self._add(move.IGridSampleLayer, "add_grid_sample", input=input, grid=grid, values=values)

    def add_fill(self, shape: Any, op: Any, output_type: Any = DataType.FLOAT) -> move.IFillLayer:
        """A ramp, or random numbers."""
        values = {"shape": shape, "operation": op, "alpha": 0.0, "beta": 1.0, "to_type": output_type}
        return self._add(move.IFillLayer, "add_fill", values=values, optional=[None])

    def add_assertion(self, condition: ITensor, message: str) -> move.IAssertionLayer:
        """Stops a run where an element of the condition is false."""
        return self._add(move.IAssertionLayer, "add_assertion", condition=condition, values={"message": message})

    # Layers of plugins

    def add_plugin_v2(
        self, inputs: Sequence[ITensor], plugin: IPluginV2, outputs: Any = None
    ) -> plugin_layers.IPluginV2Layer:
        """A layer that a plugin implements; `outputs` declares what it makes, by default what the call returns."""
        values = {
            "plugin": plugin_layers.checked(plugin, IPluginV2, "add_plugin_v2"),
            "outputs": self._declared_or(outputs),
        }
        return self._add_many(plugin_layers.IPluginV2Layer, "add_plugin_v2", inputs, values)

    def add_plugin_v3(
        self, inputs: Sequence[ITensor], shape_inputs: Sequence[ITensor], plugin: IPluginV3, outputs: Any = None
    ) -> plugin_layers.IPluginV3Layer:
        """A layer that a plugin implements, with shape tensors as further inputs; `outputs` as for `add_plugin_v2`."""
        values = {
            "plugin": plugin_layers.checked(plugin, IPluginV3, "add_plugin_v3"),
            "outputs": self._declared_or(outputs),
        }
        values["shape_inputs"] = len(shape_inputs)
        return self._add_many(plugin_layers.IPluginV3Layer, "add_plugin_v3", [*inputs, *shape_inputs], values)

    def _declared_or(self, outputs: Any) -> list[plugin_layers.Declared]:
        return plugin_layers.declared(self._call_outputs if outputs is None else outputs)

    # What is not there

    def add_input(self, name: str = "", dtype: Any = None, shape: Any = None) -> NoReturn:
        """Inputs belong to the model.

        Raises:
            torch2trt.Error: E0108, always.
        """
        raise error("E0108", "a converter cannot add inputs to the network: they are the model's own")

    def mark_output(self, tensor: Any) -> NoReturn:
        """Outputs belong to the model.

        Raises:
            torch2trt.Error: E0108, always.
        """
        raise error(
            "E0108",
            "a converter cannot mark outputs of the network: they are the model's own",
            "set `_trt` on what the method returned: ctx.method_return._trt = layer.get_output(0)",
        )

    def __getattr__(self, name: str) -> Any:
        if name in _ABSENT:
            raise error("E0108", f"network.{name} is not supported: {_ABSENT[name]}", _ABSENT_HELP)
        raise AttributeError(f"the network has no `{name}`; docs/network-api.md lists what there is")

    # What calls have in common

    def _convolution(
        self, kind: type, method: str, input: ITensor, maps: int, shape: Any, kernel: Any, bias: Any
    ) -> Any:
        values = {
            **_NO_PADDING,
            "num_output_maps": maps,
            "kernel_size_nd": shape,
            "kernel": kernel,
            "bias": bias,
            "dilation_nd": 1,
            "num_groups": 1,
        }
        return self._add(kind, method, input=input, values=values)

    def _with_indices(self, layer: Any, output: int, indices_type: Any) -> Any:
        if indices_type is not None:
            layer.set_output_type(output, indices_type)
        return layer


_NO_PADDING = {
    "stride_nd": 1,
    "pre_padding": 0,
    "post_padding": 0,
    "padding_mode": PaddingMode.EXPLICIT_ROUND_DOWN,
}

_ABSENT = {
    "add_plugin": "TensorRT dropped it in version 8; add_plugin_v2 replaces it",
    "add_plugin_ext": "TensorRT dropped it in version 8; add_plugin_v2 replaces it",
    "add_rnn_v2": "TensorRT dropped it in version 10",
    "add_dist_collective": "engines here run on one GPU",
}
_ABSENT_HELP = "leave the call to the built-in converters, or write it with the layers that docs/network-api.md lists"


__all__ = ["INetworkDefinition"]
