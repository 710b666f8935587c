"""torchvision's detection models, whose number of boxes is known only when they run."""

import pytest
import torch
import torchvision
from torch import nn

from torch2trt import torch2trt
from torch2trt.capture import detection


def boxes(count):
    corner = torch.rand(count, 2) * 50
    return (
        torch.cat([corner, corner + torch.rand(count, 2) * 30 + 1], 1),
        torch.rand(count),
        torch.randint(0, 3, (count,)),
    )


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


def normalize(run, layer, std):
    """Gives a layer weights such that its results have this deviation: as they come, they explode or vanish."""
    seen = []
    hook = layer.register_forward_hook(lambda _module, _inputs, output: seen.append(output.std()))
    with torch.no_grad():
        run()
        layer.weight.mul_(std / max(seen))
    hook.remove()


def two_stages(name):
    model = getattr(torchvision.models.detection, name)(
        weights=None, weights_backbone=None, num_classes=5, min_size=128, max_size=128,
        rpn_pre_nms_top_n_test=150, rpn_post_nms_top_n_test=80, box_detections_per_img=40,
    ).eval()  # fmt: skip
    blocks = [part.conv3 for part in model.backbone.modules() if isinstance(part, torchvision.models.resnet.Bottleneck)]
    for block in blocks:
        normalize(lambda: model.backbone(torch.rand(1, 3, 128, 128)), block, 0.5)
    for layer, std in [
        *((block[0], 1) for block in model.backbone.fpn.inner_blocks),
        (model.rpn.head.conv[0][0], 1),
        (model.rpn.head.cls_logits, 1.5),
        (model.rpn.head.bbox_pred, 0.3),
        (model.roi_heads.box_head.fc6, 1),
        (model.roi_heads.box_head.fc7, 1),
        (model.roi_heads.box_predictor.cls_score, 1.5),
        (model.roi_heads.box_predictor.bbox_pred, 0.5),
    ]:
        normalize(lambda: model([torch.rand(3, 128, 128)]), layer, std)
    return model


@pytest.mark.parametrize(("name", "images"), [("fasterrcnn_mobilenet_v3_large_fpn", 2), ("maskrcnn_resnet50_fpn", 1)])
def test_models_of_two_stages(name, images):
    model = two_stages(name)
    sizes = [(128, 128), (96, 120)][:images]
    model_trt = torch2trt(
        model, [[torch.rand(3, *size) for size in sizes]], backend="cpu", progress=False, verify=False
    )
    for _ in range(2):
        x = [torch.rand(3, *size) for size in sizes]
        with torch.no_grad():
            wanted, found = model(x), model_trt(x)
        for expected, got in zip(wanted, found, strict=True):
            assert set(got) == set(expected) and len(expected["labels"]) > 10
            assert abs(len(got["labels"]) - len(expected["labels"])) <= 1
            assert matched(expected, got) >= 0.98 * len(expected["labels"])
            if "masks" in expected:
                pairs = (expected["boxes"][:, None] - got["boxes"]).abs().amax(2) < 0.05
                here, there = (pairs & (expected["labels"][:, None] == got["labels"])).nonzero().unbind(1)
                near = (expected["masks"][here] - got["masks"][there]).abs().amax((1, 2, 3)) < 1e-3
                # A box whose edge is at a pixel's may end one pixel further.
                assert near.float().mean() > 0.95


def test_masks_are_pasted_as_torchvision_does():
    heads = pytest.importorskip("torchvision.models.detection.roi_heads")
    for count in (0, 1, 30):
        masks, corner = torch.rand(count, 1, 28, 28), torch.rand(count, 2) * 100 - 10
        where = torch.cat([corner, corner + torch.rand(count, 2) * 90 + 12], 1)
        if count > 2:  # of one pixel, and larger than the image
            where[0], where[1] = torch.tensor([5.0, 5, 5.2, 5.1]), torch.tensor([-30.0, -30, 200, 200])
        expected = heads.paste_masks_in_image(masks, where, (100, 130))
        got = detection.paste_masks_in_image(masks, where, (100, 130))
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-5)


def test_boxes_are_cut_out_of_their_levels_as_torchvision_does():
    pool = torchvision.ops.MultiScaleRoIAlign(["0", "1", "2"], 5, 2)
    levels = {str(level): torch.rand(2, 6, 128 >> level, 128 >> level) for level in range(3)}
    corners = [torch.rand(count, 4) * 300 for count in (20, 7)]
    images = [torch.cat([corner[:, :2], corner[:, :2] + corner[:, 2:]], 1) for corner in corners]
    expected = pool(levels, images, [(512, 512)] * 2)
    got = detection._multiscale_roi_align([*levels.values()], images, [5, 5], 2, pool.scales, pool.map_levels)
    assert torch.equal(got, expected) and len(torch.unique(pool.map_levels(images))) == 3


def test_masks_of_several_images_are_split():
    heads = pytest.importorskip("torchvision.models.detection.roi_heads")
    logits, labels = torch.randn(9, 4, 6, 6), [torch.randint(0, 4, (count,)) for count in (2, 0, 7)]
    expected, got = heads.maskrcnn_inference(logits, labels), detection.maskrcnn_inference(logits, labels)
    assert all(torch.equal(a, b) for a, b in zip(expected, got, strict=True))
