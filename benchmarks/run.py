"""Measures what the README claims, on the machine at hand. `make bench` prints the tables below, and writes them as
JSON, Markdown and a chart (results.py).

    speed       the CPU engine against PyTorch eager and against ONNX Runtime on torch.onnx.export's file
    conversion  our own stages against torch.export's time
    memory      resident memory while VGG-16 converts

    python benchmarks/run.py [speed|conversion|memory ...] [--models resnet18,vgg16] [--seconds 4] [--output FOLDER]

Contestants take turns in one process, so that all meet the same disturbances; the numbers to read are the ratios.
"""

from __future__ import annotations

import argparse
import math
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "python"))
import results
from models import MODELS, SEED_TABLE, build

from torch2trt import _core, torch2trt

warnings.simplefilter("ignore")


def take_turns(contestants: dict, seconds: float) -> dict[str, float]:
    """Median milliseconds of each function, called in turn for about `seconds`.

    Thread pools go on spinning for a while after a call. Each turn starts with a pause, so that nobody pays for the
    one before, and with a call that is not counted, so that all find their own threads awake.
    """
    times: dict[str, list[float]] = {name: [] for name in contestants}
    end = time.perf_counter() + seconds
    rounds = 0
    while time.perf_counter() < end or rounds < 5:
        for name, function in contestants.items():
            time.sleep(0.05)
            function()
            for _ in range(3):
                start = time.perf_counter()
                function()
                times[name].append((time.perf_counter() - start) * 1e3)
        rounds += 1
    return {name: statistics.median(seen[3:]) for name, seen in times.items()}


def geometric_mean(values: list[float]) -> float:
    return math.exp(statistics.fmean(map(math.log, values)))


def onnx_route(model, args, kwargs, folder: str):
    """What a user would do by hand: torch.onnx.export, then ONNX Runtime with its defaults."""
    import onnxruntime

    path = str(Path(folder) / "model.onnx")
    torch.onnx.export(model, args, path, kwargs=kwargs, dynamo=True, verbose=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    tensors = [given for given in (*args, *kwargs.values()) if isinstance(given, torch.Tensor)]
    feed = {port.name: tensor.numpy() for port, tensor in zip(session.get_inputs(), tensors, strict=True)}
    return lambda: session.run(None, feed)


def speed(models: list[str], seconds: float) -> results.Rows:
    threads = torch.get_num_threads()
    print(f"\nSpeed: batch 1, float32, {threads} threads, milliseconds\n")
    print(f"| model | PyTorch eager | ONNX route | torch2trt | × eager | × ONNX route |\n|{'---|' * 6}")
    rows: results.Rows = []
    for name in models:
        model, args, kwargs = build(name)
        ours = torch2trt(model, args, kwargs=kwargs, backend="cpu", threads=threads, log_level=30, progress=False)
        with tempfile.TemporaryDirectory() as folder, torch.no_grad():
            contestants = {
                "eager": lambda: model(*args, **kwargs),
                "onnx": onnx_route(model, args, kwargs, folder),
                "ours": lambda: ours(*args, **kwargs),
            }
            ms = take_turns(contestants, seconds)
        ratios = {"over_eager": ms["eager"] / ms["ours"], "over_onnx": ms["onnx"] / ms["ours"]}
        rows.append({"model": name, **ms, **ratios})
        row = " | ".join(f"{value:.2f}" for value in (*ms.values(), *ratios.values()))
        print(f"| {name} | {row} |", flush=True)
    means = {key: geometric_mean([row[key] for row in rows]) for key in ("over_eager", "over_onnx")}
    print(f"| **geometric mean** | | | | **{means['over_eager']:.2f}** | **{means['over_onnx']:.2f}** |")
    return [*rows, {"model": "geometric mean", "eager": None, "onnx": None, "ours": None, **means}]


def conversion(models: list[str], _: float) -> results.Rows:
    from torch2trt.capture import capture

    print("\nConversion: milliseconds; ours is everything between torch.export and the engine's builder\n")
    print(f"| model | torch.export | walk | convert and passes | ours / export |\n|{'---|' * 5}")
    rows: results.Rows = []
    for name in models:
        model, args, kwargs = build(name)
        marks: dict[str, float] = {}
        start = time.perf_counter()
        # The walk is the last stage that capture reports; what comes before it is torch.export.
        captured = capture(model, args, kwargs, None, lambda stage, *_: marks.setdefault(stage, time.perf_counter()))
        walked = time.perf_counter()
        best = math.inf
        for _ in range(3):
            begin = time.perf_counter()
            builder = _core.ProgramBuilder()
            captured.walk(builder)
            builder.finish().convert({})
            best = min(best, time.perf_counter() - begin)
        export, walk = marks["walk"] - start, walked - marks["walk"]
        ours = walk + best
        print(
            f"| {name} | {export * 1e3:.0f} | {walk * 1e3:.0f} | {best * 1e3:.0f} | {ours / export:.3f} |", flush=True
        )
        ms = {"export": export * 1e3, "walk": walk * 1e3, "convert": best * 1e3}
        rows.append({"model": name, **ms, "share": ours / export})
    return rows


_MEMORY = """
import sys, threading, time, gc, warnings
warnings.simplefilter("ignore")
sys.path[:0] = {paths!r}
import torch, torchvision
import torch2trt
from torch2trt import _core

def resident():
    for line in open("/proc/self/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024

class Peak(threading.Thread):
    def __init__(self):
        super().__init__(daemon=True)
        self.peak, self.stop = 0, False
    def run(self):
        while not self.stop:
            self.peak = max(self.peak, resident())
            time.sleep(0.002)

model = torchvision.models.vgg16(weights=None).eval()
x = torch.randn(1, 3, 224, 224)
# What PyTorch itself needs to start and to export is not ours: warm it up on a small model.
small = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU()).eval()
torch2trt.torch2trt(small, [x], log_level=30, progress=False)
weights = sum(p.numel() * p.element_size() for p in model.parameters())
gc.collect()
before = resident()
watch = Peak(); watch.start()
if {path!r} == "tensorrt":
    captured = torch2trt.capture.capture(model, (x,))
    builder = _core.ProgramBuilder(); captured.walk(builder)
    network = builder.finish().convert({{}})
else:
    made = torch2trt.torch2trt(model, [x], backend="cpu", verify=False, log_level=30, progress=False)
watch.stop = True; watch.join()
print(f"{{(max(watch.peak, resident()) - before) / weights:.2f}} {{(resident() - before) / weights:.2f}}")
"""


def memory(_: list[str], __: float) -> results.Rows:
    print(
        "\nMemory: VGG-16 (553 MB of weights), resident memory above what PyTorch holds, in multiples of the weights\n"
    )
    print(f"| path | peak | after |\n|{'---|' * 3}")
    rows: results.Rows = []
    for path, label in (("tensorrt", "TensorRT, before the builder runs"), ("cpu", "CPU engine")):
        code = _MEMORY.format(path=path, paths=[p for p in sys.path if p])
        peak, after = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
        print(f"| {label} | {peak} | {after} |", flush=True)
        rows.append({"path": label, "peak": float(peak), "after": float(after)})
    return rows


def main() -> None:
    tables = {"speed": speed, "conversion": conversion, "memory": memory}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", choices=[*tables, []], help="which tables (default: all)")
    parser.add_argument("--models", default=",".join(SEED_TABLE), help="comma-separated, or `all`")
    parser.add_argument("--seconds", type=float, default=4, help="per model in the speed table")
    parser.add_argument("--output", type=Path, help="a folder for results.json, results.md and speed.svg")
    options = parser.parse_args()
    models = list(MODELS) if options.models == "all" else options.models.split(",")
    found = {name: tables[name](models, options.seconds) for name in options.tables or tables}
    if options.output:
        results.write(found, results.machine(), options.output)
        print(f"\nwritten to {options.output}")


if __name__ == "__main__":
    main()
