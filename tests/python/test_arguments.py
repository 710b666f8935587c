"""The original's call: its arguments, what they mean here, and its import paths."""

import enum
import importlib
import inspect
import logging
from pathlib import Path

import pytest
import torch
from torch import nn

import torch2trt as package
from torch2trt import Error, arguments, torch2trt, trt
from torch2trt.dataset_calibrator import DEFAULT_CALIBRATION_ALGORITHM

ORIGINAL = {
    "input_names": ["image"],
    "output_names": ["answer"],
    "log_level": logging.ERROR,
    "fp16_mode": False,
    "max_workspace_size": 1 << 25,
    "strict_type_constraints": False,
    "keep_network": True,
    "int8_mode": False,
    "int8_calib_dataset": None,
    "int8_calib_algorithm": None,
    "int8_calib_batch_size": 1,
    "use_onnx": False,
    "default_device_type": trt.DeviceType.GPU,
    "dla_core": 0,
    "gpu_fallback": True,
    "device_types": {},
    "min_shapes": [(1, 4)],
    "max_shapes": [(8, 4)],
    "opt_shapes": [(2, 4)],
    "onnx_opset": None,
    "max_batch_size": 8,
    "avg_timing_iterations": 2,
}


def convert(**options):
    return torch2trt(nn.ReLU(), [torch.randn(2, 4)], backend="cpu", progress=False, **options)


def test_every_argument_of_the_original_at_once():
    model_trt = convert(**ORIGINAL)
    assert model_trt.input_names == ["image"] and model_trt.output_names == ["answer"]
    x = torch.randn(8, 4)
    assert torch.equal(model_trt(x), x.relu())


def test_the_originals_positions():
    names = ["module", "inputs", "input_names", "output_names", "log_level", "fp16_mode", "max_workspace_size"]
    names += ["strict_type_constraints", "keep_network"]
    assert list(inspect.signature(torch2trt).parameters)[: len(names)] == names


@pytest.mark.parametrize("keep", [True, False])
def test_keep_network(keep):
    assert (convert(keep_network=keep).network is not None) == keep


@pytest.mark.parametrize(
    ("name", "value"),
    [("strict_type_constraints", True), ("use_onnx", True), ("onnx_opset", 13), ("dla_core", 1),
     ("gpu_fallback", False), ("default_device_type", trt.DeviceType.DLA), ("int8_calib_batch_size", 8)],
)  # fmt: skip
def test_arguments_without_effect_warn_once(name, value, monkeypatch, caplog):
    monkeypatch.setattr(arguments, "_warned", set())
    with caplog.at_level(logging.WARNING, logger="torch2trt"):
        for _ in range(2):
            arguments.take_legacy({name: value}, [])
    messages = [
        record.getMessage() for record in caplog.records if record.name == "torch2trt" and name in record.getMessage()
    ]
    assert len(messages) == 1, messages


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("fp16_mod", "fp16_mode"),
        ("max_batchsize", "max_batch_size"),
        ("int8_mod", "int8_mode"),
        ("opt_shape", "opt_shapes"),
    ],
)
def test_unknown_arguments_name_the_nearest(wrong, near):
    with pytest.raises(Error, match=f"did you mean `{near}`") as raised:
        convert(**{wrong: 1})
    assert raised.value.code == "E0701" and wrong in str(raised.value)


def test_int8_takes_the_originals_arguments():
    layer, algorithm = nn.Linear(4, 3), DEFAULT_CALIBRATION_ALGORITHM
    samples = [[torch.randn(2, 4)] for _ in range(64)]
    options = {
        "int8_mode": True,
        "int8_calib_dataset": samples,
        "int8_calib_algorithm": algorithm,
        "int8_calib_batch_size": 1,
    }
    assert torch2trt(layer, [torch.randn(2, 4)], backend="cpu", progress=False, **options).report.int8_layers == 1


def test_log_levels_of_both_kinds():
    assert arguments.log_level(trt.Logger.ERROR) == logging.ERROR
    assert 0 < arguments.log_level(trt.Logger.VERBOSE) < logging.DEBUG
    assert arguments.log_level(logging.WARNING) == logging.WARNING


PATHS = {
    "torch2trt": ["torch2trt", "TRTModule", "tensorrt_converter", "get_arg", "Dataset", "Flattener", "trt_version"],
    "trt_module": ["TRTModule"],
    "dataset": ["Dataset", "TensorBatchDataset", "ListDataset", "FolderDataset"],
    "dataset_calibrator": ["DatasetCalibrator", "DEFAULT_CALIBRATION_ALGORITHM"],
    "flattener": ["Flattener"],
    "flatten_module": ["Flatten", "Unflatten"],
    "misc_utils": ["torch_dtype_to_trt", "torch_dtype_from_trt", "torch_device_to_trt", "trt_int_dtype"],
    "version_utils": ["trt_version", "torch_version"],
    "utils": ["trt_network_to_dot_graph"],
    "converters": ["tensorrt_converter", "CONVERTERS"],
}


@pytest.mark.parametrize("path", PATHS)
def test_import_paths_of_the_original(path):
    module = importlib.import_module(f"torch2trt.{path}")
    assert all(hasattr(module, name) for name in PATHS[path])
    # A submodule has the name of the function, and importing it must not hide that.
    assert inspect.isfunction(package.torch2trt)


def test_versions_compare_with_text():
    from torch2trt.version_utils import torch_version, trt_version

    assert trt_version() >= "8.6" and trt_version() > "10.0" and not trt_version() < "9"
    assert torch_version() >= "2.6"


def test_a_calibrator_gives_its_samples(tmp_path):
    dataset = package.ListDataset([[torch.randn(1, 3)], [torch.randn(1, 3)]])
    calibrator = package.DatasetCalibrator(dataset, cache_file=str(tmp_path / "ranges"))
    batches = [calibrator.get_batch(["x"]) for _ in range(3)]
    assert batches == [[dataset[0][0].data_ptr()], [dataset[1][0].data_ptr()], []]
    assert calibrator.read_calibration_cache() is None
    calibrator.write_calibration_cache(b"ranges")
    assert calibrator.read_calibration_cache() == b"ranges"


def test_types_are_there():
    folder = Path(package.__file__).parent
    assert (folder / "py.typed").exists()
    stub = (folder / "_core.pyi").read_text(encoding="utf-8")
    for name, value in vars(package._core).items():
        if not name.startswith("_"):
            kind = "class" if inspect.isclass(value) else "def"
            assert f"{kind} {name}" in stub, name


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"input_names": ["a", "b"]}, "`input_names` has 2 names, the model has 1: input"),
        ({"output_names": ["a", "b"]}, "`output_names` has 2 names"),
        ({"input_names": ["y"], "output_names": ["y"]}, "two tensors would be named `y`"),
    ],
)
def test_names_that_cannot_be(arguments, words):
    with pytest.raises(Error, match=f"E0701.*{words}"):
        torch2trt(torch.nn.ReLU(), [torch.ones(2)], backend="cpu", **arguments)


def test_a_star_hides_nothing_of_pythons_own():
    names: dict = {}
    exec("import inspect\nfrom torch2trt import *", names)
    assert inspect.ismodule(names["inspect"]) and names["torch2trt"] is torch2trt
    assert set(names) >= {"tensorrt_converter", "TRTModule", "trt", "np", "torch", "coverage"}


def test_dir_offers_the_public_names_alone():
    offered = {name for name in dir(package) if not name.startswith("__")}
    assert offered == {*package.__all__} - {"__version__"} | {"converters", "debug", "export", "inspect", "load"}
    assert all(hasattr(package, name) for name in dir(package))
    assert not offered & {"Calls", "Registered", "capture", "arguments", "annotations"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"build_threads": 0}, "`build_threads` is 0"),
        ({"build_threads": "many"}, "option `build_threads`"),
        ({"tactic_sources": ["CUBLAS", "CUBLAST"]}, "no tactic source `CUBLAST`"),
        ({"tactic_sources": "CUBLAS"}, "`tactic_sources` is CUBLAS, no list of names"),
        ({"engine_cache": 3}, "option `engine_cache`"),
    ],
)
def test_wrong_options_of_builds(options, words):
    with pytest.raises(Error) as raised:
        convert(**options)
    assert raised.value.code == "E0701" and words in str(raised.value), raised.value


def test_tactic_sources_are_names_or_tensorrts_own():
    class TacticSource(enum.Enum):
        CUBLAS = 0

    assert convert(tactic_sources=[TacticSource.CUBLAS, "kCUBLAS_LT", "cudnn"], build_threads=2, engine_cache=False)
