"""Models that remember sizes of earlier calls: captured as if they remembered others, equal to PyTorch everywhere."""

import functools
import os
import random

import pytest
import torch
from torch import nn
from torch.export import Dim

from torch2trt import Error, torch2trt
from torch2trt.verify import difference

CASES = int(os.environ.get("TORCH2TRT_TEST_CASES", "1"))


def grid(height, width):
    """A value for every place, [height * width, 1]."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return (x * 0.5 + y * 2.0).reshape(-1, 1) / 7


class Remembers(nn.Module):
    """Scales places by a grid of their own, [B, C, H, W] → [B, H*W, 4]."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, x):
        y = self.conv(x)
        return y.flatten(2).transpose(1, 2) * self.grid(y)


class ByShape(Remembers):
    """Ultralytics' head: the shape of the features, class attributes before the first call."""

    shape = None
    anchors = torch.empty(0)

    def grid(self, y):
        shape = y.shape
        if self.shape != shape:
            self.anchors = grid(y.shape[2], y.shape[3])
            self.shape = shape
        return self.anchors


class ByNumbers(Remembers):
    def __init__(self):
        super().__init__()
        self.batch = self.height = self.width = -1
        self.anchors = None

    def grid(self, y):
        if self.batch != y.shape[0] or self.height != y.shape[2] or self.width != y.shape[3]:
            self.batch, self.height, self.width = y.shape[0], y.shape[2], y.shape[3]
            self.anchors = grid(self.height, self.width)
        return self.anchors


class ByTensor(Remembers):
    def __init__(self):
        super().__init__()
        self.anchors = None

    def grid(self, y):
        if self.anchors is None or self.anchors.shape[:2] != (y.shape[0], y.shape[2] * y.shape[3]):
            self.anchors = grid(y.shape[2], y.shape[3]).expand(y.shape[0], -1, -1)
        return self.anchors


class ByBuffer(Remembers):
    def __init__(self):
        super().__init__()
        self.register_buffer("anchors", torch.zeros(1, 1, 1), persistent=False)

    def grid(self, y):
        if self.anchors.shape[0] != y.shape[0] or self.anchors.shape[1] != y.shape[2] * y.shape[3]:
            self.anchors = grid(y.shape[2], y.shape[3]).expand(y.shape[0], -1, -1)
        return self.anchors


class InDict(Remembers):
    def __init__(self):
        super().__init__()
        self.cache = {}

    def grid(self, y):
        key = (y.shape[0], y.shape[2], y.shape[3])
        if key not in self.cache:
            self.cache[key] = grid(y.shape[2], y.shape[3])
        return self.cache[key]


GRIDS = {}


class InGlobalDict(Remembers):
    def grid(self, y):
        if y.shape[2:] not in GRIDS:
            GRIDS[y.shape[2:]] = grid(y.shape[2], y.shape[3])
        return GRIDS[y.shape[2:]]


@functools.lru_cache(maxsize=8)
def cached_grid(height, width):
    return grid(height, width)


class InFunctionCache(Remembers):
    def grid(self, y):
        return cached_grid(y.shape[2], y.shape[3])


class InMethodCache(Remembers):
    @functools.lru_cache(maxsize=8)  # noqa: B019
    def cached(self, height, width):
        return grid(height, width)

    def grid(self, y):
        return self.cached(y.shape[2], y.shape[3])


class Grows(Remembers):
    """Rotary embeddings of old: as many positions as the longest call had."""

    def __init__(self):
        super().__init__()
        self.longest = 0
        self.positions = None

    def grid(self, y):
        length = y.shape[2] * y.shape[3]
        if length > self.longest:
            self.longest = length
            self.positions = torch.arange(length)[:, None] / 7
        return self.positions[:length]


KINDS = [ByShape, ByNumbers, ByTensor, ByBuffer, InDict, InGlobalDict, InFunctionCache, InMethodCache, Grows]


def states(module):
    return {
        name: (type(value), str(value))
        for name, value in vars(module).items()
        if name not in ("_modules", "_parameters")
    }


def convert(module, shape, **options):
    return torch2trt(module, [torch.randn(shape)], backend="cpu", progress=False, log_level=40, **options)


def agrees(module, model_trt, shape):
    x = torch.randn(shape)
    with torch.no_grad():
        assert difference(module(x), model_trt(x)) <= 1e-4


@pytest.mark.parametrize("kind", KINDS, ids=[kind.__name__ for kind in KINDS])
def test_remembered_sizes_do_not_fix_the_model(kind):
    draw = random.Random(kind.__name__)
    for case in range(CASES):
        dynamic = (case + KINDS.index(kind)) % 2 == 0
        low, high = (
            (1, 3, 3, 3),
            (draw.randint(2, 5), 3, *((draw.randint(6, 9), draw.randint(6, 9)) if dynamic else (3, 3))),
        )

        def drawn():
            return tuple(draw.randint(*ends) for ends in zip(low, high))

        module, sample = kind().eval(), drawn()
        # Of the sample's size, as it is exported (at least 2), or of any other.
        remembered = draw.choice([drawn(), high, tuple(max(size, 2) for size in sample)])
        with torch.no_grad():
            module(torch.randn(remembered))
        before = states(module)
        model_trt = convert(module, sample, min_shapes=[low], max_shapes=[high])
        assert states(module) == before
        for shape in (low, high, sample, remembered, drawn(), drawn()):
            agrees(module, model_trt, shape)


CACHES = [InDict, InGlobalDict, InFunctionCache, InMethodCache]


@pytest.mark.parametrize("kind", CACHES, ids=[kind.__name__ for kind in CACHES])
def test_a_capture_leaves_nothing_in_caches(kind):
    module = kind().eval()
    model_trt = convert(module, (2, 3, 4, 5))
    agrees(module, model_trt, (2, 3, 4, 5))
    with torch.no_grad():
        assert type(module(torch.randn(2, 3, 4, 5))) is torch.Tensor


def test_dims_of_the_caller():
    module = ByShape().eval()
    with torch.no_grad():
        module(torch.randn(2, 3, 4, 4))
    model_trt = convert(
        module, (2, 3, 4, 4), dynamic_shapes={"x": {0: Dim("batch", min=1, max=6), 2: Dim("height", min=3, max=9)}}
    )
    for shape in [(1, 3, 3, 4), (6, 3, 9, 4), (2, 3, 4, 4)]:
        agrees(module, model_trt, shape)


class CountsRows(nn.Module):
    def __init__(self):
        super().__init__()
        self.rows = nn.Parameter(torch.randn(1, 4, 5))

    def forward(self, x):
        rows = self.rows.repeat(len(x), 1, 1)
        return torch.cat([x, rows], 1).reshape(len(x) * (len(x[0]) + len(self.rows[0])), len(x[0, 0]))


def test_len_is_a_size():
    module = CountsRows().eval()
    model_trt = convert(module, (2, 3, 5), min_shapes=[(1, 2, 5)], max_shapes=[(5, 6, 5)])
    for shape in [(1, 2, 5), (5, 6, 5), (3, 4, 5)]:
        agrees(module, model_trt, shape)
    assert len is __builtins__["len"] if isinstance(__builtins__, dict) else len is __builtins__.len


class Fixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, x):
        y = self.conv(x)
        return y.view(1, 3, 16) + 1


def test_a_batch_that_a_line_fixes():
    with pytest.raises(Error) as raised:
        convert(Fixed().eval(), (1, 3, 4, 4), max_batch_size=4)
    text = str(raised.value)
    assert raised.value.code == "E0307", text
    line = Fixed.forward.__code__.co_firstlineno + 2
    for part in (
        f"test_remembered.py:{line} in forward",
        "[1, 3, 4, 4]",
        "[2, 3, 4, 4]",
        "axis 0 of `x` at 1",
        "x.view(x.shape[0]",
    ):
        assert part in text, text
    module = Fixed().eval()
    agrees(module, convert(module, (1, 3, 4, 4)), (1, 3, 4, 4))


def test_a_model_that_fails_as_given_is_reported():
    with pytest.raises(Error, match="the model itself fails") as raised:
        convert(Fixed().eval(), (1, 3, 5, 4), max_batch_size=4)
    assert raised.value.code == "E0601"
