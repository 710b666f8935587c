"""A converted module in the place of the original: what the larger model reads of it, and what remains of it."""

import copy
import gc
import io
import pickle
import weakref

import pytest
import torch
from torch import nn

import torch2trt as package
from torch2trt import Error, torch2trt
from torch2trt.replaced import Weightless


def convert(module, inputs, **options):
    return torch2trt(module, inputs, backend="cpu", progress=False, **options)


class Part(nn.Module):
    main_input_name = "x"

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 4)
        self.scale = nn.Parameter(torch.ones(4))
        self.register_buffer("offset", torch.zeros(4))
        self.plain = torch.ones(5)
        self.tensors = [torch.ones(2), {"a": torch.ones(3)}]
        self.config = {"width": 4}

    @property
    def dtype(self):
        return next(self.parameters()).dtype

    def forward(self, x):
        return self.linear(x) * self.scale + self.offset

    def twice(self, x):
        return 2 * self(x)


class Whole(nn.Module):
    def __init__(self):
        super().__init__()
        self.part = Part()

    def forward(self, x):
        part = self.part
        x = x.to(part.linear.weight.dtype).to(part.dtype).to(part.scale.device)
        assert x.shape[-1] == part.linear.in_features == part.linear.weight.shape[1] and part.main_input_name == "x"
        return part(x) + part.config["width"] + part.tensors[1]["a"].numel()


def test_a_part_in_its_model():
    model = Whole().eval()
    x = torch.randn(2, 3)
    with torch.no_grad():
        expected = model(x)
        original, model.part = model.part, convert(model.part, [torch.randn(2, 3)])
        torch.testing.assert_close(model(x), expected)
        torch.testing.assert_close(copy.deepcopy(model)(x), expected)
    part = model.part
    assert not list(model.parameters()) and set(model.state_dict()) == {
        "part.engine",
        "part.input_names",
        "part.output_names",
    }
    assert all(
        isinstance(tensor, Weightless) for tensor in (part.scale, part.offset, part.plain, *part.linear.parameters())
    )
    assert isinstance(part.scale, nn.Parameter) and not hasattr(part, "nothing")
    with pytest.raises(AttributeError, match="nothing"):
        part.nothing  # noqa: B018
    assert original.plain.sum() == 5 and original.tensors[0].sum() == 2


def test_weights_are_not_kept_and_not_computed_with():
    part = Part().eval()
    held = [weakref.ref(part), weakref.ref(part.plain), weakref.ref(part.tensors[0])]
    made = convert(part, [torch.randn(2, 3)])
    del part
    gc.collect()
    assert [ref() for ref in held] == [None] * 3
    for compute in (
        lambda: made.scale + 1,
        lambda: made.scale.sum().item(),
        lambda: made.twice(torch.ones(2, 3)),
        lambda: made.plain.clone(),
    ):
        with pytest.raises(Error, match="does not keep weights") as raised:
            compute()
        assert raised.value.code == "E0604" and raised.value.help
    assert "Weightless" in repr(made.scale)


def test_files_and_pickles_hold_nothing_of_it(tmp_path):
    made, x = convert(Part().eval(), [torch.randn(2, 3)]), torch.randn(2, 3)
    made.save(tmp_path / "a")
    for data in (pickle.dumps(made), (tmp_path / "a").read_bytes()):
        assert b"Weightless" not in data and b"Part" not in data and b"main_input_name" not in data
    buffer = io.BytesIO()
    torch.save(made, buffer)
    buffer.seek(0)
    for other in (
        pickle.loads(pickle.dumps(made)),
        torch.load(buffer, weights_only=False),
        package.load(tmp_path / "a"),
    ):
        torch.testing.assert_close(other(x), made(x))
        assert not hasattr(other, "main_input_name")


def test_a_module_that_cannot_be_copied():
    class Stubborn(Part):
        def __deepcopy__(self, memo):
            raise RuntimeError("no copies")

    made = convert(Stubborn().eval(), [torch.randn(2, 3)])
    with pytest.raises(AttributeError):
        made.linear  # noqa: B018


@pytest.mark.filterwarnings("ignore")
def test_whispers_encoder_in_its_model():
    transformers = pytest.importorskip("transformers")
    sizes = {"encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    sizes |= {
        "d_model": 16,
        "encoder_ffn_dim": 32,
        "decoder_ffn_dim": 32,
        "max_source_positions": 30,
        "num_mel_bins": 8,
    }
    tokens = {"vocab_size": 200, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 3}
    none = {"suppress_tokens": None, "begin_suppress_tokens": None}
    model = transformers.WhisperForConditionalGeneration(transformers.WhisperConfig(**sizes, **tokens, **none)).eval()
    encoder, calls = model.model.encoder, []
    hook = encoder.register_forward_pre_hook(lambda _, args, kwargs: calls.append((args, kwargs)), with_kwargs=True)
    model.generate(torch.randn(1, 8, 60), max_new_tokens=4)
    hook.remove()
    args, kwargs = calls[0]
    made = convert(encoder, args, kwargs=kwargs)
    assert made.conv1.stride == encoder.conv1.stride and made.dtype == torch.float32 and made.device == encoder.device
    assert made.config.d_model == 16 and made.main_input_name == "input_features"
    x = torch.randn(1, 8, 60)
    expected = model.generate(x, max_new_tokens=12)
    model.model.encoder = made
    assert torch.equal(model.generate(x, max_new_tokens=12), expected)


def test_a_converted_part_of_a_model_that_is_converted():
    original = nn.Linear(3, 3).eval()
    model = nn.Sequential(nn.ReLU(), original)
    x = torch.randn(2, 3)
    with torch.no_grad():
        expected = model(x)
        model[1] = convert(original, [torch.randn(2, 3)])
        torch.testing.assert_close(model(x), expected)
    with pytest.raises(Error, match="`1` is a converted module") as raised:
        convert(model, [x])
    assert raised.value.code == "E0601" and "original" in raised.value.help
    model[1] = original
    torch.testing.assert_close(convert(model, [x])(x), expected)
