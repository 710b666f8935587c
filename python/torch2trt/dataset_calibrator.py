"""The int8 calibrator of NVIDIA's torch2trt: a data set in the form that TensorRT 8.6's calibrators have.

TensorRT 11 has no calibrators: `int8_mode` finds ranges itself, by the algorithms of these names. Scripts
that import the class, or subclass it, load.

This file must not know how networks are quantized.
"""

from __future__ import annotations

import os
from enum import Enum
from typing import Any

from ._core import write_file
from .dataset import Dataset
from .flattener import Flattener


class CalibrationAlgoType(Enum):
    """How a calibrator finds ranges; TensorRT's numbers."""

    LEGACY_CALIBRATION = 0
    ENTROPY_CALIBRATION = 1
    ENTROPY_CALIBRATION_2 = 2
    MINMAX_CALIBRATION = 3


DEFAULT_CALIBRATION_ALGORITHM = CalibrationAlgoType.ENTROPY_CALIBRATION_2
"""What `int8_calib_algorithm` is where it is left out."""


class DatasetCalibrator:
    """Gives the samples of a data set one after the other, as addresses of their tensors.

    Attributes:
        dataset: the samples; each is one batch.
        algorithm: a `CalibrationAlgoType`, or TensorRT's own.
        cache_file: where ranges are kept between builds, or None.
    """

    def __init__(
        self,
        dataset: Dataset,
        algorithm: Any = DEFAULT_CALIBRATION_ALGORITHM,
        cache_file: str | None = None,
        flattener: Flattener | None = None,
    ) -> None:
        self.dataset, self.algorithm, self.cache_file = dataset, algorithm, cache_file
        self.flattener = flattener or dataset.flattener
        self._sample: list[Any] = []
        self._next = 0

    def get_batch(self, *_: Any) -> list[int]:
        """Addresses of the next sample's tensors, valid until the next call; empty after the last sample."""
        if self._next >= len(self.dataset):
            return []
        self._sample = self.flattener.flatten(self.dataset[self._next])
        self._next += 1
        return [tensor.data_ptr() for tensor in self._sample]

    def get_batch_size(self) -> int:
        """1: networks have explicit batches."""
        return 1

    def get_algorithm(self) -> Any:
        """The algorithm it was made with."""
        return self.algorithm

    def read_calibration_cache(self, *_: Any) -> bytes | None:
        """What `write_calibration_cache` wrote, if anything."""
        if self.cache_file is None or not os.path.exists(self.cache_file):
            return None
        with open(self.cache_file, "rb") as file:
            return file.read()

    def write_calibration_cache(self, cache: bytes, *_: Any) -> None:
        """Keeps the ranges in the cache file, where there is one."""
        if self.cache_file is not None:
            write_file(os.fspath(self.cache_file), bytes(cache))


__all__ = ["DEFAULT_CALIBRATION_ALGORITHM", "CalibrationAlgoType", "DatasetCalibrator"]
