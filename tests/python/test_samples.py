"""Samples that are one tensor, or tensors of the model, and comparisons that do not depend on the samples."""

import collections
import os
import random
import warnings

import pytest
import torch
from torch import nn

from torch2trt import Error, torch2trt
from torch2trt.capture import CaptureWarning
from torch2trt.fresh import proposals
from torch2trt.verify import difference

CASES = int(os.environ.get("TORCH2TRT_TEST_CASES", "1"))


def convert(model, inputs, **options):
    return torch2trt(model, inputs, backend="cpu", progress=False, **options)


def agrees(model, model_trt, *args, **kwargs):
    with torch.no_grad():
        expected, got = model(*args, **kwargs), model_trt(*args, **kwargs)
    leaves = zip(torch.utils._pytree.tree_leaves(expected), torch.utils._pytree.tree_leaves(got), strict=True)
    for e, g in leaves:
        assert difference(torch.as_tensor(e), torch.as_tensor(g)) < 1e-4, (e, g)


class Held(nn.Module):
    """Subtracts a tensor that it holds in one of three ways."""

    def __init__(self, how):
        super().__init__()
        value = torch.randn(2, 3)
        if how == "parameter":
            self.w = nn.Parameter(value)
        elif how == "buffer":
            self.register_buffer("w", value)
        else:
            self.w = value

    def forward(self, x):
        return x - self.w


@pytest.mark.parametrize("how", ["parameter", "buffer", "attribute"])
def test_a_sample_that_the_model_holds(how):
    model = Held(how).eval()
    agrees(model, convert(model, [model.w]), torch.randn(2, 3))


def test_one_tensor_as_several_samples():
    x = torch.randn(2, 3)
    agrees(lambda a, b: a - b, convert(lambda a, b: a - b, [x, x]), torch.randn(2, 3), torch.randn(2, 3))
    attention = nn.MultiheadAttention(8, 2).eval()
    q = torch.randn(5, 1, 8)
    agrees(attention, convert(attention, [q, q, q]), *(torch.randn(5, 1, 8) for _ in range(3)))
    batches = convert(lambda a, b: a - b, [x, x], max_batch_size=4)
    agrees(lambda a, b: a - b, batches, torch.randn(3, 3), torch.randn(3, 3))
    assert x.data_ptr() == x.data_ptr() and q.grad_fn is None  # the caller's are as they were


def test_a_traced_run_with_one_tensor_as_two_samples():
    def model(a, b):
        return a - b if a.shape[0] == 2 and bool((a.abs() >= 0).all()) else a

    x = torch.randn(2, 3)
    with pytest.warns(CaptureWarning, match="traced"):
        model_trt = convert(model, [x, x])
    agrees(model, model_trt, torch.randn(2, 3), torch.randn(2, 3))


class Drawn(nn.Module):
    """A random signature: what each argument is (a tensor, or a container of tensors), and how it is passed."""

    def __init__(self, draw):
        super().__init__()
        self.w = nn.Parameter(torch.randn(3))
        self.register_buffer("b", torch.randn(3))
        self.shapes = [
            draw.choice(["tensor", "list", "tuple", "dict", "ordered", "nested"]) for _ in range(draw.randint(1, 4))
        ]

    def forward(self, *args, **kwargs):
        values = [*args, *(kwargs[key] for key in sorted(kwargs))]
        total = self.w * self.b
        for k, value in enumerate(values):
            for j, part in enumerate(self._parts(value)):
                total = total * 0.5 + part * (k + 1) - part.sin() * (j + 1)
        return total

    def _parts(self, value):
        if isinstance(value, torch.Tensor):
            return [value]
        if isinstance(value, dict):
            return [part for key in sorted(value) for part in self._parts(value[key])]
        return [part for item in value for part in self._parts(item)]


def value_of(kind, tensor, draw):
    """A value of this structure; the keys of a dictionary come in any order, in any class of dictionary."""
    if kind == "tensor":
        return tensor()
    if kind in ("list", "tuple"):
        made = [tensor(), tensor()]
        return made if kind == "list" else tuple(made)
    if kind == "nested":
        return {"k": [tensor(), {"m": tensor()}], "a": (tensor(),)}
    keys = ["u", "v", "w"]
    draw.shuffle(keys)
    return (collections.OrderedDict if draw.random() < 0.5 else dict)((key, tensor()) for key in keys)


def test_random_signatures_with_shared_tensors():
    seed = random.randrange(2**32)
    print("seed", seed)
    draw = random.Random(seed)
    for _ in range(6 * CASES):
        model = Drawn(draw).eval()
        pool = [torch.randn(3), torch.randn(3), model.w, model.b]

        def call(tensor, positional, model=model):
            values = [value_of(kind, tensor, draw) for kind in model.shapes]
            named = [(f"k{k}", value) for k, value in enumerate(values[positional:])]
            draw.shuffle(named)
            return values[:positional], dict(named)

        positional = draw.randint(0, len(model.shapes))
        args, kwargs = call(lambda: draw.choice(pool), positional)
        model_trt = convert(model, args, kwargs=kwargs)
        for _ in range(3):
            args, kwargs = call(lambda: torch.randn(3), positional)
            agrees(model, model_trt, *args, **kwargs)


def test_key_order_and_class_of_dictionaries_do_not_matter():
    def model(d, **named):
        return d["x"] - 2 * d["y"]["z"], named["b"] / named["a"]

    t = lambda: torch.rand(3) + 1  # noqa: E731
    model_trt = convert(model, [{"x": t(), "y": {"z": t()}}], kwargs={"a": t(), "b": t()})
    ordered = collections.OrderedDict
    agrees(model, model_trt, ordered(y=ordered(z=t()), x=t()), b=t(), a=t())
    agrees(model, model_trt, {"y": {"z": t()}, "x": t()}, a=t(), b=t())
    model_trt = convert(model, [ordered(x=t(), y={"z": t()})], kwargs={"b": t(), "a": t()})
    agrees(model, model_trt, {"y": ordered(z=t()), "x": t()}, a=t(), b=t())
    for wrong in ({"x": t()}, {"x": t(), "y": {"q": t()}}, [t(), t()]):
        with pytest.raises(Error) as raised:
            model_trt(wrong, a=t(), b=t())
        assert raised.value.code == "E0602"


def test_fresh_values_are_like_the_samples():
    samples = [
        torch.randn(4, 5),
        torch.randint(0, 9, (3, 7)),
        torch.arange(6) % 3 == 0,
        torch.ones(2, 2),
        torch.arange(5),
    ]
    samples += [torch.tensor([[0.0, float("-inf"), 0.0]]), torch.zeros(0, 3), torch.rand(9).sort().values]
    samples += [torch.randn(3, dtype=torch.complex64), torch.randn(3).half(), torch.ones(3, 4, dtype=torch.bool)]
    for way in proposals(samples):
        for sample, made in zip(samples, way(0), strict=True):
            assert made.shape == sample.shape and made.dtype == sample.dtype
        for k in (1, 2, 4, 5, 8):  # their own values, in another order
            key = lambda t: sorted(map(repr, t.flatten().tolist()))  # noqa: E731
            assert key(way(0)[k]) == key(samples[k])
        assert samples[0].min() <= way(0)[0].min() and way(0)[0].max() <= samples[0].max()
        assert torch.equal(way(0)[7], way(0)[7].sort().values)
        assert way(0)[7].min() >= samples[7].min() and way(0)[7].max() <= samples[7].max()
    corners = torch.rand(3, 2)
    boxes = torch.cat([corners, corners + 0.1], 1)
    made = next(proposals([boxes]))(0)[0]
    assert (made[:, :2] < made[:, 2:]).all() and not torch.equal(made, boxes)
    first = next(proposals(samples))
    assert all(torch.equal(a, b) or a.isnan().any() for a, b in zip(first(0), first(0)))
    assert not any(torch.equal(first(0)[k], samples[k]) for k in (0, 1, 3, 7, 9))
    assert list(proposals([torch.tensor(3), torch.zeros(0)])) == []


def test_a_number_read_out_of_an_input_is_named():
    def model(x):
        if x.sum().item() == 0:  # a decision, which torch.export refuses
            return x
        return x * float(x.sum())

    with (
        pytest.warns(CaptureWarning, match=r"(?s)values read out of tensors.*float\(\) of sum = .*test_samples.py:\d+"),
        pytest.raises(Error, match=r"(?s)fresh values.*float\(\) of sum = .*test_samples.py:\d+.*help: keep") as raised,
    ):
        convert(model, [torch.randn(2, 3)])
    assert raised.value.code == "E0702" and "bug" not in str(raised.value)
    with pytest.warns(CaptureWarning, match="constants"):
        convert(model, [torch.randn(2, 3)], verify=False)


def test_fresh_values_that_the_model_does_not_take_are_skipped():
    def model(x, lengths):
        if (lengths[1:] > lengths[:-1]).any() or x.max() < x[0, 0]:
            raise ValueError("not sorted")
        return x * 2

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model_trt = convert(model, [torch.tensor([[3.0, -1.0], [0.5, 2.0]]), torch.tensor([5, 4, 2])])
    assert set(model_trt.report.difference) == {"output"}
    assert model_trt.report.fresh_difference or "fails" in model_trt.report.skipped["fresh values"]
    same = convert(lambda x, n: x * n, [torch.zeros(0, 2), torch.tensor(3)])
    assert "fresh values" in same.report.skipped and "not compared" in str(same.report)
    nan = convert(lambda x: x.log(), [torch.ones(3)])
    assert nan.report.fresh_difference["output"] < 1e-5
