"""Layers that read, write or find elements by index or coordinate, and how they are added.

This file must not know how drafts become final.
"""

from __future__ import annotations

from typing import Any

from .drafts import Drafts
from .emit import Emitter, Ref
from .enums import BoundingBoxFormat, GatherMode, InterpolationMode, LayerType, SampleMode, ScatterMode
from .layer import Attribute, ILayer, ITensor, choice


class IGatherLayer(ILayer):
    """Elements by index: numpy.take, ONNX GatherElements or ONNX GatherND."""

    _kind = LayerType.GATHER
    axis = Attribute("The axis that is indexed. Default: 0.", int)
    mode = Attribute("Which of the three.", choice(GatherMode))
    num_elementwise_dims = Attribute("Leading axes that data and indices share. Default: 0.", int)

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        axis = self.axis % max(e.rank(inputs[0]), 1)
        return e.layer("Gather", inputs, mode=self.mode, axis=axis, elementwise_dims=self.num_elementwise_dims)


class IScatterLayer(ILayer):
    """Data with elements replaced by index: ONNX ScatterElements or ONNX ScatterND."""

    _kind = LayerType.SCATTER
    axis = Attribute("The axis that ELEMENT mode indexes. Default: 0.", int)
    mode = Attribute("Which of the two.", choice(ScatterMode))

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        data, indices, updates = inputs
        axis = self.axis % max(e.rank(data), 1)
        return e.layer("Scatter", [data, indices, e.like(updates, data)], mode=self.mode, axis=axis)


class IOneHotLayer(ILayer):
    """`values[1]` where the index is true, `values[0]` elsewhere, along a new axis of size `depth`."""

    _kind = LayerType.ONE_HOT
    axis = Attribute("Position of the new axis.", int)

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        return e.layer("OneHot", inputs, axis=self.axis % (e.rank(inputs[0]) + 1))


class INonZeroLayer(ILayer):
    """The indices of the elements that are not zero: [rank, count] int32."""

    _kind = LayerType.NON_ZERO

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        return e.layer("NonZero", inputs, count=f"found_by_{self._number}")


class INMSLayer(ILayer):
    """Non-maximum suppression. Outputs: [count, 3] int32 (batch, class, box), and the count.

    Inputs 3 and 4: IoU threshold and score threshold.
    """

    _kind = LayerType.NMS
    _outputs = 2
    _optional_inputs = 4
    bounding_box_format = Attribute("How a box is written. Default: corner pairs.", choice(BoundingBoxFormat))
    topk_box_limit = Attribute("Most boxes looked at for each batch and class. Default: 2000.", int)

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        fields = {"format": self.bounding_box_format, "topk_box_limit": self.topk_box_limit}
        return e.layer("Nms", inputs, count=f"found_by_{self._number}", **fields)


class IReverseSequenceLayer(ILayer):
    """Each sequence of a batch reversed up to its length."""

    _kind = LayerType.REVERSE_SEQUENCE
    batch_axis = Attribute("The axis of the batch. Default: 1.", int)
    sequence_axis = Attribute("The axis of the sequence. Default: 0.", int)

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        return e.layer("ReverseSequence", inputs, batch_axis=self.batch_axis, sequence_axis=self.sequence_axis)


class IGridSampleLayer(ILayer):
    """Values of [N, C, H, W] at the coordinates of a grid [N, H', W', 2]."""

    _kind = LayerType.GRID_SAMPLE
    interpolation_mode = Attribute("How values between elements are found. Default: linear.", choice(InterpolationMode))
    align_corners = Attribute("Whether -1 and 1 are the centres of the corner elements. Default: False.", bool)
    sample_mode = Attribute("What is read outside. Default: zeros.", choice(SampleMode))

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        fields = {"interpolation": self.interpolation_mode, "sample": self.sample_mode}
        return e.layer("GridSample", e.alike(*inputs), align_corners=self.align_corners, **fields)


class IndexLayers(Drafts):
    """How these layers are added to the drafts."""

    def add_gather(self, input: ITensor, indices: ITensor, axis: int) -> IGatherLayer:
        """Elements by index along an axis, as numpy.take."""
        values = {"mode": GatherMode.DEFAULT, "axis": axis, "num_elementwise_dims": 0}
        return self._add(IGatherLayer, "add_gather", input=input, indices=indices, values=values)

    def add_gather_v2(self, input: ITensor, indices: ITensor, mode: Any) -> IGatherLayer:
        """Elements by index, in one of three ways."""
        values = {"mode": mode, "axis": 0, "num_elementwise_dims": 0}
        return self._add(IGatherLayer, "add_gather_v2", input=input, indices=indices, values=values)

    def add_scatter(self, data: ITensor, indices: ITensor, updates: ITensor, mode: Any) -> IScatterLayer:
        """Data with elements replaced by index."""
        given = {"data": data, "indices": indices, "updates": updates}
        return self._add(IScatterLayer, "add_scatter", **given, values={"mode": mode, "axis": 0})

    def add_one_hot(self, indices: ITensor, values: ITensor, depth: ITensor, axis: int) -> IOneHotLayer:
        """One-hot vectors along a new axis."""
        tensors: list[ITensor | None] = [
            self._checked(t, "add_one_hot", n) for n, t in (("indices", indices), ("values", values), ("depth", depth))
        ]
        return IOneHotLayer(self, tensors, axis=axis)

    def add_non_zero(self, input: ITensor, indices_type: Any = None) -> INonZeroLayer:
        """The indices of the elements that are not zero."""
        return self._with_indices(self._add(INonZeroLayer, "add_non_zero", input=input), 0, indices_type)

    def add_nms(
        self, boxes: ITensor, scores: ITensor, max_output_boxes_per_class: ITensor, indices_type: Any = None
    ) -> INMSLayer:
        """Non-maximum suppression."""
        given = {"boxes": boxes, "scores": scores, "max_output_boxes_per_class": max_output_boxes_per_class}
        values = {"bounding_box_format": BoundingBoxFormat.CORNER_PAIRS, "topk_box_limit": 2000}
        return self._with_indices(self._add(INMSLayer, "add_nms", **given, values=values), 0, indices_type)

    def add_reverse_sequence(self, input: ITensor, sequence_lens: ITensor) -> IReverseSequenceLayer:
        """Each sequence of a batch reversed."""
        values = {"batch_axis": 1, "sequence_axis": 0}
        given = {"input": input, "sequence_lens": sequence_lens}
        return self._add(IReverseSequenceLayer, "add_reverse_sequence", **given, values=values)

    def add_grid_sample(self, input: ITensor, grid: ITensor) -> IGridSampleLayer:
        """Values at the coordinates of a grid."""
        values = {
            "interpolation_mode": InterpolationMode.LINEAR,
            "align_corners": False,
            "sample_mode": SampleMode.FILL,
        }
        return self._add(IGridSampleLayer, "add_grid_sample", input=input, grid=grid, values=values)
