"""`precision="auto"` on models with planted faults: finds them, keeps no more layers, meets the tolerance, builds.

`pytest -s` prints the rows of the table in docs/mixed-precision.md. Weights and inputs are random.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass

import models
import planted
import pytest
import torch
import torchvision
from torch import nn

import torch2trt
from torch2trt import _core
from torch2trt.verify import difference

HAS_RTX = importlib.util.find_spec("tensorrt_rtx_libs") is not None

CANCELLED = ("ElementWise", "ElementWise_2")
SOFTMAX = ("logits.ElementWise", "SoftMax")
NORM = ("near_one.ElementWise", "norm.Normalization")


@dataclass(frozen=True)
class Case:
    """A model, and where faults are planted in it.

    Attributes:
        make: returns the model with random weights, and its inputs.
        faults: by path of a module, the fault behind it, and the layers of the fault that need float32. Where the layer
            before the fault is in float32 instead of the last of these, the sets are equally small.
        tolerance: what float16 without the faults is within.
    """

    make: Callable[[], tuple[nn.Module, tuple[torch.Tensor, ...]]]
    faults: dict[str, tuple[Callable[[], nn.Module], tuple[str, ...]]]
    tolerance: float = 1e-2


def classifier(name: str, size: int, **options: int) -> Callable[[], tuple[nn.Module, tuple[torch.Tensor, ...]]]:
    def make() -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
        model = getattr(torchvision.models, name)(weights=None, **options)
        images = torch.randn(2, 3, size, size)
        return models._randomized(model, images), (images[:1],)

    return make


def bert() -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
    module, args, _ = models._bert()
    return module, args


def language() -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
    return planted.Llama(128, layers=6), (torch.randint(0, 100, (2, 24)),)


CASES = {
    "ResNet-18": Case(
        classifier("resnet18", 96),
        {"layer2.0": (planted.Cancelled, CANCELLED), "avgpool": (planted.Cancelled, CANCELLED)},
    ),
    "ResNet-50": Case(
        classifier("resnet50", 96),
        {"layer1.1": (planted.Cancelled, CANCELLED), "layer3.2": (planted.Cancelled, CANCELLED)},
        tolerance=5e-2,
    ),
    "MobileNetV3": Case(
        classifier("mobilenet_v3_small", 96),
        {
            "features.4": (planted.Cancelled, CANCELLED),
            "classifier.1": (lambda: planted.ShiftedSoftmax(1024), SOFTMAX),
        },
    ),
    "EfficientNet-B0": Case(classifier("efficientnet_b0", 96), {"features.3.0": (planted.Cancelled, CANCELLED)}),
    "ViT-B/16": Case(
        classifier("vit_b_16", 64, image_size=64),
        {
            "encoder.layers.encoder_layer_3.mlp": (lambda: planted.TinyVariance(768), NORM),
            "encoder.layers.encoder_layer_8.ln_2": (lambda: planted.ShiftedSoftmax(768), SOFTMAX),
        },
    ),
    "Swin-T": Case(
        classifier("swin_t", 64),
        {
            "features.3.0.mlp": (planted.Cancelled, CANCELLED),
            "features.5.2.norm2": (lambda: planted.ShiftedSoftmax(384), SOFTMAX),
        },
    ),
    "BERT": Case(
        bert,
        {
            "encoder.layer.0.intermediate": (lambda: planted.ShiftedSoftmax(192), SOFTMAX),
            "encoder.layer.1.attention.output.dense": (lambda: planted.TinyVariance(96), NORM),
        },
    ),
    "Llama": Case(
        language,
        {
            "layers.1.down": (lambda: planted.LargeActivations(128), ()),
            "layers.2.o": (lambda: planted.ShiftedSoftmax(128), SOFTMAX),
            "layers.4.before_mlp": (lambda: planted.TinyVariance(128), NORM),
        },
    ),
}


def search(module: nn.Module, args: tuple[torch.Tensor, ...], tolerance: float) -> tuple[torch2trt.TRTModule, dict]:
    """The converted model, and what the search found."""
    made = torch2trt.torch2trt(
        module, args, backend="cpu", target="sm_89", progress=False, precision="auto", tolerance=tolerance, verify=False
    )
    (found,) = made.report.searches
    return made, found


@pytest.mark.parametrize("name", list(CASES))
def test_finds_what_is_planted(name: str) -> None:
    seed = int(time.time())
    print(f"seed {seed}")
    torch.manual_seed(seed)
    case = CASES[name]
    module, args = case.make()
    _, plain = search(module.eval(), args, case.tolerance)
    wanted = set()
    for path, (fault, layers) in case.faults.items():
        parent, _, own = path.rpartition(".")
        setattr(module.get_submodule(parent), own, planted.after(module.get_submodule(path), fault()))
        wanted |= {f"{path}.1.{layer}" for layer in layers}
    start = time.perf_counter()
    made, found = search(module.eval(), args, case.tolerance)
    seconds = time.perf_counter() - start
    kept = {layer for layer, _, _, _ in found["kept"]}
    row = [
        name,
        f"{plain['before']:.1e}",
        f"{found['before']:.1e}",
        len(wanted & kept),
        len(wanted),
        len(kept - wanted),
        f"{found['after']:.1e}",
        found["evaluations"],
        f"{seconds:.0f} s",
    ]
    print("| " + " | ".join(map(str, row)) + " |", kept ^ wanted)
    assert plain["kept"] == []
    assert found["before"] > case.tolerance >= found["after"]
    with torch.no_grad():
        expected, got = module(*args), made(*args)
    pairs = zip(models_tensors(expected), models_tensors(got), strict=True)
    assert max(difference(left, right) for left, right in pairs) <= case.tolerance
    assert len(kept) <= len(wanted)
    for path, (_, layers) in case.faults.items():
        assert not layers or any(layer.startswith(f"{path}.1.") for layer in kept), path
    assert found["is_complete"]
    if HAS_RTX:
        assert made.network.build(_core.ProgressBar(False)).size > 0


def models_tensors(value: object) -> list[torch.Tensor]:
    """The tensors of a return value."""
    leaves = torch.utils._pytree.tree_leaves(value)
    return [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
