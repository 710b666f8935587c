"""Operator schemas as reading plans: every argument, in schema order, with its default filled in.

PyTorch leaves arguments out of a graph when they are at their default. What the default is, the operator's
own schema; nothing here repeats it. A plan is made once per overload and kept.

The form of an argument follows from its type in the schema, not from the Python value in the graph: `1` is an
int for `dim`, ("scalar", 1) for `alpha`, 1.0 for a float, and [1, 1] for an `int[2]`.

This file must not know what a graph node turns into: reading one is left to the `Reader`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple, NoReturn, Protocol

import torch

from .program import Arg

# c10::ScalarType, c10::MemoryFormat and c10::Layout: schema defaults spell these as their C++ values.
_SCALAR_TYPES = {
    0: "uint8", 1: "int8", 2: "int16", 3: "int32", 4: "int64", 5: "float16", 6: "float32", 7: "float64",
    9: "complex64", 10: "complex128", 11: "bool", 15: "bfloat16", 23: "float8_e5m2", 24: "float8_e4m3fn",
}  # fmt: skip
_MEMORY_FORMATS = {0: "contiguous_format", 1: "preserve_format", 2: "channels_last", 3: "channels_last_3d"}
_LAYOUTS = {0: "strided"}

DTYPES = {getattr(torch, name): name for name in _SCALAR_TYPES.values()}


class Reader(Protocol):
    """Reads graph nodes that stand in argument positions, and objects with what cannot be read."""

    def tensor(self, node: torch.fx.Node) -> Arg:
        """("value", id), or ("sym", text) for a symbolic int in a tensor's place."""

    def tensors(self, node: torch.fx.Node) -> list[int | None]:
        """The ids behind a node that produces a list of tensors."""

    def number(self, node: torch.fx.Node) -> Arg:
        """A constant int, float or bool, or ("sym", text)."""

    def unreadable(self, value: Any, type_name: str) -> Exception:
        """The error for a value that does not fit its type."""


Encode = Callable[[Reader, Any], Arg]


class Parameter(NamedTuple):
    """One argument of a schema; `default` is already encoded and only meaningful when `has_default`."""

    name: str
    encode: Encode
    has_default: bool
    default: Arg


class Plan(NamedTuple):
    """How to read the arguments of one operator overload."""

    target: str
    parameters: tuple[Parameter, ...]

    def read(self, reader: Reader, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[tuple[str, Arg]]:
        """All arguments as (schema name, encoded value), in schema order."""
        given = len(args)
        result = []
        for index, (name, encode, has_default, default) in enumerate(self.parameters):
            if index < given:
                result.append((name, encode(reader, args[index])))
            elif name in kwargs:
                result.append((name, encode(reader, kwargs[name])))
            elif has_default:
                result.append((name, default))
            else:
                raise reader.unreadable(f"no value for `{name}`", "required argument")
        return result


@cache
def plan(overload: torch._ops.OpOverload) -> Plan:
    """The reading plan of an overload, from its registered schema."""
    parameters = []
    for argument in overload._schema.arguments:
        type_name = str(argument.real_type)
        encode = _encoder(type_name, argument.N)
        has_default = argument.has_default_value()
        default = encode(_NoReader(), argument.default_value) if has_default else None
        parameters.append(Parameter(argument.name, encode, has_default, default))
    return Plan(str(overload), tuple(parameters))


class _NoReader:
    """Defaults hold no graph nodes, so only the refusal of a value is ever called."""

    def tensor(self, node: torch.fx.Node) -> NoReturn:
        raise self.unreadable(node, "constant")

    tensors = number = tensor

    def unreadable(self, value: Any, type_name: str) -> Exception:
        return TypeError(f"default {value!r} does not fit {type_name}")


def _encoder(type_name: str, length: int | None) -> Encode:
    """The encoder of a schema type such as `Optional[List[int]]`; `length` is the 2 of `int[2]`."""
    if type_name.startswith("Optional["):
        inner = _encoder(type_name[9:-1], length)
        return lambda reader, value: None if value is None else inner(reader, value)
    if type_name in ("List[Tensor]", "List[Optional[Tensor]]"):
        return _tensors
    if type_name.startswith("List["):
        return _list_of(_SCALARS.get(type_name[5:-1], _unknown(type_name)), length)
    return _SCALARS.get(type_name, _unknown(type_name))


def _unknown(type_name: str) -> Encode:
    def encode(reader: Reader, value: Any) -> Arg:
        if value is None:  # a generator or an object that was not given
            return None
        raise reader.unreadable(value, type_name)

    return encode


def _list_of(encode: Encode, length: int | None) -> Encode:
    def encode_list(reader: Reader, value: Any) -> Arg:
        if not isinstance(value, (list, tuple)):
            value = [value] * (length or 1)  # PyTorch accepts one number for a whole int[2]
        items = [encode(reader, item) for item in value]
        return [item[1] if type(item) is tuple and item[0] == "scalar" else item for item in items]

    return encode_list


def _tensor(reader: Reader, value: Any) -> Arg:
    if isinstance(value, torch.fx.Node):
        return reader.tensor(value)
    # A Python number in a tensor's place promotes weakly, as a Scalar does.
    return None if value is None else _number(reader, value)


def _tensors(reader: Reader, value: Any) -> Arg:
    if isinstance(value, torch.fx.Node):
        return ("values", reader.tensors(value))
    return ("values", [_element(reader, item) for item in value])


def _element(reader: Reader, item: Any) -> int | None:
    read = _tensor(reader, item)
    if read is None:
        return None
    if read[0] != "value":
        raise reader.unreadable(item, "tensor in a list of tensors")
    return read[1]


def _number(reader: Reader, value: Any) -> Arg:
    if isinstance(value, torch.fx.Node):
        value = reader.number(value)
        if type(value) is tuple:
            return value
    if isinstance(value, complex):
        return ("complex", value.real, value.imag)
    if isinstance(value, (bool, int, float)):
        return ("scalar", value)
    raise reader.unreadable(value, "number")


def _exact(kind: type, accepted: tuple[type, ...]) -> Encode:
    def encode(reader: Reader, value: Any) -> Arg:
        if isinstance(value, torch.fx.Node):
            value = reader.number(value)
            if type(value) is tuple:
                if kind is int:
                    return value
                raise reader.unreadable(value[1], f"{kind.__name__} known when converting")
        if isinstance(value, accepted):
            return kind(value)
        raise reader.unreadable(value, kind.__name__)

    return encode


def _complex(reader: Reader, value: Any) -> Arg:
    return ("complex", complex(value).real, complex(value).imag)


def _named(tag: str, names: dict[int, str]) -> Encode:
    def encode(reader: Reader, value: Any) -> Arg:
        name = names.get(value) if isinstance(value, int) else str(value).removeprefix("torch.")
        if name is None:
            raise reader.unreadable(value, tag)
        return (tag, name)

    return encode


_SCALARS: dict[str, Encode] = {
    "Tensor": _tensor,
    "int": _exact(int, (int,)),
    "float": _exact(float, (int, float)),
    "bool": _exact(bool, (bool, int)),
    "str": _exact(str, (str,)),
    "number": _number,
    "complex": _complex,
    "ScalarType": _named("dtype", _SCALAR_TYPES),
    "MemoryFormat": _named("memory_format", _MEMORY_FORMATS),
    "Layout": _named("layout", _LAYOUTS),
    "Device": _named("device", {}),
}
