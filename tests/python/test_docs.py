"""Every Python block of the documentation runs as it stands, one after the other on each page."""

import re
import shlex
import sys
from pathlib import Path

import pytest
import torch
from archived import refuses_archives

from torch2trt import CONVERTERS, Error, _core, torch2trt

ROOT = Path(__file__).parent.parent.parent
PAGES = ["README.md", *sorted(str(page.relative_to(ROOT)) for page in (ROOT / "docs").rglob("*.md"))]
# Pages whose Python blocks are not programs: a signature, and examples that raise (tested below).
NOT_RUN = {"docs/arguments.md", "docs/errors.md"}
RUN = [page for page in PAGES if page not in NOT_RUN and "```python\n" in (ROOT / page).read_text(encoding="utf-8")]
# A page that needs more than the test environment has names the packages: <!-- requires: diffusers -->
REQUIRES = re.compile(r"^<!-- requires: (.+?) -->$", re.MULTILINE)
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture(autouse=True)
def nothing_left_behind():
    """Converters and the alias of tensorrt that a page registers are its own."""
    converters, modules = dict(CONVERTERS), dict(sys.modules)
    yield
    CONVERTERS.clear()
    CONVERTERS.update(converters)
    if "tensorrt" not in modules:
        sys.modules.pop("tensorrt", None)


def run_blocks(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = list(BLOCK.finditer(text))
    assert blocks
    for package in (name for names in REQUIRES.findall(text) for name in names.split(", ")):
        pytest.importorskip(package)
    names = {"__name__": page}
    for block in blocks:
        # Errors name the line of the page.
        lines = "\n" * (text.count("\n", 0, block.start()) + 1)
        exec(compile(lines + block[1], str(ROOT / page), "exec"), names)
    return text


@pytest.mark.parametrize("page", RUN)
def test_page(page, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)  # some blocks write files
    try:
        text = run_blocks(page)
    except Error as refused:
        skip_without_archives(str(refused))
        raise
    for command in re.findall(r"^\$ (torch2trt .*)$", text, re.MULTILINE):
        status, printed = _core.run_command(shlex.split(command), _core.site_packages()), capfd.readouterr().err
        skip_without_archives(printed if status else "")
        assert status == 0, (command, printed)


def skip_without_archives(refused):
    """Skips a page from where on it needs an archive of weights, where this PyTorch writes none."""
    if refuses_archives(refused):
        pytest.skip(f"this PyTorch saves weights as pickles: {refused}")


SECTION = re.compile(r"^## (E\d{4}): (.+?)$(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
EXAMPLE = re.compile(r"^```python\n(.*?)^```\n(?:\n^```text\n(.*?)^```)?", re.MULTILINE | re.DOTALL)
SECTIONS = SECTION.findall((ROOT / "docs/errors.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("code", "_", "section"), SECTIONS, ids=[code for code, *_ in SECTIONS])
def test_errors(code, _, section, tmp_path, monkeypatch):
    """The example of each error code raises it, with the text of the page: its lines wrap, and `…` is anything."""
    assert "**Cause.**" in section and "**Fix.**" in section
    monkeypatch.chdir(tmp_path)
    for source, shown in EXAMPLE.findall(section):
        with pytest.raises(Error) as raised:
            exec(
                compile(source, code, "exec"),
                {"__name__": "__main__", "torch": torch, "torch2trt": torch2trt, "Path": Path},
            )
        assert raised.value.code == code
        assert "error[" not in raised.value.message and "\nhelp: " not in raised.value.message
        pattern = re.escape(" ".join(shown.split())).replace("…", ".*")
        assert re.fullmatch(pattern, " ".join(str(raised.value).split())), str(raised.value)


def test_errors_has_every_code():
    assert [(code, f"{title}.") for code, title, _ in SECTIONS] == _core.error_codes()


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    path = ROOT / page
    prose = re.sub(r"```.*?```|`[^`]*`", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    links = re.findall(r"\]\((?!https?:)([^)#]+)", prose)
    missing = [link for link in links if not (path.parent / link).exists()]
    assert not missing
