"""What tests of several files use."""

from __future__ import annotations

import os
import zlib

import pytest
import replay  # noqa: F401  (finds torch2trt)
import torch
from archived import both_ways, share
from skips import (  # noqa: F401  (hooks)
    pytest_make_collect_report,
    pytest_report_header,
    pytest_runtest_makereport,
    pytest_sessionstart,
)

from torch2trt import _core


@pytest.fixture(autouse=True)
def drawn_alike():
    """Each test draws the same values in every run, whatever ran before it. The operator cases draw new ones."""
    torch.manual_seed(int(os.environ.get("TORCH2TRT_TEST_SEED", "0")))


@pytest.fixture(autouse=True)
def archives(request, monkeypatch, tmp_path_factory):
    """Sends the conversions of a share of the tests through archives, too: always the same ones, by their names."""
    if zlib.crc32(request.node.nodeid.encode()) / 2**32 >= share(request.module.__name__):
        yield
        return
    with both_ways(monkeypatch, tmp_path_factory.mktemp("archive", numbered=True)) as different:
        yield
    assert not different, "\n".join(["the archive differs from memory:", *different])


@pytest.fixture
def command(capfd):
    """Runs the command line; returns its exit status and what it printed to standard output and standard error."""

    def run(*arguments):
        status = _core.run_command(["torch2trt", *map(str, arguments)], _core.site_packages())
        printed = capfd.readouterr()
        return status, printed.out, printed.err

    return run
