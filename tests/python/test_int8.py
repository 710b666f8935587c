"""int8 by calibration: what is computed, on which ranges, and that TensorRT-RTX builds it."""

import logging
import random

import pytest
import torch
from archived import needs_archives
from models import build
from torch import nn

import torch2trt as package
from torch2trt import Error, _core, torch2trt, trt
from torch2trt.dataset import ListDataset, TensorBatchDataset
from torch2trt.dataset_calibrator import CalibrationAlgoType

MINMAX = CalibrationAlgoType.MINMAX_CALIBRATION


class Net(nn.Module):
    """Convolutions, one of them grouped, with a residual addition, and products of matrices of two and three axes."""

    def __init__(self):
        super().__init__()
        self.stem, self.one, self.other = (
            nn.Conv2d(3, 8, 3, padding=1),
            nn.Conv2d(8, 8, 3, padding=1, groups=4),
            nn.Conv2d(8, 8, 1),
        )
        self.rows, self.last = nn.Linear(8, 6), nn.Linear(6, 5, bias=False)

    def forward(self, x):
        x = self.stem(x).relu()
        x = (self.one(x).relu() + self.other(x)).relu()
        x = self.rows(x.flatten(2).transpose(1, 2)).relu()
        return self.last(x.mean(1))


class Residual(nn.Module):
    """Residual blocks as a resnet has them, one with a convolution on either branch, and a pooling between."""

    def __init__(self):
        super().__init__()
        self.stem, self.one, self.two = (
            nn.Conv2d(3, 8, 3, padding=1),
            nn.Conv2d(8, 8, 3, padding=1),
            nn.Conv2d(8, 8, 3, padding=1),
        )
        self.down, self.last = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 4, 3)
        self.same, self.other = nn.Identity(), nn.Identity()  # where a sum reads int8

    def forward(self, x):
        x = self.stem(x).relu()
        x = (self.one(x) + self.same(x)).relu()
        # Of two convolutions TensorRT adds in the later.
        x = (self.other(self.down(x)) + self.two(x)).relu()
        return self.last(nn.functional.max_pool2d(x, 2))


def convert(model, inputs, **options):
    return torch2trt(model, inputs, int8_mode=True, **{"backend": "cpu", "progress": False, **options})


def batches(count, *shape, scale=1.0):
    return [[torch.randn(*shape) * scale] for _ in range(count)]


def rounded(x, largest):
    return torch.fake_quantize_per_tensor_affine(x, float(largest) / 127, 0, -128, 127)


def in_int8(model, samples):
    """A copy of the model whose layers read int8, by PyTorch's fake quantization with the ranges of the samples."""
    largest = {}

    def look(module, args):
        largest[module] = max(largest.get(module, 0.0), args[0].abs().max().item())

    layers = [module for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear | nn.Identity)]
    hooks = [layer.register_forward_pre_hook(look) for layer in layers]
    for sample in samples:
        model(*sample)
    for hook in hooks:
        hook.remove()
    for layer in layers:
        layer.register_forward_pre_hook(lambda module, args, most=largest[layer]: (rounded(args[0], most),))
    for layer in layers:
        if isinstance(layer, nn.Identity):
            continue
        scales = layer.weight.detach().flatten(1).abs().amax(1) / 127
        zeros = torch.zeros(len(scales), dtype=torch.int32)
        layer.weight.data = torch.fake_quantize_per_channel_affine(layer.weight.detach(), scales, zeros, 0, -128, 127)
    return model


@torch.no_grad()
@pytest.mark.parametrize("scale", [1.0, 0.1])
@pytest.mark.parametrize("net", [Net, Residual])
def test_numbers_are_those_of_fake_quantization(net, scale):
    """With samples that are too small most values saturate, which no other computation does."""
    model, x = net().eval(), torch.randn(2, 3, 8, 8)
    samples = batches(4, 2, 3, 8, 8, scale=scale)
    made = convert(model, [x], int8_calib_dataset=samples, int8_calib_algorithm=MINMAX, verify=False)
    assert made.report.int8_layers == 5
    plain = model(x)
    wanted = in_int8(model, samples)(x)
    largest = plain.abs().max()
    off, moved = (made(x) - wanted).abs().max() / largest, (wanted - plain).abs().max() / largest
    assert off < 1e-2 and (scale == 1.0 or moved > 5e-2), (off, moved)


@torch.no_grad()
@pytest.mark.parametrize("algorithm", [None, *trt.CalibrationAlgoType, "MINMAX_CALIBRATION"])
def test_every_algorithm_comes_close(algorithm):
    made = convert(
        Net().eval(),
        [torch.randn(2, 3, 8, 8)],
        int8_calib_dataset=batches(8, 2, 3, 8, 8),
        int8_calib_algorithm=algorithm,
    )
    assert 0 < made.report.difference["output"] < 0.2
    assert "int8" in str(made.report) and made.report.options["int8"]


def test_batches_are_put_together_and_sizes_may_be_dynamic():
    model, x = Net().eval(), torch.randn(4, 3, 8, 8)
    singles = TensorBatchDataset([torch.randn(9, 3, 8, 8)])
    assert convert(model, [x], int8_calib_dataset=singles).report.int8_layers == 5
    made = convert(
        model, [x], int8_calib_dataset=ListDataset([[torch.randn(n, 3, 8, 8)] for n in (1, 3)]), max_batch_size=6
    )
    assert made(torch.randn(6, 3, 8, 8)).shape == (6, 5) and max(made.report.difference.values()) < 0.2


def test_the_samples_of_the_call_are_the_default(caplog):
    with caplog.at_level(logging.WARNING, logger="torch2trt"):
        made = convert(Net().eval(), [torch.randn(2, 3, 8, 8)])
    assert made.report.int8_layers == 5 and "give `calibration`" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING, logger="torch2trt"):
        convert(Net().eval(), ListDataset(batches(3, 2, 3, 8, 8)))
    assert "give `calibration`" not in caplog.text, "a data set of inputs is one of samples"


def test_modules_stay_as_they_are(caplog):
    made = convert(Net().eval(), [torch.randn(2, 3, 8, 8)], keep_fp32=["stem", "last", "nowhere"])
    assert made.report.int8_layers == 3 and "nowhere" in caplog.text
    caplog.clear()
    nothing = convert(nn.ReLU(), [torch.randn(2, 3)])
    assert not nothing.report.int8_layers and "could be in int8" in caplog.text


def test_engines_are_saved(tmp_path):
    made = convert(Net().eval(), [torch.randn(2, 3, 8, 8)], int8_calib_dataset=batches(4, 2, 3, 8, 8))
    made.save(tmp_path / "net.engine")
    x = torch.randn(2, 3, 8, 8)
    assert torch.equal(package.load(tmp_path / "net.engine")(x), made(x))


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ({"refittable": True}, "E0701", "refittable"),
        ({"int8_calib_algorithm": "BEST"}, "E0701", "MINMAX_CALIBRATION"),
        ({"int8_calib_dataset": []}, "E0602", "empty"),
        ({"int8_calib_dataset": iter([])}, "E0602", "empty"),
        ({"int8_calib_dataset": 5}, "E0602", "a int, not a collection"),
        ({"int8_calib_dataset": torch.ones(2, 3, 8, 8)}, "E0602", "not a collection"),
        ({"int8_calib_dataset": ["x"]}, "E0602", "sample 0"),
        ({"int8_calib_dataset": batches(1, 1, 3, 8, 8)}, "E0602", "a batch of the inputs"),
        ({"int8_calib_dataset": batches(1, 2, 3, 9, 9)}, "E0701", "sample 0"),
        ({"int8_calib_dataset": [[torch.ones(2, 3, 8, 8)] * 2]}, "E0602", "arguments"),
    ],
)
def test_errors(options, code, message):
    with pytest.raises(Error, match=message) as raised:
        convert(Net().eval(), [torch.randn(2, 3, 8, 8)], **options)
    assert raised.value.code == code and raised.value.help


class Stream(torch.utils.data.IterableDataset):
    """Samples one after the other, without a length."""

    def __init__(self, samples):
        self.samples = samples

    def __iter__(self):
        return iter(self.samples)


class Counted(torch.utils.data.Dataset):
    """Samples by number."""

    def __init__(self, samples):
        self.samples = samples

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        return self.samples[index]


@pytest.mark.parametrize("item", [lambda x: x, lambda x: (x,), lambda x: [x], lambda x: {"x": x}])
def test_samples_come_from_any_iterable(item):
    class Model(Net):
        def forward(self, x):
            return super().forward(x)

    torch.manual_seed(seed := torch.seed() % 2**32)
    print("seed", seed)
    random.seed(seed)
    images = [torch.randn(3, 8, 8) for _ in range(10)]
    model, sample = Model().eval(), torch.randn(2, 3, 8, 8)
    singles = [item(image[None]) for image in images]
    y = torch.randn(2, 3, 8, 8)
    wanted = convert(
        model, [sample], verify=False, int8_calib_dataset=[[torch.stack(images[k : k + 2])] for k in range(0, 10, 2)]
    )(y)
    loader = torch.utils.data.DataLoader
    sources = [singles, iter(singles), (one for one in singles), Stream(singles), Counted(singles)]
    # The loader's batches are not those of the model: 3, 3, 3 and 1.
    loaders = [
        loader(kind([item(image) for image in images]), batch_size=batch)
        for kind in (Stream, Counted)
        for batch in (2, 3, 5)
    ]
    # Each conversion takes a second: two sources of either kind for each form of items.
    for source in [*random.sample(sources, 2), *random.sample(loaders, 2)]:
        torch.testing.assert_close(convert(model, [sample], verify=False, int8_calib_dataset=source)(y), wanted)


@needs_archives
@torch.no_grad()
@pytest.mark.parametrize("algorithm", ["ENTROPY_CALIBRATION_2", "LEGACY_CALIBRATION"])
@pytest.mark.parametrize("half", [False, True])
def test_the_command_line_gives_the_same_numbers(tmp_path, algorithm, half):
    """Files of 1, 3 and 4 samples are batches of 2, as for a data set of such items."""
    torch.manual_seed(0)  # of other weights the comparison of the command may be off by more than is allowed
    save = pytest.importorskip("safetensors.torch").save_file
    model, x, y = Net().eval(), torch.randn(2, 3, 8, 8), torch.randn(2, 3, 8, 8)
    items = [torch.randn(count, 3, 8, 8) for count in (1, 3, 4)]
    (folder := tmp_path / "samples").mkdir()
    for index, item in enumerate(items):
        save({"x": item}, folder / f"{index}.safetensors")
    save({"x": x}, tmp_path / "in.safetensors")
    exported = torch.export.export(model, (x,)).run_decompositions({})
    torch.export.save(exported, tmp_path / "model.pt2")
    options = ["--int8", "--calibration-algorithm", algorithm, *(["--fp16"] if half else [])]
    files = ["--inputs", tmp_path / "in.safetensors", "--calibration", folder, "--output", tmp_path / "net.trt2"]
    arguments = ["torch2trt", "build", tmp_path / "model.pt2", "--backend", "cpu", *options, *files]
    assert _core.run_command([str(one) for one in arguments], _core.site_packages()) == 0
    wanted = convert(
        exported.module(),
        [x],
        int8_calib_dataset=[(item,) for item in items],
        int8_calib_algorithm=algorithm,
        fp16_mode=half,
        verify=False,
    )
    made = package.load(tmp_path / "net.trt2")
    assert wanted.report.int8_layers >= 4 and made.report.options["int8"]
    assert torch.equal(made(y), wanted(y))


def test_labels_are_not_inputs():
    pairs = torch.utils.data.TensorDataset(torch.randn(8, 3, 8, 8), torch.randint(4, (8,)))
    loader, model, sample = torch.utils.data.DataLoader(pairs, batch_size=2), Net().eval(), torch.randn(2, 3, 8, 8)
    with pytest.raises(Error, match="sample 0") as raised:
        convert(model, [sample], int8_calib_dataset=loader)
    assert raised.value.code == "E0602" and "((x,) for x, label in loader)" in raised.value.help
    convert(model, [sample], int8_calib_dataset=((x,) for x, label in loader))


def test_samples_that_are_not_typical_are_found_out():
    """Ranges a hundred times too small: everything saturates."""
    model, samples = nn.Conv2d(3, 4, 1, bias=False).eval(), batches(2, 2, 3, 8, 8, scale=0.01)
    with pytest.raises(Error, match="give `calibration`") as raised:
        convert(model, [torch.randn(2, 3, 8, 8)], int8_calib_dataset=samples)
    assert raised.value.code == "E0702"


@pytest.mark.parametrize("half", [{}, {"fp16_mode": True}, {"bf16_mode": True}])
@pytest.mark.parametrize("net", [Net, Residual])
def test_tensorrt_builds_it(net, half):
    made = convert(net().eval(), [torch.randn(2, 3, 8, 8)], backend="tensorrt", target="sm_89", **half)
    assert made.report.int8_layers == 5 and made.plan


@pytest.mark.parametrize("name", ["resnet18", "bert"])
def test_models(name):
    """Weights take a byte each in the plan; bert's products have three axes."""
    model, args, kwargs = build(name)
    options = {"kwargs": kwargs, "int8_calib_algorithm": MINMAX}
    made = convert(model, list(args), **options)
    assert made.report.int8_layers >= 19 and max(made.report.difference.values()) < 0.2
    plan = convert(model, list(args), fp16_mode=True, backend="tensorrt", target="sm_89", **options).plan
    if name == "resnet18":
        assert len(plan.serialize()) < 1.5 * sum(p.numel() for p in model.parameters())
