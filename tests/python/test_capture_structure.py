"""What goes into a captured model and what comes out: arguments in any spelling, the model's own return value."""

from __future__ import annotations

import dataclasses
import pickle
from typing import Any, NamedTuple

import pytest
import torch
from models import build
from replay import Function, Replay, assert_replays, fresh, one_thread, record  # noqa: F401  (a fixture)
from torch import nn

from torch2trt.capture import InputError, capture


class Pair(NamedTuple):
    left: torch.Tensor
    right: Any


@dataclasses.dataclass
class Batch:
    image: torch.Tensor
    extra: dict


def test_outputs_come_back_in_the_model_s_own_structure():
    def forward(self, x):
        y = x + 1
        return {"pair": Pair(y, [x, None]), "weight": self.weight, "twice": (y, y), "n": 5, "f": 2.5, "s": "text"}

    model = Function(forward, weight=nn.Parameter(torch.randn(2))).eval()
    captured = capture(model, (torch.randn(3),))
    recorder = assert_replays(captured, model, (torch.randn(3),))
    assert captured.output_names == ["pair.left", "pair.right.0", "weight", "twice.0", "twice.1"]
    left, aliased, none, weight, first, second, *constants = recorder.outputs
    assert left == first == second and aliased == ("value", next(iter(recorder.inputs)))
    assert weight == ("value", next(iter(recorder.weights))) and none is None and constants == [5, 2.5, "text"]


def test_nested_inputs_are_named_and_flattened():
    def forward(self, batch, *, pairs, scale=None):
        return batch.image + batch.extra["mask"] + pairs[0][1] * scale

    model = Function(forward).eval()
    model.forward = lambda batch, *, pairs, scale=None: forward(model, batch, pairs=pairs, scale=scale)
    image, mask, pair = torch.randn(2), torch.randn(2), (torch.randn(2), torch.randn(2))
    captured = capture(model, (Batch(image, {"mask": mask, "kind": "a"}),), {"scale": 2.0, "pairs": [pair]})
    assert captured.input_names == ["batch.image", "batch.extra.mask", "pairs.0.0", "pairs.0.1"]
    later = Batch(torch.randn(2), {"mask": torch.randn(2), "kind": "a"})
    flat = captured.flatten_inputs((later,), {"pairs": [pair], "scale": 2.0})
    assert [tensor.data_ptr() for tensor in flat] == [t.data_ptr() for t in (later.image, later.extra["mask"], *pair)]
    assert_replays(captured, model, (later,), {"pairs": [fresh(pair)], "scale": 2.0})


def test_names_of_inputs_and_outputs_do_not_collide():
    model = Function(lambda _, x: {"x": x + 1, "y": x}).eval()
    model.forward = lambda x: model.function(model, x)
    captured = capture(model, (torch.randn(2),))
    assert (captured.input_names, captured.output_names) == (["x"], ["output.x", "y"])


def linear_with_mode(x, mask=None, mode="relu", n=2):
    y = x * n if mask is None else x * mask
    return y.relu() if mode == "relu" else y


def test_a_call_may_spell_the_same_arguments_differently():
    captured = capture(linear_with_mode, (torch.randn(3), torch.randn(3)))
    x, mask = torch.randn(3), torch.randn(3)
    spellings = [((x, mask), {}), ((x,), {"mask": mask}), ((), {"mask": mask, "x": x}), ((x, mask, "relu"), {"n": 2})]
    for args, kwargs in spellings:
        found = captured.flatten_inputs(args, kwargs)
        assert len(found) == 2 and found[0] is x and found[1] is mask


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, "missing"),
        ((torch.ones(3),), {}, "`mask` is left out; the sample inputs had a tensor there"),
        ((torch.ones(3), 1.0), {}, "`mask` must be a tensor, got float"),
        ((torch.ones(3), (torch.ones(3),)), {}, "`mask` has another structure"),
        ((torch.ones(3), torch.ones(3)), {"mode": "none"}, "`mode` is 'none'; the model was captured with 'relu'"),
        ((torch.ones(3), torch.ones(3)), {"n": 3}, "`n` was not part of the sample inputs"),
        ((torch.ones(3), torch.ones(3)), {"k": 3}, "unexpected keyword argument 'k'"),
    ],
)
def test_a_call_that_does_not_fit_names_the_argument(args, kwargs, message):
    captured = capture(linear_with_mode, (torch.randn(3), torch.randn(3)), {"mode": "relu"})
    with pytest.raises(InputError, match=message):
        captured.flatten_inputs(args, kwargs)


def test_model_outputs_of_transformers_keep_their_class():
    module, args, kwargs = build("bert")
    captured = capture(module, args, kwargs)
    values = Replay(record(captured))(captured.flatten_inputs(args, kwargs))
    output = captured.unflatten_outputs(values)
    assert type(output).__name__ == "BaseModelOutputWithPoolingAndCrossAttentions"
    assert output.last_hidden_state is values[0] and output["pooler_output"] is values[1]


def test_the_key_value_cache_of_gpt2_comes_back():
    module, args, _ = build("gpt2")
    captured = capture(module, args)
    recorder = record(captured)
    ids = torch.randint_like(args[0], 0, 1000)
    output = captured.unflatten_outputs(Replay(recorder)(captured.flatten_inputs((ids,))))
    with torch.no_grad():
        expected = module(ids)
    assert type(output.past_key_values) is type(expected.past_key_values)
    assert torch.equal(output.logits, expected.logits)
    for ours, theirs in zip(output.past_key_values.layers, expected.past_key_values.layers, strict=True):
        assert torch.equal(ours.keys, theirs.keys) and torch.equal(ours.values, theirs.values)
    with torch.no_grad():  # and can be continued from
        module(ids[:, :1], past_key_values=output.past_key_values)


def test_the_wrong_number_of_outputs_is_refused():
    captured = capture(nn.ReLU().eval(), (torch.randn(2),))
    with pytest.raises(ValueError, match="1 outputs, 2 were given"):
        captured.unflatten_outputs([torch.ones(2), torch.ones(2)])


def test_structures_pickle_without_the_sample_tensors():
    module, args, kwargs = build("bert")
    captured = capture(module, args, kwargs)
    inputs, outputs = pickle.loads(pickle.dumps((captured.inputs, captured.outputs)))
    assert inputs.samples == [] and inputs.args == ()
    assert [id(tensor) for tensor in inputs.flatten(args, kwargs)] == [id(args[0]), id(kwargs["attention_mask"])]
    assert outputs.unflatten([1, 2]).pooler_output == 2 and outputs.names == captured.output_names


def test_an_exported_program_is_called_with_its_keywords():
    class Named(nn.Module):
        def forward(self, x, *, scale, masks):
            return x * scale + masks["a"] - masks["b"]

    masks = {"a": torch.randn(2, 3), "b": torch.randn(3)}
    args, kwargs = (torch.randn(2, 3),), {"scale": torch.randn(3), "masks": masks}
    program = torch.export.export(Named(), args, kwargs)
    captured = capture(program, args, kwargs)
    assert captured.input_names == ["x", "scale", "masks.a", "masks.b"]
