"""Writing by position: assignments to slices, indices and masks as exported models have them."""

from __future__ import annotations

import torch

from operators import Case, dims

from ._draw import bools, both, floats, integers

X = floats((5, 6, 7))


def permuted(count: int, n: int):
    """Positions without repetition."""
    return lambda: (torch.randperm(n)[:count],)


def assign(where, value):
    """`x[where] = value` on a copy."""

    def fn(x, *more):
        x = x.clone()
        x[where(*more) if callable(where) else where] = value(x, *more) if callable(value) else value
        return x

    return fn


CASES = [
    Case("assign a number to a slice", assign((slice(1, 3),), 2.0), X),
    Case("assign to two axes", assign((slice(1, 3), slice(-2, None)), 0.5), X),
    Case("assign to a row", assign(2, lambda x: x[0]), X),
    Case("assign to a column", assign((slice(None), -1), 1.0), X),
    Case("assign to all", assign(slice(None), 3.0), X),
    Case("assign with a step", assign((slice(None), slice(0, None, 2)), lambda x: x[:, 1::2] * 2), X),
    Case("assign with a step and an offset", assign((slice(None), slice(1, 5, 3)), -1.0), X),
    Case(
        "assign dynamic",
        assign((slice(None), slice(1, 3)), 2.0),
        X,
        dynamic=dims({0: "h", 1: "m"}, least=3),
        other=floats((3, 8, 7)),
    ),
    Case(
        "assign last dynamic",
        assign((slice(-2, None),), 2.0),
        X,
        dynamic=dims({0: "h", 1: "m"}, least=3),
        other=floats((9, 8, 7)),
    ),
    Case("select_scatter", lambda x, y: torch.select_scatter(x, y, 1, -2), floats((5, 6, 7), (5, 7))),
    Case("slice_scatter", lambda x, y: torch.slice_scatter(x, y, 1, 1, 4), floats((5, 6, 7), (5, 3, 7))),
    Case("scatter", lambda x, y: x.scatter(1, torch.argsort(y, 1), y), floats((4, 6), (4, 6))),
    Case("scatter smaller", lambda x, y: x.scatter(1, torch.tensor([[3, 0], [5, 2]]), y), floats((4, 6), (3, 4))),
    Case("scatter value", lambda x, i: x.scatter(1, i, 2.5), both(floats((4, 6)), integers((4, 2), low=0, high=6))),
    Case("scatter integers", lambda x, i: x.scatter(0, i, 7), both(integers((4, 6)), integers((1, 6), low=0, high=4))),
    Case(
        "scatter dynamic",
        lambda x, i: x.scatter(1, i, 1.0),
        both(floats((4, 6)), integers((4, 2), low=0, high=6)),
        dynamic=dims({0: "n"}, {0: "n"}),
        other=both(floats((9, 6)), integers((9, 2), low=0, high=6)),
    ),
    Case("index_put", lambda x, i, y: x.index_put((i,), y), both(X, permuted(3, 5), floats((3, 6, 7)))),
    Case("index_put negative", lambda x, y: x.index_put((torch.tensor([0, -1]),), y), both(X, floats((2, 6, 7)))),
    Case("index_put behind", assign(lambda i: (slice(None), i), 1.5), both(X, permuted(3, 6))),
    Case("index_put two", lambda x, i, y: x.index_put((i, i + 1), y), both(X, permuted(4, 5), floats((4, 7)))),
    Case(
        "index_put two apart",
        assign(lambda i: (i, slice(None), i), lambda x, i: x[i, :, i] * 2),
        both(X, permuted(4, 5)),
    ),
    Case("mask one value", assign(lambda m: m, 9.0), both(X, bools((5, 6, 7)))),
    Case("mask of rows", assign(lambda m: m, -1.0), both(X, bools((5,)))),
    Case("mask row of values", assign(lambda m, y: m, lambda x, m, y: y), both(X, bools((5, 6)), floats((7,)))),
    Case("mask behind", assign(lambda m: (slice(None), m), 4.0), both(X, bools((6,)))),
    Case("mask many values", assign(lambda m: m, lambda x, m: x[m] * 2), both(X, bools((5, 6)))),
    Case("index_copy", lambda x, i, y: x.index_copy(1, i, y), both(X, permuted(3, 6), floats((5, 3, 7)))),
    Case("index_fill", lambda x, i: x.index_fill(2, i, -1.0), both(X, permuted(3, 7))),
    Case("index_fill tensor", lambda x, i, v: x.index_fill(0, i, v), both(X, permuted(3, 5), floats(()))),
]
