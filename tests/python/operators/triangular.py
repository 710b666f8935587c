"""Cholesky factors and systems whose matrix is a triangle."""

from __future__ import annotations

import torch
from torch import linalg, randn

from operators import Case, dims

from ._draw import Draw, both, floats


def positive_definite(n: int, *batch: int) -> Draw:
    """Symmetric matrices whose eigenvalues lie between 1 and 3."""

    def draw() -> tuple[torch.Tensor]:
        axes = linalg.qr(randn(*batch, n, n))[0]
        return (axes * (torch.rand(*batch, 1, n) * 2 + 1) @ axes.mT,)

    return draw


def triangle(n: int, *batch: int) -> Draw:
    """Whole matrices of which a triangle is well conditioned, whichever is read."""
    return lambda: (randn(*batch, n, n) / n + 2 * torch.eye(n),)


def solved(upper: bool, **options: bool):
    return lambda a, b: linalg.solve_triangular(a, b, upper=upper, **options)


SYSTEM = both(triangle(5, 2), floats((2, 5, 3)))
FACTOR = both(floats((2, 4, 3)), lambda: (linalg.cholesky(positive_definite(4, 2)()[0]),))


def indefinite() -> tuple[torch.Tensor]:
    """The second has a minor that is not positive."""
    return (torch.stack([torch.eye(3), torch.diag(torch.tensor([1.0, -2, 3])), torch.eye(3) * (torch.rand(()) + 1)]),)


CASES = [
    *(Case(f"cholesky of {n} rows", linalg.cholesky, positive_definite(n, 2)) for n in (1, 2, 3, 6)),
    Case("cholesky of 32 rows", linalg.cholesky, positive_definite(32)),
    Case("cholesky upper", lambda x: linalg.cholesky(x, upper=True), positive_definite(4, 2)),
    Case(
        "cholesky reads one triangle",
        lambda x: (linalg.cholesky(x.tril()), linalg.cholesky(x.triu(), upper=True)),
        positive_definite(4),
    ),
    Case(
        "cholesky dynamic",
        linalg.cholesky,
        positive_definite(4, 2),
        dynamic=dims({0: "n"}),
        other=positive_definite(4, 7),
    ),
    Case("cholesky_ex", linalg.cholesky_ex, positive_definite(3, 2)),
    Case("cholesky_ex finds indefinite ones", lambda x: linalg.cholesky_ex(x).info, indefinite),
    Case("cholesky of too many rows", linalg.cholesky, positive_definite(40), refused="40 rows: 1 to 32"),
    Case(
        "log of a density",
        lambda x: linalg.cholesky(x).diagonal(dim1=-2, dim2=-1).log().sum(-1),
        positive_definite(4, 3),
    ),
    Case(
        "whitening", lambda x, y: solved(False)(linalg.cholesky(x), y), both(positive_definite(4, 2), floats((2, 4, 5)))
    ),
    Case("upper triangle", solved(True), SYSTEM),
    Case("lower triangle", solved(False), SYSTEM),
    Case("upper triangle of ones", solved(True, unitriangular=True), SYSTEM),
    Case("lower triangle of ones", solved(False, unitriangular=True), SYSTEM),
    Case("triangle from the right", solved(True, left=False), both(triangle(4, 2), floats((2, 3, 4)))),
    Case("triangle broadcast", solved(False), both(triangle(4, 3, 1), floats((2, 4, 5)))),
    Case(
        "triangle dynamic",
        solved(True),
        SYSTEM,
        dynamic=dims({0: "n"}, {0: "n"}),
        other=both(triangle(5, 7), floats((7, 5, 3))),
    ),
    Case("triangular_solve", lambda a, b: torch.triangular_solve(b, a), SYSTEM),
    Case(
        "triangular_solve transposed", lambda a, b: torch.triangular_solve(b, a, upper=False, transpose=True)[0], SYSTEM
    ),
    Case("triangular_solve of ones", lambda a, b: torch.triangular_solve(b, a, unitriangular=True)[0], SYSTEM),
    Case("cholesky_solve", torch.cholesky_solve, FACTOR),
    Case("cholesky_solve upper", lambda b, x: torch.cholesky_solve(b, x.mT, upper=True), FACTOR),
    Case("cholesky_inverse", torch.cholesky_inverse, lambda: FACTOR()[1:]),
    Case("cholesky_inverse upper", lambda x: torch.cholesky_inverse(x.mT, upper=True), lambda: FACTOR()[1:]),
]
