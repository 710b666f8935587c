"""`torch2trt export`: the model that a command names, its sample inputs, and their archive.

This file must not know how an archive is written.
"""

from __future__ import annotations

import ast
import importlib
import os
import sys
from typing import Any

import torch

from ._core import Error
from .archive import export
from .capture.errors import one_line
from .capture.preserve import module_of
from .command_inputs import Call, drawn, file_tensors
from .errors import error

_EXAMPLE = "give module:name, such as torchvision.models:resnet18, or mypackage.nets:build(depth=4)"


def run(request: dict[str, Any], program: torch.export.ExportedProgram | None) -> None:
    """Exports what a request describes; `program` is the saved model that it names."""
    asked = {f"{end}_shapes": shapes for end, shapes in request["ranges"].items() if shapes}
    if program is not None:
        call = Call.of(program, request["inputs"])
        asked = {**asked, **call.shapes(program, request["ranges"])}
        module, args, kwargs = module_of(program), list(call.args), call.kwargs
    else:
        module = _model(request["model"])
        args, kwargs = _samples(request)
    if request["weights"]:
        _load(module, request["weights"])
    path = request["output"]
    export(module, args, path, kwargs=kwargs, **asked, **request["arguments"])
    print(f"{path}: {os.path.getsize(path) / 1e6:.3g} MB; `torch2trt build {path} --output net.trt2` builds an engine")


def _model(text: str) -> torch.nn.Module:
    """The model of "module:name", or of a call: "module:name(1, size=2)".

    Raises:
        torch2trt.Error: E0701 for a name that is not found, E0601 where creating the model fails.
    """
    name, _, call = text.partition(":")
    try:
        expression = ast.parse(call, mode="eval").body
        inner = expression.func if isinstance(expression, ast.Call) else expression
        arguments = expression if isinstance(expression, ast.Call) else ast.Call(inner, [], [])
        args = [ast.literal_eval(one) for one in arguments.args]
        kwargs = {str(one.arg): ast.literal_eval(one.value) for one in arguments.keywords}
        sys.path.insert(0, os.getcwd())
        found: Any = importlib.import_module(name)
        for part in ast.unparse(inner).split("."):
            found = getattr(found, part)
    except (SyntaxError, ValueError, ImportError, AttributeError) as refused:
        raise error("E0701", f"there is no model `{text}`: {one_line(refused)}", _EXAMPLE) from refused
    if isinstance(found, torch.nn.Module) and not isinstance(expression, ast.Call):
        return found.eval()
    try:
        made = found(*args, **kwargs)
    except Exception as failed:  # the user's code may raise anything
        raise error("E0601", f"`{text}` cannot be created: {one_line(failed)}", _EXAMPLE) from failed
    if not isinstance(made, torch.nn.Module):
        raise error("E0701", f"`{text}` is a {type(made).__name__}, and no nn.Module", _EXAMPLE)
    return made.eval()


def _samples(request: dict[str, Any]) -> tuple[list[torch.Tensor], dict[str, torch.Tensor]]:
    """The sample inputs: tensors of a file by name, or random ones.

    Raises:
        torch2trt.Error: E0602 without any, E0607 for a file that cannot be read, E0701 for an unknown dtype.
    """
    if request["inputs"]:
        return [], file_tensors(request["inputs"])
    if not request["samples"]:
        raise error("E0602", "there are no sample inputs", "give --input 1x3x224x224 for each input, or --inputs FILE")
    generator = torch.Generator().manual_seed(request["seed"])
    args, kwargs = [], {}
    for name, sizes, dtype in request["samples"]:
        kind = getattr(torch, dtype, None)
        if not isinstance(kind, torch.dtype):
            raise error("E0701", f"--input: there is no dtype `{dtype}`", "give one of PyTorch, such as int64")
        tensor = drawn(sizes, kind, generator)
        if name is None:
            args.append(tensor)
        else:
            kwargs[name] = tensor
    return args, kwargs


def _load(module: torch.nn.Module, path: str) -> None:
    """Gives a model the weights of a file.

    Raises:
        torch2trt.Error: E0607 for a file that cannot be read, or that has other weights than the model.
    """
    help = "give the state dict of this model: torch.save(model.state_dict(), path), or a safetensors file of it"
    try:
        weights = file_tensors(path) if path.endswith(".safetensors") else torch.load(path, "cpu", weights_only=True)
        missing, unexpected = module.load_state_dict(weights, strict=False)
    except Error:
        raise
    except Exception as refused:  # whatever the file holds
        reason = " ".join(str(refused).split())
        raise error("E0607", f"{path} has no weights for the model: {reason[:300]}", help) from refused
    wrong = [f"{verb} {_listed(names)}" for verb, names in (("lacks", missing), ("also has", unexpected)) if names]
    if wrong:
        raise error("E0607", f"{path} has other weights than the model: it {' and '.join(wrong)}", help)


def _listed(names: list[str]) -> str:
    """The first of some names, and how many more there are."""
    return f"`{names[0]}`" + (f" and {len(names) - 1} more" if len(names) > 1 else "")


__all__ = ["run"]
