"""Reports as HTML files, and networks as SVG: contents for models of each kind, from Python and from engine files."""

from __future__ import annotations

import copy
import json
import pickle
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from archived import needs_archives
from test_fallback import Operator
from torch import nn

from torch2trt import Error, _core, load, torch2trt


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.relu = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.relu(x + self.second(self.relu(self.first(x))))


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.block, self.head = nn.Conv2d(3, 8, 3), Block(), nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.head(self.block(self.stem(x)).mean((2, 3))), -1)


def converted(**options: Any) -> Any:
    return torch2trt(Net().eval(), [torch.randn(1, 3, 16, 16)], backend="cpu", progress=False, **options)


def main(arguments: list[str]) -> int:
    """Runs the command; returns its exit status."""
    return _core.run_command(["torch2trt", *arguments], _core.site_packages())


def data_of(page: str) -> Any:
    """The JSON that the page draws from."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


def saved(made: Any, folder: Path) -> str:
    made.report.save(folder / "report.html")
    return (folder / "report.html").read_text()


def test_a_report_shows_what_was_built(tmp_path: Path) -> None:
    page = saved(converted(max_batch_size=4), tmp_path)
    assert "<title>Net" in page
    assert "ONNX model for the CPU engine" in page
    assert "axis 0: 1 to 4" in page
    for output in ("output (min)", "output (opt)", "output (max)"):
        assert f"<code>{output}</code>" in page
    assert "No times were measured" in page
    assert "capture" in page
    assert "asked for" in page
    (engine,) = data_of(page)["engines"]
    assert {layer[3] for layer in engine["layers"]} >= {"stem", "block.first", "block.relu", "head"}
    assert any(layer[5].startswith("test_html_report.py:") for layer in engine["layers"])
    assert [part[0] for part in engine["tree"][3]][:2] == ["stem", "block"]
    assert str(Path(__file__).parent) not in page


def test_a_report_has_the_times_of_the_last_profile(tmp_path: Path) -> None:
    made, x = converted(), torch.randn(1, 3, 16, 16)
    found = made.profile([x], calls=3)
    page = saved(made, tmp_path)
    (engine,) = data_of(page)["engines"]
    assert [row[0] for row in engine["times"]] == [layer.name for layer in found.layers]
    assert engine["total"] == found.seconds
    assert any(layer[11] for layer in engine["layers"])
    assert "No times were measured" not in page


def test_half_precision_and_its_exceptions(tmp_path: Path) -> None:
    page = saved(converted(fp16_mode=True, keep_fp32=["head"]), tmp_path)
    (engine,) = data_of(page)["engines"]
    kinds = {(layer[3], layer[2]) for layer in engine["layers"]}
    assert ("block.first", "float16") in kinds
    assert ("head", "float32") in kinds
    assert any("keep_fp32" in (layer[10] or "") for layer in engine["layers"] if layer[3] == "head")
    assert "Layers kept in float32" in page


def test_int8_has_ranges(tmp_path: Path) -> None:
    page = saved(converted(int8_mode=True), tmp_path)
    (engine,) = data_of(page)["engines"]
    assert 'id="ranges"' in page
    assert any(layer[2] == "int8" and layer[1] == "Convolution" for layer in engine["layers"])
    scales = [layer[9] for layer in engine["layers"] if layer[9]]
    assert scales
    assert all(0 < one["least"] <= one["most"] for one in scales)


@needs_archives
def test_parts_in_pytorch_are_listed(tmp_path: Path) -> None:
    x = torch.randn(2, 8)
    made = torch2trt(Operator().eval(), [x], backend="cpu", progress=False, fallback=True, min_layers=1)
    page = saved(made, tmp_path)
    assert 'id="parts"' in page
    assert "in-pytorch" in page
    assert len(data_of(page)["engines"]) == sum(part.kind == "engine" for part in made.partitions)
    made.save(tmp_path / "parts.trt2")
    assert main(["report", str(tmp_path / "parts.trt2"), "--output", str(tmp_path / "parts.html")]) == 0
    again = (tmp_path / "parts.html").read_text()
    assert "in-pytorch" in again
    assert [one["layers"] for one in data_of(again)["engines"]] == [one["layers"] for one in data_of(page)["engines"]]
    assert main(["report", str(tmp_path / "parts.trt2"), "-o", str(tmp_path / "no.html"), "--bench"]) == 1


def test_a_file_has_what_the_conversion_had(tmp_path: Path) -> None:
    made = converted(fp16_mode=True, keep_fp32=["head"])
    made.save(tmp_path / "net.trt2")
    page = saved(made, tmp_path)
    assert main(["report", str(tmp_path / "net.trt2"), "--output", str(tmp_path / "file.html")]) == 0
    of_file = (tmp_path / "file.html").read_text()
    assert data_of(of_file)["engines"][0]["layers"] == data_of(page)["engines"][0]["layers"]
    assert "kept in float32" in of_file
    assert "capture" in of_file
    loaded = saved(load(tmp_path / "net.trt2"), tmp_path)
    assert data_of(loaded)["engines"][0]["layers"] == data_of(page)["engines"][0]["layers"]
    assert "capture" in loaded


def test_the_command_measures_layers(tmp_path: Path) -> None:
    converted(max_batch_size=2).save(tmp_path / "net.trt2")
    assert main(["report", str(tmp_path / "net.trt2"), "-o", str(tmp_path / "a.html"), "--bench"]) == 0
    (engine,) = data_of((tmp_path / "a.html").read_text())["engines"]
    assert engine["times"]
    assert engine["total"] > 0


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</script><!--"])
def test_names_of_a_model_never_become_markup(tmp_path: Path, name: str) -> None:
    model = nn.Module()
    model.add_module(name, nn.Linear(4, 4))
    model.forward = lambda x: getattr(model, name)(x)  # type: ignore[method-assign]
    made = torch2trt(
        model.eval(), [torch.randn(2, 4)], backend="cpu", progress=False, verify=False, output_names=[name]
    )
    page, picture = saved(made, tmp_path), made.network.to_svg()
    for text in (page, picture):
        assert name not in text
    assert page.count("<script") == 2


def test_pictures_are_coloured_and_folded() -> None:
    made = converted(fp16_mode=True)
    picture = made.network.to_svg()
    assert picture == made.network._repr_html_()
    assert picture.startswith("<svg")
    assert "t2t-float16" in picture
    assert "t2t-open" in picture
    folded = made.network.to_svg(most=1)
    assert "t2t-fold" in folded.partition("</style>")[2]
    assert "t2t-open" not in folded.partition("</style>")[2]


def test_errors_have_codes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    made = converted()
    with pytest.raises(Error) as refused:
        made.report.save(tmp_path / "missing" / "report.html")
    assert refused.value.code == "E0605"
    with pytest.raises(Error) as refused:
        made.report.save(7)
    assert refused.value.code == "E0701"
    (tmp_path / "text.trt2").write_bytes(b"PK no engine")
    assert main(["report", str(tmp_path / "text.trt2"), "--output", str(tmp_path / "a.html")]) == 1
    assert "error[E0605]" in capfd.readouterr().err


def test_reports_are_copied_and_pickled(tmp_path: Path) -> None:
    report = converted().report
    for other in (copy.deepcopy(report), pickle.loads(pickle.dumps(report))):
        other.save(tmp_path / "copy.html")
        report.save(tmp_path / "own.html")
        assert (tmp_path / "copy.html").read_text() == (tmp_path / "own.html").read_text()
