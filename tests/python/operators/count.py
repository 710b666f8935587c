"""Counts by number, histograms, and repeats by counts."""

from __future__ import annotations

import torch

from operators import Case, dims

from ._draw import DATA_DEPENDENT, both, floats, integers, positive

NUMBERS = integers((40,), low=0, high=12)
CONSTANT = torch.tensor([1, 5, 2, 5])
REPEATS = torch.tensor([2, 0, 3])


def summing_to(total: int, *shape: int):
    """Repeats that add up to a total."""

    def draw():
        cuts = torch.randint(0, total + 1, (shape[0] - 1,)).sort().values
        return (torch.diff(cuts, prepend=torch.tensor([0]), append=torch.tensor([total])),)

    return draw


def on_edges():
    """Elements on the edges of four bins from -1 to 1, outside of them, and no numbers."""
    return (torch.cat([torch.linspace(-1, 1, 5), torch.tensor([-1.01, 1.01, torch.nan, torch.inf]), torch.randn(20)]),)


CASES = [
    Case("bincount of a limited input", lambda x: torch.bincount(x.clamp(max=8), minlength=9), NUMBERS),
    Case("bincount of the best", lambda x: torch.bincount(x.argmax(1), minlength=6), floats((30, 5))),
    Case("bincount of experts", lambda x: torch.bincount(x.topk(2).indices.flatten(), minlength=5), floats((30, 5))),
    Case(
        "bincount then sizes",
        lambda x: torch.bincount(x.argmax(1), minlength=5).cumsum(0) / x.shape[0],
        floats((30, 5)),
    ),
    Case(
        "bincount weighted", lambda x, w: torch.bincount(x.clamp(max=8), w, minlength=9), both(NUMBERS, floats((40,)))
    ),
    Case(
        "bincount of int32",
        lambda x: torch.bincount(x.clamp(max=8), minlength=9),
        integers((40,), low=0, high=12, dtype=torch.int32),
    ),
    Case("bincount of a constant", lambda w: torch.bincount(CONSTANT, w), floats((4,))),
    Case("bincount of a constant, longer", lambda w: torch.bincount(CONSTANT, w, minlength=9), floats((4,))),
    Case("bincount of bools", lambda x: torch.bincount((x > 0.5).flatten().long(), minlength=2), floats((30, 5))),
    Case("bincount of a table", lambda x: torch.bincount(CONSTANT[x.argmax(1)], minlength=6), floats((30, 4))),
    Case(
        "bincount dynamic",
        lambda x: torch.bincount(x.argmax(1), minlength=5),
        floats((30, 5)),
        dynamic=dims({0: "n"}),
        other=floats((7, 5)),
    ),
    Case("bincount of anything", lambda x: torch.bincount(x), NUMBERS, refused="which data decides.*clamp"),
    Case(
        "bincount beyond its length",
        lambda x: torch.bincount(x.argmax(1), minlength=4),
        floats((30, 5)),
        refused="which data decides",
    ),
    Case(
        "bincount of values",
        lambda x: torch.bincount(x.topk(2).values, minlength=5),
        NUMBERS,
        refused="which data decides",
    ),
    Case("histc", lambda x: torch.histc(x, 10, -3, 3), floats((30, 4))),
    Case("histc on edges", lambda x: torch.histc(x, 4, -1, 1), on_edges),
    Case("histc of its own range", lambda x: torch.histc(x, 7), floats((50,))),
    Case("histc of equal elements", lambda x: torch.histc(x * 0 + 2, 5), floats((50,))),
    Case("histc as shares", lambda x: torch.histc(x, 5, 0, 4) / x.numel(), positive((50,))),
    Case("histc dynamic", lambda x: torch.histc(x, 10), floats((30, 4)), dynamic=dims({0: "n"}), other=floats((9, 4))),
    Case(
        "repeat of a known size",
        lambda x, r: x.repeat_interleave(r, 0, output_size=9),
        both(floats((4, 3)), summing_to(9, 4)),
    ),
    Case("repeat flat", lambda x, r: x.repeat_interleave(r, output_size=9), both(floats((2, 3)), summing_to(9, 6))),
    Case(
        "repeat last", lambda x, r: x.repeat_interleave(r, -1, output_size=9), both(integers((2, 4)), summing_to(9, 4))
    ),
    Case("repeat indices", lambda r: torch.repeat_interleave(r, output_size=9), summing_to(9, 4)),
    Case("repeat by constants", lambda x: x.repeat_interleave(REPEATS, 1) * 2, floats((2, 3))),
    Case(
        "repeat by one number",
        lambda x, r: x.repeat_interleave(r, 0, output_size=8),
        both(floats((4, 3)), lambda: (torch.tensor([2]),)),
    ),
    Case("repeat by one constant", lambda x: x.repeat_interleave(torch.tensor([3]), 1) * 2, floats((4, 3))),
    Case(
        "repeat by one constant, dynamic",
        lambda x: x.repeat_interleave(torch.tensor(3), 0).reshape(-1, 3, 5) + x[:, None],
        floats((4, 5)),
        dynamic=dims({0: "n"}),
        other=floats((7, 5)),
    ),
    Case(
        "repeat dynamic",
        lambda x, r, y: x.repeat_interleave(r, 0, output_size=y.shape[0]) + y,
        both(floats((4, 3)), summing_to(9, 4), floats((9, 3))),
        dynamic=dims({0: "n"}, {0: "n"}, {0: "m"}, least=2),
        other=both(floats((7, 3)), summing_to(5, 7), floats((5, 3))),
    ),
    Case(
        "bincount traced",
        lambda x: torch.bincount(x, minlength=3) if x.sum() >= 0 else x,
        NUMBERS,
        refused="which data decides",
    ),
    Case(
        "repeat traced",
        lambda r: r.repeat_interleave(r) if r.sum() >= 0 else r,
        summing_to(9, 4),
        refused="give output_size",
    ),
    Case(
        "repeat traced of a known size",
        lambda r: r.repeat_interleave(r, output_size=9) if r.sum() >= 0 else r,
        summing_to(9, 4),
    ),
    Case(
        "repeat by data",
        lambda x, r: x.repeat_interleave(r, 0),
        both(floats((4, 3)), summing_to(9, 4)),
        unbuilt=DATA_DEPENDENT,
    ),
]
