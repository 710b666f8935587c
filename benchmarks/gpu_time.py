"""Times and differences on a GPU.

This file must not know models or engines.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any


def milliseconds(call: Callable[[], Any], calls: int = 200, warm_ups: int = 20) -> float:
    """Median time on the GPU's clock between the beginning and the end of a call."""
    import torch

    for _ in range(warm_ups):
        call()
    torch.cuda.synchronize()
    times = []
    for _ in range(calls):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        call()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
    return statistics.median(times)


def returns_after(call: Callable[[], Any], calls: int) -> float:
    """Microseconds of host time until a call returns: the mean of calls too few to fill the queue of kernels."""
    import torch

    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - start) / calls * 1e6


def host_microseconds(call: Callable[[], Any], bare: Callable[[], Any], calls: int = 50, repeats: int = 20) -> float:
    """How much longer a call takes to return than a bare one: the least of some rounds of each.

    The rounds take turns, so that both see the same machine, and are short enough not to fill the queue.
    """
    import torch

    rounds = [(returns_after(call, calls), returns_after(bare, calls)) for _ in range(repeats)]
    torch.cuda.synchronize()
    return min(ours for ours, _ in rounds) - min(theirs for _, theirs in rounds)


def captured(call: Callable[[], Any]) -> Any:
    """A CUDA graph of a call, made as in PyTorch's documentation."""
    import torch

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            call()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return graph


def difference(expected: Any, got: Any) -> float:
    """max |expected - got| / max |expected|."""
    expected, got = expected.double(), got.double()
    return ((expected - got).abs().max() / expected.abs().max()).item()
