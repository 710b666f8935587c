"""Decisions by values of the inputs, which a traced run fixes: the warning has each with its value and line.

Random programs are drawn with a printed seed; TORCH2TRT_TEST_CASES multiplies their number.
"""

from __future__ import annotations

import os
import random
import warnings

import pytest
import torch
from torch import nn

import torch2trt

TIMES = int(os.environ.get("TORCH2TRT_TEST_CASES", "1"))
SEED = int(os.environ.get("TORCH2TRT_TEST_SEED", "1"))


def warned(module: nn.Module, *inputs: torch.Tensor, verify: bool = True) -> tuple[torch.nn.Module, str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        converted = torch2trt.torch2trt(module.eval(), inputs, backend="cpu", progress=False, verify=verify)
    return converted, "\n".join(str(warning.message) for warning in caught)


class ByFlag(nn.Module):
    def forward(self, x, flag):
        if flag.item():  # the line
            return x * 2
        return x * 3


class ByComparison(nn.Module):
    def forward(self, x, flag):
        if x.sum() > 0:  # the line
            return x * 2
        return x * 3


class ByEquality(nn.Module):
    def forward(self, x, flag):
        if torch.equal(x, x.abs()):  # the line
            return x * 2
        return x * 3


class ByOwnValues(nn.Module):
    """No input decides."""

    def __init__(self):
        super().__init__()
        self.register_buffer("on", torch.tensor(True))

    def forward(self, x, flag):
        return x * 2 if self.on and flag.item() else x * 3


def line_of(module: nn.Module) -> str:
    import inspect

    lines, first = inspect.getsourcelines(type(module).forward)
    return f"{__file__}:{first + next(k for k, text in enumerate(lines) if '# the line' in text)}"


@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize(("kind", "what"), [(ByFlag, "an input"), (ByComparison, "gt"), (ByEquality, "equal")])
def test_the_warning_has_the_decision(kind: type, what: str, value: bool) -> None:
    module, x = kind(), torch.ones(3) if value else -torch.ones(3)
    converted, text = warned(module, x, torch.tensor(value))
    assert f"  {what} is {value} at {line_of(module)}\n" in text
    assert text.endswith("help: choose with torch.where, or convert once for each decision")
    torch.testing.assert_close(converted(x, torch.tensor(value)), x * 2 if value else x * 3)


def test_what_no_input_decides_is_not_listed() -> None:
    _, text = warned(ByOwnValues(), torch.ones(3), torch.tensor(True))
    assert text.count(" is True at ") == 1
    assert "an input is True at" in text


@pytest.mark.parametrize("number", range(3 * TIMES))
def test_random_decisions(number: int) -> None:
    print(f"seed {SEED * 1000 + number}")
    draw = random.Random(SEED * 1000 + number)
    limits = [draw.randrange(-3, 4) for _ in range(draw.randrange(1, 5))]
    kinds = [draw.choice(["comparison", "flag", "number"]) for _ in limits]
    expected: list[str] = []

    class Model(nn.Module):
        def forward(self, x, n):
            for limit, kind in zip(limits, kinds, strict=True):
                if kind == "comparison":
                    taken = bool(x.sum() > limit)
                elif kind == "flag":
                    taken = (n < limit).item()
                else:
                    taken = n.item() == limit
                x = x + 1 if taken else x * 2
            return x

    x, n = torch.full((2,), draw.randrange(-2, 3) / 2), torch.tensor(draw.randrange(-3, 4))
    value = x.clone()
    for limit, kind in zip(limits, kinds, strict=True):
        taken = {"comparison": bool(value.sum() > limit), "flag": bool(n < limit), "number": int(n) == limit}[kind]
        listed = {"comparison": f"gt is {taken} at", "flag": f"lt is {taken} at", "number": f" = {int(n)} at"}
        expected.append(listed[kind])
        value = value + 1 if taken else value * 2
    converted, text = warned(Model(), x, n, verify=False)
    for line in expected:
        assert line in text, (line, text)
    torch.testing.assert_close(converted(x, n), value)
