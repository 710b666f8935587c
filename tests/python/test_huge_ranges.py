"""Ranges too large to run: compared at sizes that fit in memory, or rejected with the largest maximum that works."""

from __future__ import annotations

import math
import os
import random
import re
import resource

import pytest
import replay  # noqa: F401  (finds torch2trt)
import torch
from torch import nn

from torch2trt import Error, torch2trt
from torch2trt.capture import capture
from torch2trt.dynamic import Ranges, ShapeOptions, profiles_from
from torch2trt.footprint import Footprint, check_ranges, cut
from torch2trt.verify import difference

CASES = 4 * int(os.environ.get("TORCH2TRT_TEST_CASES", "1"))


def small():
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 3), nn.Flatten(1, 2)).eval()


@pytest.mark.parametrize("largest", [10**6, 10**9])
def test_compares_at_the_largest_batch_that_fits(largest):
    model, before = small(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    made = torch2trt(model, [torch.randn(2, 3, 8, 8)], max_batch_size=largest, backend="cpu")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 3 * 2**20  # KiB
    (reason,) = [why for what, why in made.report.skipped.items() if what.startswith("sizes above")]
    assert f"[{largest}, 3, 8, 8] needs about" in reason
    assert any("largest compared" in name for name in made.report.difference)
    x = torch.randn(random.Random().randint(3, 99), 3, 8, 8)
    assert difference(model(x), made(x)) < 1e-4


def test_rejects_ranges_that_no_tensor_can_hold():
    x = torch.randn(2, 3, 8, 8)
    with pytest.raises(Error, match=r"E0307.*axis 0 of `input` 1\.\.1000000000") as refused:
        torch2trt(small(), [x], max_batch_size=10**9, backend="tensorrt", target="sm_89")
    assert "largest maximum that works is 4194303 for axis 0 of `input`" in str(refused.value)
    with pytest.raises(Error, match="E0307"):
        torch2trt(small(), [x], max_batch_size=10**20, backend="cpu")


class Decides(nn.Module):
    def forward(self, x):
        return x * 2 if x.shape[0] // 10**8 % 2 == 0 else x * 3


def test_reports_a_decision_at_sizes_that_do_not_fit():
    made = torch2trt(Decides(), [torch.randn(2, 3000)], max_batch_size=10**9, backend="cpu")
    assert any("decided otherwise" in what for what in made.report.skipped)


class Multiples(nn.Module):
    def forward(self, x):
        return x.view(x.shape[0], -1, 4, x.shape[2]).sum(2)


def test_keeps_sizes_multiples_of_what_a_model_requires():
    sample = torch.randn(1, 64, 8)
    made = torch2trt(Multiples(), [sample], max_shapes=[(1, 4 * 10**8, 8)], min_shapes=[(1, 4, 8)], backend="cpu")
    assert not any("largest compared" in what for what in made.report.skipped)


def drawn(draw):
    """A model with a random chain of operators, and a range with one huge axis or two."""
    parts = [nn.Conv1d(3, draw.randint(2, 40), 3, padding=1)]
    parts += draw.sample([nn.ReLU(), nn.Upsample(scale_factor=draw.randint(2, 4)), nn.AvgPool1d(2), nn.Sigmoid()], 3)
    parts += draw.choice([[], [nn.Flatten(1)]])
    shape = (draw.choice([1, 10**7, 10**9]), 3, draw.choice([32, 10**5, 10**8]))
    return nn.Sequential(*parts).eval(), shape


def test_limits_are_exact_over_random_models():
    seed = random.randrange(2**32)
    print("seed", seed)
    draw = random.Random(seed)
    for _ in range(CASES):
        model, largest = drawn(draw)
        sample = torch.randn(2, 3, 16)
        captured = capture(model, (sample,), dynamic_shapes=({0: torch.export.Dim.AUTO, 2: torch.export.Dim.AUTO},))
        (profile,) = profiles_from(["input"], [(1, 3, 16)], ShapeOptions([(1, 3, 16)], None, [largest]))
        footprint, small = Footprint(captured.program), [(3, 3, 34)]

        def count(shapes):
            return max(math.prod(shape) for _, shape, _ in footprint.tensors(shapes))

        with torch.no_grad():  # the sizes are those of the model
            result = model(torch.randn(small[0]))
        assert [tuple(shape) for _, shape, _ in footprint.tensors(small)][-1] == result.shape
        try:
            check_ranges(captured.program, [profile], "tensorrt")
            assert count(profile.maximum) < 2**31
        except Error as refused:
            longest = int(re.search(r"maximum that works is (\d+)", str(refused))[1])
            at = [tuple(min(size, max(low, longest)) for low, size in zip((1, 3, 16), largest))]
            more = [tuple(min(size, max(low, longest + 1)) for low, size in zip((1, 3, 16), largest))]
            assert count(at) < 2**31 <= count(more)
        budget = draw.choice([10**6, 10**8])
        taken = cut(profile, lambda shapes: footprint.bytes(shapes) <= budget)
        assert isinstance(taken, Ranges) and footprint.bytes(taken.maximum) <= budget
