"""Skipped tests are reported, and with CI=true a test may skip only for what the machine cannot have.

conftest.py takes these hooks. A skip for another reason, such as a missing package that `make` installs, becomes a
failure with CI=true. This file must not know the tests.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Generator
from importlib.metadata import entry_points, version
from typing import Any

import pytest

# Installed by `make`: tests, and parts of tests, that build with TensorRT-RTX depend on it without being skipped.
PACKAGES = (
    *("onnx", "onnxruntime", "safetensors", "sklearn", "tensorrt_rtx_libs"),
    *("torchvision", "transformers", "xxhash"),
)

OF_NEW_PYTORCH = ("torchao",)
"""Packages that `make` does not install with an older PyTorch, in which they cannot be imported."""
IS_NEW = tuple(int(part) for part in version("torch").split(".")[:2]) >= (2, 9)

TEST_ALL = ("diffusers", "timm", "ultralytics")
"""Packages that only `make test-all` installs."""

needs_installation = pytest.mark.skipif(
    "torch2trt" not in entry_points(group="torch_dynamo_backends").names, reason="the package is not installed"
)
"""Of tests of what an installation registers by name; `make` installs the package."""


def under_ci() -> bool:
    """Whether the tests run where everything that `make` installs must be present."""
    return os.environ.get("CI") == "true"


def allowed(reason: str, has_gpu: bool) -> bool:
    """Whether a test may be skipped with CI=true: an old PyTorch, another system, a GPU that is missing, or what `make
    test-all` runs: slow tests, and packages that it installs."""
    others = TEST_ALL if IS_NEW else (*TEST_ALL, *OF_NEW_PYTORCH)
    if "slow: " in reason or any(f"could not import '{name}'" in reason for name in others):
        return True
    if "this PyTorch" in reason or "this version of torch" in reason or "needs FIFOs" in reason:
        return True
    return "no GPU" in reason and not has_gpu


def missing() -> list[str]:
    """The packages that tests need and that are not installed."""
    wanted = (*PACKAGES, *OF_NEW_PYTORCH) if IS_NEW else PACKAGES
    return [name for name in wanted if importlib.util.find_spec(name) is None]


def pytest_report_header() -> str:
    """The second line of a run: what is missing."""
    absent = missing()
    return f"needs: {', '.join(absent)} not installed: tests are skipped in part" if absent else "needs: all installed"


def pytest_sessionstart() -> None:
    """Ends the run with CI=true if a package is missing: parts of tests would be skipped without a record."""
    absent = missing()
    if under_ci() and absent:
        raise pytest.UsageError(f"CI=true, but {', '.join(absent)} is not installed; `make` installs it")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, None]:
    """Turns a skip into a failure where it is not allowed."""
    _judge((yield).get_result())


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report() -> Generator[None, Any, None]:
    """The same for a module that skips itself."""
    _judge((yield).get_result())


def _judge(report: Any) -> None:
    if not (under_ci() and report.skipped) or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[-1] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if not allowed(reason, _has_gpu()):
        report.outcome = "failed"
        report.longrepr = f"CI=true, and this test was skipped for something that `make` installs\n{reason}"


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()
