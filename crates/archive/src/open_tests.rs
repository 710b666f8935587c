//! Archives made here: layouts of weights, and files that are wrong on purpose.

use super::*;
use ::zip::write::SimpleFileOptions;
use ::zip::{CompressionMethod, ZipWriter};
use program::ScalarType;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::io::{Cursor, Write};

type Files = Vec<(String, Vec<u8>)>;

fn sizes(sizes: &[i64]) -> Value {
    sizes.iter().map(|size| json!({"as_int": size})).collect()
}

fn meta(dtype: u32, dims: &[i64], strides: &[i64], offset: i64) -> Value {
    json!({
        "dtype": dtype,
        "sizes": sizes(dims),
        "strides": sizes(strides),
        "storage_offset": {"as_int": offset},
        "layout": 7,
    })
}

fn tensor(name: &str) -> Value {
    json!({"as_tensor": {"name": name}})
}

/// `relu(w)`, whose weight is in its storage as in the metadata.
fn graph(weight: &Value) -> Value {
    let node = json!({
        "target": "torch.ops.aten.relu.default",
        "inputs": [{"name": "self", "arg": tensor("p_w"), "kind": 1}],
        "outputs": [tensor("relu")],
        "metadata": {
            "nn_module_stack": "L__self__,,M;L__self__act,act,R",
            "stack_trace": "File \"net.py\", line 3, in forward",
        },
        "name": "relu",
        "something new": [1, 2],
    });
    json!({
        "schema_version": {"major": 8, "minor": 99},
        "torch_version": "2.99",
        "range_constraints": {},
        "graph_module": {
            "graph": {
                "inputs": [tensor("p_w"), tensor("x")],
                "outputs": [tensor("relu"), {"as_int": 3}],
                "nodes": [node],
                "tensor_values": {"p_w": weight, "relu": weight, "x": meta(7, &[2], &[1], 0)},
            },
            "signature": {
                "input_specs": [
                    {"parameter": {"arg": {"name": "p_w"}, "parameter_name": "act.w"}},
                    {"user_input": {"arg": tensor("x")}},
                ],
                "output_specs": [
                    {"user_output": {"arg": tensor("relu")}},
                    {"user_output": {"arg": {"as_int": 3}}},
                ],
            },
        },
    })
}

fn files(model: &Value, weight: &Value, storage: &[u8]) -> Files {
    let payload = json!({"path_name": "weight_0", "is_param": true, "use_pickle": false, "tensor_meta": weight});
    let config = json!({"config": {"act.w": payload}});
    let text = |value: &Value| value.to_string().into_bytes();
    vec![
        ("net/models/model.json".to_owned(), text(model)),
        ("net/data/weights/model_weights_config.json".to_owned(), text(&config)),
        ("net/data/weights/weight_0".to_owned(), storage.to_vec()),
        ("net/byteorder".to_owned(), b"little".to_vec()),
    ]
}

fn zipped(files: &Files, method: CompressionMethod) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        writer.start_file(name.as_str(), SimpleFileOptions::default().compression_method(method)).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn read(bytes: &[u8]) -> Result<Archive> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    open(file.path())
}

fn opened(files: &Files) -> Result<Archive> {
    read(&zipped(files, CompressionMethod::Stored))
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// The elements of a float weight of this layout in this storage.
fn weight(dims: &[i64], strides: &[i64], offset: i64, storage: &[f32]) -> Result<Vec<f32>> {
    let meta = meta(7, dims, strides, offset);
    let archive = opened(&files(&graph(&meta), &meta, &floats(storage)))?;
    let weight = archive.program.weights().next().unwrap().clone();
    Ok(weight.data.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

/// The error of an archive.
fn problem(files: &Files) -> String {
    let error = opened(files).unwrap_err();
    format!("{error}\nhelp: {}", error.help().unwrap_or_default())
}

fn plain() -> (Value, Files) {
    let meta = meta(7, &[2, 2], &[2, 1], 0);
    (graph(&meta), files(&graph(&meta), &meta, &floats(&[1.0, 2.0, 3.0, 4.0])))
}

#[test]
fn an_archive_is_a_program() {
    let archive = opened(&plain().1).unwrap();
    let text = "program\n  input %x: float32[2]\n  weight %act.w: float32[2,2] parameter = [1.0, 2.0, 3.0, 4.0]\n  \
                %relu: float32[2,2] = aten.relu.default(self=%act.w) from \"act\" \"net.py:3\"\n  return %relu, 3\n";
    assert_eq!(archive.program.to_string(), text);
    assert_eq!(archive.torch_version, "2.99");
    assert_eq!(archive.inputs[0], crate::Leaf { name: "x".into(), constant: None, is_number: false });
    assert_eq!(archive.outputs[1].constant, Some(program::Argument::Int(3.into())));
}

#[test]
fn weights_are_in_order_however_they_lie() {
    let storage = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
    for (dims, strides, offset, expected) in [
        (&[2i64, 3][..], &[3i64, 1][..], 0, &[0.0f32, 1.0, 2.0, 3.0, 4.0, 5.0][..]),
        (&[3, 2], &[1, 3], 0, &[0.0, 3.0, 1.0, 4.0, 2.0, 5.0]),
        (&[2, 2], &[0, 1], 4, &[4.0, 5.0, 4.0, 5.0]),
        (&[3], &[2], 1, &[1.0, 3.0, 5.0]),
        (&[2], &[1], 2, &[2.0, 3.0]),
        (&[1, 2], &[99, 1], 0, &[0.0, 1.0]),
        (&[], &[], 5, &[5.0]),
        (&[0, 7], &[7, 1], 0, &[]),
        (&[2, 0], &[i64::MAX, i64::MAX], 0, &[]),
    ] {
        assert_eq!(weight(dims, strides, offset, &storage).unwrap(), expected, "{dims:?} {strides:?} {offset}");
    }
}

#[test]
fn tensors_stored_in_order_are_lent() {
    let archive = opened(&plain().1).unwrap();
    let again = archive.program.weights().next().unwrap().data.clone();
    let slice = archive.program.weights().next().unwrap().data.as_ptr();
    assert_eq!(again.as_ptr(), slice);
    // The file keeps it alive: nothing else has the whole of it.
    drop(archive);
    assert_eq!(again.len(), 16);
}

#[test]
fn weights_beyond_their_storage_are_refused() {
    for (dims, strides, offset) in [
        (&[2i64, 4][..], &[4i64, 1][..], 0),
        (&[2], &[1], 5),
        (&[2], &[-1], 1),
        (&[-2], &[1], 0),
        (&[2], &[1], -1),
        (&[2], &[i64::MAX], 0),
        (&[i64::MAX, i64::MAX], &[1, 1], 0),
        (&[i64::MAX / 8], &[0], 0),
        (&[1 << 40], &[0], 0),
        (&[1], &[1], i64::MAX),
        (&[2], &[1, 1], 0),
        (&[1; 65], &[1; 65], 0),
    ] {
        let error = weight(dims, strides, offset, &[0.0; 6]).unwrap_err();
        assert!(matches!(error, Error::Inconsistent { .. }), "{dims:?}: {error}");
    }
    for (dtype, part) in [(0, "dtype"), (99, "dtype")] {
        let meta = meta(dtype, &[1], &[1], 0);
        assert!(problem(&files(&graph(&meta), &meta, &[0; 4])).contains(part));
    }
    let sparse = json!({"dtype": 7, "sizes": [], "strides": [], "storage_offset": {"as_int": 0}, "layout": 1});
    assert!(problem(&files(&graph(&sparse), &sparse, &[0; 4])).contains("layout 1"));
}

#[test]
fn small_types_are_read() {
    for (dtype, expected, bytes) in [
        (13, ScalarType::BFloat16, 4),
        (12, ScalarType::Bool, 2),
        (5, ScalarType::Int64, 16),
        (30, ScalarType::Float8E5M2, 2),
    ] {
        let meta = meta(dtype, &[2], &[1], 0);
        let archive = opened(&files(&graph(&meta), &meta, &vec![1; bytes])).unwrap();
        let weight = archive.program.weights().next().unwrap();
        assert_eq!((archive.program.value(weight.value).dtype, weight.data.len()), (expected, bytes));
    }
}

/// Another value at a place in the graph's JSON.
fn with(pointer: &str, value: &Value) -> Files {
    let (mut model, mut files) = plain();
    *model.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value.clone();
    files[0].1 = model.to_string().into_bytes();
    files
}

#[test]
fn graphs_that_are_wrong_are_refused() {
    let node = "/graph_module/graph/nodes/0";
    for (place, value, part) in [
        ("/schema_version/major", json!(9), "export schema 9.99"),
        ("/schema_version/major", json!(-1), "model.json"),
        ("/graph_module/graph/nodes", json!(3), "model.json"),
        (&format!("{node}/inputs/0/arg"), json!({}), "without a kind"),
        (&format!("{node}/inputs/0/arg"), json!({"as_int": 1, "as_bool": true}), "two kinds"),
        (&format!("{node}/inputs/0/arg"), json!({"as_newer": 1}), "as_newer"),
        (&format!("{node}/inputs/0/arg"), json!({"as_string": "a"}), "which is no Tensor"),
        (&format!("{node}/inputs/0/arg"), tensor("later"), "nothing before defines it"),
        (&format!("{node}/inputs/0/arg"), tensor("relu"), "nothing before defines it"),
        (&format!("{node}/inputs/0/name"), json!("other"), "argument `other`"),
        (&format!("{node}/inputs"), json!([]), "no argument `self`"),
        (
            &format!("{node}/target"),
            json!("torch.ops.aten.relu_.default"),
            "writes to its arguments (aten.relu_.default)",
        ),
        (&format!("{node}/target"), json!("torch.ops.aten.add.out"), "aten.add.out"),
        (&format!("{node}/target"), json!("torch.ops.higher_order.cond"), "control flow"),
        (&format!("{node}/target"), json!("my.function"), "is not an operator of PyTorch's dispatcher"),
        (&format!("{node}/outputs/0"), tensor("p_w"), "nothing before defines it"),
        ("/graph_module/graph/tensor_values/relu/sizes/0", json!({"as_int": -2}), "a size of -2"),
        ("/graph_module/graph/tensor_values/x/sizes/0", json!({"as_expr": {"expr_str": "Foo(1"}}), "missing"),
        ("/graph_module/graph/tensor_values/x/sizes/0", json!({"as_bool": true}), "no integer"),
        ("/graph_module/graph/tensor_values", json!({}), "there is no metadata of the tensor `x`"),
        ("/graph_module/signature/input_specs/0/parameter/parameter_name", json!("v"), "no values for `v`"),
        ("/graph_module/signature/input_specs/1", json!({"user_input": {"arg": {"as_int": 1}}}), "neither a tensor"),
        (
            "/graph_module/signature/output_specs/0",
            json!({"user_output": {"arg": {"as_device": {"type": "cpu"}}}}),
            "no plain value",
        ),
    ] {
        let text = problem(&with(place, &value));
        assert!(text.contains(part), "{place} = {value}: {text}");
        assert!(text.contains("\nhelp: "), "{text}");
    }
}

#[test]
fn an_operator_that_is_not_known_keeps_its_arguments() {
    let mut files = with("/graph_module/graph/nodes/0/target", &json!("torch.ops.mine.op.default"));
    let text = String::from_utf8(files[0].1.clone()).unwrap();
    let more = r#"{"arg":{"as_floats":[1.5,"-Infinity"]},"name":"scale","kind":2},{"arg":{"as_tensor":{"name":"p_w"}}"#;
    files[0].1 = text.replace(r#"{"arg":{"as_tensor":{"name":"p_w"}}"#, more).into_bytes();
    let text = opened(&files).unwrap().program.to_string();
    assert!(text.contains("mine.op.default(scale=[1.5, -inf], self=%act.w)"), "{text}");
}

#[test]
fn json_that_is_nested_without_end_is_refused() {
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let (_, mut files) = plain();
    files[0].1 =
        format!("{{\"schema_version\": {{\"major\": 8, \"minor\": 1}}, \"graph_module\": {deep}}}").into_bytes();
    assert!(problem(&files).contains("model.json"));
}

#[test]
fn entries_outside_of_the_archive_are_rejected() {
    let whole = plain().1;
    for name in ["../secret", "net/../../secret", "/etc/passwd", "\\\\host\\a", "c:/a", "a\\..\\..\\b", "..", "net/.."]
    {
        let mut files = whole.clone();
        files.push((name.to_owned(), b"x".to_vec()));
        let problem = problem(&files);
        assert!(problem.contains("is outside of the archive"), "{name}: {problem}");
    }
    for name in ["net/a..b", "net/...", "net:1/x"] {
        let mut files = whole.clone();
        files.push((name.to_owned(), b"x".to_vec()));
        assert!(opened(&files).is_ok(), "{name}");
    }
}

#[test]
fn links_in_an_archive_are_rejected() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, content) in plain().1 {
        if name.ends_with("weight_0") {
            writer.add_symlink(name.as_str(), "/etc/passwd", stored).unwrap();
        } else {
            writer.start_file(name.as_str(), stored).unwrap();
            writer.write_all(&content).unwrap();
        }
    }
    let problem = read(&writer.finish().unwrap().into_inner()).unwrap_err().to_string();
    assert!(problem.contains("is a symbolic link"), "{problem}");
}

#[test]
fn the_path_of_a_weight_stays_within_the_archive() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), floats(&[9.0; 4])).unwrap();
    let absolute = secret.path().display().to_string();
    for path in [absolute.clone(), format!("../../../../../../../..{absolute}"), "../../byteorder".into()] {
        let mut files = plain().1;
        let config = files.iter_mut().find(|(name, _)| name.ends_with("config.json")).unwrap();
        config.1 = String::from_utf8(config.1.clone()).unwrap().replace("weight_0", &path).into_bytes();
        assert!(problem(&files).contains("it has no entry"), "{path}");
    }
}

#[test]
fn older_layouts_name_their_version() {
    let (_, mut files) = plain();
    files[1].0 = "net/data/weights/model.pt".to_owned();
    let text = problem(&files);
    assert!(
        text.contains("export schema 8.99, PyTorch 2.99") && text.contains("save it again with a newer PyTorch"),
        "{text}"
    );
    files[0].0 = "serialized_exported_program.json".to_owned();
    assert!(problem(&files).contains("PyTorch 2.7 and older (export schema 8.99)"));
    files[0].0 = "other".to_owned();
    assert!(problem(&files).contains("no `models/model.json`"));
}

#[test]
fn entries_that_are_not_plain_are_refused() {
    let (_, files) = plain();
    let text = read(&zipped(&files, CompressionMethod::Stored)[..100]).unwrap_err().to_string();
    assert!(text.contains("is not a `.pt2` archive"), "{text}");
    let bytes = zipped(&files, CompressionMethod::Stored);
    let at = bytes.windows(4).position(|window| window == 4.0f32.to_le_bytes()).unwrap();
    let mut changed = bytes.clone();
    changed[at] ^= 1;
    assert!(read(&changed).unwrap_err().to_string().contains("checksum of entry `net/data/weights/weight_0`"));
    let mut big = files.clone();
    big[3].1 = b"big".to_vec();
    assert!(problem(&big).contains("byte order is `big`"));
    // The method of compression stands in both headers of the entry.
    let mut packed = bytes;
    for (signature, field) in [(*b"PK\x03\x04", 8), (*b"PK\x01\x02", 10)] {
        let starts: Vec<usize> = (0..packed.len() - 4).filter(|at| packed[*at..at + 4] == signature).collect();
        for at in starts {
            packed[at + field] = 8;
        }
    }
    assert!(read(&packed).unwrap_err().to_string().contains("compressed"));
}

proptest! {
    #[test]
    fn no_byte_that_changed_makes_a_panic(
        changes in prop::collection::vec((0usize..4000, any::<u8>()), 1..6),
        cut in 0usize..4000,
    ) {
        let mut bytes = zipped(&plain().1, CompressionMethod::Stored);
        for (at, byte) in changes {
            let length = bytes.len();
            bytes[at % length] = byte;
        }
        bytes.truncate(bytes.len().saturating_sub(cut % 3 * cut));
        let _ = read(&bytes);
    }

    #[test]
    fn no_layout_of_a_weight_makes_a_panic(
        dims in prop::collection::vec(prop_oneof![-2i64..9, any::<i64>()], 0..4),
        strides in prop::collection::vec(prop_oneof![-2i64..9, any::<i64>()], 0..4),
        offset in prop_oneof![-2i64..9, any::<i64>()],
    ) {
        if let Ok(values) = weight(&dims, &strides, offset, &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]) {
            let count: i64 = dims.iter().product();
            prop_assert_eq!(values.len() as i64, count);
            prop_assert!(values.iter().all(|value| (0.0..6.0).contains(value)));
        }
    }
}
