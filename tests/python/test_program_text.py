"""The text form of captured programs: it parses to a program that prints alike and becomes the same network."""

from __future__ import annotations

import os
import random
import warnings
from typing import Any

import operators
import pt2_models
import pytest
from torch import nn
from torch.export import Dim

from torch2trt import Error, _core
from torch2trt.capture import capture

CASES = [suite for suite in operators.suites() if any(case.refused is None for case in suite.cases)]


def program_of(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], dynamic_shapes: Any) -> _core.Program:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        captured = capture(module.eval(), args, kwargs, dynamic_shapes=dynamic_shapes)
    builder = _core.ProgramBuilder()
    captured.walk(builder)
    return builder.finish()


def assert_round_trip(program: _core.Program) -> None:
    text = str(program)
    parsed = _core.Program.parse(text, program)
    assert str(parsed).splitlines() == text.splitlines()
    assert parsed.coverage() == program.coverage()
    if all(converts for _, _, converts in program.coverage()):
        assert str(parsed.convert({})).splitlines() == str(program.convert({})).splitlines()


@pytest.mark.skipif(not callable(Dim.DYNAMIC), reason="hints have no ranges in this PyTorch")
@pytest.mark.parametrize("name", pt2_models.CASES)
def test_the_text_of_a_model_parses_to_the_same_program(name: str) -> None:
    assert_round_trip(program_of(*pt2_models.CASES[name]()))


def test_the_text_of_operators_parses_to_the_same_program() -> None:
    """A case of some families; others in each run."""
    for suite in random.SystemRandom().choices(CASES, k=10 * int(os.environ.get("TORCH2TRT_TEST_CASES", "1"))):
        case = random.SystemRandom().choice([case for case in suite.cases if case.refused is None])
        print(f"{suite.family}: {case.name}")
        module = case.fn if isinstance(case.fn, nn.Module) else operators.Function(case.fn)
        assert_round_trip(program_of(module, tuple(case.inputs()), {}, case.dynamic))


def test_an_error_names_the_line_and_the_column() -> None:
    with pytest.raises(Error, match="line 2, column 13: `float33` is not a dtype"):
        _core.Program.parse("program\n  input %x: float33[2]\n  return %x\n")
