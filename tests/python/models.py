"""The models that tests run: torchvision, BERT and GPT-2, small enough for a CPU, with fresh random weights.

Random weights as PyTorch initialises them hide errors: biases of zero, normalisation that is the identity,
layer scales of 1e-6, and outputs that are all bias because the signal shrinks from layer to layer (in alexnet to
less than a hundredth; the head of vit_b_16 starts at zero). Here every parameter and statistic is random,
weights keep the scale of the signal, and the batch-norm statistics are taken from a forward pass before they are
disturbed, which holds through 152 layers.

    module, args, kwargs = build("resnet50")

This file must not know about torch2trt.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import torch
import torchvision
from torch import nn

Built = tuple[nn.Module, tuple[Any, ...], dict[str, Any]]

SEED_TABLE: list[str] = [
    "alexnet", "squeezenet1_0", "squeezenet1_1",
    "resnet18", "resnet34", "resnet50", "resnet101", "resnet152",
    "densenet121", "densenet169", "densenet201", "densenet161",
    "vgg11", "vgg13", "vgg16", "vgg19", "vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn",
    "mobilenet_v2",
]  # fmt: skip
"""The models of the table in NVIDIA's torch2trt."""

_CLASSIFIERS = [
    "mobilenet_v3_large", "efficientnet_b0", "convnext_tiny", "regnet_y_400mf", "inception_v3", "googlenet",
    "vit_b_16", "swin_t",
]  # fmt: skip
_SEGMENTERS = ["fcn_resnet50", "deeplabv3_resnet50"]
_VOCABULARY = 1000


def build(name: str, seed: int | None = None) -> Built:
    """The named model in evaluation mode, with sample inputs: (module, args, kwargs).

    Weights and inputs are fresh on every call unless `seed` is given; the global random state is untouched.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(random.SystemRandom().getrandbits(48) if seed is None else seed)
        return MODELS[name]()


def _classifier(name: str) -> Built:
    extra = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    module = getattr(torchvision.models, name)(weights=None, **extra)
    size = 299 if name == "inception_v3" else 224
    return _randomized(module, torch.randn(2, 3, size, size)), (torch.randn(1, 3, size, size),), {}


def _segmenter(name: str) -> Built:
    module = getattr(torchvision.models.segmentation, name)(weights=None, weights_backbone=None)
    return _randomized(module, torch.randn(2, 3, 128, 128)), (torch.randn(1, 3, 128, 128),), {}


def _bert() -> Built:
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=_VOCABULARY, hidden_size=96, num_hidden_layers=3, num_attention_heads=4, intermediate_size=192
    )
    ids = torch.randint(0, _VOCABULARY, (2, 24))
    mask = torch.ones_like(ids)
    mask[1, 17:] = 0
    return _randomized(BertModel(config)), (ids,), {"attention_mask": mask}


def _gpt2() -> Built:
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=_VOCABULARY, n_positions=64, n_embd=64, n_layer=2, n_head=4, bos_token_id=0, eos_token_id=0
    )
    ids = torch.randint(0, _VOCABULARY, (2, 16))
    return _randomized(GPT2LMHeadModel(config)), (ids,), {"use_cache": False}


MODELS: dict[str, Callable[[], Built]] = {
    **{name: lambda name=name: _classifier(name) for name in SEED_TABLE + _CLASSIFIERS},
    **{name: lambda name=name: _segmenter(name) for name in _SEGMENTERS},
    "bert": _bert,
    "gpt2": _gpt2,
}
"""Every model, by name: a function that makes it from the current random state."""


@torch.no_grad()
def _randomized(module: nn.Module, images: torch.Tensor | None = None) -> nn.Module:
    """Gives every parameter and statistic a random value of its usual size; returns the module in eval mode."""
    for part in module.modules():
        if isinstance(part, (nn.Linear, nn.modules.conv._ConvNd)):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
    norms = [part for part in module.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
    for name, parameter in module.named_parameters():
        if name.endswith("layer_scale"):
            parameter.uniform_(0.3, 0.7)
        elif parameter.dim() == 1 and name.endswith("weight"):
            parameter.uniform_(0.8, 1.2)
        elif parameter.dim() == 1:
            parameter.normal_(0.0, 0.1)
    if norms and images is not None:
        _calibrate(module, norms, images)
    for norm in norms:
        spread = norm.running_var.sqrt()
        norm.running_mean.add_(spread * torch.randn_like(spread) * 0.2)
        norm.running_var.mul_(torch.empty_like(spread).uniform_(0.8, 1.4))
    return module.eval()


def _calibrate(module: nn.Module, norms: list[nn.Module], images: torch.Tensor) -> None:
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0  # the running statistics become those of this batch
    module.train()(images)
    for norm, momentum in zip(norms, momenta):
        norm.momentum = momentum
