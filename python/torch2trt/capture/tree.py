"""The structure around the tensors: what goes into a model and what comes out of it.

A program has flat lists of inputs and outputs; a model has arguments, dictionaries, named tuples and the output classes
of a library. `InputTree` flattens a call the way the sample call was flattened, and `OutputTree` builds the model's own
return value. Both use torch.utils._pytree, so whatever is registered there works.

Arguments are bound to the signature of `forward` first: `model(x, mask=m)` and `model(x, m)` are one call.

This file must not know about graphs.
"""

from __future__ import annotations

import collections
import dataclasses
import inspect
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch.utils import _pytree as pytree

from .containers import register_containers
from .errors import CaptureError, InputError
from .given import check_tensor, finite
from .keywords import check_names
from .names import output_names
from .size import Size


class _Runtime:
    """Marks a leaf that exists only when the program runs, as opposed to a constant."""

    def __repr__(self) -> str:
        return "RUNTIME"

    def __reduce__(self) -> str:
        return "RUNTIME"  # copies and pickles are the one object below: it is compared by identity


RUNTIME = _Runtime()


@dataclasses.dataclass(frozen=True)
class Leaf:
    """One leaf of an input or output tree: its name, and its value when that is a constant."""

    name: str
    constant: Any = RUNTIME
    is_read: bool = False
    """Whether it is a Python number that the program reads out of data, as a 0-D tensor."""

    @property
    def is_runtime(self) -> bool:
        return self.constant is RUNTIME

    @property
    def is_size(self) -> bool:
        """Whether it is a number that follows from the shapes of the inputs."""
        return isinstance(self.constant, Size)

    @property
    def is_number(self) -> bool:
        """Whether it is a number, constant or not."""
        return self.is_size or self.is_read or isinstance(self.constant, (bool, int, float))


class InputTree:
    """The arguments of the sample call, and how to take a later call apart in the same way."""

    dtypes: Sequence[str | None] = ()
    """The model's dtype of each tensor, in the order of `names`; empty where the engine's are the model's."""

    host: Sequence[int] = ()
    """Positions of tensors that the model takes in host memory, such as lengths of sequences; others are on a GPU."""

    _orders: dict[tuple[Any, ...], list[int] | None]
    """For each way of calling that was seen (how many arguments, the names of the others): where the leaves stand."""

    def __init__(self, signature: inspect.Signature, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        """The structure of a call's arguments.

        Raises:
            CaptureError: the arguments do not fit the signature, or hold objects of an unknown kind or sparse tensors.
        """
        self._signature = _without_annotations(signature)
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise CaptureError(
                f"the sample inputs do not fit forward{self._signature}: {error}",
                help="give `inputs` and `kwargs` as the model is called: model(*inputs, **kwargs)",
            ) from None
        with finite():
            register_containers(bound.arguments, "input")
        self.args, self.kwargs = bound.args, bound.kwargs
        self._specs: dict[str, pytree.TreeSpec] = {}
        self.leaves: list[Leaf] = []
        self.samples: list[torch.Tensor] = []
        for parameter, value in bound.arguments.items():
            self._add(parameter, value)
        self.dtypes = [str(sample.dtype).removeprefix("torch.") for sample in self.samples]
        on_host = [k for k, sample in enumerate(self.samples) if sample.device.type == "cpu"]
        self.host = on_host if len(on_host) < len(self.samples) else []
        self.spec = pytree.tree_structure((self.args, self.kwargs))
        tensors_only = not self.kwargs and all(isinstance(arg, torch.Tensor) for arg in self.args)
        self._plain_count = len(self.args) if tensors_only else -1
        self._orders = {}

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the sample tensors: pickles and copies describe calls, they do not keep data."""
        return {**self.__dict__, "args": (), "kwargs": {}, "samples": []}

    def _add(self, parameter: str, value: Any) -> None:
        flat, self._specs[parameter] = pytree.tree_flatten(value)
        for path, leaf in zip(_paths(value, len(flat)), flat):
            # **kwargs are named by the caller, so the name of the catch-all parameter adds nothing.
            catch_all = self._signature.parameters[parameter].kind is inspect.Parameter.VAR_KEYWORD
            name = ".".join(path if catch_all else (parameter, *path))
            if isinstance(leaf, torch.Tensor):
                check_tensor(name, leaf)
                self.leaves.append(Leaf(name))
                self.samples.append(leaf)
            else:
                self.leaves.append(Leaf(name, leaf))

    @property
    def names(self) -> list[str]:
        """The names of the tensors, in the order of `flatten`: "x", or "batch.image" and "xs.0" when nested."""
        return [leaf.name for leaf in self.leaves if leaf.is_runtime]

    def separate(self, others: Iterable[torch.Tensor]) -> None:
        """Makes each sample a tensor of its own: what shares memory with another one, or with `others`, is copied.

        torch.export takes a tensor that is given twice, or that the model holds, for one: an input would not be used.
        """
        taken = {_memory(tensor) for tensor in others}
        own = []
        for sample in self.samples:
            own.append(sample.detach().clone() if _memory(sample) in taken else sample)
            taken.add(_memory(sample))
        if any(new is not old for new, old in zip(own, self.samples)):
            self.samples = own
            self.args, self.kwargs = self.rebuild(own)

    def flatten(self, args: Sequence[Any], kwargs: dict[str, Any] | None = None) -> list[torch.Tensor]:
        """The tensors of a call, in the order of `names`.

        Shapes and dtypes are not looked at: the engine knows what it accepts.

        Raises:
            InputError: an argument is missing, unexpected, of another structure, or not the constant it was.
        """
        if not kwargs and len(args) == self._plain_count:
            for arg in args:  # a generator in all() would take three times as long, at every call
                if not isinstance(arg, torch.Tensor):
                    break
            else:
                return list(args)
        kwargs = kwargs or {}
        way = (len(args), *kwargs)
        if order := self._orders.get(way):
            given = (*args, *kwargs.values())
            pairs = [(leaf, given[k]) for leaf, k in zip(self.leaves, order)]
            # What does not fit is checked again below, with the reason.
            if all(isinstance(v, torch.Tensor) if leaf.is_runtime else v is leaf.constant for leaf, v in pairs):
                return [value for leaf, value in pairs if leaf.is_runtime]
        tensors = self._flatten(args, kwargs)
        if way not in self._orders:
            self._orders[way] = self._order(len(args), *kwargs)
        return tensors

    def _order(self, count: int, *names: str) -> list[int] | None:
        """Where each leaf stands among the arguments of a call, if it leaves none out and none is a container."""
        numbers = self._signature.bind(*range(count), **dict(zip(names, range(count, count + len(names))))).arguments
        order = [k for k in map(numbers.get, self._specs) if isinstance(k, int)]
        flat = len(order) == len(self._specs) and all(spec.is_leaf() for spec in self._specs.values())
        return order if flat and len(order) == count + len(names) else None

    def _flatten(self, args: Sequence[Any], kwargs: dict[str, Any]) -> list[torch.Tensor]:
        with finite():
            return self._flattened(args, kwargs)

    def _flattened(self, args: Sequence[Any], kwargs: dict[str, Any]) -> list[torch.Tensor]:
        given = self._bind(args, kwargs)
        tensors: list[torch.Tensor] = []
        leaves = iter(self.leaves)
        for parameter, spec in self._specs.items():
            flat, found = pytree.tree_flatten(given[parameter])
            if found != spec and (ordered := _leaves_by_keys(given[parameter], spec)) is not None:
                flat = ordered
            elif found != spec:
                raise InputError(
                    f"argument `{parameter}` has another structure than the sample input",
                    facts=(f"captured: {_brief(spec)}", f"given:    {_brief(found)}"),
                    help="pass the same containers as the sample inputs, or convert again with these",
                )
            tensors.extend(value for value, leaf in zip(flat, leaves) if _accept(leaf, value))
        return tensors

    def _runtime(self, parameter: str) -> bool:
        """Whether an argument holds tensors."""
        return any(leaf.is_runtime and leaf.name.partition(".")[0] == parameter for leaf in self.leaves)

    def rebuild(self, tensors: Sequence[torch.Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The inverse of `flatten`: positional and keyword arguments holding `tensors`."""
        remaining = iter(tensors)
        flat = [next(remaining) if leaf.is_runtime else leaf.constant for leaf in self.leaves]
        return pytree.tree_unflatten(flat, self.spec)

    def named(self, args: Sequence[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
        """The arguments of a call by parameter."""
        return dict(self._signature.bind(*args, **kwargs).arguments)

    def _bind(self, args: Sequence[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
        check_names(self._signature, kwargs)
        try:
            given = self._signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise InputError(
                f"the arguments do not fit forward{self._signature}: {error}",
                help="call the converted model as the model itself",
            ) from None
        for name in self._specs.keys() - given.keys():
            default = self._signature.parameters[name].default
            if default is inspect.Parameter.empty:
                raise InputError(
                    f"argument `{name}` is missing; the model was captured with it",
                    help=f"pass `{name}`, or convert again without it",
                )
            if default is None and self._runtime(name):
                raise InputError(
                    f"argument `{name}` is left out; the sample inputs had a tensor there",
                    help=f"pass `{name}`, or convert again without it",
                )
            given[name] = default
        for name in given.keys() - self._specs.keys():
            # An argument left out of the sample call took its default, which is then part of the program.
            if not _equal(given[name], self._signature.parameters[name].default):
                raise InputError(
                    f"argument `{name}` was not part of the sample inputs",
                    help=f"convert again with `{name}` in the sample inputs, or leave it out of the call",
                )
        return given


class OutputTree:
    """The return value of the model: its structure, and the constants in it."""

    dtypes: Sequence[str | None] = ()
    """The model's dtype of each computed output, in the order of `names`; None of a size."""

    def __init__(self, spec: pytree.TreeSpec, constants: Sequence[Any], taken: Sequence[str] = ()) -> None:
        """`constants` has one entry per leaf, `RUNTIME` where the program computes it; names avoid `taken`."""
        self.spec = spec
        self.leaves = [Leaf(name, value) for name, value in zip(output_names(spec, set(taken)), constants)]
        self._settle()

    def _settle(self) -> None:
        runtime = any(leaf.is_runtime for leaf in self.leaves)
        self._computed = [
            leaf.is_runtime or (leaf.is_size and not runtime and k == self._first_size())
            for k, leaf in enumerate(self.leaves)
        ]
        self._count = sum(self._computed)
        self._has_sizes = any(leaf.is_size for leaf in self.leaves)
        has_numbers = any(leaf.is_number for leaf in self.leaves)
        self._is_tensor = len(self.leaves) == self._count == 1 and self.spec.is_leaf() and not has_numbers

    def _first_size(self) -> int:
        return next(k for k, leaf in enumerate(self.leaves) if leaf.is_size)

    def set_size(self, index: int, size: Size) -> None:
        """Notes that a leaf is a number that follows from the shapes of the inputs."""
        self.leaves[index] = Leaf(self.leaves[index].name, size)
        self._settle()

    def set_read(self, index: int) -> None:
        """Notes that a leaf is a number that the program reads out of data."""
        self.leaves[index] = Leaf(self.leaves[index].name, is_read=True)
        self._settle()

    @property
    def names(self) -> list[str]:
        """The names of the outputs that the program computes, in order: "logits", "output", "output.0".

        Where a model returns sizes only, the first of them is computed too, since there is no engine without outputs.
        """
        return [leaf.name for leaf, computed in zip(self.leaves, self._computed) if computed]

    def described(self) -> str:
        """The return value of a model that computes nothing, for a message."""
        return _brief(pytree.tree_unflatten([leaf.constant for leaf in self.leaves], self.spec))

    def unflatten(self, values: Sequence[Any], inputs: Sequence[torch.Tensor] | None = None) -> Any:
        """The model's return value: `values` in the order of `names`, constants in their places, and sizes as they
        follow from the input tensors.

        Raises:
            ValueError: the number of values is not the number of names, or there are sizes and no inputs.
        """
        if len(values) != self._count:
            raise ValueError(f"the program has {self._count} outputs, {len(values)} were given")
        if self._is_tensor:
            return values[0]
        remaining = iter(values)
        flat = [next(remaining) if leaf.is_runtime else leaf.constant for leaf in self.leaves]
        flat = [value.item() if leaf.is_read else value for value, leaf in zip(flat, self.leaves)]
        if self._has_sizes:
            if inputs is None:
                raise ValueError("some outputs are sizes, which follow from the input tensors: give these as well")
            flat = [value.value(inputs) if isinstance(value, Size) else value for value in flat]
        return pytree.tree_unflatten(flat, self.spec)


_MAPPINGS = (dict, collections.OrderedDict, collections.defaultdict)


def _leaves_by_keys(value: Any, spec: pytree.TreeSpec) -> list[Any] | None:
    """The leaves of a value in the order of `spec`, whatever the order of keys and the class of dictionaries; None
    where it has another structure.
    """
    if spec.is_leaf():
        return [value] if pytree.tree_structure(value).is_leaf() else None
    children = spec.children() if hasattr(spec, "children") else spec.children_specs
    if spec.type in _MAPPINGS:
        keys = spec.context[1] if spec.type is collections.defaultdict else spec.context
        if type(value) not in _MAPPINGS or value.keys() != set(keys):
            return None
        parts = [value[key] for key in keys]
    else:
        parts, found = pytree.tree_flatten(value, is_leaf=lambda part: part is not value)
        if (found.type, found.context) != (spec.type, spec.context) or len(parts) != len(children):
            return None
    flat: list[Any] = []
    for part, child in zip(parts, children):
        if (leaves := _leaves_by_keys(part, child)) is None:
            return None
        flat.extend(leaves)
    return flat


def _memory(tensor: torch.Tensor) -> int:
    """What a tensor has in common with those that share its memory; with no other where it has no memory of its own."""
    try:
        return tensor.untyped_storage()._cdata
    except (NotImplementedError, RuntimeError):  # sparse, or a wrapper around other tensors
        return id(tensor)


def _without_annotations(signature: inspect.Signature) -> inspect.Signature:
    """Annotations can be objects that do not pickle, and only lengthen messages."""
    empty = inspect.Parameter.empty
    parameters = [parameter.replace(annotation=empty) for parameter in signature.parameters.values()]
    return signature.replace(parameters=parameters, return_annotation=empty)


def _accept(leaf: Leaf, value: Any) -> bool:
    """Whether `value` is a tensor to feed; constants are compared instead."""
    if leaf.is_runtime:
        if not isinstance(value, torch.Tensor):
            raise InputError(
                f"argument `{leaf.name}` must be a tensor, got {type(value).__name__}",
                help="pass a tensor, as the sample inputs did: torch.as_tensor(value)",
            )
        return True
    if not _equal(value, leaf.constant):
        raise InputError(
            f"argument `{leaf.name}` is {_brief(value)}; the model was captured with {leaf.constant!r}",
            help="values other than tensors are part of the program: convert again for another value",
        )
    return False


def _equal(given: Any, expected: Any) -> bool:
    if given is expected:
        return True
    # 2 and 2.0 are equal in Python but promote tensors differently.
    return type(given) is type(expected) and not isinstance(given, torch.Tensor) and bool(given == expected)


def _brief(value: Any, limit: int = 120) -> str:
    text = "a tensor" if isinstance(value, torch.Tensor) else " ".join(repr(value).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _paths(value: Any, count: int) -> list[tuple[str, ...]]:
    """The path to each leaf; positions where a registered class does not name its leaves."""
    try:
        pairs, _ = pytree.tree_flatten_with_path(value)
    except ValueError:
        return [(str(i),) for i in range(count)]
    return [tuple(_key(key) for key in path) for path, _ in pairs]


def _key(key: Any) -> str:
    for attribute in ("idx", "key", "name"):
        if hasattr(key, attribute):
            return str(getattr(key, attribute))
    return str(key)
