"""Norms of vectors and matrices, weight normalization, renormalization."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn, randn

from operators import Case, dims

from ._draw import both, floats, integers


def image(*shape: int):
    return lambda: (randn(shape),)


ORDERS = (0, 0.5, 1, 2, 3, math.inf, -math.inf, -1)


def limited(table, indices, norm=2.0, bag=False):
    """Rows of a table that is not written to."""
    table = table.clone()
    if bag:
        return F.embedding_bag(indices, table, max_norm=1.5, norm_type=norm)
    return F.embedding(indices, table, max_norm=1.5, norm_type=norm)


def limited_and_all(table, indices):
    table = table.clone()
    return F.embedding(indices, table, max_norm=1.5), table * 2


ROWS = both(floats((9, 4)), integers((3, 5), low=0, high=9))
CASES = [
    Case("embedding of limited norm", limited, ROWS),
    Case("embedding of limited sums", lambda t, i: limited(t, i, 1.0), ROWS),
    Case(
        "embedding of a table", torch.nn.Embedding(9, 4, max_norm=1.0, norm_type=3.0), integers((3, 5), low=0, high=9)
    ),
    Case("embedding bag of limited norm", lambda t, i: limited(t, i, bag=True), ROWS),
    Case("embedding and its table", limited_and_all, ROWS),
    *(Case(f"order {p}", lambda x, p=p: torch.linalg.vector_norm(x, p), image(3, 4)) for p in ORDERS),
    *(
        Case(
            f"order {p} along axes",
            lambda x, p=p: torch.linalg.vector_norm(x, p, (0, -1), keepdim=True),
            image(3, 4, 5),
        )
        for p in ORDERS
    ),
    Case("zeros counted", lambda x: torch.linalg.vector_norm(x.relu(), 0, 1), image(3, 8)),
    Case("scalar", lambda x: torch.linalg.vector_norm(x[0] * -1), image(3)),
    Case("half", lambda x: torch.linalg.vector_norm(x, dtype=torch.float32), lambda: (randn(3, 4).half(),)),
    Case(
        "half in, half out", lambda x: torch.linalg.vector_norm(x * 100), lambda: (randn(3, 64).half(),), tolerance=1e-3
    ),
    Case("frobenius", lambda x: x.norm(), image(3, 4)),
    Case("norm of an axis", lambda x: x.norm(dim=1, p=3), image(3, 4)),
    Case(
        "linalg.norm",
        lambda x: (
            torch.linalg.norm(x),
            torch.linalg.norm(x, dim=1),
            torch.linalg.norm(x, 1),
            torch.linalg.norm(x[0], 1),
        ),
        image(3, 4),
    ),
    *(
        Case(
            f"matrix {p}",
            lambda x, p=p: (torch.linalg.matrix_norm(x, p), torch.linalg.matrix_norm(x, p, (1, 0), True)),
            image(3, 4, 5),
        )
        for p in ("fro", 1, -1, math.inf, -math.inf)
    ),
    Case("matrix spectral", lambda x: torch.linalg.matrix_norm(x, 2), image(3, 4), refused="singular values"),
    Case("matrix nuclear", lambda x: torch.linalg.matrix_norm(x, "nuc"), image(3, 4), refused="singular values"),
    Case("normalize", lambda x: F.normalize(x, dim=1), image(3, 4, 5)),
    Case("renorm", lambda x: x.renorm(2, 0, 1.5), image(6, 4)),
    Case("renorm 1", lambda x: x.renorm(1, 1, 4.0), image(6, 4, 3)),
    Case("weight norm", nn.utils.parametrizations.weight_norm(nn.Linear(6, 4)), image(3, 6)),
    Case(
        "weight norm of a convolution", nn.utils.parametrizations.weight_norm(nn.Conv1d(6, 4, 3), dim=2), image(3, 6, 8)
    ),
    Case("weight norm whole", lambda v, g: torch._weight_norm(v, g, -1), lambda: (randn(3, 4), randn(()))),
    Case("weight norm given", lambda v, g: torch._weight_norm(v, g, 0), lambda: (randn(3, 4), randn(3, 1))),
    Case("spectral norm", nn.utils.parametrizations.spectral_norm(nn.Linear(6, 4)), image(3, 6)),
    Case(
        "dynamic", lambda x: torch.linalg.vector_norm(x, dim=0), image(3, 4), dynamic=dims({0: "n"}), other=image(7, 4)
    ),
    Case(
        "norm overloads",
        lambda x: (torch.ops.aten.norm.Scalar(x, 3), torch.ops.aten.norm.ScalarOpt_dim(x, 1, [0], True)),
        image(3, 4),
    ),
    Case(
        "norm dtype overloads",
        lambda x: (
            torch.ops.aten.norm.ScalarOpt_dtype(x, 3, dtype=torch.float32),
            torch.ops.aten.norm.ScalarOpt_dim_dtype(x, None, [0], True, dtype=torch.float32),
        ),
        lambda: (randn(3, 4).half(),),
    ),
    Case("linalg.norm fro", lambda x: torch.linalg.norm(x, "fro"), image(3, 4)),
    Case(
        "weight norm interface",
        lambda v, g: torch.ops.aten._weight_norm_interface(v, g, 0),
        lambda: (randn(3, 4), randn(3, 1)),
    ),
]
