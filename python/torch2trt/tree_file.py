"""The trees of a model's inputs and outputs as JSON, for engine files.

What is written is plain data: whoever wrote the file, reading it imports nothing, and runs no code but that of classes
that are registered in pytree already. A return type whose class is not there where the file is read becomes a
dictionary of the outputs by name.

This file must not know what an engine is.
"""

from __future__ import annotations

import collections
import dataclasses
import enum
import inspect
import json
import math
import sys
from typing import Any

import torch
from torch.utils import _pytree as pytree

from ._log import logger
from .capture.size import Size
from .capture.tree import RUNTIME, InputTree, Leaf, OutputTree
from .errors import error


def to_json(inputs: InputTree, outputs: OutputTree) -> dict[str, Any]:
    """Both trees.

    Raises:
        torch2trt.Error: E0605 for a structure of inputs that has no written form.
    """
    return {"inputs": _inputs_to_json(inputs), "outputs": _outputs_to_json(outputs)}


def from_json(data: dict[str, Any]) -> tuple[InputTree, OutputTree]:
    """The trees that were written.

    Raises:
        torch2trt.Error: E0605 for what is no such data, or an input class that is not there.
    """
    try:
        return _inputs_from_json(data["inputs"]), _outputs_from_json(data["outputs"])
    except Exception as problem:  # anything may stand there, and a registered class's own code may raise anything
        raise error(
            "E0605",
            f"the structure of the model's inputs and outputs cannot be read: {problem}",
            "import the package that defines the model's input classes first, or convert the model again",
        ) from problem


def plain(input_names: list[str], output_names: list[str]) -> tuple[InputTree, OutputTree]:
    """Trees for tensors in order: the inputs as positional arguments; one output, or a tuple of them."""
    kind = inspect.Parameter.POSITIONAL_ONLY
    parameters = [inspect.Parameter(f"input_{k}", kind) for k in range(len(input_names))]
    tree = _tree(inspect.Signature(parameters), {p.name: pytree.tree_structure(0) for p in parameters})
    tree.leaves = [Leaf(name) for name in input_names]
    tree._plain_count = len(input_names)
    shape = 0 if len(output_names) == 1 else tuple(range(len(output_names)))
    return tree, _named(OutputTree(pytree.tree_structure(shape), [RUNTIME] * len(output_names)), output_names)


def structure_to_json(spec: pytree.TreeSpec) -> Any:
    """A structure of containers.

    Raises:
        torch2trt.Error: E0605 for one that has no written form.
    """
    try:
        return _spec_to_json(spec)
    except Exception as problem:  # whatever a registered class's context does when it is written
        raise error(
            "E0605",
            f"the structure of the model's inputs has no written form: {problem}",
            "pass tensors, lists or dictionaries",
        ) from problem


def structure_from_json(data: Any) -> pytree.TreeSpec:
    """The structure that was written."""
    return pytree.tree_structure(_skeleton(data))


def register_dataclasses(data: Any) -> None:
    """Registers the dataclasses of a structure in pytree, as the conversion did, where their modules are loaded."""
    if isinstance(data, dict) and "dataclass" in data:
        found = _loaded(*data["dataclass"][:2])
        if _is_dataclass(found) and found not in pytree.SUPPORTED_NODES:
            torch.export.register_dataclass(found)
    parts = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    for part in parts:
        register_dataclasses(part)


def _inputs_to_json(tree: InputTree) -> dict[str, Any]:
    return {
        "parameters": [_parameter_to_json(p) for p in tree._signature.parameters.values()],
        # Pairs, since the keys of a JSON object have no order.
        "specs": [[name, structure_to_json(spec)] for name, spec in tree._specs.items()],
        "leaves": [_leaf_to_json(leaf) for leaf in tree.leaves],
        "plain": tree._plain_count,
        "dtypes": list(tree.dtypes),
        "host": list(tree.host),
    }


def _inputs_from_json(data: dict[str, Any]) -> InputTree:
    parameters = [_parameter_from_json(p) for p in data["parameters"]]
    specs = {name: structure_from_json(spec) for name, spec in data["specs"]}
    tree = _tree(inspect.Signature(parameters), specs)
    tree.leaves = [_leaf_from_json(leaf) for leaf in data["leaves"]]
    known = specs.keys() <= tree._signature.parameters.keys()
    if not known or sum(spec.num_leaves for spec in specs.values()) != len(tree.leaves):
        raise ValueError(f"{len(tree.leaves)} inputs for the arguments {list(specs)} of forward{tree._signature}")
    tree._plain_count = int(data["plain"])
    tree.dtypes = _dtypes(data, tree.names)
    tree.host = [k for k in data.get("host", ()) if isinstance(k, int) and 0 <= k < len(tree.names)]
    return tree


def _tree(signature: inspect.Signature, specs: dict[str, pytree.TreeSpec]) -> InputTree:
    """An input tree without the sample call that it describes: what `InputTree` keeps of itself in a pickle."""
    tree = InputTree.__new__(InputTree)
    tree._signature, tree._specs = signature, specs
    tree.args, tree.kwargs, tree.samples, tree.spec, tree._orders = (), {}, [], None, {}
    return tree


def _outputs_to_json(tree: OutputTree) -> dict[str, Any]:
    data: dict[str, Any] = {"leaves": [_leaf_to_json(leaf) for leaf in tree.leaves], "dtypes": list(tree.dtypes)}
    try:
        data["spec"] = _spec_to_json(tree.spec)
    except Exception as problem:  # as above; the outputs can still be returned by name
        logger.warning("the return type has no written form (%s): the loaded engine returns a dictionary", problem)
    return data


def _outputs_from_json(data: dict[str, Any]) -> OutputTree:
    leaves = [_leaf_from_json(leaf) for leaf in data["leaves"]]
    names = [leaf.name for leaf in leaves]
    spec = None
    if "spec" in data:
        try:
            spec = pytree.tree_structure(_skeleton(data["spec"]))
        except NotImplementedError as problem:
            logger.warning(
                "outputs come in a dictionary, since the class of the return value is not there: %s", problem
            )
    if spec is None:
        spec = pytree.tree_structure(dict.fromkeys(names, 0))
    if spec.num_leaves != len(leaves):
        raise ValueError(f"{len(leaves)} outputs for a structure of {spec.num_leaves}")
    tree = OutputTree(spec, [leaf.constant for leaf in leaves])
    for index, leaf in enumerate(leaves):
        if leaf.is_read:
            tree.set_read(index)
    tree = _named(tree, names)
    tree.dtypes = _dtypes(data, tree.names)
    return tree


def _dtypes(data: dict[str, Any], names: list[str]) -> list[str | None]:
    """The model's dtypes; of files that have none, and of what is no dtype, nothing."""
    found = list(data.get("dtypes", ()))
    if len(found) != len(names):
        return []
    return [
        name if isinstance(name, str) and isinstance(getattr(torch, name, None), torch.dtype) else None
        for name in found
    ]


def _named(tree: OutputTree, names: list[str]) -> OutputTree:
    tree.leaves = [Leaf(name, leaf.constant, leaf.is_read) for name, leaf in zip(names, tree.leaves, strict=True)]
    tree._settle()
    return tree


def _spec_to_json(spec: pytree.TreeSpec) -> Any:
    """Python's own containers by kind; what a package registered in pytree's own text."""
    if spec.is_leaf():
        return None
    children = [
        _spec_to_json(child) for child in (spec.children() if hasattr(spec, "children") else spec.children_specs)
    ]
    if spec.type in (list, tuple):
        return {spec.type.__name__: children}
    if spec.type is dict and all(isinstance(key, (str, int)) for key in spec.context):
        return {"dict": [[key, child] for key, child in zip(spec.context, children)]}
    if isinstance(spec.context, type) and hasattr(spec.context, "_fields"):
        kind = spec.context
        return {"namedtuple": [kind.__module__, kind.__qualname__, list(kind._fields), children]}
    if _is_dataclass(spec.type) and [type(part) for part in spec.context] == [list, list]:
        # As torch.export registers them: fields with a value, and fields that are None.
        given, absent = spec.context
        return {"dataclass": [spec.type.__module__, spec.type.__qualname__, list(given), list(absent), children]}
    leaf = pytree.tree_structure(0)
    registered = pytree.SUPPORTED_SERIALIZED_TYPES.get(spec.type)
    in_json = registered is None or registered.to_dumpable_context is None
    context = _members_by_name(spec.context) if in_json else spec.context
    node = pytree.treespec_dumps(pytree.TreeSpec(spec.type, context, [leaf] * len(children)))
    return {"registered": [node, children]}


def _members_by_name(context: Any) -> Any:
    """A context with the members of enumerations as pytree writes them, which in PyTorch 2.6 writes their values."""
    if isinstance(context, enum.Enum) and not isinstance(context, (str, int, float)):
        kind = type(context)
        return {"__enum__": True, "fqn": f"{kind.__module__}:{kind.__qualname__}", "name": context.name}
    return [_members_by_name(part) for part in context] if isinstance(context, (list, tuple)) else context


def _skeleton(data: Any) -> Any:
    """A value of the written structure, with an empty tensor for every leaf: caches look at what they are given."""
    if data is None:
        return torch.empty(1, 0, 0, 0)
    ((kind, content),) = data.items()
    if kind in ("list", "tuple"):
        children = [_skeleton(child) for child in content]
        return children if kind == "list" else tuple(children)
    if kind == "dict":
        return {key: _skeleton(child) for key, child in content}
    if kind == "namedtuple":
        module, name, fields, children = content
        return _namedtuple(module, name, fields)(*map(_skeleton, children))
    if kind == "dataclass":
        module, name, given, absent, children = content
        found = _class(module, name)
        if found not in pytree.SUPPORTED_NODES or not _is_dataclass(found):
            raise NotImplementedError(f"{module}.{name}")
        return found(**dict(zip(given, map(_skeleton, children))), **dict.fromkeys(absent))
    if kind == "registered":
        text, children = content
        return _registered(json.loads(text)[1], list(map(_skeleton, children)))
    raise ValueError(f"there is no structure `{kind}`")


def _registered(node: dict[str, Any], children: list[Any]) -> Any:
    """An object of a class that is registered here. pytree's own reader would import modules that the node names."""
    kind = pytree.SERIALIZED_TYPE_TO_PYTHON_TYPE.get(node["type"])
    if kind is None:
        raise NotImplementedError(node["type"])
    context, read = node["context"], pytree.SUPPORTED_SERIALIZED_TYPES[kind].from_dumpable_context
    if kind is collections.defaultdict:
        factory = _class(context["default_factory_module"], context["default_factory_name"])
        context = [factory, context["dict_context"]]
    else:
        context = read(context) if read else json.loads(context, object_hook=_member)
    return pytree.SUPPORTED_NODES[kind].unflatten_fn(children, context)


def _member(data: dict[str, Any]) -> Any:
    """The member of an enumeration, where JSON holds one as pytree writes them."""
    if "__enum__" not in data:
        return data
    return _class(*data["fqn"].split(":")).__members__[data["name"]]


def _namedtuple(module: str, name: str, fields: list[str]) -> type:
    """The class, where its module is loaded already (nothing is imported); else one with the same fields."""
    found = _loaded(module, name)
    if isinstance(found, type) and issubclass(found, tuple) and getattr(found, "_fields", None) == tuple(fields):
        return found
    return collections.namedtuple(name.rpartition(".")[2], fields)


def _loaded(module: str, name: str) -> Any:
    """What a name stands for in a module that is loaded already; None otherwise."""
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, "__dict__", {}).get(part)  # modules may import what `getattr` asks them for
    return found


def _is_dataclass(found: Any) -> bool:
    return isinstance(found, type) and dataclasses.is_dataclass(found)


def _class(module: str, name: str) -> Any:
    """The class, where its module is loaded already."""
    found = _loaded(module, name)
    if not isinstance(found, type):
        raise NotImplementedError(f"{module}.{name}")
    return found


def _parameter_to_json(parameter: inspect.Parameter) -> dict[str, Any]:
    data = {"name": parameter.name, "kind": parameter.kind.name}
    if parameter.default is not inspect.Parameter.empty:
        data["default"] = _value_to_json(parameter.default)
    return data


def _parameter_from_json(data: dict[str, Any]) -> inspect.Parameter:
    kind = _KINDS[data["kind"]]
    default = _value_from_json(data["default"]) if "default" in data else inspect.Parameter.empty
    return inspect.Parameter(data["name"], kind, default=default)


def _leaf_to_json(leaf: Leaf) -> dict[str, Any]:
    if leaf.is_size:
        return {"name": leaf.name, "size": leaf.constant.text}
    if leaf.is_read:
        return {"name": leaf.name, "read": True}
    return {"name": leaf.name} if leaf.is_runtime else {"name": leaf.name, "constant": _value_to_json(leaf.constant)}


def _leaf_from_json(data: dict[str, Any]) -> Leaf:
    if "size" in data:
        return Leaf(data["name"], Size(data["size"]).check())
    if data.get("read"):
        return Leaf(data["name"], is_read=True)
    return Leaf(data["name"], _value_from_json(data["constant"])) if "constant" in data else Leaf(data["name"])


def _value_to_json(value: Any) -> Any:
    """Plain values as they are; what JSON lacks as an object with one key, its type."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else {"int": str(value)}
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": str(value)}
    if isinstance(value, complex):
        return {"complex": str(value)}
    if isinstance(value, (torch.dtype, torch.device)):
        return {type(value).__name__: str(value).removeprefix("torch.")}
    if isinstance(value, (list, tuple)):
        return {type(value).__name__: [_value_to_json(item) for item in value]}
    return {"object": repr(value)[:200]}


_KINDS = {
    kind.name: kind
    for kind in (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.VAR_POSITIONAL,
        inspect.Parameter.KEYWORD_ONLY,
        inspect.Parameter.VAR_KEYWORD,
    )
}


class _Elsewhere:
    """A default value that is not plain data and was left behind: equal to nothing but itself."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _value_from_json(data: Any) -> Any:
    if not isinstance(data, dict):
        return data
    ((kind, value),) = data.items()
    if kind == "dtype":
        dtype = vars(torch).get(value)
        if not isinstance(dtype, torch.dtype):
            raise ValueError(f"{value} is no dtype")
        return dtype
    if kind in ("list", "tuple"):
        items = [_value_from_json(item) for item in value]
        return items if kind == "list" else tuple(items)
    readers = {"int": int, "float": float, "complex": complex, "device": torch.device, "object": _Elsewhere}
    return readers[kind](value)


__all__ = ["from_json", "plain", "register_dataclasses", "structure_from_json", "structure_to_json", "to_json"]
