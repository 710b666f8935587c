"""The models of `gpu_table.py`, by name: with which batch and how many tokens.

    resnet50, vit_b_16:32          torchvision, batch 1 or 32
    bert-base:32x128               transformers: batch 32, 128 tokens, the last fifth of each row masked
    gpt2:1x128, llama-8x2048       also whisper-encoder and bert-base; batch 1 and 128 tokens unless given
    timm/convnext_nano:8           timm, where it is installed

Every model has random weights and returns one tensor. This file must not know torch2trt.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

Built = tuple[nn.Module, tuple[torch.Tensor, ...]]

TOKENS = 128


def build(name: str) -> Built:
    """The model in evaluation mode and float32, and sample inputs, on the CPU."""
    base, _, sizes = name.partition(":")
    numbers = [int(size) for size in sizes.split("x")] if sizes else []
    batch, tokens = [*numbers, *([1, TOKENS][len(numbers) :])][:2]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model, inputs = _built(base, batch, tokens)
    return model.eval(), inputs


def _built(base: str, batch: int, tokens: int) -> Built:
    if base.startswith("timm/"):
        import timm

        model = timm.create_model(base.removeprefix("timm/"))
        return _with_a_signal(model), (torch.randn(batch, *model.default_cfg["input_size"]),)
    if base in TRANSFORMERS:
        return TRANSFORMERS[base](batch, tokens)
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "python"))
    from models import build as build_vision

    model, (x,), _ = build_vision(base)
    return model, (x.expand(batch, *x.shape[1:]) + 0.1 * torch.randn(batch, *x.shape[1:]),)


class _First(nn.Module):
    """A model of transformers as a function of tensors: its first output."""

    def __init__(self, model: nn.Module, names: tuple[str, ...]) -> None:
        super().__init__()
        self.model, self.names = model, names

    def forward(self, *tensors: torch.Tensor) -> Any:
        return self.model(**dict(zip(self.names, tensors, strict=True)))[0]


def _with_a_signal(model: nn.Module) -> nn.Module:
    """Heads and layer scales that begin at zero would hide every error."""
    for parameter in model.parameters():
        if parameter.dim() > 1 and not parameter.abs().max() > 0:
            nn.init.normal_(parameter, std=1 / math.sqrt(parameter.shape[-1]))
    return model


def _ids(batch: int, tokens: int, vocabulary: int) -> torch.Tensor:
    return torch.randint(0, vocabulary, (batch, tokens))


def _bert(batch: int, tokens: int) -> Built:
    from transformers import BertConfig, BertModel

    mask = torch.ones(batch, tokens, dtype=torch.long)
    mask[:, tokens - tokens // 5 :] = 0
    config = BertConfig()
    names = ("input_ids", "attention_mask")
    return _First(BertModel(config), names), (_ids(batch, tokens, config.vocab_size), mask)


def _gpt2(batch: int, tokens: int) -> Built:
    from transformers import GPT2Config, GPT2Model

    config = GPT2Config(use_cache=False)
    return _First(GPT2Model(config), ("input_ids",)), (_ids(batch, tokens, config.vocab_size),)


def _llama(batch: int, tokens: int) -> Built:
    from transformers import LlamaConfig, LlamaModel

    config = LlamaConfig(
        hidden_size=2048,
        num_hidden_layers=8,
        num_attention_heads=32,
        num_key_value_heads=8,
        intermediate_size=5632,
        use_cache=False,
    )
    return _First(LlamaModel(config), ("input_ids",)), (_ids(batch, tokens, config.vocab_size),)


def _whisper(batch: int, tokens: int) -> Built:
    from transformers import WhisperConfig, WhisperModel

    config = WhisperConfig()
    encoder = WhisperModel(config).get_encoder()
    spectrogram = torch.randn(batch, config.num_mel_bins, 2 * config.max_source_positions)
    return _First(encoder, ("input_features",)), (spectrogram,)


TRANSFORMERS = {"bert-base": _bert, "gpt2": _gpt2, "llama-8x2048": _llama, "whisper-encoder": _whisper}


__all__ = ["TOKENS", "TRANSFORMERS", "build"]
