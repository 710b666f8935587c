"""The seed's table on the GPU at hand: PyTorch's ways of running a model against TensorRT through torch2trt.

    python benchmarks/gpu_table.py [--models resnet18,vit_b_16:32,bert-base:32x128] [--types float16,float32] [--rows
    gpu_table.jsonl]

`gpu_models.py` lists the models; they have random weights. Times are medians of 200 calls after 20 warm-ups, in
milliseconds between two CUDA events around a call. Columns:

    eager       PyTorch, model(x)
    channels    the same with channels_last memory
    graph       the faster of the two, replayed from a CUDA graph
    compile     torch.compile(mode="reduce-overhead")
    enqueue     torch2trt, use_cuda_graph=False
    ours        torch2trt, use_cuda_graph=True
    onnx        with --onnx-plan: the file of torch.onnx.export, built by TensorRT's own parser, replayed from a CUDA
    graph build s     seconds to build the engine (with what the timing cache knows); TensorRT's kernels are loaded
    before, once again s     with --again: seconds of a second build, with the timings of the first
    cached s    seconds until the engine is there when the same model is converted again: the engine cache has its plan
    onnx diff   the difference of that
    onnx s      seconds of its build, in a process of its own, with the loading of TensorRT's kernels
    diff        largest difference to float32 PyTorch (TF32 off), relative to the largest output
    torch diff  the same for PyTorch in that type
    host us     host time of a call of ours above a bare graph launch: microseconds

A row is printed and appended to the file of rows as soon as it is there; rows in the file are not measured again, so
that a run that was cut off goes on where it stopped. A model that hangs is given up after `--limit` seconds.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import queue
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from gpu_time import captured, difference, host_microseconds, milliseconds
from onnx_route import onnx_columns

MODELS = [
    "alexnet",
    "squeezenet1_0",
    "squeezenet1_1",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "densenet121",
    "densenet169",
    "densenet201",
    "densenet161",
    "vgg11",
    "vgg13",
    "vgg16",
    "vgg19",
    "vgg11_bn",
    "vgg13_bn",
    "vgg16_bn",
    "vgg19_bn",
    "mobilenet_v2",
]
PYTORCH = ("eager", "channels", "graph", "compile")
TIMES = (*PYTORCH, "enqueue", "ours", "onnx")
MARK = "ROW "


def pytorch_columns(row: dict[str, Any], model: Any, inputs: tuple[Any, ...], with_compile: bool) -> None:
    """PyTorch's own ways, in the type of the model."""
    import torch

    show = lambda name: print(f"  {name:8} {row[name]:.3f} ms", flush=True)  # noqa: E731
    row["eager"] = milliseconds(lambda: model(*inputs))
    show("eager")
    best = inputs
    if inputs[0].dim() == 4:
        last = model.to(memory_format=torch.channels_last)
        moved = tuple(tensor.to(memory_format=torch.channels_last) for tensor in inputs)
        row["channels"] = milliseconds(lambda: last(*moved))
        show("channels")
        best = moved if row["channels"] < row["eager"] else inputs
        if best is inputs:
            model.to(memory_format=torch.contiguous_format)
    graph = captured(lambda: model(*best))
    row["graph"] = milliseconds(graph.replay)
    show("graph")
    if with_compile:
        try:
            compiled = torch.compile(model, mode="reduce-overhead")
            row["compile"] = milliseconds(lambda: compiled(*best))
            show("compile")
        except Exception as problem:  # a missing compiler, most of the time: the column stays empty
            print(f"  compile  not measured: {str(problem).splitlines()[0][:120]}", flush=True)
        torch._dynamo.reset()


def our_columns(
    row: dict[str, Any], model: Any, inputs: tuple[Any, ...], expected: Any, half: bool, options: argparse.Namespace
) -> None:
    """torch2trt, by plain enqueue and by CUDA graph, from one plan."""
    import torch

    import torch2trt

    arguments = {
        "fp16_mode": half,
        "backend": "tensorrt",
        "use_cuda_graph": False,
        "tensorrt": options.tensorrt,
        "timing_cache": options.timing_cache or True,
        "verify": False,
        "progress": False,
    }
    seconds = lambda made: round(made.report.seconds["engine"] + made.report.seconds["load"], 2)  # noqa: E731
    with tempfile.TemporaryDirectory() as cache:
        start = time.perf_counter()
        made = torch2trt.torch2trt(model, inputs, engine_cache=cache, **arguments)
        row["convert s"] = round(time.perf_counter() - start, 2)
        row["build s"], row["engine"] = seconds(made), made.report.engine
        row["cached s"] = seconds(torch2trt.torch2trt(model, inputs, engine_cache=cache, **arguments))
    print(f"  engine   in {row['cached s']} s from the cache, after {row['build s']} s", flush=True)
    if options.again:
        row["again s"] = seconds(torch2trt.torch2trt(model, inputs, engine_cache=False, **arguments))
        print(f"  again    built in {row['again s']} s", flush=True)
    row["diff"] = difference(expected, made(*inputs))
    row["enqueue"] = milliseconds(lambda: made(*inputs))
    print(f"  enqueue  {row['enqueue']:.3f} ms, built in {row['build s']} s, difference {row['diff']:.1e}", flush=True)
    bare = captured(lambda: made(*inputs))
    with tempfile.TemporaryDirectory() as folder:
        made.save(os.path.join(folder, "engine"))
        graphed = torch2trt.load(os.path.join(folder, "engine"), use_cuda_graph=True, tensorrt=options.tensorrt)
    row["graph diff"] = difference(expected, graphed(*inputs))
    row["ours"] = milliseconds(lambda: graphed(*inputs))
    row["host us"] = round(host_microseconds(lambda: graphed(*inputs), bare.replay), 1)
    row["bare ms"] = milliseconds(bare.replay)
    print(
        f"  ours     {row['ours']:.3f} ms (a bare launch {row['bare ms']:.3f}), host +{row['host us']} us", flush=True
    )
    torch.cuda.synchronize()


def measure(name: str, kind: str, options: argparse.Namespace) -> dict[str, Any]:
    """One row."""
    import torch
    from gpu_models import build

    row: dict[str, Any] = {"model": name, "type": kind, "gpu": torch.cuda.get_device_name()}
    dtype = getattr(torch, kind)
    model, inputs = build(name)
    model, inputs = model.cuda(), tuple(tensor.cuda() for tensor in inputs)
    half = dtype == torch.float16
    with torch.no_grad():
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
        expected = model(*inputs)
        torch.backends.cudnn.allow_tf32 = True
        our_columns(row, model, inputs, expected, half, options)
        if options.onnx_plan:
            try:
                onnx_columns(row, model, inputs, expected, half, options)
            except Exception as problem:  # the exporter or the parser refuses many models: the column stays empty
                print(f"  onnx     not measured: {str(problem).splitlines()[-1][:120]}", flush=True)
    with torch.inference_mode():
        inputs = tuple(tensor.to(dtype) if tensor.is_floating_point() else tensor for tensor in inputs)
        model = model.to(dtype)
        row["torch diff"] = difference(expected, model(*inputs))
        pytorch_columns(row, model, inputs, not options.no_compile)
    return row


def describe(options: argparse.Namespace) -> dict[str, str]:
    """The machine and the versions."""
    import torch

    from torch2trt import _core
    from torch2trt.file import load_options

    if not torch.cuda.is_available():
        sys.exit("no GPU is there: this table is of GPUs; benchmarks/run.py measures the CPU engine")
    version, _, _ = _core.find_tensorrt(load_options(tensorrt=options.tensorrt))
    return {
        "gpu": torch.cuda.get_device_name(),
        "driver": subprocess.run(
            ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"], capture_output=True, text=True
        ).stdout.strip(),
        "torch": torch.__version__,
        "tensorrt": version,
    }


def work(options: argparse.Namespace) -> None:
    """The worker: measures the rows that it reads from standard input, a row at a time."""
    import torch2trt

    machine = describe(options)
    start = time.perf_counter()
    # Loading TensorRT's kernels takes longer than many a build; once is enough for all rows.
    with torch2trt.keep_builder(tensorrt=options.tensorrt):
        machine["load s"] = round(time.perf_counter() - start, 1)
        print(MARK + json.dumps({"machine": machine}), flush=True)
        answer(options)


def answer(options: argparse.Namespace) -> None:
    """A row for each line that names a model and a type."""
    for line in sys.stdin:
        name, kind = line.split()
        print(f"{name} {kind}", flush=True)
        try:
            row = measure(name, kind, options)
        except Exception as problem:  # the row has the reason; the others go on
            row = {"model": name, "type": kind, "error": f"{type(problem).__name__}: {problem}"}
            print(f"  failed: {row['error']}", flush=True)
        print(MARK + json.dumps(row), flush=True)


class Worker:
    """The process that measures, and a thread that reads what it prints."""

    def __init__(self, arguments: list[str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--worker", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def row(self, limit: float) -> dict[str, Any] | str:
        """The next row, or why there is none."""
        end = time.monotonic() + limit
        while True:
            try:
                line = self.lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                self.process.kill()
                return f"given up after {limit:.0f} s"
            if line is None:
                return f"the process ended with {self.process.wait()}"
            if line.startswith(MARK):
                return json.loads(line[len(MARK) :])
            print(line, end="", flush=True)

    def ask(self, name: str, kind: str) -> None:
        self.process.stdin.write(f"{name} {kind}\n")
        self.process.stdin.flush()


def run(options: argparse.Namespace, arguments: list[str]) -> None:
    rows = read_rows(options.rows)
    done = {(row["model"], row["type"]) for row in rows if "error" not in row or not options.retry}
    todo = [
        (name, kind)
        for kind in options.types.split(",")
        for name in options.models.split(",")
        if (name, kind) not in done
    ]
    end, worker = time.monotonic() + options.budget, None
    for name, kind in todo:
        if time.monotonic() > end:
            print(f"the budget of {options.budget:.0f} s is spent; run again for the rest", flush=True)
            break
        if worker is None:
            worker = Worker(arguments)
            machine = worker.row(options.limit)
            if isinstance(machine, str):
                sys.exit(f"the worker did not start: {machine}")
            append(options.rows, machine)
        worker.ask(name, kind)
        row = worker.row(min(options.limit, max(60.0, end + 60 - time.monotonic())))
        if isinstance(row, str):
            row, worker = {"model": name, "type": kind, "error": row}, None
            print(f"  {row['error']}", flush=True)
        append(options.rows, row)
    if worker:
        worker.process.stdin.close()
        worker.process.wait(60)
    print(table(read_rows(options.rows)))


def append(path: Path, row: dict[str, Any]) -> None:
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a file, the last one where a model was measured again; a line that was cut off is left out."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if "model" in row:
            found[row["model"], row["type"]] = row
    return list(found.values())


def speed_up(row: dict[str, Any]) -> float | None:
    """How many times faster the better of ours is than the best of PyTorch's."""
    theirs = [row[name] for name in PYTORCH if name in row]
    ours = [row[name] for name in ("enqueue", "ours") if name in row]
    return min(theirs) / min(ours) if theirs and ours else None


COLUMNS = {
    **{name: (name, ".3f") for name in TIMES},
    "speed-up": ("× best PyTorch", ".2f"),
    "build s": ("build s", ".0f"),
    "again s": ("again s", ".1f"),
    "cached s": ("cached s", ".2f"),
    "diff": ("diff", ".1e"),
    "torch diff": ("torch diff", ".1e"),
    "onnx diff": ("onnx diff", ".1e"),
    "onnx s": ("onnx build s", ".0f"),
    "host us": ("host µs", ".1f"),
}
"""What a row may have: its heading, and how it is written."""


def table(rows: list[dict[str, Any]]) -> str:
    """All rows as Markdown, a table a type; columns that no row has are left out."""
    lines = []
    order = {name: k for k, name in enumerate(MODELS)}
    for kind in dict.fromkeys(row["type"] for row in rows):
        chosen = sorted(
            (row for row in rows if row["type"] == kind), key=lambda row: order.get(row["model"], len(order))
        )
        chosen = [{**row, "speed-up": speed_up(row)} for row in chosen]
        there = {name: column for name, column in COLUMNS.items() if any(row.get(name) is not None for row in chosen)}
        lines += ["", f"### {kind}", "", "| model | " + " | ".join(heading for heading, _ in there.values()) + " |"]
        lines += ["|---|" + "---:|" * len(there)]
        for row in chosen:
            cells = [row["error"].splitlines()[0][:120]] if "error" in row else []
            if not cells:
                cells = ["" if row.get(name) is None else format(row[name], form) for name, (_, form) in there.items()]
            lines.append("| " + " | ".join([row["model"], *cells]) + " |")
        ratios = [row["speed-up"] for row in chosen if row["speed-up"]]
        if ratios:
            mean = math.exp(statistics.fmean(map(math.log, ratios)))
            lines += ["", f"{len(ratios)} models, geometric mean {mean:.2f}×, least {min(ratios):.2f}×"]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default=",".join(MODELS), help="comma-separated names, see gpu_models.py")
    parser.add_argument("--types", default="float16,float32", help="float16, float32 or both")
    parser.add_argument("--rows", type=Path, default=Path("gpu_table.jsonl"), help="the file of rows")
    parser.add_argument("--limit", type=float, default=600, help="seconds until a row is given up")
    parser.add_argument("--budget", type=float, default=math.inf, help="seconds after which no further row is begun")
    parser.add_argument("--tensorrt", help="path of the TensorRT library")
    parser.add_argument(
        "--onnx-plan", help="the program of crates/nvinfer/examples/onnx_plan.rs, for the column of the ONNX route"
    )
    parser.add_argument("--onnx-parser", help="path of TensorRT's ONNX parser, such as libnvonnxparser.so.8")
    parser.add_argument("--timing-cache", help="file of TensorRT's timing cache; default: that of torch2trt")
    parser.add_argument("--again", action="store_true", help="build a second time, with the timings of the first")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    parser.add_argument("--retry", action="store_true", help="measure rows again that failed")
    parser.add_argument("--table", action="store_true", help="print the table of the rows there are, and stop")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options)
    elif options.table:
        print(table(read_rows(options.rows)))
    else:
        run(options, sys.argv[1:])


if __name__ == "__main__":
    main()
