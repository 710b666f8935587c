"""The ranges of int8: how large the values are that convolutions and products read, on samples.

The network runs on the CPU engine, in the precision that it has without int8. Magnitudes are kept as histograms, from
which one of three algorithms takes the range; what is larger than that becomes the largest code.

This file must not know what is decided from the ranges.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from . import _core
from .dataset_calibrator import CalibrationAlgoType
from .errors import error

BINS = 8192
"""Bins of a histogram that has seen one sample; more where later samples have larger values."""
MOST = 4
"""How many times as many there may be."""
CODES = 128
"""Magnitudes that int8 tells apart."""
STRIDE = 32
"""Bins between two ranges that are compared."""
KEPT = 0.999
"""Share of the values that a range holds at least: few samples tell little about how values are distributed."""
PERCENTILE = 0.9999
"""Share of the values that the range of `LEGACY_CALIBRATION` holds."""


class Histogram:
    """How often magnitudes came, in bins of one width. Zeros are left out: they are exact in any range."""

    def __init__(self) -> None:
        self.counts = torch.zeros(0, dtype=torch.float64)
        self.width = 0.0
        self.largest = 0.0

    def add(self, values: torch.Tensor) -> None:
        """Counts the finite values of a tensor."""
        values = values.detach().abs().flatten().float()
        values = values[values.isfinite() & (values > 0)]
        if values.numel() == 0:
            return
        self.largest = max(self.largest, values.max().item())
        if not self.width:
            self.width = self.largest / BINS
        while self.largest >= MOST * BINS * self.width:
            # The first samples said little: two bins become one, so that memory stays what it is.
            self.counts = torch.nn.functional.pad(self.counts, (0, len(self.counts) % 2)).view(-1, 2).sum(1)
            self.width *= 2
        bins = max(BINS, len(self.counts), int(self.largest / self.width) + 1)
        counted = torch.histc(values, bins=bins, min=0.0, max=bins * self.width).double()
        counted[: len(self.counts)] += self.counts
        self.counts = counted

    def percentile(self, share: float) -> float:
        """The end of the bin up to which this share of the values lies."""
        reached = torch.cumsum(self.counts, 0) >= share * self.counts.sum()
        return (int(reached.nonzero()[0]) + 1) * self.width

    def entropy(self) -> float:
        """The range in which the codes tell most: where the distribution of the values, cut off there, and that of the
        codes differ least (Kullback and Leibler's divergence)."""
        least = max(CODES, round(self.percentile(KEPT) / self.width))
        ends = range(least, len(self.counts), STRIDE)
        best = min(ends, key=self._divergence, default=None)
        return self.largest if best is None else best * self.width

    def _divergence(self, end: int) -> float:
        """Of the values up to the end of a bin, with what lies beyond in the last one, from their codes."""
        kept = self.counts[:end]
        cut = kept.clone()
        cut[-1] += self.counts[end:].sum()
        code = torch.arange(end) * CODES // end
        there = (kept > 0).double()
        sums = torch.zeros(CODES, dtype=torch.float64).index_add_(0, code, kept)
        bins = torch.zeros(CODES, dtype=torch.float64).index_add_(0, code, there)
        spread = there * (sums / bins.clamp(min=1))[code]
        known = (cut > 0) & (spread > 0)
        p, q = cut / cut.sum(), spread / spread.sum()
        # What has no code at all: as far off as can be told.
        lost = p[(cut > 0) & (spread == 0)].sum()
        return float((p[known] * (p[known] / q[known]).log()).sum() + lost * len(self.counts))


def ranges(network: _core.Network, samples: Iterable[list[torch.Tensor]], algorithm: Any) -> dict[str, float]:
    """The range of each tensor that would be quantized, by the names that `network.calibrated()` gives.

    Args:
        network: the network to be quantized.
        samples: for each call, its tensors in the order of the network's inputs.
        algorithm: a `CalibrationAlgoType`, TensorRT's own, or its name.

    Raises:
        torch2trt.Error: E0701 for an algorithm that is none, or a sample of shapes that the network does not take;
            E0602 where no sample came; E05xx where the CPU engine does not run the network.
    """
    take = _algorithm(algorithm)
    observed, names = network.calibrated()
    engine = observed.cpu_engine()
    histograms = {name: Histogram() for name in names}
    index = -1
    for index, tensors in enumerate(samples):
        try:
            values = engine.run([tensor.detach().cpu() for tensor in tensors])
        except _core.Error as refused:
            if refused.code not in ("E0402", "E0403"):
                raise
            raise error(
                "E0701",
                f"sample {index} of `int8_calib_dataset` does not fit the model: {str(refused).splitlines()[0].partition(': ')[2]}",
                "give samples of the shapes and dtypes of `inputs`",
            ) from refused
        for name, value in zip(names, values[len(values) - len(names) :]):
            histograms[name].add(value)
    if index < 0:
        raise error(
            "E0602",
            "the samples of `int8_calib_dataset` are fewer than a batch of the inputs",
            "give more of them, or samples of the inputs' own batch",
        )
    return {name: take(histogram) for name, histogram in histograms.items() if histogram.largest}


def _algorithm(given: Any) -> Any:
    """How a range is taken from a histogram."""
    known = {
        CalibrationAlgoType.LEGACY_CALIBRATION.name: lambda histogram: histogram.percentile(PERCENTILE),
        CalibrationAlgoType.ENTROPY_CALIBRATION.name: Histogram.entropy,
        CalibrationAlgoType.ENTROPY_CALIBRATION_2.name: Histogram.entropy,
        CalibrationAlgoType.MINMAX_CALIBRATION.name: lambda histogram: histogram.largest,
    }
    name = getattr(given, "name", given)
    if name not in known:
        raise error("E0701", f"`int8_calib_algorithm` is {given!r}", f"give one of {', '.join(known)}")
    return known[name]


__all__ = ["Histogram", "ranges"]
