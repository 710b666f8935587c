"""Operators without a converter, which PyTorch decomposes into operators that have one."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from operators import Case, dims

from ._draw import both, floats, integers, positive

ROUNDING = 1e-5

PAIR = floats((3, 5), (3, 5))
SHARES = lambda: (torch.rand(3, 5) * 0.8 + 0.1, torch.rand(3, 5) * 0.8 + 0.1)  # noqa: E731
LABELLED = both(floats((4, 6)), integers((4,), low=0, high=6))
DYNAMIC = dims({0: "n"}, {0: "n"})

OF_TWO = {
    "multiply": torch.multiply,
    "divide": torch.divide,
    "divide down": lambda x, y: torch.divide(x, y, rounding_mode="floor"),
    "greater": lambda x, y: (torch.greater(x, y), torch.less(x, 0.5), torch.greater_equal(x, y), torch.not_equal(x, y)),
    "dist": torch.dist,
    "vecdot": torch.linalg.vecdot,
    "triplet_margin_loss": lambda x, y: F.triplet_margin_loss(x, y, x + 1),
    "cosine_embedding_loss": lambda x, y: F.cosine_embedding_loss(x, y, torch.tensor([1, -1, 1])),
    "margin_ranking_loss": lambda x, y: F.margin_ranking_loss(x, y, torch.ones(3, 5), margin=0.2),
    "poisson_nll_loss": lambda x, y: F.poisson_nll_loss(x, y.abs(), full=False),
    "kl_div": lambda x, y: F.kl_div(x.log_softmax(1), y.softmax(1), reduction="batchmean"),
    "cross_entropy of shares": lambda x, y: F.cross_entropy(x, y.softmax(1), label_smoothing=0.1),
    "binary_cross_entropy_with_logits": lambda x, y: F.binary_cross_entropy_with_logits(
        x, y.sigmoid(), reduction="none"
    ),
    "pad_sequence": lambda x, y: torch.nn.utils.rnn.pad_sequence([x, y[:2]], batch_first=True),
}

OF_ONE = {
    "inverse functions": lambda x: (torch.arccos(x), torch.arcsin(x), torch.arctan(x), torch.arctanh(x)),
    "float_power": lambda x: torch.float_power(x, 2.5).float(),
    "special": lambda x: (torch.special.expit(x), torch.special.ndtr(x), torch.special.log1p(x)),
    "quantile": lambda x: torch.quantile(x, 0.3, dim=1),
    "quantiles": lambda x: torch.quantile(x, torch.tensor([0.25, 0.5]), dim=0, keepdim=True),
    "nanquantile": lambda x: torch.nanquantile(x, 0.6),
    "cov": torch.cov,
    "gradient": lambda x: torch.gradient(x, dim=1)[0],
    "cumulative_trapezoid": torch.cumulative_trapezoid,
    "matrix_power": lambda x: torch.linalg.matrix_power(x[:, :3], 3),
    "vander": torch.linalg.vander,
}

CASES = [
    *(Case(name, fn, PAIR, tolerance=ROUNDING) for name, fn in OF_TWO.items()),
    *(Case(name, fn, lambda: SHARES()[:1], tolerance=ROUNDING) for name, fn in OF_ONE.items()),
    Case("binary_cross_entropy", F.binary_cross_entropy, SHARES, tolerance=ROUNDING),
    Case("cross_entropy", F.cross_entropy, LABELLED, tolerance=ROUNDING),
    Case("nll_loss", lambda x, label: F.nll_loss(x.log_softmax(1), label, reduction="none"), LABELLED,
         tolerance=ROUNDING),
    Case("isin", lambda x: (torch.isin(x, torch.tensor([0, 3])), torch.isin(x, 2)), integers((3, 4), low=0, high=5)),
    Case("istft", lambda x: torch.istft(torch.stft(x, 16, window=torch.hann_window(16), return_complex=True), 16,
                                        window=torch.hann_window(16)), floats((2, 64)), tolerance=ROUNDING),
    Case("multiply dynamic", torch.multiply, PAIR, dynamic=DYNAMIC, other=floats((7, 5), (7, 5)), tolerance=ROUNDING),
    Case("cross_entropy dynamic", lambda x, label: F.cross_entropy(x, label, reduction="none"), LABELLED,
         dynamic=DYNAMIC, other=both(floats((9, 6)), integers((9,), low=0, high=6)), tolerance=ROUNDING),
    Case("decomposed into unknown operators", torch.nextafter, PAIR, refused=r"aten\.nextafter\.default"),
    Case("a rule that has none itself", torch.linalg.svdvals, positive((3, 3)),
         refused=r"aten\.linalg_svdvals\.default"),
]  # fmt: skip
