"""Layers that move a window over an image: convolution, pooling, resize.

Sizes of windows come first by their names in TensorRT 10 and 11 (`stride_nd`), then by those of TensorRT 8
(`stride`); both are one attribute.

This file must not know how drafts become final.
"""

from __future__ import annotations

from typing import Any

import torch

from .._core import Size
from .drafts import Drafts
from .emit import Emitter, Ref
from .enums import (
    InterpolationMode,
    LayerType,
    PaddingMode,
    PoolingType,
    ResizeCoordinateTransformation,
    ResizeRoundMode,
    ResizeSelector,
)
from .layer import Attribute, ILayer, ITensor, WeightsAttribute, choice
from .layers_move import ints
from .values import numbers_of, sizes_of

_CAFFE = {
    PaddingMode.CAFFE_ROUND_DOWN: PaddingMode.EXPLICIT_ROUND_DOWN,
    PaddingMode.CAFFE_ROUND_UP: PaddingMode.EXPLICIT_ROUND_UP,
}


def padding_mode(value: Any) -> PaddingMode:
    """A padding mode; Caffe's are the explicit ones but for corner cases that TensorRT 10 dropped."""
    mode = choice(PaddingMode)(value)
    return _CAFFE.get(mode, mode)


class Alias(Attribute):
    """An older name of an attribute."""

    def __init__(self, of: str) -> None:
        super().__init__(f"`{of}` under its older name.")
        self.of = of

    def __get__(self, layer: ILayer | None, owner: type) -> Any:
        return self if layer is None else getattr(layer, self.of)

    def __set__(self, layer: ILayer, value: Any) -> None:
        setattr(layer, self.of, value)


class Both(Attribute):
    """Two attributes in one, which is read as the first of them."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"`{first}` and `{second}` in one.")
        self.first, self.second = first, second

    def __get__(self, layer: ILayer | None, owner: type) -> Any:
        return self if layer is None else getattr(layer, self.first)

    def __set__(self, layer: ILayer, value: Any) -> None:
        setattr(layer, self.first, value)
        setattr(layer, self.second, value)


class _Window(ILayer):
    """What windows share."""

    stride_nd = Attribute("Step of the window, a number or an entry a spatial axis. Default: 1.", ints)
    pre_padding = Attribute("Padding before the first element. Default: 0.", ints)
    post_padding = Attribute("Padding after the last element. Default: 0.", ints)
    padding_nd = Both("pre_padding", "post_padding")
    padding_mode = Attribute("How a size that the stride does not divide is rounded. Default: down.", padding_mode)
    stride = Alias("stride_nd")
    padding = Alias("padding_nd")

    def _lists(self, count: int) -> tuple[list[int], list[int], list[int]]:
        return spread(self.stride_nd, count), spread(self.pre_padding, count), spread(self.post_padding, count)


def spread(values: Any, count: int) -> list[int]:
    """An entry for each spatial axis; one stands for all.

    Raises:
        ValueError: their number is neither one nor `count`.
    """
    values = [int(value) for value in values]
    if len(values) == 1:
        return values * count
    if len(values) != count:
        raise ValueError(f"{values} does not have an entry for each of {count} spatial axes")
    return values


class IConvolutionLayer(_Window):
    """A convolution of [N, C, H, W] or [N, C, D, H, W]. Input 1 replaces the kernel, input 2 the bias."""

    _kind = LayerType.CONVOLUTION
    _optional_inputs = 2
    num_output_maps = Attribute("Number of output channels.", int)
    kernel_size_nd = Attribute("Sizes of the window.", ints)
    kernel = WeightsAttribute("[K, C / groups, window...], row by row.")
    bias = WeightsAttribute("K numbers, or none.")
    dilation_nd = Attribute("Distance between the elements of the window. Default: 1.", ints)
    num_groups = Attribute("Number of groups the channels are split into. Default: 1.", int)
    kernel_size = Alias("kernel_size_nd")
    dilation = Alias("dilation_nd")

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        x, kernel, bias = [*inputs, None, None][:3]
        if kernel is None:
            kernel = e.constant(self._shaped(self._values.get("kernel")))
        if bias is None and (given := self._values.get("bias")) is not None and given.numel():
            bias = e.constant(given.reshape(-1))
        window = numbers_of(e.dims(kernel)[2:])
        if window is None:
            raise ValueError(f"the window must be known, the kernel is {e.info(kernel)}")
        if e.rank(x) != len(window) + 2:
            raise ValueError(f"a window {tuple(window)} does not fit {e.info(x)}: it needs {len(window) + 2} axes")
        stride, pre, post = self._lists(len(window))
        dilation = spread(self.dilation_nd, len(window))
        reach = [(size - 1) * step + 1 for size, step in zip(window, dilation)]
        pre, post = self._padded(e.dims(x)[2:], reach, stride, pre, post)
        fields = {"stride": stride, "pre_padding": pre, "post_padding": post, "dilation": dilation}
        inputs = [x, e.like(kernel, x), None if bias is None else e.like(bias, x)]
        return e.layer(self._kind.name.capitalize(), inputs, groups=self.num_groups, **fields)

    def _shaped(self, kernel: torch.Tensor | None) -> torch.Tensor:
        window = [int(size) for size in self.kernel_size_nd]
        if kernel is None or kernel.numel() == 0:
            raise ValueError("a convolution needs a kernel")
        try:
            return kernel.reshape(self.num_output_maps, -1, *window)
        except RuntimeError:
            raise ValueError(
                f"{kernel.numel()} weights are not a kernel of {self.num_output_maps} maps and window {tuple(window)}"
            ) from None

    def _padded(
        self, dims: list[Size], reach: list[int], stride: list[int], pre: list[int], post: list[int]
    ) -> tuple[list[int], list[int]]:
        """Padding with what the padding mode adds; the network's convolutions only know explicit padding."""
        mode = self.padding_mode
        if mode is PaddingMode.EXPLICIT_ROUND_DOWN:
            return pre, post
        sizes = numbers_of(dims)
        if sizes is None and any(step != 1 for step in stride):
            raise ValueError(f"padding mode {mode.name} with a stride needs sizes that are known, these are {dims}")
        pre, post = list(pre), list(post)
        for k, (size, window, step) in enumerate(zip(sizes or [0] * len(dims), reach, stride)):
            if mode is PaddingMode.EXPLICIT_ROUND_UP:
                post[k] += 0 if step == 1 else (window - size - pre[k] - post[k]) % step
                continue
            total = max((-(-size // step) - 1) * step + window - size, 0) if step > 1 else window - 1
            first = total // 2 if mode is PaddingMode.SAME_UPPER else total - total // 2
            pre[k], post[k] = first, total - first
        return pre, post


class IDeconvolutionLayer(IConvolutionLayer):
    """A transposed convolution; padding is cut from the output. Input 1 replaces the kernel, input 2 the bias."""

    _kind = LayerType.DECONVOLUTION
    kernel = WeightsAttribute("[C, K / groups, window...], row by row.")

    def _shaped(self, kernel: torch.Tensor | None) -> torch.Tensor:
        if kernel is None or kernel.numel() == 0 or self.num_output_maps % self.num_groups:
            return super()._shaped(kernel)
        maps, window = self.num_output_maps // self.num_groups, [int(size) for size in self.kernel_size_nd]
        try:
            return kernel.reshape(-1, maps, *window)
        except RuntimeError:
            raise ValueError(
                f"{kernel.numel()} weights are not a kernel of {maps} maps a group and window {tuple(window)}"
            ) from None

    def _padded(
        self, dims: list[Size], reach: list[int], stride: list[int], pre: list[int], post: list[int]
    ) -> tuple[list[int], list[int]]:
        mode = self.padding_mode
        if mode not in (PaddingMode.SAME_UPPER, PaddingMode.SAME_LOWER):
            return pre, post
        totals = [max(window - step, 0) for window, step in zip(reach, stride)]
        small, large = [total // 2 for total in totals], [total - total // 2 for total in totals]
        return (small, large) if mode is PaddingMode.SAME_UPPER else (large, small)


class IPoolingLayer(_Window):
    """The maximum or average of a window of [N, C, H, W] or [N, C, D, H, W]."""

    _kind = LayerType.POOLING
    type = Attribute("Maximum or average.", choice(PoolingType))
    window_size_nd = Attribute("Sizes of the window.", ints)
    blend_factor = Attribute("Share of the average in MAX_AVERAGE_BLEND. Default: 0.", float)
    average_count_excludes_padding = Attribute(
        "Whether padding is left out of an average's divisor. Default: True.", bool
    )
    window_size = Alias("window_size_nd")

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        window = [int(size) for size in self.window_size_nd]
        stride, pre, post = self._lists(len(window))
        return e.layer(
            "Pooling",
            inputs,
            kind=self.type,
            window=window,
            stride=stride,
            pre_padding=pre,
            post_padding=post,
            padding_mode=self.padding_mode,
            average_count_excludes_padding=self.average_count_excludes_padding,
            blend_factor=self.blend_factor,
        )


class IResizeLayer(ILayer):
    """An image in another size: `shape` or `scales`, or input 1, decide."""

    _kind = LayerType.RESIZE
    _optional_inputs = 1
    shape = Attribute("Sizes of the output, every axis.", ints)
    scales = Attribute("Output size over input size, every axis.", lambda values: [float(value) for value in values])
    resize_mode = Attribute("How values between elements are found. Default: nearest.", choice(InterpolationMode))
    coordinate_transformation = Attribute(
        "How an output coordinate becomes an input coordinate. Default: asymmetric.",
        choice(ResizeCoordinateTransformation),
    )
    selector_for_single_pixel = Attribute("What happens where the output has one element.", choice(ResizeSelector))
    nearest_rounding = Attribute("How coordinates are rounded in nearest mode. Default: down.", choice(ResizeRoundMode))
    exclude_outside = Attribute("Whether weights outside count as zero. Default: False.", bool)
    cubic_coeff = Attribute("The `a` of cubic interpolation. Default: -0.75.", float)

    @property
    def align_corners(self) -> bool:
        """`coordinate_transformation` is ALIGN_CORNERS. TensorRT 7's."""
        return self.coordinate_transformation is ResizeCoordinateTransformation.ALIGN_CORNERS

    @align_corners.setter
    def align_corners(self, align: bool) -> None:
        modes = ResizeCoordinateTransformation
        self.coordinate_transformation = modes.ALIGN_CORNERS if align else modes.ASYMMETRIC

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        x, shape = [*inputs, None][:2]
        scales = self.scales or []
        sizes = sizes_of(self.shape) if shape is None and self.shape is not None else None
        if shape is not None:
            sizes = e.info(shape).value
        size = None if sizes is None else numbers_of(sizes)
        if size is not None:
            shape = None
        elif sizes is not None:
            shape = e.sizes(sizes)
        elif shape is None and not scales:
            raise ValueError("a resize needs a shape or scales")
        return e.layer(
            "Resize",
            [x, shape],
            mode=self.resize_mode,
            size=size or [],
            scales=[] if size or shape is not None else scales,
            coordinate_transformation=self.coordinate_transformation,
            selector=self.selector_for_single_pixel,
            nearest_rounding=self.nearest_rounding,
            cubic_coeff=self.cubic_coeff,
            exclude_outside=self.exclude_outside,
        )


_NO_PADDING = {
    "stride_nd": 1,
    "pre_padding": 0,
    "post_padding": 0,
    "padding_mode": PaddingMode.EXPLICIT_ROUND_DOWN,
}


class WindowLayers(Drafts):
    """How these layers are added to the drafts."""

    def add_convolution_nd(
        self, input: ITensor, num_output_maps: int, kernel_shape: Any, kernel: Any = None, bias: Any = None
    ) -> IConvolutionLayer:
        """A convolution."""
        return self._convolution(
            IConvolutionLayer, "add_convolution_nd", input, num_output_maps, kernel_shape, kernel, bias
        )

    add_convolution = add_convolution_nd

    def add_deconvolution_nd(
        self, input: ITensor, num_output_maps: int, kernel_shape: Any, kernel: Any = None, bias: Any = None
    ) -> IDeconvolutionLayer:
        """A transposed convolution."""
        return self._convolution(
            IDeconvolutionLayer, "add_deconvolution_nd", input, num_output_maps, kernel_shape, kernel, bias
        )

    add_deconvolution = add_deconvolution_nd

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

    def add_pooling_nd(self, input: ITensor, type: Any, window_size: Any) -> IPoolingLayer:
        """The maximum or average of a window."""
        values = {
            **_NO_PADDING,
            "type": type,
            "window_size_nd": window_size,
            "blend_factor": 0.0,
            "average_count_excludes_padding": True,
        }
        return self._add(IPoolingLayer, "add_pooling_nd", input=input, values=values)

    add_pooling = add_pooling_nd

    def add_resize(self, input: ITensor) -> IResizeLayer:
        """An image in another size; set `shape` or `scales`."""
        values = {
            "resize_mode": InterpolationMode.NEAREST,
            "coordinate_transformation": ResizeCoordinateTransformation.ASYMMETRIC,
            "selector_for_single_pixel": ResizeSelector.FORMULA,
            "nearest_rounding": ResizeRoundMode.FLOOR,
            "exclude_outside": False,
            "cubic_coeff": -0.75,
        }
        return self._add(IResizeLayer, "add_resize", input=input, values=values)
