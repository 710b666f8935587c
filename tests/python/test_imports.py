"""What an import of the package loads, and that every public name is imported when it is first used."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import nn

import torch2trt as package
from torch2trt import torch2trt

PACKAGE = Path(package.__file__).parent
LAZY = ["torch2trt", "torch2trt.capture", "torch2trt.converters", "torch2trt.torch2trt"]
"""The modules whose names are imported when they are first used."""

_FRESH = """
import os, sys, threading, torch, torch2trt

def loaded():
    return sorted(name for name in sys.modules if name.startswith("torch2trt"))

def use(module, name, failed):
    try:
        getattr(__import__(module, fromlist=[name]), name)
    except BaseException as error:
        failed.append((module, name, repr(error)))

def in_a_child(pairs):
    # Uses these names for the first time, in a thread each.
    if os.fork() == 0:
        failed, start = [], threading.Barrier(len(pairs))
        threads = [threading.Thread(target=lambda pair=pair: (start.wait(), use(*pair, failed))) for pair in pairs]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        print(*failed, sep=chr(10), end="", flush=True)
        os._exit(bool(failed))
    assert os.wait()[1] == 0, pairs

print(*loaded(), flush=True)
print(torch.ops.torch2trt.lstm.default, flush=True)
one_by_one, at_once = {pairs!r}
for pair in one_by_one:
    in_a_child([pair])
for shift in range(4):
    in_a_child(at_once[shift:] + at_once[:shift])

package = torch2trt
from torch2trt.torch2trt import *
import torch2trt.torch2trt as path
print(path is package.torch2trt is torch2trt)
"""

_RUNS = """
import sys, torch
from torch2trt import TRTModule, load
made = load(sys.argv[1])
assert isinstance(made, TRTModule) and made(torch.ones(2, 3)).shape == (2, 4)
print(*sorted(name for name in sys.modules if name.startswith("torch2trt")))
"""


def _printed(script: str, *arguments: str) -> str:
    path = f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r})\n"
    command = [sys.executable, "-c", path + textwrap.dedent(script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _source(module: str) -> ast.Module:
    return ast.parse(Path(sys.modules[module].__file__).read_text())


def _table(module: str) -> set[tuple[str, str]]:
    """The names in the table of `lazy_names`, each with its module."""
    calls = [node for node in ast.walk(_source(module)) if isinstance(node, ast.Call)]
    (call,) = (call for call in calls if getattr(call.func, "id", "") == "lazy_names")
    scope = {"converters": package.converters, "__all__": sys.modules[module].__all__}
    sources = eval(compile(ast.Expression(call.args[1]), "<table>", "eval"), scope)
    return {(source, name) for source, names in sources.items() for name in names or [source]}


def _declared(module: str) -> set[tuple[str, str]]:
    """The names that type checkers see, each with its module."""
    (block,) = (
        node
        for node in _source(module).body
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    )
    found = set()
    for node in block.body:
        assert isinstance(node, ast.ImportFrom) and node.level == 1
        for alias in node.names:
            names = package.converters.__all__ if alias.name == "*" else [alias.asname or alias.name]
            found |= {(node.module or name, name) for name in names}
    return found


@pytest.fixture(scope="module")
def fresh() -> list[str]:
    """What `_FRESH` prints: the modules of an import, an operator, whether the function is the package's attribute."""
    sources = {source: ("torch2trt", name) for source, name in sorted(_table("torch2trt"))}
    at_once = [("torch2trt", name) for name in ("torch2trt", "load", "trt", "TRTModule", "debug", "tensorrt_converter")]
    at_once += [
        ("torch2trt.capture", "capture"),
        ("torch2trt.torch2trt", "coverage"),
        ("torch2trt.capture", "Captured"),
    ]
    return _printed(_FRESH.replace("{pairs!r}", repr(([*sources.values()], at_once)))).splitlines()


def test_an_import_loads_no_stage_of_a_conversion(fresh):
    # What is added here makes every start slower: name it in the table of `__init__.py` instead.
    light = ["_core", "archive_operators", "converters", "deferred", "requirements", "torch2trt"]
    assert fresh[0].split() == ["torch2trt", *(f"torch2trt.{name}" for name in light)]


def test_an_import_registers_the_operators_of_archives(fresh):
    assert fresh[1] == "torch2trt.lstm.default"


def test_every_public_name_can_be_the_first_that_is_used_and_by_threads_at_once(fresh):
    assert fresh  # the process ended without an error
    assert all(hasattr(sys.modules[module], name) for module in LAZY for name in sys.modules[module].__all__)


def test_a_star_of_the_originals_path_leaves_the_function_as_the_packages_attribute(fresh):
    assert fresh[2] == "True"


def test_running_an_engine_loads_no_stage_of_a_conversion(tmp_path):
    path = str(tmp_path / "net.trt2")
    torch2trt(nn.Linear(3, 4).eval(), [torch.ones(2, 3)], backend="cpu", progress=False).save(path)
    loaded = set(_printed(_RUNS, path).split())
    stages = ["_convert", "conversion", "networks", "search", "stages", "verify"]
    stages += ["capture.capturing", "capture.export", "capture.intercept", "capture.threads", "capture.walk"]
    stages += ["converters.calls", "converters.registry", "partition.making", "trt"]
    assert "torch2trt.module" in loaded and all(find_spec(f"torch2trt.{name}") for name in stages)
    assert not loaded & {f"torch2trt.{name}" for name in stages}


@pytest.mark.parametrize("module", LAZY)
def test_type_checkers_see_the_names_that_are_imported_on_use(module):
    declared, table = _declared(module), _table(module)
    if module == "torch2trt.torch2trt":  # has them from the package
        assert {name for _, name in declared} == {name for _, name in table} - {"np", "torch"}
        table = declared
    assert declared == table
    for source, name in table:
        value = importlib.import_module(f"{module.removesuffix('.torch2trt')}.{source}")
        assert getattr(sys.modules[module], name) is (value if name == source else getattr(value, name))


def test_an_unknown_name_is_an_attribute_error_that_names_the_package():
    with pytest.raises(AttributeError, match=r"module 'torch2trt' has no attribute 'TRTModules'") as caught:
        _ = package.TRTModules
    assert caught.value.name == "TRTModules" and caught.value.obj is package
