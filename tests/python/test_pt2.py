"""Archives of `torch.export.save`, read without Python: the same program as in memory, engines, and errors."""

from __future__ import annotations

import inspect
import warnings
from pathlib import Path
from typing import Any

import pt2_models
import pytest
import torch
from torch2trt import _core
from torch2trt.capture import normalized
from torch2trt.capture.export import read_program
from torch2trt.capture.tree import InputTree
from torch2trt.capture.walk import walk


def exported(case: pt2_models.Case, functional: bool = True) -> torch.export.ExportedProgram:
    """The exported program of a case."""
    module, args, kwargs, dynamic_shapes = case
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(module, args, kwargs, dynamic_shapes=dynamic_shapes, strict=False)
        return program.run_decompositions({}) if functional else program


def saved(program: torch.export.ExportedProgram, folder: Path) -> Path:
    """The archive of an exported program."""
    path = folder / "model.pt2"
    torch.export.save(program, path)
    return path


def walked(program: torch.export.ExportedProgram, case: pt2_models.Case) -> _core.Program:
    """The program that the walk in memory makes."""
    module, args, kwargs, _ = case
    inputs = InputTree(inspect.signature(module.forward), *normalized(args, kwargs))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = read_program(program, inputs)
    builder = _core.ProgramBuilder()
    walk(graph, inputs.names, inputs.samples, lambda stage, done, total: None).emit(builder)
    return builder.finish()


@pytest.mark.parametrize("name", pt2_models.CASES)
def test_the_program_is_that_of_the_walk_in_memory(name: str, tmp_path: Path) -> None:
    case = pt2_models.CASES[name]()
    program = exported(case)
    read = str(_core.read_archive(saved(program, tmp_path)))
    assert read.splitlines() == str(walked(program, case)).splitlines()
