"""What tests of several files use."""

from __future__ import annotations

import pytest
import replay  # noqa: F401  (finds torch2trt)
from skips import (  # noqa: F401  (hooks)
    pytest_make_collect_report,
    pytest_report_header,
    pytest_runtest_makereport,
    pytest_sessionstart,
)
from torch2trt import _core


@pytest.fixture
def command(capfd):
    """Runs the command line; returns its exit status and what it printed to standard output and standard error."""

    def run(*arguments):
        status = _core.run_command(["torch2trt", *map(str, arguments)], _core.site_packages())
        printed = capfd.readouterr()
        return status, printed.out, printed.err

    return run
