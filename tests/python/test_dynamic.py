"""Dynamic shapes: converted once, equal to PyTorch at every size in range, refused with a reason outside it.

Sizes are given as min/opt/max shapes, as a largest batch, or as torch.export's Dims; data sets are in test_dataset.py.
"""

import collections
import copy
import dataclasses
import importlib.util

import pytest
import torch
import torch.nn.functional as F
import torchvision
from models import build
from sizes import of_sizes
from torch import nn
from torch.export import Dim
from torch.utils import _pytree as pytree

from torch2trt import Error, _core, torch2trt
from torch2trt.verify import difference

TOLERANCE = 1e-4
HAS_RTX = importlib.util.find_spec("tensorrt_rtx_libs") is not None


def convert(module, inputs, **options):
    return torch2trt(module, inputs, backend="cpu", progress=False, log_level=40, **options)


def agree(module, model_trt, *args, **kwargs):
    with torch.no_grad():
        expected, got = module(*args, **kwargs), model_trt(*args, **kwargs)
    assert pytree.tree_structure(got) == pytree.tree_structure(expected)
    for e, g in zip(pytree.tree_leaves(expected), pytree.tree_leaves(got), strict=True):
        assert e.dtype == g.dtype and difference(e, g) <= TOLERANCE


def refused(code, action, *words):
    with pytest.raises(Error) as raised:
        action()
    text = str(raised.value)
    assert raised.value.code == code, text
    for word in words:
        assert word in text, text
    assert "help: " in text
    return text


class Op(nn.Module):
    """A function of tensors with a layer before it, so that there are weights too."""

    def __init__(self, function, width=6):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.function = function

    def forward(self, x, *rest):
        return self.function(self.linear(x), *rest)


FLOWS = {
    "view": lambda x: x.view(x.shape[0], -1),
    "view by a product": lambda x: x.view(x.shape[0] * x.shape[1], 6),
    "flatten and unflatten": lambda x: x.flatten(0, 1).unflatten(0, (x.shape[0], -1)),
    "expand": lambda x: x[:, :1].expand(x.shape[0], x.shape[1], 6) + x,
    "repeat": lambda x: x.repeat(1, 2, 1),
    "slice by a size": lambda x: x[:, : x.shape[1] // 2],
    "last row": lambda x: x[:, -1],
    "shifted": lambda x: x[:, 1:] - x[:, :-1],
    "arange": lambda x: x + torch.arange(x.shape[1], dtype=x.dtype)[None, :, None],
    "zeros of a size": lambda x: torch.cat([torch.zeros(x.shape[0], 1, 6), x], dim=1),
    "ones like": lambda x: torch.ones_like(x).cumsum(1) * x,
    "interpolate by a factor": lambda x: F.interpolate(x, scale_factor=2.0, mode="nearest"),
    "interpolate to a size": lambda x: F.interpolate(x[:, None], size=(x.shape[1] * 2, 9), mode="bilinear"),
    "causal mask": lambda x: (
        (x @ x.mT).masked_fill(torch.ones(x.shape[1], x.shape[1]).triu(1).bool(), -1e4).softmax(-1)
    ),
    "attention": lambda x: F.scaled_dot_product_attention(x[:, None], x[:, None], x[:, None], is_causal=True),
    "divided by a size": lambda x: x.sum(1) / x.shape[1],
    "mean": lambda x: x.mean((1, 2)),
    "stacked and split": lambda x: torch.stack([x, x * 2]).unbind(0)[1],
    "transposed": lambda x: x.permute(1, 2, 0).reshape(x.shape[1], -1),
    "padded": lambda x: F.pad(x, (1, 2, 0, 1)),
}


@pytest.mark.parametrize("function", FLOWS.values(), ids=FLOWS.keys())
def test_sizes_flow(function):
    model = Op(function).eval()
    model_trt = convert(model, [torch.randn(2, 6, 6)], target="sm_89", min_shapes=[(1, 2, 6)], max_shapes=[(4, 12, 6)])
    for batch, length in [(1, 2), (3, 7), (4, 12), (1, 12), (2, 5)]:
        agree(model, model_trt, torch.randn(batch, length, 6))
    if HAS_RTX:
        assert model_trt.network.build(_core.ProgressBar(False)).size > 1000


class TwoInputs(nn.Module):
    def forward(self, x, y):
        return x + y, x * 2


def test_any_axis_of_any_input():
    class Outer(nn.Module):
        def forward(self, a, b):
            return a @ b

    model_trt = convert(
        Outer(), [torch.randn(2, 3, 4), torch.randn(2, 4, 5)],
        min_shapes=[(1, 2, 4), (1, 4, 1)], max_shapes=[(5, 6, 4), (5, 4, 9)],
    )  # fmt: skip
    for batch, rows, columns in [(1, 2, 1), (5, 6, 9), (3, 4, 5), (1, 6, 1)]:
        agree(Outer(), model_trt, torch.randn(batch, rows, 4), torch.randn(batch, 4, columns))
    refused(
        "E0402", lambda: model_trt(torch.randn(2, 7, 4), torch.randn(2, 4, 5)), "`a`", "axis 1: got 7, allowed 2..6"
    )


def test_two_inputs_share_a_batch():
    model_trt = convert(TwoInputs(), [torch.randn(2, 4), torch.randn(2, 4)], max_batch_size=8)
    for batch in (1, 3, 8):
        agree(TwoInputs(), model_trt, torch.randn(batch, 4), torch.randn(batch, 4))
    refused("E0402", lambda: model_trt(torch.randn(9, 4), torch.randn(9, 4)), "got 9, allowed 1..8")
    # Sizes in range that do not belong together are refused too, not broadcast or read past the end.
    refused("E0402", lambda: model_trt(torch.randn(2, 4), torch.randn(3, 4)), "axis 0")


def test_independent_sizes_stay_independent():
    """Samples of equal sizes do not make axes equal."""

    class Apart(nn.Module):
        def forward(self, x, y):
            return x.relu(), y.tanh()

    model_trt = convert(Apart(), [torch.randn(3, 3), torch.randn(3, 3)], max_shapes=[(5, 6), (7, 8)])
    agree(Apart(), model_trt, torch.randn(3, 5), torch.randn(6, 8))


def test_the_largest_batch_leaves_what_is_broadcast():
    model_trt = convert(TwoInputs(), [torch.randn(4, 3), torch.randn(1, 3)], max_batch_size=6)
    agree(TwoInputs(), model_trt, torch.randn(6, 3), torch.randn(1, 3))
    agree(TwoInputs(), model_trt, torch.randn(1, 3), torch.randn(1, 3))


def test_the_largest_batch_with_ranges():
    model_trt = convert(nn.ReLU(), [torch.randn(2, 4)], min_shapes=[(2, 2)], max_shapes=[(2, 6)], max_batch_size=5)
    for shape in [(1, 2), (5, 6), (3, 4)]:
        agree(nn.ReLU(), model_trt, torch.randn(shape))


@pytest.mark.parametrize("best", [1, 8, 3])
def test_opt_at_the_ends(best):
    model = Op(lambda x: x.view(x.shape[0], -1)).eval()
    model_trt = convert(
        model, [torch.randn(1, 2, 6)], min_shapes=[(1, 2, 6)], opt_shapes=[(best, 2, 6)], max_shapes=[(8, 2, 6)]
    )
    for batch in (1, 2, 8):
        agree(model, model_trt, torch.randn(batch, 2, 6))
    assert list(model_trt.report.difference) == ["output (min)", "output (opt)", "output (max)"]
    assert "output (max)" in str(model_trt.report)


def test_min_opt_max_equal_is_static():
    shapes = [(3, 4)]
    model_trt = convert(nn.ReLU(), [torch.randn(1, 4)], min_shapes=shapes, opt_shapes=shapes, max_shapes=shapes)
    agree(nn.ReLU(), model_trt, torch.randn(3, 4))
    refused("E0402", lambda: model_trt(torch.randn(1, 4)), "got 1, allowed 3")


def test_several_profiles():
    ends = ([(1, 4)], [(2, 4)], [(3, 4)]), ([(6, 4)], [(7, 4)], [(9, 4)])
    low, best, high = ([ends[k][n] for k in range(2)] for n in range(3))
    model_trt = convert(nn.ReLU(), [torch.randn(2, 4)], min_shapes=low, opt_shapes=best, max_shapes=high)
    for batch in (1, 3, 6, 9):
        agree(nn.ReLU(), model_trt, torch.randn(batch, 4))
    refused("E0402", lambda: model_trt(torch.randn(5, 4)), "got 5", "profile 0")
    assert "output (profile 1 max)" in model_trt.report.difference


def test_ranges_belong_to_inputs_by_whatever_name():
    options = {"input_names": ["image"], "min_shapes": [(1, 4), (1, 4)], "max_shapes": [(8, 4), (8, 4)]}
    model_trt = convert(torch.add, [torch.randn(2, 4), torch.randn(2, 4)], **options)
    agree(torch.add, model_trt, torch.randn(8, 4), torch.randn(8, 4))
    refused("E0402", lambda: model_trt(torch.randn(9, 4), torch.randn(9, 4)), "`image`", "got 9")
    for named in (
        {"image": (8, 4), "args.1": (8, 4)},
        {"args.0": (8, 4), "args.1": (8, 4)},
        [{"image": (8, 4), "args.1": (8, 4)}],
    ):
        model_trt = convert(torch.add, [torch.randn(2, 4), torch.randn(2, 4)], **{**options, "max_shapes": named})
        agree(torch.add, model_trt, torch.randn(8, 4), torch.randn(8, 4))
    refused(
        "E0307", lambda: convert(torch.add, [torch.randn(2, 4)] * 2, input_names=["a"], max_shapes={"b": (8, 4)}), "`b`"
    )
    if HAS_RTX:
        plan = torch2trt(
            torch.add, [torch.randn(2, 4)] * 2, backend="tensorrt", target="sm_89", progress=False, **options
        )
        assert plan.input_names == ["image", model_trt.input_names[1]]


def test_shapes_by_name_and_nested_as_the_inputs():
    class Nested(nn.Module):
        def forward(self, pair, options):
            return pair[0] + pair[1], options["scale"] * 2

    inputs = [(torch.randn(2, 3), torch.randn(2, 3)), {"scale": torch.randn(4)}]
    nested = convert(Nested(), inputs, max_shapes=[((5, 3), (5, 3)), {"scale": (6,)}])
    named = convert(Nested(), inputs, max_shapes={"pair.0": (5, 3), "pair.1": (5, 3), "options.scale": (6,)})
    for model_trt in (nested, named):
        agree(Nested(), model_trt, (torch.randn(5, 3), torch.randn(5, 3)), {"scale": torch.randn(6)})
        agree(Nested(), model_trt, (torch.randn(3, 3), torch.randn(3, 3)), {"scale": torch.randn(5)})


def test_keyword_inputs_in_another_order_than_the_signature():
    class Model(nn.Module):
        def forward(self, x, y=None, *, z):
            return x.sum(-1) + y.mean() + z.sum()

    x, y, z = torch.randn(2, 3), torch.randn(5), torch.randn(7)
    model_trt = convert(Model(), {"z": z, "y": y, "x": x}, max_shapes={"x": (9, 3), "z": (8,)})
    agree(Model(), model_trt, x=torch.randn(9, 3), y=torch.randn(5), z=torch.randn(8))
    model_trt = convert(Model(), [x], kwargs={"z": z, "y": y}, max_shapes=[(9, 3), (5,), (8,)])
    agree(Model(), model_trt, torch.randn(4, 3), z=torch.randn(8), y=torch.randn(5))


def test_optional_inputs_left_out():
    class Model(nn.Module):
        def forward(self, x, mask=None, scale=None):
            x = x if mask is None else x * mask
            return x if scale is None else x * scale

    x, scale = torch.randn(2, 3), torch.randn(3)
    for args, others in [([x, None, scale], {}), ([x], {"scale": scale})]:
        model_trt = convert(Model(), args, kwargs=others, max_batch_size=4)
        agree(Model(), model_trt, torch.randn(4, 3), scale=torch.randn(3))
    refused("E0602", lambda: model_trt(x, torch.ones(2, 3), scale), "mask")


def test_torch_export_dims():
    batch = Dim("batch", min=2, max=8)
    model = Op(lambda x: x.view(x.shape[0], -1)).eval()
    model_trt = convert(model, [torch.randn(4, 3, 6)], dynamic_shapes={"x": {0: batch}})
    assert set(model_trt.report.difference) == {"output (min)", "output (opt)", "output (max)"}
    for size in (2, 5, 8):
        agree(model, model_trt, torch.randn(size, 3, 6))
    refused("E0402", lambda: model_trt(torch.randn(9, 3, 6)), "got 9")
    assert "symbol batch in 2..8 opt 4" in str(model_trt.network)


def test_the_text_of_the_network_has_the_sizes_of_the_engine():
    x = torch.randn(1, 4)
    batch = convert(nn.ReLU(), [x], max_batch_size=8)
    assert "symbol input_dim0 in 1..8 opt" in str(batch.network)
    axes = convert(nn.ReLU(), [x], min_shapes=[(1, 4)], opt_shapes=[(3, 6)], max_shapes=[(5, 9)])
    assert "input_dim0 in 1..5 opt 3" in str(axes.network) and "input_dim1 in 4..9 opt 6" in str(axes.network)


class Weighted(nn.Module):
    def forward(self, image, parts):
        return image * parts["weight"] + parts["more"][0][:, None]


def test_torch_export_dims_of_a_sample_of_one():
    batch, width = Dim("batch", min=1, max=8), Dim("width", max=9)
    inputs = [torch.randn(1, 1), {"weight": torch.randn(1, 1), "more": [torch.randn(1)]}]
    each = {0: batch, 1: width}
    for shapes in [
        {"image": each, "parts": {"weight": each, "more": [(batch,)]}},
        (each, {"weight": (batch, width), "more": [{0: batch}]}),
    ]:
        model_trt = convert(Weighted().eval(), inputs, dynamic_shapes=shapes)
        assert "symbol batch in 1..8" in str(model_trt.network) and "float32[batch,width]" in str(model_trt.network)
        for b, w in ((1, 1), (8, 1), (1, 9), (3, 4)):
            agree(Weighted(), model_trt, torch.randn(b, w), {"weight": torch.randn(b, w), "more": [torch.randn(b)]})
        shape = torch.randn(3, 4), {"weight": torch.randn(3, 4), "more": [torch.randn(2)]}
        refused("E0402", lambda: model_trt(*shape), "(`batch`, as in axis 0 of `image`)")


Tensors = collections.namedtuple("Tensors", "image weight")


@dataclasses.dataclass
class Both:
    image: torch.Tensor
    weight: torch.Tensor


class Nested(nn.Module):
    def forward(self, given):
        image, weight = pytree.tree_leaves(given)
        return image * weight.sum(1, keepdim=True)


def test_torch_export_dims_of_a_sample_of_one_in_any_container():
    batch, x, y = Dim("batch", max=8), torch.randn(1, 3), torch.randn(1, 2)
    for make, shapes in [
        (Tensors, Tensors({0: batch}, [batch, Dim.STATIC])),
        (Both, [{0: batch}, (batch, 2)]),
        (lambda *both: collections.OrderedDict(zip("iw", both)), {"w": {0: batch}, "i": (batch, None)}),
    ]:
        model_trt = convert(Nested().eval(), [make(x, y)], dynamic_shapes={"given": shapes})
        agree(Nested(), model_trt, make(torch.randn(5, 3), torch.randn(5, 2)))


def test_shapes_collections_of_a_sample_of_one():
    x, y, shapes = torch.randn(1, 4), torch.randn(1, 4), torch.export.ShapesCollection()
    shapes[x] = shapes[y] = {0: Dim("batch", max=8)}
    agree(TwoInputs(), convert(TwoInputs(), [x, y], dynamic_shapes=shapes), torch.randn(5, 4), torch.randn(5, 4))
    shapes[torch.randn(3)] = {0: Dim("other")}
    refused("E0601", lambda: convert(TwoInputs(), [x, y], dynamic_shapes=shapes), "not found in args")


def test_hints_with_ranges_of_a_sample_of_one():
    if not callable(Dim.AUTO):
        pytest.skip("hints have no ranges in this version of torch")
    for hint, size in [(Dim.STATIC(min=1), "1"), (Dim.AUTO(max=6), "1"), (Dim.DYNAMIC(max=6), "input_dim0")]:
        model_trt = convert(nn.ReLU(), [torch.randn(1, 4)], dynamic_shapes=[{0: hint}])
        assert f"float32[{size},4]" in str(model_trt.network)


class Joined(nn.Module):
    def forward(self, x, y):
        return torch.cat([x, y], 1)


BATCH = Dim("batch", max=8)


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        # Made larger, the first would no longer go with the second.
        (({0: BATCH}, None), ("constant (1)", "at least 2")),
        (({0: BATCH}, {0: Dim.AUTO}), ("constant (1)", "at least 2")),
        (({0: BATCH}, {0: 2 * BATCH}), ("2*batch, where batch = 1",)),
        (({0: Dim("n", max=1)}, None), ("constant (1)",)),
        (({0: Dim("n", min=3, max=8)}, None), ("constant (1)",)),
        (({0: torch.zeros(3)}, None), ("Unexpected dimension",)),
        (({0: [BATCH, BATCH]}, None), ("Unexpected dimension",)),
        (({"0": BATCH}, None), ("str",)),
        (({7: BATCH}, None), ("IndexError",)),
        ((BATCH, None), ("Unexpected input tensor shape",)),
        ({"x": {0: BATCH}}, ("top-level keys",)),
        ("xy", ("`dynamic_shapes` is 'xy', of type str", "a dict by parameter")),
    ],
)
def test_dynamic_shapes_that_torch_export_refuses(shapes, words):
    refused("E0601", lambda: convert(Joined(), [torch.randn(1, 4), torch.randn(1, 4)], dynamic_shapes=shapes), *words)


def test_empty_samples():
    model_trt = convert(nn.ReLU(), [torch.randn(0, 4)], max_shapes=[(3, 4)])
    for batch in (0, 1, 3):
        agree(nn.ReLU(), model_trt, torch.randn(batch, 4))
    refused(
        "E0601",
        lambda: convert(nn.ReLU(), [torch.randn(0, 4)], dynamic_shapes=[{0: BATCH}]),
        "constant (0)",
        "at least 2",
    )


def test_symbols_are_called_by_input_and_axis():
    model_trt = convert(
        Weighted().eval(),
        [torch.randn(2, 3), {"weight": torch.randn(2, 3), "more": [torch.randn(2)]}],
        max_batch_size=4,
    )
    assert "float32[image_dim0,3]" in str(model_trt.network)


class Fixed(nn.Module):
    def forward(self, x, y):
        return x.view(2, -1), y * 2


class Limited(nn.Module):
    def forward(self, x):
        return x * 2 if x.shape[0] <= 4 else x * 3


def test_axes_that_the_model_fixes():
    x, y = torch.randn(2, 4), torch.randn(2, 4)
    text = refused(
        "E0307", lambda: convert(Fixed(), [x, y], max_shapes=[(8, 4), (8, 4)]), "input `x`, axis 0", "2 only"
    )
    assert "test_dynamic.py:" in text and "in forward" in text and "`y`" not in text
    text = refused(
        "E0307", lambda: convert(nn.Sequential(nn.Linear(4, 4)), [x], max_shapes=[(2, 8)]), "axis 1", "4 only"
    )
    assert "Linear" in text
    refused("E0307", lambda: convert(Limited(), [x], max_shapes=[(8, 4)]), "the model allows 2..4", "test_dynamic.py:")
    agree(Limited(), convert(Limited(), [x], max_shapes=[(4, 4)]), torch.randn(4, 4))
    vision = torchvision.models.VisionTransformer(32, 8, 1, 2, 16, 32).eval()
    image = torch.randn(1, 3, 32, 32)
    refused("E0307", lambda: convert(vision, [image], max_shapes=[(1, 3, 64, 32)]), "32 only", "vision_transformer.py:")
    # One of two sizes that the model makes one stays fixed.
    refused("E0307", lambda: convert(TwoInputs(), [x, y], max_shapes=[(8, 4), (2, 4)]), "axis 0", "2 only")


def test_axes_of_one_size_with_two_ranges():
    x, y = torch.randn(2, 4), torch.randn(2, 4)
    ranges = {"min_shapes": [(1, 4), (2, 4)], "max_shapes": [(8, 4), (6, 4)]}
    refused("E0307", lambda: convert(TwoInputs(), [x, y], **ranges), "axis 0 of `x` and axis 0 of `y`", "(1, 2, 8)")


def test_models_that_fail_in_range():
    class Positions(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(6, 4)

        def forward(self, x):
            return x + self.table(torch.arange(x.shape[1]))

    run = lambda: convert(Positions().eval(), [torch.randn(1, 4, 4)], max_shapes=[(1, 9, 4)])  # noqa: E731
    refused("E0307", run, "fails in PyTorch", "max shapes [1, 9, 4]", "IndexError")


@pytest.mark.parametrize(
    ("ranges", "words"),
    [
        ({"min_shapes": [(4, 4)], "max_shapes": [(3, 4)]}, ("input `input`, axis 0", "4 to 3")),
        ({"opt_shapes": [(9, 4)], "max_shapes": [(8, 4)]}, ("9 as the best size",)),
        ({"max_shapes": [(1, 4)]}, ("input `input`, axis 0", "2 to 1")),
        ({"max_shapes": [(8, 4), (8, 4)], "min_shapes": [(1, 4)]}, ("max_shapes", "1 input tensors: `input`")),
        ({"max_shapes": [(8, 4, 4)]}, ("`input`", "(8, 4, 4)", "one size for each axis")),
        ({"max_shapes": {"inptu": (8, 4)}}, ("`inptu`", "did you mean `input`")),
        ({"max_shapes": 8}, ("max_shapes is 8",)),
        ({"max_shapes": ["8x4"]}, ("max_shapes",)),
        ({"min_shapes": [[(1, 4)]] * 2, "max_shapes": [[(8, 4)]] * 3}, ("min_shapes has 2 profiles",)),
        ({"min_shapes": [(-1, 4)], "max_shapes": [(8, 4)]}, ("-1 to 8",)),
        ({"max_batch_size": 0}, ("max_batch_size", "it is 0")),
    ],
)
def test_ranges_that_contradict(ranges, words):
    refused("E0307", lambda: convert(nn.ReLU(), [torch.randn(2, 4)], **ranges), *words)


BATCHED = [
    "alexnet", "squeezenet1_1", "resnet18", "densenet121", "vgg11_bn", "mobilenet_v2", "mobilenet_v3_large",
    "efficientnet_b0", "convnext_tiny", "regnet_y_400mf", "vit_b_16", "swin_t", "bert", "gpt2",
]  # fmt: skip


@pytest.mark.parametrize("name", BATCHED)
def test_models_with_any_batch(name):
    model, args, kwargs = build(name)
    model_trt = convert(model, args, kwargs=kwargs, max_batch_size=3, verify=False)
    for batch in (1, 2, 3):
        args, kwargs = of_sizes((args, kwargs), {0: batch})
        agree(model, model_trt, *args, **kwargs)


def test_a_language_model_with_any_length():
    model, args, kwargs = build("bert")
    ids, mask = args[0], kwargs["attention_mask"]
    low, high = (1, 4), (3, 40)
    model_trt = convert(model, [ids], kwargs={"attention_mask": mask}, min_shapes=[low, low], max_shapes=[high, high])
    for batch, length in [(1, 4), (3, 40), (2, 17)]:
        ids, mask = of_sizes((ids, mask), {0: batch, 1: length})
        agree(model, model_trt, ids, attention_mask=mask)


class Pyramid(nn.Module):
    """Down, up, and a skip connection that is cut to size."""

    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.SiLU(), nn.MaxPool2d(2, ceil_mode=True)
        )
        self.up = nn.ConvTranspose2d(8, 8, 4, stride=4)
        self.head = nn.Conv2d(11, 5, 1)

    def forward(self, x):
        y = self.up(self.down(x))[..., : x.shape[-2], : x.shape[-1]]
        return self.head(torch.cat([x, y], dim=1)), F.adaptive_avg_pool2d(y, 1).flatten(1)


OLD = tuple(map(int, torch.__version__.split(".")[:2])) < (2, 7)
odd = pytest.mark.skipif(OLD, reason="this PyTorch decides by the sample whether sizes are odd: E0307")


@pytest.mark.parametrize("name", [pytest.param("pyramid", marks=odd), "fcn_resnet50"])
def test_any_height_and_width(name):
    model = Pyramid().eval() if name == "pyramid" else build(name)[0]
    model_trt = convert(
        model,
        [torch.randn(1, 3, 64, 64)],
        min_shapes=[(1, 3, 32, 32)],
        max_shapes=[(1, 3, 96, 96)],
        verify=name == "pyramid",
    )
    for height, width in [(32, 32), (96, 96), (64, 40), (33, 71)]:
        agree(model, model_trt, torch.randn(1, 3, height, width))


class Deciding(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x, y):
        return self.function(x, y)


def _padded(x, y):
    extra = (-x.shape[1]) % 4
    return nn.functional.pad(x, (0, extra)) if extra else x


DECISIONS = {
    "a multiple": (lambda x, y: x * 2 if x.shape[1] % 4 == 0 else x, "x.shape[1] % 4) == 0"),
    "padding": (_padded, "x.shape[1]) % 4"),
    "two inputs": (lambda x, y: x.sum(1) if x.shape[1] <= y.shape[1] else y.sum(1), "x.shape[1]"),
    "a float": (lambda x, y: x * 2 if x.shape[1] / 2 == 4.0 else x, "x.shape[1]"),
    "another shape": (lambda x, y: x + y if x.shape == y.shape else x, "x.shape[1]"),
}


@pytest.mark.parametrize("name", DECISIONS)
def test_what_the_model_decides_by_sizes_is_not_taken_for_all_of_them(name):
    function, words = DECISIONS[name]
    wide = 9 if name in ("two inputs", "another shape") else 8
    inputs = [torch.randn(2, 8), torch.randn(2, wide)]
    ranges = {"min_shapes": [(2, 4), (2, 4)], "max_shapes": [(2, 16), (2, 16)]}
    refused("E0307", lambda: convert(Deciding(function), inputs, **ranges), "decides by sizes", words, "verify=False")


class DecidingByAny(nn.Module):
    def forward(self, first, *others):
        return first * 2 if others[1].shape[1] % 4 == 0 else first


def test_decisions_by_any_of_the_arguments_are_found():
    inputs = [torch.randn(2, 8) for _ in range(3)]
    ranges = {"min_shapes": [(2, 4)] * 3, "max_shapes": [(2, 16)] * 3}
    refused("E0307", lambda: convert(DecidingByAny(), inputs, **ranges), "decides by sizes", "verify=False")


def test_decisions_that_change_nothing_are_no_hindrance():
    def same(x, y):
        return (
            x.reshape(-1, 2).sum(0)
            if x.shape[1] % 2 == 0
            else torch.stack([x.flatten()[0::2].sum(), x.flatten()[1::2].sum()])
        )

    def either(x, y):
        return x * 2 if x.shape[1] % 4 == 0 else x + x

    inputs = [torch.randn(2, 8), torch.randn(2, 8)]
    for function in (same, either):
        model_trt = convert(Deciding(function), inputs, min_shapes=[(2, 4), (2, 4)], max_shapes=[(2, 16), (2, 16)])
        assert set(model_trt.report.difference) == {"output (min)", "output (opt)", "output (max)"}
        for width in (4, 10, 16):
            agree(Deciding(function), model_trt, torch.randn(2, width), torch.randn(2, width))


def test_a_cache_of_keys_and_values_that_grows():
    from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=50,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    model = LlamaForCausalLM(config).eval()

    def given(batch, past):
        cache = DynamicCache(config=config)
        for layer in range(2):
            cache.update(torch.randn(batch, 2, past, 8), torch.randn(batch, 2, past, 8), layer)
        return torch.randint(0, 50, (batch, 1)), cache

    ids, cache = given(2, 6)
    shapes = [(4, 1), *[(4, 2, 16, 8)] * 4]
    smallest = [(1, 1), *[(1, 2, 2, 8)] * 4]
    kwargs = {"past_key_values": cache, "use_cache": True}
    model_trt = convert(model, [ids], kwargs=kwargs, min_shapes=smallest, max_shapes=shapes)
    for batch, past in ((1, 2), (3, 9), (4, 16)):
        ids, cache = given(batch, past)
        got = model_trt(ids, past_key_values=copy.deepcopy(cache), use_cache=True)
        with torch.no_grad():
            expected = model(ids, past_key_values=cache, use_cache=True)
        assert difference(expected.logits, got.logits) < 1e-4
        assert got.past_key_values.get_seq_length() == past + 1


class Adding(nn.Module):
    def forward(self, x, index, source):
        return x.index_add(0, index, source)


def test_sample_indices_that_are_out_of_range_at_the_smallest_size():
    made = convert(
        Adding(),
        [torch.randn(4, 3), torch.tensor([0, 3]), torch.randn(2, 3)],
        min_shapes={"x": (1, 3)},
        max_shapes={"x": (8, 3)},
    )
    for size in (1, 3, 8):
        x, index, source = torch.randn(size, 3), torch.randint(size, (2,)), torch.randn(2, 3)
        torch.testing.assert_close(made(x, index, source), x.index_add(0, index, source))
