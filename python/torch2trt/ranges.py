"""The magnitudes that a model's values reach on its sample inputs, for float16, which ends at 65504.

The network runs once in float32 on the CPU engine. This file must not know what is decided from what was seen.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from . import _core
from ._log import logger


def magnitudes(network: _core.Network, samples: Sequence[torch.Tensor]) -> dict[str, float]:
    """The largest finite magnitude of each layer's result and of each input; empty where the CPU engine is not there."""
    observed, names = network.observed()
    try:
        values = observed.cpu_engine().run([sample.detach().cpu() for sample in samples])
    except _core.Error as missing:
        logger.warning("float16: ranges were not looked at, because the CPU engine does not run the model: %s", missing)
        return {}
    seen = values[len(values) - len(names) :]
    return {name: value.item() for name, value in zip(names, seen)}
