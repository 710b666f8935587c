"""Subscripts and `narrow` at positions that tensors hold: `x[:, i]`, `y[:, i : i + 2] = v`, `x.narrow(0, i, 2)`.

PyTorch reads the number out of the 0-D tensor inside such a call, and what torch.export does with it depends on the
version, from a symbolic number to an error. While a model is captured, a subscript with such a position is a sequence
of views (select, slice, unsqueeze) at numbers that are read explicitly, so that a write in place through a subscript
(`x[i].add_(1)`) remains a write to the tensor. An assignment to a subscript selects by masks, which needs no number.
`slices.py` has the sizes of slices between such bounds, where PyTorch does not infer them.

This file must not know how the numbers are recorded; `numbers.py` does that.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import torch

from .detection import Change
from .symbols import is_unbacked

_aten = torch.ops.aten
_FOLLOWS_SIGNS = tuple(int(part) for part in torch.__version__.split(".")[:2]) >= (2, 11)
"""Whether torch.export takes numbers of unknown sign for the positions of views."""

_INTEGERS = (torch.int8, torch.int16, torch.int32, torch.int64)
_MASKS = (torch.bool, torch.uint8)


def changes() -> list[Change]:
    """Replacements of the subscripts of tensors, of `narrow` and of `select`."""
    selects: list[Change] = [(torch.Tensor, "select", _selecting), (torch, "select", _selecting)]
    return [
        *([] if _FOLLOWS_SIGNS else selects),
        (torch.Tensor, "__getitem__", _reading),
        (torch.Tensor, "__setitem__", _writing),
        (torch.Tensor, "narrow", _narrowing),
        (torch, "narrow", _narrowing),
    ]


def _reading(original: Callable[..., Any]) -> Callable[..., Any]:
    def __getitem__(x: torch.Tensor, index: Any) -> Any:  # noqa: N807
        entries = _entries(x, index)
        if entries is None:
            return original(x, index)
        view, rest = _view(x, entries)
        return original(view, rest) if rest else view

    return __getitem__


def _writing(original: Callable[..., Any]) -> Callable[..., Any]:
    def __setitem__(x: torch.Tensor, index: Any, value: Any) -> None:  # noqa: N807
        entries = _entries(x, index)
        if entries is None:
            original(x, index, value)
            return
        if not any(map(_moves, entries)):
            original(x, tuple(entries), value)
        elif any(isinstance(entry, (list, torch.Tensor)) and not _is_position(entry) for entry in entries):
            original(*_view(x, entries), value)
        else:
            _write(x, entries, value)

    return __setitem__


def _narrowing(original: Callable[..., Any]) -> Callable[..., Any]:
    def narrow(input: torch.Tensor, dim: int, start: Any, length: Any) -> torch.Tensor:
        length = _number(length)
        if not _FOLLOWS_SIGNS and _is_read(start):
            start = _index(start, input.shape[dim], length)
        return original(input, dim, _number(start), length)

    return narrow


def _selecting(original: Callable[..., Any]) -> Callable[..., Any]:
    def select(input: torch.Tensor, dim: Any, index: Any) -> torch.Tensor:
        return original(input, dim, _index(index, input.shape[dim]) if type(dim) is int else index)

    return select


def _entries(x: torch.Tensor, index: Any) -> list[Any] | None:
    """The entries of a subscript, with slices for an ellipsis. None for a subscript without positions that tensors
    hold, or with entries of other kinds.
    """
    entries = list(index) if isinstance(index, tuple) else [index]
    if not any(map(_moves, entries)) or not all(map(_is_read_here, entries)):
        return None
    entries = [_known(entry) for entry in entries]
    used = sum(entry.dim() if _is_mask(entry) else entry is not None for entry in entries if entry is not Ellipsis)
    whole = itertools.repeat(slice(None), max(x.dim() - used, 0))
    return [part for entry in entries for part in (whole if entry is Ellipsis else (entry,))]


def _known(entry: Any) -> Any:
    """An entry with numbers for positions that no input decides: `for i in torch.arange(3): y[i] = 0`."""
    if isinstance(entry, slice):
        return slice(*map(_known, (entry.start, entry.stop, entry.step)))
    if not isinstance(entry, torch.Tensor) or entry.numel() != 1 or not _is_position(entry.reshape(())):
        return entry
    number = entry.item()
    return number if type(number) is int else entry


def _moves(entry: Any) -> bool:
    """Whether an entry is a position that a tensor holds, or a slice with such a bound."""
    if isinstance(entry, slice):
        return any(map(_is_read, (entry.start, entry.stop, entry.step)))
    return _is_position(entry)


def _is_position(entry: Any) -> bool:
    if isinstance(entry, torch.Tensor):
        wrapped = torch._C._functorch.is_functorch_wrapped_tensor(entry)
        return entry.dim() == 0 and entry.dtype in _INTEGERS and not wrapped
    return isinstance(entry, torch.SymInt)


def _is_read(bound: Any) -> bool:
    """Whether a tensor holds the number, or it was read out of one."""
    if isinstance(bound, torch.Tensor):
        return not torch._C._functorch.is_functorch_wrapped_tensor(bound)
    return isinstance(bound, torch.SymInt) and any(map(is_unbacked, bound.node.expr.free_symbols))


def _is_mask(entry: Any) -> bool:
    return isinstance(entry, torch.Tensor) and entry.dtype in _MASKS


def _is_read_here(entry: Any) -> bool:
    if isinstance(entry, bool) or (_is_mask(entry) and not entry.dim()):  # these add an axis
        return False
    return entry is None or entry is Ellipsis or isinstance(entry, (int, slice, torch.Tensor, torch.SymInt, list))


def _view(x: torch.Tensor, entries: list[Any]) -> tuple[torch.Tensor, tuple[Any, ...]]:
    """The view at the positions and slices of a subscript, and the subscript by tensors that remains for it."""
    rest: list[Any] = []
    dim = covered = 0  # axes that are done, and those of them that `rest` has entries for
    for entry in entries:
        if isinstance(entry, int) or _is_position(entry):
            x = _aten.select.int(x, dim, _index(entry, x.shape[dim]))
        elif entry is None:
            x = x.unsqueeze(dim)
            dim += 1
        elif isinstance(entry, slice):
            x = _slice(x, dim, entry)
            dim += 1
        else:
            rest += [*itertools.repeat(slice(None), dim - covered), entry]
            dim += entry.dim() if _is_mask(entry) else 1
            covered = dim
    return x, tuple(rest)


def _slice(x: torch.Tensor, dim: int, entry: slice) -> torch.Tensor:
    if entry.start is None and entry.stop is None and entry.step is None:
        return x
    step = 1 if entry.step is None else _number(entry.step)
    return _aten.slice.Tensor(x, dim, _number(entry.start), _number(entry.stop), step)


def _index(position: Any, size: Any, length: Any = 1) -> Any:
    """The position of `length` elements as a number. Where PyTorch asks for its sign and its limit, it counts from the
    start, and leaves room for these elements.
    """
    if _FOLLOWS_SIGNS or not _is_read(position):
        return _number(position)
    number = _from_start(position, size).item()
    torch._check(number >= 0)
    torch._check(number + length <= size)
    return number


def _number(position: Any) -> Any:
    return position.item() if isinstance(position, torch.Tensor) else position


def _write(x: torch.Tensor, entries: list[Any], value: Any) -> None:
    """Writes a value at positions and between bounds that tensors hold: the elements there are selected by a mask.

    No number is read for it, and no size depends on one. Entries without such positions make a view first.
    """
    moving, still, axis = {}, [], 0
    for entry in entries:
        if _moves(entry):
            moving[axis] = entry
        still.append(slice(None) if _moves(entry) else entry)
        axis += not isinstance(still[-1], int)
    x = x[tuple(still)]
    mask = torch.ones((), dtype=torch.bool, device=x.device)
    value = _spread(x, moving, value)
    for axis, entry in moving.items():
        size = x.shape[axis]
        each = torch.arange(size, device=x.device)
        if not isinstance(entry, slice):
            hit = each == _from_start(entry, size)
        else:
            step = 1 if entry.step is None else entry.step
            start, stop = _bound(entry.start, 0, size), _bound(entry.stop, size, size)
            hit = (each >= start) & (each < stop)
            distance = each - start
            if type(step) is not int or step != 1:
                hit = hit & (distance % step == 0)
                distance = torch.div(distance, step, rounding_mode="floor")
            length = value.shape[axis]
            if type(length) is int and length == 0:
                return
            if _is_read(length):  # it may be 0, and there has to be an element to read
                value = torch.cat([value, value.new_zeros([*value.shape[:axis], 1, *value.shape[axis + 1 :]])], axis)
            if type(length) is not int or length != 1:
                value = value.index_select(axis, distance.clamp(0, length - 1))
        mask = mask & hit.reshape([-1] + [1] * (x.dim() - axis - 1))
    x.copy_(torch.where(mask, value, x))


def _spread(x: torch.Tensor, moving: dict[int, Any], value: Any) -> torch.Tensor:
    """A value to be written, with an axis of size 1 for each axis of `x` that has one position written."""
    if not isinstance(value, torch.Tensor):
        return torch.full([1] * x.dim(), value, dtype=x.dtype, device=x.device)
    taken = [axis for axis, entry in moving.items() if not isinstance(entry, slice)]
    rank = x.dim() - len(taken)
    while value.dim() > rank and value.shape[0] == 1:
        value = value.squeeze(0)
    value = value.to(x.device, x.dtype)
    value = value.reshape([1] * (rank - value.dim()) + list(value.shape))
    for axis in taken:
        value = value.unsqueeze(axis)
    return value


def _from_start(position: Any, size: Any) -> torch.Tensor:
    """A position that is negative counts from the end."""
    if isinstance(position, torch.Tensor):
        position = position.to(torch.int64).reshape(())
    else:
        position = torch.full((), position, dtype=torch.int64)
    return torch.where(position < 0, position + size, position)


def _bound(bound: Any, default: Any, size: Any) -> Any:
    return default if bound is None else _from_start(bound, size).clamp(0, size)


__all__ = ["changes"]
