"""Families of models that are too large for `make test`, with random weights and small sizes.

Each is converted static and with a dynamic batch, compared with PyTorch on fresh inputs, and built by TensorRT-RTX.
`make test-all` installs the packages. A model whose package is missing is skipped.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import test_operators
import torch
from torch import nn
from torch.utils import _pytree as pytree

import torch2trt
from torch2trt import _core

BATCH = 4


@dataclass(frozen=True)
class Model:
    """A model and what draws its inputs.

    Attributes:
        make: returns the model with random weights.
        inputs: draws inputs of a batch.
        dynamic: whether the batch may be dynamic.
        unbuilt: a pattern that the error has to match where TensorRT-RTX cannot build it.
        kwargs: constants among the arguments.
    """

    make: Callable[[], nn.Module]
    inputs: Callable[[int], tuple[torch.Tensor, ...]]
    dynamic: bool = True
    unbuilt: str | None = None
    kwargs: tuple[tuple[str, Any], ...] = ()


def images(size: int = 64) -> Callable[[int], tuple[torch.Tensor, ...]]:
    return lambda batch: (torch.rand(batch, 3, size, size),)


def tokens(length: int = 9, words: int = 64) -> Callable[[int], tuple[torch.Tensor, ...]]:
    return lambda batch: (torch.randint(1, words, (batch, length)),)


def package(name: str) -> Any:
    return pytest.importorskip(name)


def settled(model: nn.Module, *inputs: torch.Tensor) -> nn.Module:
    """Statistics of batch normalizations as random weights make them: a signal neither fades nor grows."""
    norms = [part for part in model.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    for part in norms:
        part.train()
    with torch.no_grad():
        for _ in range(2):
            model(*inputs)
    return model.eval()


def spread(model: nn.Module, factor: float, *names: str) -> nn.Module:
    """Scales the weights of the layers that give scores: of random weights alone, all scores are nearly the same, and
    which of them are the largest would follow from rounding."""
    with torch.no_grad():
        for name, part in model.named_modules():
            if any(name.endswith(wanted) or wanted in name for wanted in names) and hasattr(part, "weight"):
                part.weight.mul_(factor / part.weight.std().clamp(min=1e-6) / part.weight[0].numel() ** 0.5)
    return model


def yolo(name: str) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        package("ultralytics")
        tasks = importlib.import_module("ultralytics.nn.tasks")
        kind = {"seg": "SegmentationModel", "pose": "PoseModel"}.get(name.partition("-")[2], "DetectionModel")
        model = getattr(tasks, kind)(f"{name}.yaml", verbose=False)
        if hasattr(model.model[-1], "export"):
            model.model[-1].export = False
        model = settled(model.eval(), torch.rand(4, 3, 64, 64))
        return spread(
            model, 2.0, *(f"cv3.{level}.2" for level in range(3)), *(f"one2one_cv3.{level}.2" for level in range(3))
        )

    return make


def transformer(kind: str, config: str, spread_by: tuple[str, ...] = (), **options: Any) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        transformers = package("transformers")
        settings = {key: value(transformers) if callable(value) else value for key, value in options.items()}
        model = getattr(transformers, kind)(getattr(transformers, config)(**settings)).eval()
        if spread_by:
            # A signal through the backbone and decisive scores.
            model = spread(settled(model, torch.rand(4, 3, 64, 64)), 2.0, *spread_by)
        return model

    return make


def backbone(transformers: Any) -> Any:
    return transformers.RTDetrResNetConfig(
        embedding_size=16, hidden_sizes=[16, 24, 32, 48], depths=[1, 1, 1, 1], layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip


def hgnet(transformers: Any) -> Any:
    return transformers.HGNetV2Config(
        hidden_sizes=[16, 24, 32, 48], stem_channels=[3, 8, 16], stage_in_channels=[16, 16, 24, 32],
        stage_mid_channels=[8, 8, 12, 16],
        stage_out_channels=[16, 24, 32, 48], stage_num_blocks=[1, 1, 1, 1], stage_numb_of_layers=[2, 2, 2, 2],
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip


DETR = {
    "encoder_in_channels": [24, 32, 48], "feat_strides": [8, 16, 32], "d_model": 32, "encoder_hidden_dim": 32,
    "encoder_ffn_dim": 48, "decoder_in_channels": [32, 32, 32], "decoder_ffn_dim": 48, "num_queries": 20,
    "decoder_layers": 2, "num_labels": 7, "decoder_attention_heads": 4, "encoder_attention_heads": 4,
}  # fmt: skip
SMALL = {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2}

MODELS = {
    **{
        name: Model(yolo(name), images())
        for name in (
            "yolov5nu", "yolov8n", "yolov10n", "yolo11n", "yolo12n", "yolov8n-seg", "yolo11n-seg", "yolov8n-pose",
            "yolo11n-pose",
        )
    },
    "rt-detr": Model(
        transformer("RTDetrForObjectDetection", "RTDetrConfig", ("enc_score_head", "class_embed"),
                    backbone_config=backbone, **DETR),
        images(),
    ),
    "d-fine": Model(
        transformer("DFineForObjectDetection", "DFineConfig", ("enc_score_head", "class_embed"),
                    backbone_config=hgnet, **DETR),
        images(),
    ),
    "mixtral": Model(
        transformer(
            "MixtralForCausalLM", "MixtralConfig", **SMALL, intermediate_size=48, num_attention_heads=4,
            num_key_value_heads=2, num_local_experts=4,
        ),
        tokens(),
    ),
    "mamba": Model(transformer("MambaForCausalLM", "MambaConfig", **SMALL, state_size=8), tokens()),
    "mamba without a cache": Model(
        transformer("MambaForCausalLM", "MambaConfig", **SMALL, state_size=8), tokens(), kwargs=(("use_cache", False),)
    ),
    "vits": Model(
        transformer(
            "VitsModel", "VitsConfig", vocab_size=64, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
            ffn_dim=48,
            flow_size=32, spectrogram_bins=33, noise_scale=0.0, noise_scale_duration=0.0, upsample_initial_channel=32,
            depth_separable_channels=2, duration_predictor_filter_channels=32, prior_encoder_num_flows=2,
            posterior_encoder_num_wavenet_layers=2, use_stochastic_duration_prediction=False, speaking_rate=1.0,
        ),
        tokens(), dynamic=False, unbuilt="data",
    ),
    **{
        name: Model(
            lambda name=name: settled(package("timm").create_model(name).eval(), torch.rand(4, 3, 64, 64)), images(),
        )
        for name in ("mobilenetv3_small_050", "efficientnet_b0", "repvgg_a0", "ghostnet_050")
    },
    "diffusers unet": Model(
        lambda: package("diffusers").UNet2DModel(
            sample_size=16, block_out_channels=(16, 32), layers_per_block=1, norm_num_groups=4,
            down_block_types=("DownBlock2D", "AttnDownBlock2D"), up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        ).eval(),
        lambda batch: (torch.randn(batch, 3, 16, 16), torch.randint(0, 1000, (batch,))),
    ),
}  # fmt: skip


def tensors(result: Any) -> list[torch.Tensor]:
    return [leaf for leaf in pytree.tree_leaves(result) if isinstance(leaf, torch.Tensor)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dynamic", [False, True], ids=["static", "dynamic batch"])
@pytest.mark.parametrize("name", MODELS)
def test_family(name: str, dynamic: bool) -> None:
    torch.manual_seed(0)
    entry = MODELS[name]
    if dynamic and not entry.dynamic:
        pytest.skip("its sizes depend on data")
    model, kwargs = entry.make(), dict(entry.kwargs)
    options = {"max_batch_size": BATCH} if dynamic else {}
    model_trt = torch2trt.torch2trt(
        model,
        list(entry.inputs(1)),
        kwargs=kwargs,
        backend="cpu",
        target=test_operators.TARGET,
        progress=False,
        **options,
    )
    for batch in (1, BATCH, 3) if dynamic else (1, 1):
        given = entry.inputs(batch)
        with torch.no_grad():
            expected, got = model(*given, **kwargs), model_trt(*given, **kwargs)
        assert type(got) is type(expected)
        test_operators.compare(tensors(got), tensors(expected), 1e-3)
    if not test_operators.BUILDER:
        return
    if entry.unbuilt is not None:
        with pytest.raises(torch2trt.Error, match=entry.unbuilt):
            model_trt.network.build(_core.ProgressBar(False))
    else:
        assert model_trt.network.build(_core.ProgressBar(False)).size > 0
