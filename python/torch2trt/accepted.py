"""What each argument of `torch2trt` accepts, checked before anything else happens.

Every value is either returned in the form that the other stages expect, or rejected with the name of the argument, what
was given, and what to give instead.

This file must not know what the arguments do.
"""

from __future__ import annotations

import collections.abc
import logging
import operator
import os
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Union

import torch

from ._log import VERBOSE
from .errors import Error, error

Check = Callable[[str, Any], Any]
"""From the name of an argument and its value to the value that is used."""

Path = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]

_LARGEST = 2**63 - 1
_LEVELS = {
    "INTERNAL_ERROR": logging.CRITICAL,
    "ERROR": logging.ERROR,
    "WARNING": logging.WARNING,
    "INFO": logging.INFO,
    "VERBOSE": VERBOSE,
}
_ALGORITHMS = ("LEGACY_CALIBRATION", "ENTROPY_CALIBRATION", "ENTROPY_CALIBRATION_2", "MINMAX_CALIBRATION")
_LEVEL_HELP = "give a level of `logging`, such as logging.WARNING, its name, or a Logger.Severity of TensorRT"


def shown(value: Any, limit: int = 80) -> str:
    """A value and its type in a message: one short line that can be encoded, whatever the value is."""
    if isinstance(value, torch.Tensor):
        return f"a tensor of {value.dim()} dimensions"
    kind, text = type(value).__name__, brief(value, limit)
    if text is None:
        return f"of type {kind}"
    return text if value is None or isinstance(value, (bool, int)) else f"{text}, of type {kind}"


def brief(value: Any, limit: int = 80) -> str | None:
    """The representation of a value on one short line that can be encoded; None where it has none."""
    try:
        text = " ".join(ascii(value).split())
    except Exception:  # the repr of a user's class may raise anything
        return None
    return text if len(text) <= limit else text[: limit - 3] + "..."


def rejected(name: str, value: Any, help: str, code: str = "E0701") -> Error:
    """The error for a value that an argument does not take."""
    return error(code, f"option `{name}` is {shown(value)}", help)


def flag(name: str, value: Any) -> bool:
    """True or False; also 1 and 0, NumPy's bools, and None for False."""
    if value is None or isinstance(value, bool):
        return bool(value)
    number = _integer(value)
    if number not in (0, 1):
        raise rejected(name, value, "give True or False")
    return bool(number)


def integer(low: int, high: int, help: str) -> Check:
    """A check for an integer from `low` to `high`, or None."""

    def check(name: str, value: Any) -> int | None:
        if value is None:
            return None
        number = None if isinstance(value, bool) else _integer(value)
        if number is None or not low <= number <= high:
            raise rejected(name, value, help)
        return number

    return check


def one_of(*known: str) -> Check:
    """A check for one of some strings; None for the first."""

    def check(name: str, value: Any) -> str:
        if value is None:
            return known[0]
        if not isinstance(value, str) or value not in known:
            raise rejected(name, value, "give " + " or ".join(f'"{one}"' for one in known))
        return value

    return check


def text(help: str) -> Check:
    """A check for a string without NUL characters, or None."""

    def check(name: str, value: Any) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str) or not _is_plain(value):
            raise rejected(name, value, help)
        return value

    return check


def path(name: str, value: Any, help: str = "give a path: a str, bytes, or a pathlib.Path") -> str:
    """A path as a string."""
    try:
        found = os.fsdecode(value)
        if found and "\0" not in os.fsencode(found).decode(errors="replace"):
            return found
    except Exception:  # a user's class may raise anything in __fspath__
        pass
    raise rejected(name, value, help)


def _library(name: str, value: Any) -> str | None:
    return None if value is None else path(name, value, "give the path of the library, or leave it out")


def _libraries(name: str, value: Any) -> list[str]:
    help = f'give a list of plugin libraries: {name}=["libmyplugin.so"]'
    if value is None:
        return []
    if isinstance(value, (str, bytes, Mapping, torch.Tensor)) or not isinstance(value, collections.abc.Iterable):
        raise rejected(name, value, help)
    return [path(name, item, help) for item in value]


def _cache(name: str, value: Any) -> str | bool | None:
    if value is None or isinstance(value, bool):
        return value
    return path(name, value, "give a path, True for one in the user's cache folder, or False for none")


def names(name: str, value: Any, example: str) -> list[str]:
    """A list of non-empty strings without NUL characters; None for none."""
    help = f"give a list of strings: {name}=[{example}]"
    if value is None:
        return []
    if isinstance(value, (str, bytes, Mapping, torch.Tensor)) or not isinstance(value, collections.abc.Iterable):
        raise rejected(name, value, help)
    found = list(value)
    for item in found:
        if not isinstance(item, str) or not item or not _is_plain(item):
            raise error("E0701", f"option `{name}` contains {shown(item)}", help + ", each with at least one character")
    return found


def _tensor_names(name: str, value: Any) -> list[str]:
    return names(name, value, '"image"' if name == "input_names" else '"logits"')


def _patterns(name: str, value: Any) -> list[str]:
    return names(name, value, '"layer4.0"')


def _sources(name: str, value: Any) -> Any:
    """Names, of names or of values of TensorRT's `TacticSource`; which of them exist is checked where they are used."""
    if value is None or (isinstance(value, str) and _is_plain(value)):
        return value
    if isinstance(value, collections.abc.Iterable) and not isinstance(value, (str, bytes, Mapping, torch.Tensor)):
        value = [getattr(source, "name", source) for source in value]
    return names(name, value, '"CUBLAS", "CUBLAS_LT"')


def _graph(name: str, value: Any) -> bool | str:
    if value is None or isinstance(value, bool) or (isinstance(value, str) and value == "auto"):
        return "auto" if value is None else value
    raise rejected(name, value, 'give True, False or "auto"')


def _precision(name: str, value: Any) -> str | None:
    """The name of a precision; which exist is checked by the Rust half."""
    return text('give one of "auto", "fp32", "fp16", "bf16", "int8", "fp8"')(name, value)


def _tolerance(name: str, value: Any) -> float | None:
    help = f"give a positive number, such as {name}=1e-2"
    if value is None:
        return None
    try:
        found = float("nan") if isinstance(value, (bool, str, torch.Tensor)) else float(value)
    except Exception:  # of a user's class
        found = float("nan")
    if not 0 < found < float("inf"):
        raise rejected(name, value, help)
    return found


def _function(name: str, value: Any) -> Any:
    if value is not None and not callable(value):
        raise rejected(name, value, f"give a function of the outputs of all samples: {name}=lambda outputs: ...")
    return value


def _algorithm(name: str, value: Any) -> Any:
    label = getattr(value, "name", value)
    if value is not None and not (isinstance(label, str) and label in _ALGORITHMS):
        raise rejected(name, value, f"give one of {', '.join(_ALGORITHMS)}")
    return label


def log_level(name: str, value: Any) -> int:
    """A `logging` level, from one, its name, or TensorRT's `Logger.Severity`.

    TensorRT counts its severities from 0 to 4, Python its levels in tens.
    """
    label = getattr(value, "name", value)
    if isinstance(label, str):
        level = _LEVELS.get(label.upper(), getattr(logging, label.upper(), None) if label.isalpha() else None)
        if isinstance(level, int):
            return level
    number = None if isinstance(value, (bool, Enum)) else _integer(value)
    if number is None or not 0 <= number <= 2**31 - 1:
        raise rejected(name, value, _LEVEL_HELP)
    return number if number >= VERBOSE or number == 0 else list(_LEVELS.values())[number]


def keywords(name: str, value: Any) -> dict[str, Any]:
    """Sample inputs by name; None for none."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise rejected(
            name, value, f'give a dict of sample inputs by the names of forward: {name}={{"mask": mask}}', "E0602"
        )
    wrong = next((key for key in value if not isinstance(key, str)), None)
    if wrong is not None or None in value:
        raise error(
            "E0602",
            f"`{name}` has the key {shown(wrong)}",
            "give the sample inputs by the names of forward's parameters",
        )
    return dict(value)


def collection(name: str, value: Any) -> Any:
    """Samples: what can be iterated, or has a length and items; None for none."""
    single = isinstance(value, (str, bytes, Mapping, torch.Tensor, type))
    if value is None or (not single and (hasattr(value, "__iter__") or hasattr(value, "__getitem__"))):
        return value
    raise error(
        "E0602",
        f"`{name}` is a {type(value).__name__}, not a collection of samples",
        f"give a data set, a DataLoader, or a list of samples: {name}=[sample]",
    )


def _integer(value: Any) -> int | None:
    """The integer that a value is: an int, NumPy's, an enumeration's; None for anything else, tensors included."""
    if isinstance(value, torch.Tensor):
        return None
    try:
        return operator.index(value)
    except Exception:  # of a user's class
        return None


def _is_plain(value: str) -> bool:
    """Whether a string can be passed to libraries that are written in C."""
    try:
        return "\0" not in value and value.encode() is not None
    except UnicodeEncodeError:
        return False


_COUNT = integer(1, 2**31 - 1, "give an integer of 1 or more, or leave it out")
# How large a range may be is checked with the ranges (E0307), which names the largest that works.
_BATCH = integer(-(10**100), 10**100, "give the largest batch: an integer of 1 or more, or leave it out")

ACCEPTED: dict[str, Check] = {
    "input_names": _tensor_names,
    "output_names": _tensor_names,
    "log_level": log_level,
    "precision": _precision,
    "tolerance": _tolerance,
    "metric": _function,
    "calibration": collection,
    "fp16_mode": flag,
    "max_workspace_size": integer(0, _LARGEST, "give a number of bytes, or leave it out"),
    "strict_type_constraints": flag,
    "keep_network": flag,
    "max_batch_size": _BATCH,
    "kwargs": keywords,
    "backend": one_of("auto", "cpu", "tensorrt"),
    "target": text('give the GPU, such as target="sm_89", or leave it out for the GPU of this machine'),
    "optimization_level": integer(0, 5, "give a level from 0 (build fast) to 5 (search long), or leave it out"),
    "avg_timing_iterations": _COUNT,
    "build_threads": integer(1, 2**16, "give 1 or more, or leave it out for TensorRT's default"),
    "tactic_sources": _sources,
    "verify": flag,
    "progress": flag,
    "threads": integer(1, 2**16, "give 1 or more, or leave it out for one each physical core"),
    "tensorrt": _library,
    "onnxruntime": _library,
    "use_cuda_graph": _graph,
    "version_compatible": flag,
    "hardware_compatible": flag,
    "refittable": flag,
    "timing_cache": _cache,
    "engine_cache": _cache,
    "bf16_mode": flag,
    "keep_fp32": _patterns,
    "keep_unquantized": _patterns,
    "int8_mode": flag,
    "int8_calib_dataset": collection,
    "int8_calib_algorithm": _algorithm,
    "trusted": flag,
    "fallback": flag,
    "plugins": _libraries,
    "run_in_pytorch": lambda name, value: names(name, value, '"roi_heads"'),
    "min_layers": lambda name, value: (
        5
        if value is None
        else integer(1, 2**31 - 1, "give the least number of operator calls of an engine")(name, value)
    ),
}
"""The arguments whose values are checked here. Shapes are checked against the samples, samples against the model."""


def checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments in the form that the other stages expect.

    Raises:
        torch2trt.Error: E0701 for a value that an argument does not take, E0602 for sample inputs by name that are
            none.
    """
    return {name: ACCEPTED[name](name, value) if name in ACCEPTED else value for name, value in given.items()}


__all__ = ["ACCEPTED", "Path", "checked", "keywords", "log_level", "path", "rejected", "shown"]
