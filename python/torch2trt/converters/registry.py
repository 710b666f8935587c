"""`@tensorrt_converter`: which function converts which method.

A converter is registered for a method by name. The name is looked up when it is registered, so that a name that
does not exist is an error there and not a converter that is never called.

This file must not know what is done with converters.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeVar

import torch

from .._log import logger
from ..accepted import flag, names, shown
from ..capture import Method
from ..errors import error

Converter = TypeVar("Converter", bound=Callable[[Any], Any])
"""A user's function of a `ConversionContext`, which decorating does not change."""


@dataclass(frozen=True)
class Registered:
    """A converter and what it converts. `entry["converter"]` reads a field, as entries of the original's did."""

    converter: Callable[[Any], Any]
    """The user's function of a `ConversionContext`."""
    method: Method
    """What it converts."""
    position: str
    """`file.py:line` of the function."""

    @property
    def is_real(self) -> bool:
        """Whether the operators inside the method are left to this converter alone."""
        return self.method.hides

    @property
    def method_str(self) -> str:
        """The method's name."""
        return self.method.name

    @property
    def method_impl(self) -> Callable[..., Any]:
        """The method itself."""
        return self.method.function

    def __getitem__(self, field: str) -> Any:
        return getattr(self, field)


CONVERTERS: dict[str, Registered] = {}
"""Every registered converter, by the method's name. Delete an entry to take a converter back."""


def tensorrt_converter(
    method: str | Callable[..., Any], is_real: bool = True, enabled: bool = True, imports: Iterable[str] = ()
) -> Callable[[Converter], Converter]:
    """Registers a converter for a method; it replaces the built-in one, and any that was registered before.

        @tensorrt_converter("torch.nn.ReLU.forward")
        def convert_relu(ctx):
            layer = ctx.network.add_activation(ctx.method_args[1]._trt, trt.ActivationType.RELU)
            ctx.method_return._trt = layer.get_output(0)

    Args:
        method: the name of a `forward`, a function, a method of torch.Tensor, or a function or method of your own
            modules; or the function itself.
        is_real: whether the converter stands for everything inside the method. One that is not real is called after
            the operators inside have been converted, and may replace their results.
        enabled: False registers nothing.
        imports: modules to import before the name is looked up.

    Raises:
        torch2trt.Error: E0701, there is no such method; the message names the part of the name that does not exist.
            Also for an argument of a wrong type, and a module in `imports` that cannot be imported.
    """
    is_real, enabled = flag("is_real", is_real), flag("enabled", enabled)
    modules = names("imports", imports, '"my_package.my_module"')
    if enabled and not _is_method(method):
        help = 'give its name or the function: @tensorrt_converter("torch.nn.ReLU.forward")'
        raise error("E0701", f"the method to convert is {shown(method)}", help)

    def register(converter: Any) -> Any:
        if not callable(converter):
            help = "decorate a function of a conversion context: def convert_relu(ctx)"
            raise error("E0701", f"the converter is {shown(converter)}, and no function", help)
        for name in modules:
            _imported(name)
        found = _method(method, is_real)
        if found.name in CONVERTERS:
            before, now = CONVERTERS[found.name].position, _position(converter)
            logger.info("the converter of %s in %s replaces that in %s", found.name, now, before)
        CONVERTERS[found.name] = Registered(converter, found, _position(converter))
        return converter

    return register if enabled else lambda converter: converter


def _is_method(method: Any) -> bool:
    return method.isprintable() if isinstance(method, str) else callable(method)


def _imported(name: str) -> None:
    try:
        importlib.import_module(name)
    except (ImportError, ValueError) as missing:
        help = "install the package, correct the name, or register the converter with enabled=False"
        raise error("E0701", f"{shown(name)} in `imports` cannot be imported: {missing!a}", help) from missing


def _method(method: str | Callable[..., Any], is_real: bool) -> Method:
    name = method if isinstance(method, str) else _name_of(method)
    parts = name.split(".")
    module, rest = _import(name, parts)
    owner, path = module, module.__name__
    for part in rest[:-1]:
        owner = _member(owner, part, path, name)
        path = f"{path}.{part}"
    function = _member(owner, rest[-1], path, name)
    if not callable(function):
        raise error("E0701", f"{name} cannot be converted: it is a {type(function).__name__}, not a function")
    if not isinstance(owner, (ModuleType, type)):
        raise error("E0701", f"{name} cannot be converted: {path} is neither a module nor a class")
    return Method(name, owner, rest[-1], function, is_real)


def _import(name: str, parts: list[str]) -> tuple[ModuleType, list[str]]:
    """The longest part of a name that is a module, and the rest."""
    for count in range(len(parts) - 1, 0, -1):
        path = ".".join(parts[:count])
        try:
            return importlib.import_module(path), parts[count:]
        except ModuleNotFoundError as missing:
            if missing.name is None or not f"{path}.".startswith(f"{missing.name}."):
                raise error("E0701", f"{name} cannot be looked up: importing {path} failed: {missing}") from missing
    raise error(
        "E0701",
        f"there is no module `{parts[0]}` (from `{name}`)",
        'give the whole name: "torch.nn.ReLU.forward", "my_package.my_module.my_function"',
    )


def _member(owner: Any, part: str, path: str, name: str) -> Any:
    try:
        return getattr(owner, part)
    except AttributeError:
        whole = f" (from `{name}`)" if name != f"{path}.{part}" else ""
        raise error(
            "E0701",
            f"{path} has no `{part}`{whole} in this version of it",
            "correct the name, or register the converter with enabled=False",
        ) from None


def _name_of(function: Callable[..., Any]) -> str:
    """The name by which a function is found."""
    if inspect.ismethod(function):
        function = function.__func__
    if torchs := torch.overrides.resolve_name(function):
        return torchs
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    if not module or not name or "<" in name:
        raise error(
            "E0701",
            f"{name or function!r} cannot be found by name, so its calls cannot be seen",
            "define it at the top level of a module, or a class there",
        )
    return f"{module}.{name}"


def _position(function: Callable[..., Any]) -> str:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else "an unknown place"
