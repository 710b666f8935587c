"""Data sets of samples: what they hold, the ranges found in them, and conversions from them."""

import pytest
import torch
from torch import nn

from torch2trt import Dataset, Error, FolderDataset, ListDataset, TensorBatchDataset, torch2trt


class Concat(nn.Module):
    def forward(self, x, y):
        return torch.cat([x * 2, y], dim=1)


def sample(batch, width):
    return [torch.randn(batch, width), torch.randn(batch, 3)]


@pytest.fixture(params=["list", "folder"])
def store(request, tmp_path):
    return ListDataset() if request.param == "list" else FolderDataset(str(tmp_path / "samples"))


def filled(dataset, *items):
    for item in items:
        dataset.insert(item)
    return dataset


def check(model, model_trt, *args):
    torch.testing.assert_close(model_trt(*args), model(*args))


def convert(module, inputs, **options):
    return torch2trt(module, inputs, backend="cpu", progress=False, log_level=40, **options)


def test_samples_come_back(store):
    items = [sample(k + 1, 4) for k in range(12)]
    filled(store, *items)
    assert len(store) == 12 and store.num_inputs() == 2
    for k in (0, 2, 11):  # files are in the order of their numbers: 2 before 11
        assert all(torch.equal(g, e) for g, e in zip(store[k], items[k], strict=True))


def test_shapes_and_statistics(store):
    filled(store, sample(2, 4), sample(1, 9), sample(5, 6))
    assert store.shapes(flat=True) == [[(2, 4), (1, 9), (5, 6)], [(2, 3), (1, 3), (5, 3)]]
    assert store.min_shapes() == [(1, 4), (1, 3)]
    assert store.max_shapes() == [(5, 9), (5, 3)]
    assert store.median_numel_shapes() == [(1, 9), (2, 3)]
    assert store.infer_dynamic_axes() == [[0, 1], [0]]


def test_nested_samples_keep_their_structure():
    dataset = ListDataset(
        [{"x": torch.randn(1, 2), "more": (torch.randn(3),)}, {"x": torch.randn(2, 2), "more": (torch.randn(4),)}]
    )
    assert dataset.min_shapes() == {"x": (1, 2), "more": ((3,),)}
    assert dataset.max_shapes(flat=True) == [(2, 2), (4,)]


def test_batches_are_cut_into_samples():
    x, y = torch.randn(5, 2), torch.randn(5, 3, 4)
    dataset = TensorBatchDataset([x, y])
    dataset.insert([x[:2], y[:2]])
    assert len(dataset) == 7
    assert torch.equal(dataset[3][1], y[3:4]) and torch.equal(dataset[-1][0], x[1:2])
    assert dataset.min_shapes() == dataset.max_shapes() == [(1, 2), (1, 3, 4)]
    with pytest.raises(IndexError, match="sample 7 of 7"):
        dataset[7]
    assert len(list(dataset)) == 7
    assert len(filled(TensorBatchDataset(), [x, y])) == 5


def test_calls_are_recorded():
    model, dataset = Concat(), ListDataset()
    with dataset.record(model):
        for batch in (1, 4):
            model(*sample(batch, 2))
    model(*sample(9, 2))
    assert len(dataset) == 2 and dataset.max_shapes() == [(4, 2), (4, 3)]


def test_ranges_from_a_data_set(store):
    filled(store, sample(2, 4), sample(1, 9), sample(5, 6))
    model_trt = convert(Concat(), store)
    for batch, width in [(1, 4), (5, 9), (3, 7)]:
        check(Concat(), model_trt, *sample(batch, width))
    with pytest.raises(Error, match=r"axis 0: got 6, allowed 1\.\.5") as raised:
        model_trt(*sample(6, 4))
    assert raised.value.code == "E0402"
    assert set(model_trt.report.difference) == {"output (min)", "output (opt)", "output (max)"}


def test_one_sample_is_static_and_arguments_win():
    x = torch.randn(2, 4)
    check(nn.ReLU(), convert(nn.ReLU(), ListDataset([[x]])), x)
    model_trt = convert(nn.ReLU(), TensorBatchDataset([torch.randn(8, 4)]), max_batch_size=3)
    check(nn.ReLU(), model_trt, torch.randn(3, 4))
    model_trt = convert(nn.ReLU(), ListDataset([[x], [x[:1]]]), max_shapes=[(7, 4)])
    check(nn.ReLU(), model_trt, torch.randn(7, 4))


def test_dict_samples_in_any_order_with_further_inputs():
    class Model(nn.Module):
        def forward(self, x, y, *, bias):
            return x.sum(-1) + y.mean() + bias

    items = [{"y": torch.randn(k + 4), "x": torch.randn(k + 1, 3)} for k in range(3)]
    model_trt = convert(Model(), ListDataset(items), kwargs={"bias": torch.randn(1)})
    x, y, bias = torch.randn(3, 3), torch.randn(5), torch.randn(1)
    torch.testing.assert_close(model_trt(x, y, bias=bias), Model()(x, y, bias=bias))


def test_a_subclass_of_a_user():
    class Lengths(Dataset):
        def __len__(self):
            return 4

        def __getitem__(self, index):
            return (torch.randn(1, 3 + 2 * index),)

    model_trt = convert(nn.Tanh(), Lengths())
    check(nn.Tanh(), model_trt, torch.randn(1, 9))
    check(nn.Tanh(), model_trt, torch.randn(1, 4))


def test_data_sets_that_cannot_be_used():
    for action in (lambda: convert(nn.ReLU(), ListDataset()), lambda: ListDataset().min_shapes()):
        with pytest.raises(Error, match="empty") as raised:
            action()
        assert raised.value.code == "E0602"
    with pytest.raises(Error, match="dimensions") as raised:
        convert(nn.ReLU(), ListDataset([[torch.randn(2)], [torch.randn(2, 2)]]))
    assert raised.value.code == "E0307"
