"""Products of vectors, matrices and batches of matrices; einsum; distances."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import randn

from operators import Case, dims

from ._draw import positive

BATCH = dims({0: "n"})


def random(*shapes: tuple[int, ...]):
    """Draws float tensors of these shapes."""
    return lambda: tuple(randn(shape) for shape in shapes)


def integers(*shapes: tuple[int, ...]):
    """Draws int64 tensors of these shapes, with products beyond float32's 24 bits."""
    return lambda: tuple(torch.randint(-(10**5), 10**5, shape) for shape in shapes)


CASES = [
    Case("linear", torch.nn.Linear(12, 7), random((3, 12))),
    Case("linear no bias", torch.nn.Linear(12, 7, bias=False), random((2, 3, 4, 12))),
    Case("linear vector", torch.nn.Linear(12, 7), random((12,))),
    Case("linear one feature", lambda x, w: F.linear(x, w), random((3, 12), (12,))),
    Case(
        "linear dynamic",
        lambda x, w, b: F.linear(x, w, b),
        random((3, 5, 12), (7, 12), (7,)),
        dynamic=dims({0: "n", 1: "t"}, {}, {}),
        other=random((5, 2, 12), (7, 12), (7,)),
    ),
    Case("mm", torch.mm, random((3, 4), (4, 5))),
    Case("mm int64", torch.mm, integers((3, 4), (4, 5))),
    Case("bmm", torch.bmm, random((2, 3, 4), (2, 4, 5))),
    Case("bmm int64", torch.bmm, integers((2, 3, 4), (2, 4, 5))),
    Case("mv", torch.mv, random((3, 4), (4,))),
    Case("dot", torch.dot, positive((9,), (9,))),
    Case("vdot", torch.vdot, positive((9,), (9,))),
    Case("matmul vectors", torch.matmul, positive((9,), (9,))),
    Case("matmul matrix vector", torch.matmul, random((4, 9), (9,))),
    Case("matmul vector matrix", torch.matmul, random((9,), (9, 4))),
    Case("matmul vector batch", torch.matmul, random((9,), (2, 3, 9, 4))),
    Case("matmul batch vector", torch.matmul, random((2, 3, 4, 9), (9,))),
    Case("matmul batch matrix", torch.matmul, random((2, 3, 4, 9), (9, 5))),
    Case("matmul broadcast", torch.matmul, random((2, 1, 4, 9), (3, 9, 5))),
    Case("matmul int64", torch.matmul, integers((2, 1, 4, 9), (3, 9, 5))),
    Case(
        "matmul dynamic",
        torch.matmul,
        random((2, 3, 4), (2, 4, 3)),
        dynamic=dims({0: "n", 1: "t"}, {0: "n", 2: "t"}),
        other=random((4, 6, 4), (4, 4, 6)),
    ),
    Case("inner", torch.inner, random((2, 3, 4), (5, 4))),
    Case("inner vectors", torch.inner, positive((4,), (4,))),
    Case("addmm", torch.addmm, random((5,), (3, 4), (4, 5))),
    Case("addmm scaled", lambda c, x, y: torch.addmm(c, x, y, beta=0.5, alpha=-2), random((3, 5), (3, 4), (4, 5))),
    Case("addmm beta 0", lambda c, x, y: torch.addmm(c * float("nan"), x, y, beta=0), random((3, 5), (3, 4), (4, 5))),
    Case("addmm int64", lambda c, x, y: torch.addmm(c, x, y, beta=2, alpha=3), integers((5,), (3, 4), (4, 5))),
    Case("addmv", lambda c, x, y: torch.addmv(c, x, y, alpha=3), random((3,), (3, 4), (4,))),
    Case("baddbmm", lambda c, x, y: torch.baddbmm(c, x, y, beta=2), random((2, 3, 5), (2, 3, 4), (2, 4, 5))),
    Case("addbmm", torch.addbmm, random((3, 5), (2, 3, 4), (2, 4, 5))),
    Case("addr", lambda c, x, y: torch.addr(c, x, y, beta=2), random((3, 5), (3,), (5,))),
    Case("outer", torch.outer, random((3,), (5,))),
    Case("outer dynamic", torch.outer, random((3,), (5,)), dynamic=dims({0: "n"}, {0: "m"}), other=random((7,), (2,))),
    Case("cross", lambda x, y: torch.linalg.cross(x, y), random((4, 3), (4, 3))),
    Case("cross axis", lambda x, y: torch.cross(x, y, dim=1), random((2, 3, 4), (2, 3, 4))),
    Case("cross broadcast", lambda x, y: torch.linalg.cross(x, y), random((4, 3), (1, 3))),
    Case("bilinear", torch.nn.Bilinear(5, 6, 7), random((3, 5), (3, 6))),
    Case("bilinear batch", torch.nn.Bilinear(5, 6, 7, bias=False), random((2, 3, 5), (2, 3, 6))),
    Case("multi_dot", lambda x, y, z: torch.linalg.multi_dot([x, y, z]), random((3, 4), (4, 5), (5, 2))),
    Case("multi_dot vectors", lambda x, y, z: torch.linalg.multi_dot([x, y, z]), positive((4,), (4, 5), (5,))),
    Case("kron", torch.kron, random((2, 3), (4, 5))),
    Case("kron ranks", torch.kron, random((3,), (2, 4, 5))),
    Case("tensordot", lambda x, y: torch.tensordot(x, y, ([1, 2], [0, 1])), random((2, 3, 4), (3, 4, 5))),
    Case("tensordot order", lambda x, y: torch.tensordot(x, y, ([2, 0], [1, 2])), random((2, 3, 4), (5, 4, 2))),
    Case("tensordot none", lambda x, y: torch.tensordot(x, y, 0), random((2, 3), (4,))),
    Case("ger", torch.ger, random((3,), (5,))),
    Case("chain_matmul", torch.chain_matmul, random((3, 4), (4, 5), (5, 2))),
]
