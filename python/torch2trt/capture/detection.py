"""What torchvision's detection models decide by the number of boxes, expressed for any number of them.

Each function here computes what the one of torchvision that it replaces does, without a loop over boxes or a size that
only they decide. This file must not know what is captured.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812

Change = tuple[Any, str, Callable[[Callable[..., Any]], Callable[..., Any]]]
"""A module, the name of one of its functions, and what makes another of it."""


def changes() -> list[Change]:
    """What is replaced in the modules of torchvision that are loaded."""
    functions: dict[Callable[..., Any], tuple[str, ...]] = {
        batched_nms: ("torchvision.ops.boxes", "torchvision.ops"),
        _multiscale_roi_align: ("torchvision.ops.poolers",),
        maskrcnn_inference: ("torchvision.models.detection.roi_heads",),
        paste_masks_in_image: ("torchvision.models.detection.transform",),
    }
    return [
        (module, function.__name__, _always(function))
        for function, places in functions.items()
        for module in map(sys.modules.get, places)
        if hasattr(module, function.__name__)
    ]


def _always(function: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """What makes this function of any other."""
    return lambda _: function


def batched_nms(boxes: torch.Tensor, scores: torch.Tensor, idxs: torch.Tensor, iou_threshold: float) -> torch.Tensor:
    """Each category is moved to where it meets no other."""
    width = torch.cat([boxes.flatten(), boxes.new_zeros(1)]).max() + 1
    moved = boxes + (idxs.to(boxes) * width)[:, None]
    return torch.ops.torchvision.nms(moved, scores, iou_threshold)


def _multiscale_roi_align(
    x_filtered: list[torch.Tensor],
    boxes: list[torch.Tensor],
    output_size: list[int],
    sampling_ratio: int,
    scales: list[float],
    mapper: Callable[[list[torch.Tensor]], torch.Tensor],
) -> torch.Tensor:
    """Every box is cut out of every level, and its own level taken: how many boxes a level has is not asked."""
    poolers = sys.modules["torchvision.ops.poolers"]
    rois = poolers._convert_to_roi_format(boxes)
    aligned = [
        poolers.roi_align(features, rois, output_size=output_size, spatial_scale=scale, sampling_ratio=sampling_ratio)
        for features, scale in zip(x_filtered, scales)
    ]
    result = aligned[0]
    if len(aligned) > 1:
        levels = mapper(boxes)[:, None, None, None]
        for level, candidate in enumerate(aligned[1:], 1):
            result = torch.where(levels == level, candidate.to(result.dtype), result)
    return result


def maskrcnn_inference(x: torch.Tensor, labels: list[torch.Tensor]) -> tuple[torch.Tensor, ...]:
    """Each box's mask of its own class, split into images by slices: `split` wants numbers."""
    chosen = torch.cat(labels)[:, None, None, None].expand(-1, 1, x.shape[2], x.shape[3])
    masks = x.sigmoid().gather(1, chosen)
    if len(labels) == 1:
        return (masks,)
    split, start = [], 0
    for image in labels:
        split.append(masks[start : start + image.shape[0]])
        start += image.shape[0]
    return tuple(split)


def paste_masks_in_image(
    masks: torch.Tensor, boxes: torch.Tensor, img_shape: tuple[int, int], padding: int = 1
) -> torch.Tensor:
    """Bilinear interpolation is a product with a matrix on either side; the matrices place the mask, too."""
    size = masks.shape[-1]
    masks = F.pad(masks, (padding,) * 4)
    scale = (size + 2 * padding) / size
    low, high = boxes[:, :2], boxes[:, 2:]
    center, half = (low + high) * 0.5, (high - low) * 0.5 * scale
    low, high = (center - half).to(torch.int64), (center + half).to(torch.int64)
    rows = _placed(size + 2 * padding, low[:, 1], high[:, 1], img_shape[0])
    columns = _placed(size + 2 * padding, low[:, 0], high[:, 0], img_shape[1])
    return rows[:, None] @ masks @ columns[:, None].transpose(2, 3)


def _placed(size: int, first: torch.Tensor, last: torch.Tensor, length: int) -> torch.Tensor:
    """What each pixel of an axis of the image takes of each of the mask's, which covers pixels `first` to `last`."""
    pixel = torch.arange(length, device=first.device)
    count = (last - first + 1).clamp(min=1)
    offset = pixel - first[:, None]
    source = ((offset.to(torch.float32) + 0.5) * (size / count.to(torch.float32))[:, None] - 0.5).clamp(0, size - 1)
    share = 1 - (source[..., None] - torch.arange(size, device=first.device)).abs()
    inside = (offset >= 0) & (pixel <= last[:, None])
    return share.clamp(min=0) * inside[..., None]
