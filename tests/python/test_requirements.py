"""The check of PyTorch at import: missing, too old, not loadable, and builds with unusual versions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import torch2trt
from torch2trt import requirements

# In place of PyTorch: a package whose source is `{source}`.
_IMPORT = """
import sys
sys.path[:0] = {folders!r}
try:
    import torch2trt
except ImportError as error:
    print(type(error).__name__, error.code)
    print(error)
"""


def _import(folder: Path, source: str | None) -> str:
    """What an import of torch2trt prints in a process whose `torch` is `source`."""
    (folder / "torch").mkdir()
    (folder / "torch" / "__init__.py").write_text("" if source is None else source)
    package = str(Path(torch2trt.__file__).parents[1])
    script = _IMPORT.format(folders=[str(folder), package])
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("__version__ = '2.5.1'", "PyTorch 2.5.1 is too old: torch2trt needs 2.6"),
        ("__version__ = '1.14.0a0+nv23.5'", "PyTorch 1.14.0a0+nv23.5 is too old"),
        ("", "PyTorch (no version) is too old"),
        ("raise OSError('libcudart.so.12: cannot open shared object file')", "cannot be imported"),
        ("raise ImportError('libcudss.so.0')", "cannot be imported"),
    ],
)
def test_reports_an_unusable_pytorch_at_import(tmp_path, source, expected):
    printed = _import(tmp_path, source)
    assert (
        printed.startswith("RequirementError E0801\nerror[E0801]: ") and expected in printed and "\nhelp: " in printed
    )
    assert str(tmp_path) in printed


def test_reports_a_missing_pytorch():
    with pytest.raises(torch2trt.Error, match="not installed") as caught:
        requirements.check("no_such_package_as_torch")
    assert caught.value.code == "E0801" and "pip install" in caught.value.help
    assert isinstance(caught.value, ImportError)


@pytest.mark.parametrize(
    ("version", "enough"),
    [
        ("2.6.0", True),
        ("2.6.0a0+df5bbc09d1.nv24.12", True),
        ("2.15.1+cpu", True),
        ("3.0", True),
        ("10.1", True),
        ("2.5.9", False),
        ("1.13.1", False),
        ("", False),
        ("unknown", False),
    ],
)
def test_compares_versions_of_other_builds(version, enough):
    assert requirements.is_at_least(version, (2, 6)) is enough


def test_an_import_leaves_slow_modules_for_the_first_capture():
    package = str(Path(torch2trt.__file__).parents[1])
    script = (
        f"import sys; sys.path.insert(0, {package!r}); import torch; before = set(sys.modules)\n"
        "import torch2trt; new = set(sys.modules) - before\n"
        "print(sorted({'sympy', 'onnxruntime', 'transformers', 'torchvision'} & new))"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"
