"""What is written over: FIFOs, links and folders, by Python and by the command line; all in a temporary folder."""

import os
import threading

import pytest
import torch
from archived import needs_archives
from torch import nn

import torch2trt as package
from torch2trt import Error, _core, torch2trt
from torch2trt.dataset import ListDataset
from torch2trt.dataset_calibrator import DatasetCalibrator

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")


class FakePlan:
    """A plan that was built for another machine."""

    input_names = output_names = ()

    def serialize(self):
        return b"plan" * 1000


def _save_plan(path):
    made = package.TRTModule()
    made.plan = FakePlan()
    made.save_plan(path)


def _calibration_cache(path):
    DatasetCalibrator(ListDataset([[torch.ones(1)]]), cache_file=str(path)).write_calibration_cache(b"ranges" * 1000)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    model = nn.Linear(4, 3).eval()
    made = torch2trt(model, [torch.randn(2, 4)], backend="cpu", progress=False)
    made.save(folder / "engine.trt2")
    torch.export.save(torch.export.export(model, (torch.randn(2, 4),)).run_decompositions({}), folder / "model.pt2")
    return made, folder


def _run(*arguments):
    status = _core.run_command(["torch2trt", *map(str, arguments)], _core.site_packages())
    if status:
        raise OSError(f"status {status}")


WRITERS = {
    "save": lambda made, path: made[0].save(path),
    "save_onnx": lambda made, path: made[0].network.save_onnx(path),
    "save_plan": lambda made, path: _save_plan(path),
    "calibration cache": lambda made, path: _calibration_cache(path),
    "build": lambda made, path: _run("build", made[1] / "model.pt2", "--backend", "cpu", "--output", path),
    "build --onnx": lambda made, path: _run("build", made[1] / "model.pt2", "--backend", "cpu", "--onnx", path),
    "run --output": lambda made, path: _run("run", made[1] / "engine.trt2", "--output", path),
}


@pytest.fixture(params=[pytest.param(name, marks=[needs_archives] * name.startswith("build")) for name in WRITERS])
def write(request, made):
    return lambda path: WRITERS[request.param](made, path)


def test_a_fifo_is_written_to(write, tmp_path):
    write(tmp_path / "plain")
    fifo, got = tmp_path / "fifo", []
    os.mkfifo(fifo)
    reader = threading.Thread(target=lambda: got.append(fifo.read_bytes()), daemon=True)
    reader.start()
    write(fifo)
    reader.join(10)
    assert fifo.is_fifo() and len(got[0]) == len((tmp_path / "plain").read_bytes())


def test_links_are_followed(write, tmp_path):
    target, link, dangling = tmp_path / "target", tmp_path / "link", tmp_path / "dangling"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link.symlink_to("target")
    dangling.symlink_to("new")
    write(link)
    write(dangling)
    assert link.is_symlink() and target.read_bytes() != b"old" and target.stat().st_mode & 0o777 == 0o640
    assert dangling.is_symlink() and (tmp_path / "new").stat().st_size == target.stat().st_size
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dangling", "link", "new", "target"]


def test_a_folder_is_refused(write, tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises((Error, OSError)):
        write(tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"] and not list((tmp_path / "folder").iterdir())


def test_a_failed_write_leaves_the_old_plan(tmp_path):
    path = tmp_path / "missing" / "net.plan"
    with pytest.raises(Error, match="E0605"):
        _save_plan(path)
    path.parent.mkdir()
    _save_plan(path)
    assert path.read_bytes() == b"plan" * 1000 and os.listdir(path.parent) == ["net.plan"]
