"""Accuracy on real data: a small network trained on scikit-learn's handwritten digits, in each precision.

`pytest -s` prints the rows of the table in docs/int8.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from torch2trt import TRTModule, torch2trt

BATCH = 32
TRAINED = 1024
"""Images that the network is trained on; the others are those of the accuracy."""
ALGORITHMS = ("ENTROPY_CALIBRATION_2", "MINMAX_CALIBRATION", "LEGACY_CALIBRATION")


class Classifier(nn.Module):
    """Convolutions with normalizations and a residual addition, and two linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU())
        self.block = nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.BatchNorm2d(16))
        self.down = nn.Sequential(nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.BatchNorm2d(32), nn.ReLU())
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        return self.head(self.down(torch.relu(x + self.block(x))))


def train(images: torch.Tensor, labels: torch.Tensor) -> nn.Module:
    """A network after five passes over the images; a few seconds."""
    torch.manual_seed(0)
    model = Classifier().train()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(5):
        for batch in torch.randperm(len(images)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
            optimizer.step()
    return model.eval()


class Digits:
    """The network, the samples to calibrate with, and the images to test with."""

    def __init__(self) -> None:
        data = pytest.importorskip("sklearn.datasets").load_digits()
        images = torch.tensor(data.images, dtype=torch.float32)[:, None] / 16
        labels = torch.tensor(data.target)
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
        images, labels = images[order], labels[order]
        self.model = train(images[:TRAINED], labels[:TRAINED])
        self.calibration = list(images[:512].split(BATCH))
        self.calibration_labels = list(labels[:512].split(BATCH))
        whole = (len(images) - TRAINED) // BATCH * BATCH
        self.images = list(images[TRAINED : TRAINED + whole].split(BATCH))
        self.labels = list(labels[TRAINED : TRAINED + whole].split(BATCH))

    def accuracy(self, model: Callable[[torch.Tensor], torch.Tensor]) -> float:
        """Share of the test images that a model recognizes."""
        with torch.no_grad():
            hits = [(model(x).argmax(-1) == y).float().mean() for x, y in zip(self.images, self.labels, strict=True)]
        return float(torch.stack(hits).mean())

    def convert(self, **options: Any) -> TRTModule:
        return torch2trt(
            self.model, [self.images[0]], backend="cpu", progress=False, calibration=self.calibration, **options
        )


@pytest.fixture(scope="module")
def digits() -> Digits:
    return Digits()


@pytest.mark.parametrize(
    "options",
    [
        {"precision": "fp32"},
        {"precision": "fp16"},
        {"precision": "bf16"},
        *({"precision": "int8", "int8_calib_algorithm": algorithm} for algorithm in ALGORITHMS),
        {"precision": "int8", "fp16_mode": True},
        {"precision": "fp8"},
        {"precision": "fp8", "int8_calib_algorithm": "LEGACY_CALIBRATION"},
        {"precision": "fp8", "fp16_mode": True},
    ],
    ids=lambda options: "-".join(map(str, options.values())),
)
def test_accuracy_drops_by_at_most_one_point(digits: Digits, options: dict[str, Any]) -> None:
    reference = digits.accuracy(digits.model)
    assert reference > 0.96, "the network has learned"
    made = digits.convert(**options)
    accuracy = digits.accuracy(made)
    print(f"| {options} | {accuracy:.4f} | {accuracy - reference:+.4f} | {made.report.difference['output']:.1e} |")
    assert reference - accuracy <= 0.01
    assert made.report.int8_layers == (5 if options["precision"] == "int8" else 0)
    assert made.report.fp8_layers == (5 if options["precision"] == "fp8" else 0)


def test_the_search_meets_its_tolerance_on_images_that_it_has_not_seen(digits: Digits) -> None:
    def accuracy(outputs: list[torch.Tensor]) -> float:
        pairs = zip(outputs, digits.calibration_labels, strict=True)
        return sum(float((out.argmax(-1) == label).float().mean()) for out, label in pairs) / len(outputs)

    made = digits.convert(precision="int8", metric=accuracy, tolerance=0.005)
    (search,) = made.report.searches
    assert search["samples"] == 16 and search["after"] <= 0.005
    assert digits.accuracy(digits.model) - digits.accuracy(made) <= 0.01
    exact = digits.convert(precision="int8", tolerance=5e-3)
    (search,) = exact.report.searches
    assert search["after"] <= 5e-3 < search["before"] and exact.report.int8_layers < 5
