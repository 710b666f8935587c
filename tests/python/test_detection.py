"""torchvision's detection models, whose number of boxes is known only when they run."""

import pytest
import torch
import torchvision
from torch import nn

from torch2trt import torch2trt


def boxes(count):
    corner = torch.rand(count, 2) * 50
    return torch.cat([corner, corner + torch.rand(count, 2) * 30 + 1], 1), torch.rand(count), torch.randint(0, 3, (count,))


class Best(nn.Module):
    """The boxes that are likely, one of those of a category that overlap."""

    def forward(self, boxes, scores, categories):
        likely = scores > 0.5
        boxes, scores, categories = boxes[likely], scores[likely], categories[likely]
        kept = torchvision.ops.batched_nms(boxes, scores, categories, 0.3)
        return boxes[kept], scores[kept], categories[kept]


def test_nms_by_category_of_any_number_of_boxes():
    before = torchvision.ops.batched_nms
    model_trt = torch2trt(Best().eval(), list(boxes(60)), backend="cpu", progress=False)
    assert torchvision.ops.batched_nms is before is torchvision.ops.boxes.batched_nms
    for _ in range(5):
        given = boxes(60)
        for expected, got in zip(Best()(*given), model_trt(*given), strict=True):
            assert torch.equal(expected, got)
    nothing = (given[0], torch.zeros(60), given[2])
    assert [len(output) for output in model_trt(*nothing)] == [0, 0, 0]


def matched(expected, got):
    """How many detections are in both: those of nearly the same score change places, or which of two stays."""
    same = expected["labels"][:, None] == got["labels"]
    near = (expected["boxes"][:, None] - got["boxes"]).abs().amax(2) < 0.05
    sure = (expected["scores"][:, None] - got["scores"]).abs() < 1e-4
    return int((same & near & sure).any(1).sum())


@pytest.mark.parametrize("name", ["retinanet_resnet50_fpn", "fcos_resnet50_fpn"])
def test_detection_models(name):
    model = getattr(torchvision.models.detection, name)(
        weights=None, weights_backbone=None, num_classes=5, min_size=128, max_size=128, score_thresh=0.1
    ).eval()
    with torch.no_grad():
        for part in model.head.modules():  # as they come, all scores are the same
            if isinstance(part, nn.Conv2d):
                nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
        logits, seen = model.head.classification_head.cls_logits, []
        hook = logits.register_forward_hook(lambda _module, _inputs, output: seen.append(output.std()))
        model([torch.rand(3, 128, 128)])
        hook.remove()
        logits.weight.mul_(1.5 / max(seen))  # or many scores are 0 or 1
    model_trt = torch2trt(model, [[torch.rand(3, 128, 128)]], backend="cpu", progress=False, verify=False)
    found = 0
    for _ in range(3):
        x = [torch.rand(3, 128, 128)]
        with torch.no_grad():
            [expected], [got] = model(x), model_trt(x)
        assert set(got) == {"boxes", "scores", "labels"}
        assert abs(len(got["labels"]) - len(expected["labels"])) <= 1
        assert matched(expected, got) >= 0.99 * len(expected["labels"])
        found += len(got["labels"])
    assert found > 10
