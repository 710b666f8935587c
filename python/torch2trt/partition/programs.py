"""What an archive of `torch.export.save` may hold to be read: no pickles, and no expressions but those of sizes.

This file must not know partitioned models.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from typing import Any

from ..errors import error

HELP = "give the file that model_trt.save wrote"

_PLAIN = re.compile(
    r"[^/]+/(archive_format|archive_version|byteorder|\.data/(version|serialization_id)|models/model\.json"
    r"|data/weights/(weight_\d+|model_weights_config\.json)|data/constants/(tensor_\d+|model_constants_config\.json))"
)
_EMPTY = re.compile(r"[^/]+/data/sample_inputs/model\.pt")
_NAME = re.compile(r"[A-Za-z_]\w*")
_SYMBOL = re.compile(r"[su]\d+|zuf\d+")
_QUOTED = re.compile(r"'([su]\d+|zuf\d+)'")
_FUNCTIONS = {
    *[
        "Add",
        "Mul",
        "Pow",
        "Integer",
        "Rational",
        "Float",
        "Symbol",
        "Max",
        "Min",
        "Abs",
        "Mod",
        "PythonMod",
        "FloorDiv",
        "ModularIndexing",
        "CleanDiv",
    ],
    *[
        "CeilDiv",
        "IntTrueDiv",
        "FloatTrueDiv",
        "ToFloat",
        "TruncToInt",
        "TruncToFloat",
        "CeilToInt",
        "FloorToInt",
        "RoundToInt",
    ],
    *[
        "RoundDecimal",
        "PowByNatural",
        "FloatPow",
        "Where",
        "Identity",
        "OpaqueUnaryFn_sqrt",
        "floor",
        "ceiling",
        "oo",
        "int_oo",
    ],
    *[
        "Eq",
        "Ne",
        "Lt",
        "Le",
        "Gt",
        "Ge",
        "Equality",
        "Unequality",
        "LessThan",
        "StrictLessThan",
        "GreaterThan",
        "StrictGreaterThan",
    ],
    *["And", "Or", "Not", "true", "false", "True", "False", "integer", "positive", "nonnegative"],
}
"""What expressions of sizes consist of. They are evaluated as Python when an archive is read."""


def check_program(data: bytes) -> None:
    """Rejects what could run code when torch.export reads it.

    Raises:
        torch2trt.Error: E0605.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for entry in archive.infolist():
            is_plain = _PLAIN.fullmatch(entry.filename) or (_EMPTY.fullmatch(entry.filename) and entry.file_size == 0)
            if not is_plain:
                raise error("E0605", f"a part in PyTorch has `{entry.filename[:80]}`, which could hold code", HELP)
            if entry.filename.endswith(".json"):
                for key, value in _pairs(json.loads(archive.read(entry))):
                    if key == "use_pickle" and value:
                        raise error("E0605", "a part in PyTorch holds a pickle, which could run code", HELP)
                    if key == "expr_str" and not _is_size(value):
                        raise error(
                            "E0605", f"a part in PyTorch has an expression that is no size: {str(value)[:80]}", HELP
                        )


def _pairs(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key and value of a JSON document."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            yield from item.items()
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)


def _is_size(text: Any) -> bool:
    if not isinstance(text, str):
        return False
    text = _QUOTED.sub(r"\1", text)
    if not re.fullmatch(r"[\w\s+\-*/(),.<>=!&|~%]*", text):
        return False
    return all(_SYMBOL.fullmatch(name) or name in _FUNCTIONS for name in _NAME.findall(text))


__all__ = ["HELP", "check_program"]
