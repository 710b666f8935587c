"""Attention and rotary embeddings, as TensorRT has them: without a scale, with cosines and sines from outside."""

import numpy as np
import torch
import torch.nn.functional as F
from operators import dims

from converters import Case, floats
from torch2trt import *
from torch2trt import trt

SOFTMAX = trt.AttentionNormalizationOp.SOFTMAX


def scaled(network, query, scale):
    factor = network.add_constant((1, 1, 1, 1), np.full((1, 1, 1, 1), scale, np.float32)).get_output(0)
    return network.add_elementwise(query, factor, trt.ElementWiseOperation.PROD).get_output(0)


@tensorrt_converter("torch.nn.functional.scaled_dot_product_attention")
def convert_attention(ctx):
    query, key, value = ctx.method_args[:3]
    mask, causal = get_arg(ctx, "attn_mask", 3, None), get_arg(ctx, "is_causal", 5, False)
    network = ctx.network
    scale = get_arg(ctx, "scale", 6, None) or int(query.shape[-1]) ** -0.5
    layer = network.add_attention(scaled(network, query._trt, scale), key._trt, value._trt, SOFTMAX, causal)
    layer.name = "attention"
    layer.decomposable = True
    if mask is not None:
        layer.mask = add_missing_trt_tensors(network, [mask])[0]
        assert layer.mask is not None and layer.num_inputs == 3
    assert layer.causal is causal and layer.norm_op is SOFTMAX
    assert tuple(layer.get_output(0).shape) == tuple(query._trt.shape)
    ctx.method_return._trt = layer.get_output(0)


def attend(query, key, value, kind):
    """Attention by hand: causal from the end, or without a softmax."""
    scores = query @ key.transpose(2, 3)
    if kind == "linear":
        return scores @ value
    seen = torch.arange(key.shape[2]) <= torch.arange(query.shape[2])[:, None] + key.shape[2] - query.shape[2]
    return scores.masked_fill(~seen, -torch.inf).softmax(-1) @ value


@tensorrt_converter(attend)
def convert_attend(ctx):
    *tensors, kind = ctx.method_args
    tensors = [tensor._trt for tensor in tensors]
    norms, causal = trt.AttentionNormalizationOp, trt.CausalMaskKind
    if kind == "linear":
        layer = ctx.network.add_attention_v2(*tensors, norm_op=norms.NONE, causal_kind=causal.NONE)
    else:
        layer = ctx.network.add_attention_v2(*tensors, norms.SOFTMAX, causal.LOWER_RIGHT)
    assert not layer.causal
    ctx.method_return._trt = layer.get_output(0)


def rotate(x, cos, sin, positions=None, interleaved=False, count=0):
    """ONNX's RotaryEmbedding-23 of [batch, heads, tokens, size]."""
    if positions is not None:
        cos, sin = cos[positions], sin[positions]
    count = count or x.shape[3]
    cos, sin, turned, rest = cos[:, None], sin[:, None], x[..., :count], x[..., count:]
    a, b = (turned[..., ::2], turned[..., 1::2]) if interleaved else turned.chunk(2, -1)
    pair = cos * a - sin * b, sin * a + cos * b
    turned = torch.stack(pair, -1).flatten(3) if interleaved else torch.cat(pair, -1)
    return torch.cat([turned, rest], -1)


@tensorrt_converter(rotate)
def convert_rotate(ctx):
    x, cos, sin = (get_arg(ctx, name, k, None)._trt for k, name in enumerate(("x", "cos", "sin")))
    positions = get_arg(ctx, "positions", 3, None)
    layer = ctx.network.add_rotary_embedding(
        x, cos, sin, get_arg(ctx, "interleaved", 4, False), get_arg(ctx, "count", 5, 0)
    )
    if positions is not None:
        layer.set_input(3, positions._trt)
    assert layer.get_output(0).shape == x.shape
    ctx.method_return._trt = layer.get_output(0)


SDPA, ATTEND, ROTATE = (
    "torch.nn.functional.scaled_dot_product_attention",
    "converters.attention.attend",
    "converters.attention.rotate",
)


def heads(batch, queries, keys, shared=4):
    return floats((batch, 4, queries, 8), (batch, shared, keys, 8), (batch, shared, keys, 8))


def masked(batch, queries, keys, kind):
    """Attention's tensors with a mask that lets every query attend to something."""

    def draw():
        mask = torch.rand(batch, 1, queries, keys) < 0.5
        mask[..., 0] = True
        return (*heads(batch, queries, keys)(), mask if kind == "bool" else torch.randn(batch, 1, queries, keys))

    return draw


def angles(batch, tokens, half, positions=0):
    """A tensor, cosines and sines, and position ids."""

    def draw():
        x = torch.randn(batch, 3, tokens, 8)
        angle = torch.rand(*((positions,) if positions else (batch, tokens)), half) * 6
        ids = (torch.randint(0, positions, (batch, tokens)),) if positions else ()
        return x, torch.cos(angle), torch.sin(angle), *ids

    return draw


N = dims(*[{0: "n"}] * 3)
NT = dims({0: "n", 2: "t"}, *[{0: "n", 2: "s"}] * 2, least=2)
MASKED = dims(*[{0: "n"}] * 4)
LONG = dims({0: "n", 2: "t"}, *[{0: "n", 2: "s"}] * 2, {0: "n", 2: "t", 3: "s"}, least=2)
ANGLES = dims({0: "n", 2: "t"}, *[{0: "n", 1: "t"}] * 2, least=2)
IDS = dims({0: "n", 2: "t"}, {0: "p"}, {0: "p"}, {0: "n", 1: "t"}, least=2)

CASES = [
    Case("plain", (SDPA,), lambda q, k, v: F.scaled_dot_product_attention(q, k, v), heads(2, 5, 7), NT, heads(3, 6, 4)),
    Case(
        "causal",
        (SDPA,),
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
        heads(2, 5, 7),
        N,
        heads(3, 5, 7),
    ),
    Case(
        "causal of any length",
        (SDPA,),
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
        heads(2, 5, 7),
        NT,
        heads(3, 6, 4),
    ),
    Case(
        "bool mask",
        (SDPA,),
        lambda q, k, v, m: F.scaled_dot_product_attention(q, k, v, attn_mask=m),
        masked(2, 5, 7, "bool"),
        MASKED,
        masked(3, 5, 7, "bool"),
    ),
    Case(
        "float mask",
        (SDPA,),
        lambda q, k, v, m: F.scaled_dot_product_attention(q, k, v, m, 0.0, scale=0.3),
        masked(2, 5, 7, "float"),
        LONG,
        masked(3, 6, 4, "float"),
    ),
    Case(
        "shared heads",
        (SDPA,),
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, enable_gqa=True),
        heads(2, 5, 7, shared=2),
        NT,
        heads(3, 6, 4, shared=2),
    ),
    Case(
        "causal from the end", (ATTEND,), lambda q, k, v: attend(q, k, v, "causal"), heads(2, 3, 7), N, heads(3, 3, 7)
    ),
    Case(
        "causal from the end of any length",
        (ATTEND,),
        lambda q, k, v: attend(q, k, v, "causal"),
        heads(2, 3, 7),
        dims({0: "n"}, *[{0: "n", 2: "s"}] * 2, least=4),
        heads(3, 3, 9),
    ),
    Case("no softmax", (ATTEND,), lambda q, k, v: attend(q, k, v, "linear"), heads(2, 5, 7), NT, heads(3, 6, 4)),
    Case("rotary", (ROTATE,), lambda x, c, s: rotate(x, c, s), angles(2, 5, 4), ANGLES, angles(3, 6, 4)),
    Case(
        "rotary, neighbours",
        (ROTATE,),
        lambda x, c, s: rotate(x, c, s, interleaved=True),
        angles(2, 5, 4),
        ANGLES,
        angles(3, 6, 4),
    ),
    Case(
        "rotary of a part",
        (ROTATE,),
        lambda x, c, s: rotate(x, c, s, None, False, 6),
        angles(2, 5, 3),
        ANGLES,
        angles(3, 6, 3),
    ),
    Case(
        "rotary of a part by position, neighbours",
        (ROTATE,),
        lambda x, c, s, p: rotate(x, c, s, p, True, 4),
        angles(2, 5, 2, 11),
        IDS,
        angles(3, 6, 2, 13),
    ),
    Case(
        "rotary by position",
        (ROTATE,),
        lambda x, c, s, p: rotate(x, c, s, p),
        angles(2, 5, 4, 11),
        IDS,
        angles(3, 6, 4, 13),
    ),
]
