"""The printed report."""

from torch2trt import Report


def report(**values):
    return Report(backend="cpu", reason="no CUDA device", engine="ONNX Runtime", layers=40, nodes=30, **values)


def test_layers_kept_in_float32_are_grouped_by_cause():
    kept = [(f"layer{index}", "", f"accumulates {index * 100} elements") for index in range(12)]
    kept += [("fc", "", "`fc` of keep_fp32")]
    lines = str(report(half="float16", half_layers=31, kept_float32=kept)).splitlines()
    (precision,) = [line for line in lines if "precision" in line]
    assert precision.endswith("31 layers in float16, 13 kept in float32")
    text = " ".join(line.strip() for line in lines)
    assert "layer0, layer1," in text and "layer7 and 4 more: accumulates … elements" in text
    assert "float32: fc: `fc` of keep_fp32" in text
    assert len(lines) < 12


def test_lines_fit_100_columns():
    names = {f"a_long_name_of_an_output_{index}": 1e-4 for index in range(3)}
    skipped = {"fresh values": "the model needs integers that only a tokenizer makes, " * 4}
    lines = str(report(difference=names, skipped=skipped)).splitlines()
    assert max(map(len, lines)) <= 100
    assert sum("max relative error: 1.0e-04" in line for line in lines) == 3
