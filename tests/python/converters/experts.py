"""Caches of keys and values, and mixtures of experts, as TensorRT has them."""

import torch
from operators import dims

from converters import Case
from torch2trt import *
from torch2trt import trt


def update(cache, rows, starts):
    """The cache with rows written from an index of each sequence's own on."""
    places = starts[:, None, None, None] + torch.arange(rows.shape[2])[:, None]
    return cache.scatter(2, places.expand(rows.shape), rows)


@tensorrt_converter(update)
def convert_update(ctx):
    cache, rows, starts = (arg._trt for arg in ctx.method_args)
    layer = ctx.network.add_kv_cache_update(cache, rows, starts, trt.KVCacheMode.LINEAR)
    assert layer.cache_mode is trt.KVCacheMode.LINEAR and layer.num_inputs == 3
    assert layer.get_output(0).shape == cache.shape
    ctx.method_return._trt = layer.get_output(0)


class Experts(torch.nn.Module):
    """Gated experts, of which each token takes some."""

    def __init__(self, activated=True, biased=False):
        super().__init__()
        self.activated = activated
        self.weights = torch.nn.ParameterList(torch.randn(5, *size) / 3 for size in ((6, 8), (6, 8), (8, 6)))
        self.biases = torch.nn.ParameterList(torch.randn(5, size) for size in ((8, 8, 6) if biased else ()))

    def forward(self, x, selected, scores):
        total = torch.zeros_like(x)
        for k in range(selected.shape[2]):
            gate, up, down = (weight[selected[..., k]] for weight in self.weights)
            extra = [bias[selected[..., k]][..., None, :] for bias in self.biases] or [0, 0, 0]
            gated = x[..., None, :] @ gate + extra[0]
            gated = torch.nn.functional.silu(gated) if self.activated else gated
            total = (
                total
                + ((gated * (x[..., None, :] @ up + extra[1])) @ down + extra[2])[..., 0, :] * scores[..., k, None]
            )
        return total


@tensorrt_converter("converters.experts.Experts.forward")
def convert_experts(ctx):
    module, x, selected, scores = ctx.method_args
    layer = ctx.network.add_moe(x._trt, selected._trt, scores._trt)
    kind = trt.MoEActType.SILU if module.activated else trt.MoEActType.NONE
    layer.set_gated_weights(*add_missing_trt_tensors(ctx.network, list(module.weights)), kind)
    if len(module.biases):
        layer.set_gated_biases(*add_missing_trt_tensors(ctx.network, list(module.biases)))
    assert layer.activation_type is kind and layer.get_output(0).shape == x._trt.shape
    ctx.method_return._trt = layer.get_output(0)


UPDATE, EXPERTS = "converters.experts.update", "converters.experts.Experts.forward"


def caches(batch, tokens, dtype=torch.int64):
    """A cache of 9 rows, new rows, and where they go."""
    return lambda: (
        torch.randn(batch, 3, 9, 4),
        torch.randn(batch, 3, tokens, 4),
        torch.randint(0, 10 - tokens, (batch,), dtype=dtype),
    )


def routed(batch, tokens):
    """Hidden states, selected experts and their scores."""
    return lambda: (
        torch.randn(batch, tokens, 6),
        torch.randint(0, 5, (batch, tokens, 2)),
        torch.rand(batch, tokens, 2),
    )


ROWS = dims({0: "n"}, {0: "n", 2: "t"}, {0: "n"}, least=2)
TOKENS = dims(*[{0: "n", 1: "t"}] * 3, least=2)

CASES = [
    Case("update", (UPDATE,), lambda c, r, s: update(c, r, s), caches(2, 3), ROWS, caches(4, 5)),
    Case(
        "update of one row",
        (UPDATE,),
        lambda c, r, s: update(c, r, s),
        caches(2, 1),
        dims(*[{0: "n"}] * 3),
        caches(3, 1),
    ),
    Case("experts", (EXPERTS,), Experts(), routed(2, 4), TOKENS, routed(3, 5)),
    Case("experts with biases", (EXPERTS,), Experts(biased=True), routed(2, 4), TOKENS, routed(3, 5)),
    Case("experts without an activation", (EXPERTS,), Experts(False), routed(2, 4), TOKENS, routed(3, 5)),
]
