"""Inverses, systems, determinants and factors of small matrices, with pivots that have to be looked for."""

from __future__ import annotations

import torch
from torch import linalg, randn, randperm

from operators import Case, dims

from ._draw import Draw, both, floats


def matrix(n: int, *batch: int) -> torch.Tensor:
    """A matrix whose singular values lie between 1 and 3, so that float32 solves it to its own precision."""
    left, right = linalg.qr(randn(*batch, n, n))[0], linalg.qr(randn(*batch, n, n))[0]
    return left * (torch.rand(*batch, 1, n) * 2 + 1) @ right


def square(n: int, *batch: int) -> Draw:
    return lambda: (matrix(n, *batch),)


def hollow(n: int, *batch: int) -> Draw:
    """A matrix of which every diagonal element is zero: elimination without pivots divides by it."""

    def draw() -> tuple[torch.Tensor]:
        shifted = torch.eye(n).roll(1, 0) * 3
        return ((shifted + randn(*batch, n, n) * 0.3) * (1 - torch.eye(n)),)

    return draw


def permutation(n: int, *batch: int) -> Draw:
    return lambda: (
        torch.stack([torch.eye(n)[randperm(n)] for _ in range(torch.Size(batch).numel())]).reshape(*batch, n, n),
    )


def scaled(n: int) -> Draw:
    """Rows of very different sizes."""
    return lambda: (matrix(n) * 10.0 ** torch.arange(-2, n - 2)[:, None],)


BATCH = dims({0: "n"})
PAIR = dims({0: "n"}, {0: "n"})


def singular() -> tuple[torch.Tensor]:
    """One matrix without an inverse among two that have one; its zero pivot is the third."""
    flat = torch.tensor([[2.0, 1, 4], [0, 3, 1], [0, 6, 2]]).roll(int(randperm(3)[0]), 0)
    return (torch.stack([matrix(3), flat, matrix(3)]),)


CASES = [
    *(Case(f"inverse of {n} rows", torch.inverse, square(n, 3)) for n in (1, 2, 3, 4, 7)),
    Case("inverse of 32 rows", linalg.inv, square(32)),
    Case("inverse alone", linalg.inv, square(3)),
    Case("inverse in two batch axes", linalg.inv, square(4, 2, 3)),
    Case("inverse hollow", linalg.inv, hollow(5, 4)),
    Case("inverse of permutations", linalg.inv, permutation(6, 4)),
    Case("inverse scaled", linalg.inv, scaled(4)),
    Case("inverse dynamic", linalg.inv, hollow(4, 3), dynamic=BATCH, other=hollow(4, 7)),
    Case("inverse of doubles", lambda x: linalg.inv(x.double()).float(), square(3)),
    Case("inv_ex", linalg.inv_ex, square(3, 2)),
    Case("inv_ex finds singular ones", lambda x: linalg.inv_ex(x).info, singular),
    Case("inverse of too many rows", linalg.inv, square(33), refused="33 rows: 1 to 32"),
    Case(
        "inverse of unknown rows",
        lambda x: linalg.inv(x @ x.mT),
        floats((4, 4)),
        dynamic=dims({0: "m"}, least=2),
        refused="depends on input sizes",
    ),
    Case("camera", lambda k, x: x @ linalg.inv(k).mT, both(square(3, 2), floats((2, 9, 3)))),
    Case("solve", linalg.solve, both(square(5, 2), floats((2, 5, 3)))),
    Case("solve hollow", linalg.solve, both(hollow(5, 2), floats((2, 5, 3)))),
    Case("solve a vector", linalg.solve, both(square(4), floats((4,)))),
    Case("solve vectors", linalg.solve, both(hollow(4, 2, 3), floats((2, 3, 4)))),
    Case("solve one vector for all", linalg.solve, both(square(4, 3), floats((4,)))),
    Case("solve broadcast", linalg.solve, both(square(4, 3, 1), floats((2, 4, 5)))),
    Case("solve one matrix for all", linalg.solve, both(square(4), floats((2, 4, 5)))),
    Case("solve from the right", lambda a, b: linalg.solve(a, b, left=False), both(hollow(4, 2), floats((2, 3, 4)))),
    Case("solve_ex", linalg.solve_ex, both(square(4, 2), floats((2, 4, 5)))),
    Case("_solve_ex", lambda a, b: torch.ops.aten._linalg_solve_ex(a, b)[::3], both(square(4, 2), floats((2, 4, 5)))),
    Case(
        "solve dynamic",
        linalg.solve,
        both(hollow(4, 2), floats((2, 4, 3))),
        dynamic=dims({0: "n"}, {0: "n", 2: "m"}),
        other=both(hollow(4, 5), floats((5, 4, 2))),
    ),
    Case(
        "solve vectors dynamic",
        linalg.solve,
        both(square(4, 3), floats((3, 4))),
        dynamic=PAIR,
        other=both(square(4, 7), floats((7, 4))),
    ),
    Case(
        "lstsq by normal equations",
        lambda a, b: linalg.solve(a.mT @ a, a.mT @ b),
        lambda: (matrix(5)[:, :3], randn(5, 2)),
        tolerance=1e-4,
    ),
    *(Case(f"det of {n} rows", torch.det, square(n, 3)) for n in (1, 2, 3, 5)),
    Case("det hollow", linalg.det, hollow(5, 4)),
    Case("det of permutations", linalg.det, permutation(6, 9)),
    Case("det alone", torch.det, permutation(3)),
    Case("det of singular", linalg.det, singular),
    Case("det dynamic", linalg.det, hollow(4, 3), dynamic=BATCH, other=hollow(4, 7)),
    Case("_det", lambda x: torch.ops.aten._linalg_det(x)[0], square(3, 2)),
    Case("slogdet", torch.slogdet, hollow(5, 4)),
    Case("slogdet of permutations", lambda x: linalg.slogdet(x * 2), permutation(5, 9)),
    Case("slogdet of singular", linalg.slogdet, singular),
    Case("_slogdet", lambda x: torch.ops.aten._linalg_slogdet(x)[:2], square(3, 2)),
    Case("logdet", lambda x: torch.logdet(x @ x.mT), square(3, 2)),
    Case("logdet of negative", torch.logdet, lambda: (torch.eye(3) * torch.tensor([1.0, -2, 3]),)),
    Case("lu", linalg.lu, hollow(5, 3)),
    Case("lu of permutations", linalg.lu, permutation(6, 4)),
    Case("lu of singular", lambda x: linalg.multi_dot(linalg.lu(x * torch.tensor([1.0, 0, 1]))), floats((3, 3))),
    Case("lu_factor", linalg.lu_factor, hollow(5, 3)),
    Case("lu_factor of permutations", linalg.lu_factor, permutation(6, 4)),
    Case("lu_factor_ex", linalg.lu_factor_ex, singular),
    Case("lu not square", linalg.lu, floats((3, 4)), refused="not square"),
    Case("matrix_power", lambda x: (linalg.matrix_power(x, -2), linalg.matrix_power(x, 5)), square(3, 2)),
    Case("tensorinv", lambda x: linalg.tensorinv(x.reshape(4, 2, 2), ind=1), square(4)),
    Case("cond", lambda x: linalg.cond(x, 1), square(4)),
]
