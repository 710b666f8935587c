"""Models that return numbers only, and ranges whose smallest sizes the model does not accept."""

from __future__ import annotations

import ast
import re

import pytest
import replay  # noqa: F401  (finds torch2trt)
import torch
import torch.nn.functional as F
from operators import Function

from torch2trt import Error, load, torch2trt


def convert(function, *inputs, **options):
    return torch2trt(Function(function), list(inputs), backend="cpu", progress=False, log_level=40, **options)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.numel(),
        lambda x: x.shape[0] * 2 - 9,
        lambda x: (x.shape[0], x.shape[1] > 3),
        lambda x: not x.shape[0] > 5,
        lambda x: {"ratio": x.shape[0] / x.shape[1], "none": None},
    ],
)
@pytest.mark.parametrize("options", [{}, {"min_shapes": [(2, 3)], "max_shapes": [(4, 9)]}], ids=["static", "dynamic"])
def test_numbers_only(function, options, tmp_path):
    x = torch.randn(3, 4)
    converted = convert(function, x, **options)
    assert converted(x) == function(x)
    converted.save(tmp_path / "numbers.engine")
    assert load(tmp_path / "numbers.engine")(x) == function(x)
    if options:
        other = torch.randn(4, 7)
        assert converted(other) == function(other)


def test_no_tensor_and_no_number():
    with pytest.raises(Error, match="no tensor and no number") as raised:
        convert(lambda x: (None, "text"), torch.randn(3))
    assert raised.value.code == "E0601"


@pytest.mark.parametrize(
    ("function", "sample", "low", "high", "works"),
    [
        (lambda x: x[1] * 2, (5, 3), (1, 3), (9, 3), (2, 3)),
        (lambda x: F.interpolate(x, scale_factor=0.3), (2, 3, 9), (1, 3, 1), (2, 3, 12), (1, 3, 4)),
        (lambda x: F.pad(x, (1, 0), mode="reflect"), (2, 3, 9), (1, 3, 1), (2, 3, 12), (1, 3, 2)),
    ],
)
def test_help_has_the_smallest_sizes_that_run(function, sample, low, high, works):
    with pytest.raises(Error) as raised:
        convert(function, torch.randn(sample), min_shapes=[low], max_shapes=[high])
    assert raised.value.code == "E0307"
    text = str(raised.value)
    shapes = ast.literal_eval(re.search(r"it runs with min_shapes=(.*)$", text, re.MULTILINE)[1])
    assert list(shapes.values()) == [works], text
    converted = convert(function, torch.randn(sample), min_shapes=shapes, max_shapes=[high])
    for shape in (works, high):
        x = torch.randn(shape)
        torch.testing.assert_close(converted(x), function(x), rtol=1e-4, atol=1e-5)
