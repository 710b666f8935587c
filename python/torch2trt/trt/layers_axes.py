"""Layers that contract axes or work along them, and how they are added.

| class | network layers |
|---|---|
| IMatrixMultiplyLayer, IEinsumLayer, IReduceLayer, ISoftMaxLayer, IRaggedSoftMaxLayer, ITopKLayer | the same |
| ICumulativeLayer, INormalizationLayer, ILRNLayer | the same |
| IFullyConnectedLayer (TensorRT 8) | Shuffle, MatrixMultiply, ElementWise |

This file must not know how drafts become final.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._core import Size
from .drafts import Drafts
from .emit import Emitter, Ref
from .enums import (
    CumulativeOperation,
    ElementWiseOperation,
    LayerType,
    MatrixOperation,
    ReduceOperation,
    TopKOperation,
)
from .layer import Attribute, ILayer, ITensor, WeightsAttribute, choice, note


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
    """Softmax over the first elements of each row, as many as in `bounds`."""

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
    compute_precision = Attribute("TensorRT 11 has none: the types of the inputs decide.")

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


class AxesLayers(Drafts):
    """How these layers are added to the drafts."""

    def add_matrix_multiply(self, input0: ITensor, op0: Any, input1: ITensor, op1: Any) -> IMatrixMultiplyLayer:
        """The product of the last two axes."""
        values = {"op0": op0, "op1": op1}
        return self._add(IMatrixMultiplyLayer, "add_matrix_multiply", input0=input0, input1=input1, values=values)

    def add_fully_connected(
        self, input: ITensor, num_outputs: int, kernel: Any, bias: Any = None
    ) -> IFullyConnectedLayer:
        """TensorRT 8's fully connected layer: `input` has three axes after the batch's, the output two of size 1."""
        values = {"num_output_channels": num_outputs, "kernel": kernel, "bias": bias}
        return self._add(IFullyConnectedLayer, "add_fully_connected", input=input, values=values)

    def add_einsum(self, inputs: Sequence[ITensor], equation: str) -> IEinsumLayer:
        """Einstein summation."""
        return self._add_many(IEinsumLayer, "add_einsum", inputs, {"equation": equation})

    def add_reduce(self, input: ITensor, op: Any, axes: int, keep_dims: bool) -> IReduceLayer:
        """Joins the elements along the axes of a bit mask."""
        values = {"op": op, "axes": axes, "keep_dims": keep_dims}
        return self._add(IReduceLayer, "add_reduce", input=input, values=values)

    def add_softmax(self, input: ITensor) -> ISoftMaxLayer:
        """Softmax along one axis; set `axes`."""
        return self._add(ISoftMaxLayer, "add_softmax", input=input)

    def add_ragged_softmax(self, input: ITensor, bounds: ITensor) -> IRaggedSoftMaxLayer:
        """Softmax over the first elements of each row."""
        return self._add(IRaggedSoftMaxLayer, "add_ragged_softmax", input=input, bounds=bounds)

    def add_topk(self, input: ITensor, op: Any, k: int, axes: int, indices_type: Any = None) -> ITopKLayer:
        """The k largest or smallest elements along an axis."""
        layer = self._add(ITopKLayer, "add_topk", input=input, values={"op": op, "k": k, "axes": axes})
        return self._with_indices(layer, 1, indices_type)

    def add_cumulative(
        self,
        input: ITensor,
        axis: ITensor,
        op: Any = CumulativeOperation.SUM,
        exclusive: bool = False,
        reverse: bool = False,
    ) -> ICumulativeLayer:
        """A running sum along the axis that a constant names."""
        values = {"op": op, "exclusive": exclusive, "reverse": reverse}
        return self._add(ICumulativeLayer, "add_cumulative", input=input, axis=axis, values=values)

    def add_normalization(
        self,
        input: ITensor,
        scale: ITensor,
        bias: ITensor,
        axesMask: int,  # noqa: N803  TensorRT's name
    ) -> INormalizationLayer:
        """Normalizes over the axes of a bit mask."""
        values = {"axes": axesMask, "epsilon": 1e-5, "num_groups": 1}
        given = {"input": input, "scale": scale, "bias": bias}
        return self._add(INormalizationLayer, "add_normalization", **given, values=values)

    add_normalization_v2 = add_normalization

    def add_lrn(self, input: ITensor, window: int, alpha: float, beta: float, k: float) -> ILRNLayer:
        """Local response normalization."""
        values = {"window_size": window, "alpha": alpha, "beta": beta, "k": k}
        return self._add(ILRNLayer, "add_lrn", input=input, values=values)
