"""Values like those of the samples, but different: a comparison that does not depend on the samples.

A conversion that depends on the values of its samples (an input that was merged with another, a number that was read
out of a tensor) agrees with PyTorch on the samples and nowhere else. So it is compared on fresh values, too. They have
to be valid inputs of a model of which nothing is known: integers, which may be indices, lengths or masks, and floats
that hold infinities or whole numbers only move along one axis. Other floats become random mixtures of two rows of the
sample, which keeps what holds for both: the range, the order of a box's corners.

This file must not know models, engines or how anything is compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import torch

Drawing = Callable[[torch.Tensor, torch.Generator], torch.Tensor]


def proposals(samples: list[torch.Tensor], drawn: bool = True) -> Iterator[Callable[[int], list[torch.Tensor]]]:
    """Ways to fresh values for these samples, the boldest first; each later one keeps more of the samples.

    A way is a function of a seed. Without `drawn` values only move, so that they keep their magnitudes. There is none
    where the samples leave nothing to change.
    """
    floats: Drawing = _float if drawn else _moved
    seen: list[list[torch.Tensor]] = [samples]
    for changed, others in ((floats, _moved), (floats, _same), (_moved, _same)):
        way = partial(_drawn, samples, changed, others)
        made = way(0)
        if not any(all(map(_equal, made, before)) for before in seen):
            seen.append(made)
            yield way


def within(tensors: list[torch.Tensor], samples: list[torch.Tensor]) -> Iterator[list[torch.Tensor]]:
    """The same tensors with other integers, for sizes other than those of the samples.

    Integers that are sorted in a sample, such as the lengths of packed sequences, are sorted here. Integers may also be
    lengths or positions along an axis that is shorter here: they are at most its size, or its last position. Which axis
    they belong to is not known, so that every size that is smaller is proposed, the largest first.
    """
    tensors, given = [_in_order(*pair) for pair in zip(tensors, samples)], tensors
    if not all(map(_equal, tensors, given)):
        yield tensors
    pairs = [pair for tensor, sample in zip(tensors, samples) for pair in zip(tensor.shape, sample.shape)]
    bounds = {bound for size, given in pairs if size < given for bound in (size, size - 1) if bound >= 0}
    for bound in sorted(bounds, reverse=True):
        made = [tensor if _is_no_integer(tensor) else tensor.clamp(max=bound) for tensor in tensors]
        if not all(map(_equal, made, tensors)):
            yield made


def _in_order(tensor: torch.Tensor, sample: torch.Tensor) -> torch.Tensor:
    """The tensor, sorted if it holds integers along one axis that are sorted in the sample."""
    if tensor.dim() != 1 or _is_no_integer(tensor):
        return tensor
    for descending in (True, False):
        if _equal(sample, sample.sort(descending=descending).values):
            return tensor.sort(descending=descending).values
    return tensor


def _is_no_integer(tensor: torch.Tensor) -> bool:
    return tensor.dtype == torch.bool or tensor.is_floating_point() or tensor.is_complex()


def _drawn(samples: list[torch.Tensor], floats: Drawing, others: Drawing, seed: int) -> list[torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return [_like(sample, floats, others, draw) for sample in samples]


def _like(sample: torch.Tensor, floats: Drawing, others: Drawing, draw: torch.Generator) -> torch.Tensor:
    """Fresh values for one sample, on its device."""
    if not sample.numel() or sample.is_meta or (sample.is_floating_point() and sample.dtype.itemsize == 1):
        return sample  # floats of eight bits cannot be compared in PyTorch
    if sample.dtype == torch.bool:
        made = (_bool if others is _moved else others)(sample, draw)
    else:
        made = (floats if sample.is_floating_point() else others)(sample, draw)
    return made.to(dtype=sample.dtype)


def _same(sample: torch.Tensor, _: torch.Generator) -> torch.Tensor:
    return sample


def _float(sample: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """Mixtures of the sample's own rows, moved towards its smallest value, so that sums and means change as well;
    sorted where the sample is. A constant c gets values between c / 2 and c, zeros get values up to 1.
    """
    values = sample.double()
    if not bool(values.isfinite().all()):
        return _moved(sample, draw)
    low, high = values.min().item(), values.max().item()
    if low == high:
        low, high = sorted((low / 2, high)) if low else (0.0, 1.0)
        return low + (high - low) * torch.rand(sample.shape, generator=draw, dtype=torch.float64).to(sample.device)
    if bool((values == values.round()).all()):
        return _moved(sample, draw)
    axis = next(axis for axis in range(sample.dim()) if not _is_constant(sample, axis))
    size = sample.shape[axis]
    other = values.roll(int(torch.randint(1, size, (), generator=draw)), axis)
    share = torch.rand(size, generator=draw, dtype=torch.float64).to(sample.device)
    share = share.reshape(-1, *[1] * (sample.dim() - axis - 1))
    nearer = 0.5 + 0.4 * torch.rand((), generator=draw).item()
    made = low + nearer * (share * values + (1 - share) * other - low)
    return made.sort(-1).values if _is_sorted(sample) else made


def _bool(sample: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """Moved; a constant is drawn, but for the first of each row: a mask that leaves nothing has no meaning."""
    first = sample.flatten()[0]
    if not bool((sample == first).all()):
        return _moved(sample, draw)
    made = torch.rand(sample.shape, generator=draw).to(sample.device) < 0.5
    if made.dim():
        made[..., :1] = first
    return made


def _moved(sample: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """The sample's own values in another order along its longest axis along which they differ.

    Rows move as a whole, so that columns of different meaning keep their values. On a GPU, where an index that is out
    of range ends the process, only the first axis is taken. Sorted values stay: they are offsets, or boundaries.
    """
    axes = range(min(sample.dim(), 1) if sample.is_cuda else sample.dim())
    varied = [axis for axis in axes if not _is_constant(sample, axis)]
    if not varied or _is_sorted(sample):
        return sample
    axis = max(varied, key=lambda axis: sample.shape[axis])
    order = torch.randperm(sample.shape[axis], generator=draw).to(sample.device)
    made = sample.index_select(axis, order)
    return made if not _equal(made, sample) else sample.roll(1, axis)


def _is_constant(sample: torch.Tensor, axis: int) -> bool:
    first = sample.narrow(axis, 0, 1)
    return bool(((sample == first) | ((sample != sample) & (first != first))).all())


def _is_sorted(sample: torch.Tensor) -> bool:
    """Whether three values or more rise along the last axis."""
    if sample.dim() == 0 or sample.shape[-1] < 3 or sample.dtype == torch.bool or sample.is_complex():
        return False
    rises = sample[..., 1:] >= sample[..., :-1]
    return bool(rises.all()) and not _is_constant(sample, sample.dim() - 1)


def _equal(left: torch.Tensor, right: torch.Tensor) -> bool:
    return left is right or bool(((left == right) | ((left != left) & (right != right))).all())


__all__ = ["proposals", "within"]
