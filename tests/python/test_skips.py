"""A test that is skipped with CI=true fails, unless the machine cannot have what it needs."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import skips


@pytest.mark.parametrize(
    ("reason", "ci", "outcome"),
    [
        ("Skipped: no TensorRT-RTX", "true", "failed"),
        ("Skipped: could not import 'xxhash'", "true", "failed"),
        ("Skipped: no TensorRT-RTX", "false", "skipped"),
        ("Skipped: this PyTorch saves weights as pickles", "true", "skipped"),
        ("Skipped: needs FIFOs", "true", "skipped"),
    ],
)
def test_reports_a_skip_as_a_failure_under_ci(monkeypatch, reason, ci, outcome):
    monkeypatch.setenv("CI", ci)
    report = SimpleNamespace(skipped=True, outcome="skipped", longrepr=("test.py", 1, reason))
    skips._judge(report)
    assert report.outcome == outcome
    assert outcome == "skipped" or reason in report.longrepr


def test_an_expected_failure_is_not_a_skip(monkeypatch):
    monkeypatch.setenv("CI", "true")
    report = SimpleNamespace(skipped=True, outcome="skipped", longrepr=("test.py", 1, "no reason"), wasxfail="known")
    skips._judge(report)
    assert report.outcome == "skipped"


def test_requires_a_gpu_only_where_there_is_one():
    assert skips.allowed("Skipped: no GPU", has_gpu=False)
    assert not skips.allowed("Skipped: no GPU", has_gpu=True)


@pytest.mark.parametrize("is_new", [False, True])
def test_requires_packages_of_a_new_pytorch_only_there(monkeypatch, is_new):
    monkeypatch.setattr(skips, "IS_NEW", is_new)
    monkeypatch.setattr(skips, "OF_NEW_PYTORCH", ("no_such_package",))
    assert skips.allowed("Skipped: could not import 'no_such_package'", has_gpu=False) != is_new
    assert ("no_such_package" in skips.missing()) == is_new


def test_ends_a_run_under_ci_without_its_packages(monkeypatch):
    monkeypatch.setattr(skips, "PACKAGES", ("no_such_package",))
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.UsageError, match="no_such_package"):
        skips.pytest_sessionstart()
    monkeypatch.setenv("CI", "false")
    skips.pytest_sessionstart()
    assert "no_such_package" in skips.pytest_report_header()
