"""Nested values as flat lists and back, and modules between nested and flat arguments."""

import collections

import pytest
import torch
from torch import nn

from torch2trt.flatten_module import Flatten, Unflatten
from torch2trt.flattener import Flattener

a, b, c = torch.randn(1), torch.randn(2), torch.randn(3)
Pair = collections.namedtuple("Pair", ["first", "second"])


@pytest.mark.parametrize(
    ("value", "flat"),
    [
        (a, [a]),
        ([a, b], [a, b]),
        ((a, (b, [c])), [a, b, c]),
        ({"x": a, "y": {"z": [b]}}, [a, b]),
        ([a, {"k": (b, c)}, ()], [a, b, c]),
        ([], []),
        (collections.OrderedDict(z=a, y=b), [a, b]),
        (Pair(a, [b, c]), [a, b, c]),
    ],
)
def test_flatten_and_back(value, flat):
    flattener = Flattener.from_value(value)
    assert flattener.size == len(flattener) == len(flat)
    found = flattener.flatten(value)
    assert all(x is y for x, y in zip(found, flat, strict=True))
    back = flattener.unflatten(found)
    assert back == value and type(back) is type(value)


def test_what_is_not_a_leaf_is_left_out():
    flattener = Flattener.from_value([a, None, 3, {"k": "text", "t": b}])
    assert flattener.flatten([b, None, 4, {"k": "other", "t": c}]) == [b, c]
    assert flattener.unflatten([1, 2]) == [1, None, None, {"k": None, "t": 2}]


def test_another_condition():
    flattener = Flattener.from_value([(1, 2), "x", 3], condition=lambda value: isinstance(value, int))
    assert flattener.flatten([(4, 5), "y", 6]) == [4, 5, 6]


def test_plain_values_and_back():
    value = {"x": [a, b], "y": (c,)}
    flattener = Flattener.from_dict(Flattener.from_value(value).dict())
    assert flattener.unflatten(flattener.flatten(value)) == value


def test_values_of_another_structure():
    flattener = Flattener.from_value([a, b])
    with pytest.raises(ValueError):  # noqa: PT011  Python's own words
        flattener.flatten([a])
    with pytest.raises(ValueError, match="2 values are needed, 1 were given"):
        flattener.unflatten([a])
    with pytest.raises(KeyError):
        Flattener.from_value({"x": a}).flatten({"y": a})


class Nested(nn.Module):
    def forward(self, pair, options):
        return {"sum": pair[0] + pair[1], "scaled": [pair[0] * options["scale"]]}


def test_flatten_and_unflatten_modules():
    x, y, scale = torch.randn(3), torch.randn(3), torch.randn(3)
    args = ((x, y), {"scale": scale})
    inputs, expected = Flattener.from_value(args), Nested()(*args)
    flat = Flatten(Nested(), inputs)
    got = flat(x, y, scale)
    assert isinstance(got, tuple) and torch.equal(got[0], x + y) and torch.equal(got[1], x * scale)
    back = Unflatten(flat, inputs, flat.output_flattener)(*args)
    assert back.keys() == expected.keys() and torch.equal(back["scaled"][0], expected["scaled"][0])


def test_one_tensor_stays_one_tensor():
    flat = Flatten(nn.ReLU())
    x = torch.randn(4)
    assert torch.equal(flat(x), x.relu())
    assert torch.equal(Unflatten(flat, None, flat.output_flattener)(x), x.relu())
