"""Layers that move or make elements: reshape, slice, join, fill; and how they are added.

Attributes that are sizes may depend on the model's inputs; a layer then gets them as a tensor. A tensor given with
`set_input` whose elements are known becomes an attribute again, so that shapes stay exact.

This file must not know how drafts become final.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._core import Size
from .drafts import Drafts
from .dtypes import DataType, network_name
from .emit import Emitter, Ref
from .enums import FillOperation, LayerType, SampleMode
from .layer import Attribute, ILayer, ITensor, WeightsAttribute, choice
from .layers_axes import third_from_last
from .values import Dims, is_sequence, numbers_of, sizes_of


def ints(values: Any) -> Dims:
    """A sequence of ints, or one, with what they remember of their sizes."""
    return Dims(values if is_sequence(values) else [values])


def order(values: Any) -> list[int]:
    """A permutation. TensorRT's own holds eight entries, whatever the rank."""
    return [int(value) for value in values]


class IConstantLayer(ILayer):
    """A constant."""

    _kind = LayerType.CONSTANT
    weights = WeightsAttribute("The elements, row by row.")
    shape = Attribute("The sizes.", ints)

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        weights, shape = self._values["weights"], [int(size) for size in self.shape]
        if weights is None:
            raise ValueError("a constant needs weights")
        try:
            return [e.constant(weights.reshape(shape))]
        except RuntimeError:
            raise ValueError(f"a constant of shape {self.shape} cannot hold {weights.numel()} weights") from None


class IShapeLayer(ILayer):
    """The sizes of a tensor: 1-D int64."""

    _kind = LayerType.SHAPE

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        return e.layer("Shape", inputs)


class IShuffleLayer(ILayer):
    """A transpose, a reshape, a transpose; any of them may be left out. Input 1 replaces `reshape_dims`."""

    _kind = LayerType.SHUFFLE
    _optional_inputs = 1
    first_transpose = Attribute("Axis k of the result is this axis of x.", order)
    reshape_dims = Attribute("Sizes; 0 keeps the one at its position, -1 stands for what is left.", ints)
    second_transpose = Attribute("As `first_transpose`, after the reshape.", order)
    zero_is_placeholder = Attribute("Whether a 0 keeps a size. Default: True.", bool)

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        y = self._transposed(e, inputs[0], self.first_transpose)
        shape = inputs[1] if len(inputs) > 1 else None
        if shape is not None and (value := e.info(shape).value) is not None:
            y = e.reshape(y, self._resolved(e.dims(y), value))
        elif shape is not None:
            y = self._shuffle(e, [y, shape])
        elif self.reshape_dims is not None:
            y = e.reshape(y, self._resolved(e.dims(y), sizes_of(self.reshape_dims)))
        y = self._transposed(e, y, self.second_transpose)
        return [y if y is not inputs[0] else e.one("Identity", [y])]

    @staticmethod
    def _shuffle(e: Emitter, inputs: list[Ref], transpose: list[int] | None = None) -> Ref:
        return e.one("Shuffle", inputs, first_transpose=transpose, reshape=None, second_transpose=None)

    def _transposed(self, e: Emitter, x: Ref, axes: list[int] | None) -> Ref:
        if axes is None:
            return x
        rank = e.rank(x)
        # TensorRT's Permutation is padded to the largest rank.
        axes = axes[:rank] if len(axes) == Dims.MAX_DIMS else axes
        return x if axes == list(range(rank)) else self._shuffle(e, [x], axes)

    def _resolved(self, before: list[Size], wanted: list[Size]) -> list[Size]:
        """The sizes with what 0 and -1 stand for."""
        placeholder = self.zero_is_placeholder is not False
        sizes = list(wanted)
        for k, size in enumerate(sizes):
            if size.static_value == 0 and placeholder:
                if k >= len(before):
                    raise ValueError(f"reshape_dims[{k}] keeps a size, and the tensor has {len(before)} axes")
                sizes[k] = before[k]
        left = [k for k, size in enumerate(sizes) if size.static_value == -1]
        if len(left) > 1:
            raise ValueError(f"reshape_dims {tuple(map(str, wanted))} leaves more than one size open")
        if left:
            sizes[left[0]] = Size(1)
            rest = _product(sizes)
            if rest.static_value == 0:
                raise ValueError("a size is left open where others are 0")
            sizes[left[0]] = _product(before) // rest
        return sizes


def _product(sizes: list[Size]) -> Size:
    product = Size(1)
    for size in sizes:
        product = product * size
    return product


class ISliceLayer(ILayer):
    """Every `stride`-th element from `start`, `shape` of them, along each axis.

    Inputs 1 to 4 replace start, shape, stride and the value that FILL mode reads outside.
    """

    _kind = LayerType.SLICE
    _optional_inputs = 5
    start = Attribute("First index, an entry an axis.", ints)
    shape = Attribute("Sizes of the output.", ints)
    stride = Attribute("Step, an entry an axis; 0 repeats.", ints)
    mode = Attribute("What is read outside the tensor. Default: nothing may be.", choice(SampleMode))
    axes = Attribute("The axes that start, shape and stride are for. Default: all.", ints)

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        given = [*inputs, *[None] * (6 - len(inputs))]
        axes = self.axes if given[5] is None else e.known(given[5], "the axes")  # input 5 replaces them
        fields: dict[str, list[int]] = {}
        tensors: list[Ref | None] = []
        for field, attribute, tensor in zip(
            ("start", "size", "stride"), (self.start, self.shape, self.stride), given[1:]
        ):
            sizes = e.info(tensor).value if tensor is not None else sizes_of(attribute)
            if axes is not None:
                if sizes is None:
                    raise ValueError(f"where axes are given, {field} must be sizes, not data")
                sizes, tensor = _spread(e.dims(given[0]), axes, field, sizes), None
            known = None if sizes is None else numbers_of(sizes)
            if known is not None:
                fields[field] = known
                tensors.append(None)
            else:
                fields[field] = []
                tensors.append(e.sizes(sizes) if tensor is None and sizes is not None else tensor)
        fill = given[4]
        if fill is not None:
            fill = e.like(fill, given[0])
        return e.layer("Slice", [given[0], *tensors, fill], mode=self.mode, **fields)


def _spread(dims: list[Size], axes: list[int], field: str, sizes: list[Size]) -> list[Size]:
    """Entries of a slice for some axes as entries for all."""
    full = {"start": [Size(0)] * len(dims), "size": list(dims), "stride": [Size(1)] * len(dims)}[field]
    for axis, size in zip(axes, sizes, strict=True):
        full[int(axis)] = size
    return full


class IConcatenationLayer(ILayer):
    """Tensors joined along an axis."""

    _kind = LayerType.CONCATENATION
    axis = Attribute("The axis. Default: the third from last, or the first.", int)

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        rank = e.rank(inputs[0])
        axis = third_from_last(rank) if self.axis is None else self.axis
        return e.layer("Concatenation", e.alike(*inputs), axis=axis % max(rank, 1))


class IPaddingLayer(ILayer):
    """Zeros around the last two axes; a negative number crops."""

    _kind = LayerType.PADDING
    pre_padding = Attribute("Before height and width.", ints)
    post_padding = Attribute("After height and width.", ints)
    pre_padding_nd = Attribute("`pre_padding` under its newer name.", ints)
    post_padding_nd = Attribute("`post_padding` under its newer name.", ints)

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        pre, post = self.pre_padding_nd or self.pre_padding, self.post_padding_nd or self.post_padding
        return e.layer("Padding", inputs, pre=[int(p) for p in pre], post=[int(p) for p in post])


class ISqueezeLayer(ILayer):
    """Without the axes of size 1 that input 1, a constant, names."""

    _kind = LayerType.SQUEEZE

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        x, axes = inputs
        dropped = {axis % e.rank(x) for axis in e.known(axes, "the axes")}
        return [e.reshape(x, [size for k, size in enumerate(e.dims(x)) if k not in dropped])]


class IUnsqueezeLayer(ILayer):
    """With axes of size 1 at the positions of the output that input 1, a constant, names."""

    _kind = LayerType.UNSQUEEZE

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        x, axes = inputs
        positions = e.known(axes, "the axes")
        rank = e.rank(x) + len(positions)
        sizes = list(e.dims(x))
        for axis in sorted(axis % rank for axis in positions):
            sizes.insert(axis, Size(1))
        return [e.reshape(x, sizes)]


class IFillLayer(ILayer):
    """A ramp `alpha + index * beta`, or random numbers. Inputs 0 to 2 replace shape, alpha and beta."""

    _kind = LayerType.FILL
    _optional_inputs = 2
    shape = Attribute("Sizes of the output.", ints)
    operation = Attribute("What is made.", choice(FillOperation))
    alpha = Attribute("Start of a ramp, least value, or mean. Default: 0.", lambda value: value)
    beta = Attribute("Step of a ramp, largest value, or deviation. Default: 1.", lambda value: value)
    to_type = Attribute("The type of the output. Default: float32, or that of input 1.", lambda value: value)

    def is_alpha_beta_int64(self) -> bool:
        """Whether alpha and beta are ints."""
        return isinstance(self.alpha, int) and isinstance(self.beta, int)

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        given = [*inputs, *[None] * (3 - len(inputs))]
        sizes = sizes_of(self.shape or []) if given[0] is None else e.info(given[0]).value
        dims = None if sizes is None else numbers_of(sizes)
        if dims is not None:
            given[0] = None
        elif given[0] is None and sizes is not None:
            given[0] = e.sizes(sizes)
        dtype = network_name(self.to_type) if given[1] is None else e.dtype(given[1])
        fields = {"op": self.operation, "dims": dims or [], "dtype": dtype}
        return e.layer("Fill", given, alpha=float(self.alpha), beta=float(self.beta), **fields)


class IAssertionLayer(ILayer):
    """Stops a run where an element of the condition is false."""

    _kind = LayerType.ASSERTION
    _outputs = 0
    _effect = True
    message = Attribute("The message of the error.", str)

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        return e.layer("Assertion", inputs, message=self.message)


class MoveLayers(Drafts):
    """How these layers are added to the drafts."""

    def add_constant(self, shape: Any, weights: Any) -> IConstantLayer:
        """A constant; `weights` is an array of any kind."""
        return self._add(IConstantLayer, "add_constant", values={"shape": shape, "weights": weights})

    def add_shape(self, input: ITensor) -> IShapeLayer:
        """The sizes of a tensor."""
        return self._add(IShapeLayer, "add_shape", input=input)

    def add_shuffle(self, input: ITensor) -> IShuffleLayer:
        """Transpose, reshape, transpose; set what is wanted."""
        return self._add(IShuffleLayer, "add_shuffle", input=input, values={"zero_is_placeholder": True})

    def add_slice(self, input: ITensor, start: Any, shape: Any, stride: Any) -> ISliceLayer:
        """A part of a tensor."""
        values = {"start": start, "shape": shape, "stride": stride, "mode": SampleMode.STRICT_BOUNDS}
        return self._add(ISliceLayer, "add_slice", input=input, values=values)

    def add_concatenation(self, inputs: Sequence[ITensor]) -> IConcatenationLayer:
        """Tensors joined along an axis; set `axis`."""
        return self._add_many(IConcatenationLayer, "add_concatenation", inputs, {})

    def add_padding_nd(self, input: ITensor, pre_padding: Any, post_padding: Any) -> IPaddingLayer:
        """Zeros around the last two axes."""
        values = {"pre_padding": pre_padding, "post_padding": post_padding}
        return self._add(IPaddingLayer, "add_padding_nd", input=input, values=values)

    add_padding = add_padding_nd

    def add_squeeze(self, input: ITensor, axes: ITensor) -> ISqueezeLayer:
        """Without axes of size 1."""
        return self._add(ISqueezeLayer, "add_squeeze", input=input, axes=axes)

    def add_unsqueeze(self, input: ITensor, axes: ITensor) -> IUnsqueezeLayer:
        """With more axes of size 1."""
        return self._add(IUnsqueezeLayer, "add_unsqueeze", input=input, axes=axes)

    def add_fill(self, shape: Any, op: Any, output_type: Any = DataType.FLOAT) -> IFillLayer:
        """A ramp, or random numbers."""
        values = {"shape": shape, "operation": op, "alpha": 0.0, "beta": 1.0, "to_type": output_type}
        return self._add(IFillLayer, "add_fill", values=values, optional=[None])

    def add_assertion(self, condition: ITensor, message: str) -> IAssertionLayer:
        """Stops a run where an element of the condition is false."""
        return self._add(IAssertionLayer, "add_assertion", condition=condition, values={"message": message})
