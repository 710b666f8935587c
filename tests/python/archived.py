"""Conversions that also go through an archive: what `torch2trt.export` writes is read back as the same program.

`both_ways` takes part in every conversion of a test: the capture that the conversion makes is written to an archive as
well, and the program and the network that come out of it are compared with those in memory, line for line.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from torch2trt import Error, _core
from torch2trt.archive import write
from torch2trt.capture import Captured
from torch2trt.footprint import check_ranges
from torch2trt.samples import Samples

CAN_EXPORT = tuple(map(int, torch.__version__.split(".")[:2])) >= (2, 9)
needs_archives = pytest.mark.skipif(not CAN_EXPORT, reason="this PyTorch saves weights as pickles")
"""Of tests that write an archive, or a file with a part in PyTorch, which is one."""


def refuses_archives(refused: str) -> bool:
    """Whether this PyTorch cannot write the archive that a test makes, and the error names the version that can."""
    return not CAN_EXPORT and "PyTorch 2.9" in refused


LARGEST = 2**30
"""Bytes of weights of a model that is written."""


@contextmanager
def both_ways(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[list[str]]:
    """Writes every captured model to an archive, too. Lists what differs when it is read back."""
    different: list[str] = []
    settle = Samples.settle

    def settled(sampled: Samples, captured: Captured) -> None:
        """Runs after every capture, and calls nothing of the model, whose warnings name the caller's line."""
        settle(sampled, captured)
        # Calls that a user's converter takes, or that have no form, are no operators of an archive.
        size = sum(weight.tensor.nbytes for weight in captured.program.weights)
        if not captured.opaque_calls and captured.whole is None and size <= LARGEST:
            different.extend(compared(captured, sampled, folder / "model.pt2"))

    with monkeypatch.context() as patch:
        patch.setattr(Samples, "settle", settled)
        yield different


def compared(captured: Captured, sampled: Samples, path: Path) -> list[str]:
    """Lines that differ between a program in memory and the same from an archive, and between their networks."""
    try:
        check_ranges(captured.program, sampled.profiles, "cpu")
    except Error:
        return []  # it does not convert
    captured.walk(builder := _core.ProgramBuilder())
    program = builder.finish()
    write(captured, sampled, (captured.input_names, captured.output_names), [], str(path))
    read = _core.read_archive(path)
    # Of operators without a converter, the reader knows no defaults.
    known = all(converts for _, _, converts in program.coverage())
    return [
        *(differing(str(program), str(read)) if known else []),
        *differing(outcome(program), outcome(read)),
    ]


def outcome(program: _core.Program) -> str:
    """The network of a program, or the error."""
    try:
        return str(program.convert({}))
    except Error as refused:
        return str(refused)


def differing(one: str, other: str) -> list[str]:
    """The first lines that differ, from both sides."""
    if one == other:
        return []
    lines, others = one.splitlines(), other.splitlines()
    rows = [f"- {a}\n+ {b}" for a, b in zip(lines, others, strict=False) if a != b]
    return rows[:4] or [f"{len(lines)} lines became {len(others)}"]


def share(file: str) -> float:
    """The share of the tests of a file whose conversions go both ways.

    It is a quarter of the suites of operators and models. With TORCH2TRT_TEST_CASES of 4 or more it is every test of
    every file.
    """
    times = int(os.environ.get("TORCH2TRT_TEST_CASES", "1"))
    if not CAN_EXPORT:
        return 0.0
    if times >= 4:
        return 1.0
    return times / 4 if file in ("test_operators", "test_models") else 0.0
