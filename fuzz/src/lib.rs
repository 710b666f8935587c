//! Fuzz targets: every parser of bytes that come from outside.
//!
//! A target takes any bytes. It fails by panicking: in the parser, or because a value that was parsed does not survive
//! being written and parsed again. cargo-fuzz runs the targets on nightly, `mutate` on stable; both start from
//! `seeds/`.
#![forbid(unsafe_code)]

use bytes::Bytes;
use std::io::Write;

/// A target by its name.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 6] = [
    ("archive", archive),
    ("model", model),
    ("engine_file", engine_file),
    ("network_text", network_text),
    ("program_text", program_text),
    ("sizes", sizes),
];

/// A `.pt2` archive: the zip file itself.
pub fn archive(bytes: &[u8]) {
    let Ok(mut file) = tempfile::NamedTempFile::new() else { return };
    if file.write_all(bytes).and_then(|()| file.flush()).is_ok() {
        let _ = archive::open(file.path());
    }
}

/// The graph in a `.pt2` archive: its JSON, in a zip file whose checksums are right.
pub fn model(bytes: &[u8]) {
    let weights = br#"{"config":{"p_w":{"path_name":"weight_0","is_param":true,"use_pickle":false,"tensor_meta":
        {"dtype":7,"sizes":[{"as_int":2},{"as_int":3}],"strides":[{"as_int":3},{"as_int":1}],
        "storage_offset":{"as_int":0},"layout":7,"device":{"type":"cpu","index":null},"requires_grad":false}}}}"#;
    archive(&zip(&[
        ("m/byteorder", b"little"),
        ("m/archive_format", b"pt2"),
        ("m/models/model.json", bytes),
        ("m/data/weights/model_weights_config.json", weights),
        ("m/data/constants/model_constants_config.json", br#"{"config":{}}"#),
        ("m/data/weights/weight_0", &[0; 24]),
    ]));
}

/// An engine file; or its manifest as JSON, in a file whose checksums are right.
pub fn engine_file(bytes: &[u8]) {
    let parsed = if bytes.starts_with(b"{") {
        serde_json::from_slice(bytes).map_err(drop).map(engine::EngineFile::new)
    } else {
        engine::EngineFile::parse(Bytes::copy_from_slice(bytes)).map_err(drop)
    };
    let Ok(file) = parsed else { return };
    let _ = file.weights();
    let Ok(written) = file.to_bytes() else { return };
    let Ok(again) = engine::EngineFile::parse(written.clone()) else {
        panic!("what was written cannot be parsed");
    };
    assert_eq!(again.manifest, file.manifest, "the manifest changed");
    assert!(again.to_bytes().is_ok_and(|bytes| bytes == written), "written twice, it differs");
}

/// The text form of a network.
pub fn network_text(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let zeros = |_: u64| Some(Bytes::from_static(&[0; 96]));
    let Ok(network) = network::Network::parse(text, &zeros) else { return };
    let written = network.to_string();
    match network::Network::parse(&written, &zeros) {
        Ok(again) => assert_eq!(again.to_string(), written, "parsed again, it differs"),
        Err(error) => panic!("what was written cannot be parsed: {error}\n{written}"),
    }
}

/// The text form of a program.
pub fn program_text(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let zeros = |_: u64| Some(Bytes::from_static(&[0; 96]));
    let Ok(program) = program::Program::parse(text, &zeros) else { return };
    let written = program.to_string();
    match program::Program::parse(&written, &|digest| {
        program.weights().find(|weight| weight.digest() == digest).map(|weight| weight.data.clone())
    }) {
        Ok(again) => assert_eq!(again.to_string(), written, "parsed again, it differs"),
        Err(error) => panic!("what was written cannot be parsed: {error}\n{written}"),
    }
}

/// Sizes: as text of ours, and as sympy's in an archive.
pub fn sizes(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(dim) = dims::Dim::parse(text) {
        let written = dim.to_string();
        let again = dims::Dim::parse(&written);
        assert!(again.as_ref().is_ok_and(|again| *again == dim), "{written} is parsed as {again:?}");
        for value in [0, 1, 7, i64::MAX] {
            let _ = dim.eval(&|_| Some(value));
        }
        let _ = dim.range(&|_| dims::Range::exactly(3));
    }
    let size = serde_json::json!({"as_expr": {"expr_str": text, "hint": {"as_int": 2}}});
    let meta = serde_json::json!({
        "dtype": 7, "sizes": [size], "strides": [{"as_int": 1}], "storage_offset": {"as_int": 0}, "layout": 7,
        "device": {"type": "cpu", "index": null}, "requires_grad": false,
    });
    let tensor = |name: &str| serde_json::json!({"as_tensor": {"name": name}});
    let node = serde_json::json!({
        "target": "torch.ops.aten.relu.default", "inputs": [{"name": "self", "arg": tensor("x"), "kind": 1}],
        "outputs": [tensor("relu")], "metadata": {}, "name": "relu",
    });
    let program = serde_json::json!({
        "schema_version": {"major": 8, "minor": 9}, "torch_version": "2.9", "range_constraints": {},
        "graph_module": {
            "graph": {
                "inputs": [tensor("x")], "outputs": [tensor("relu")], "nodes": [node],
                "tensor_values": {"x": meta, "relu": meta},
            },
            "signature": {
                "input_specs": [{"user_input": {"arg": tensor("x")}}],
                "output_specs": [{"user_output": {"arg": tensor("relu")}}],
            },
        },
    });
    model(program.to_string().as_bytes());
}

/// A zip file of stored entries.
fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in entries {
        let offset = number(file.len());
        // The fields that the header of an entry and its row in the directory share, from the version on.
        let mut fields = vec![20, 0, 0, 0, 0, 0, 0, 0, 33, 0];
        fields.extend(crc32fast::hash(content).to_le_bytes());
        fields.extend(number(content.len()));
        fields.extend(number(content.len()));
        fields.extend(&number(name.len())[..2]);
        fields.extend([0, 0]);
        file.extend(b"PK\x03\x04");
        file.extend(&fields);
        file.extend(name.as_bytes());
        file.extend(*content);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&fields);
        directory.extend([0; 10]);
        directory.extend(offset);
        directory.extend(name.as_bytes());
    }
    let (start, length) = (number(file.len()), number(directory.len()));
    file.append(&mut directory);
    file.extend(b"PK\x05\x06\x00\x00\x00\x00");
    file.extend([&number(entries.len())[..2], &number(entries.len())[..2]].concat());
    file.extend(length);
    file.extend(start);
    file.extend([0, 0]);
    file
}

fn number(value: usize) -> [u8; 4] {
    u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::{TARGETS, archive, zip};

    #[test]
    fn every_target_has_seeds_that_pass() {
        for (name, target) in TARGETS {
            let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(name);
            let seeds: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
            assert!(!seeds.is_empty(), "{name}");
            seeds.iter().for_each(|seed| target(&std::fs::read(seed).unwrap()));
        }
    }

    #[test]
    fn the_zip_of_a_seed_is_read() {
        let seed = concat!(env!("CARGO_MANIFEST_DIR"), "/seeds/model/linear");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), zip(&[("m/models/model.json", &std::fs::read(seed).unwrap())])).unwrap();
        let error = archive::open(file.path()).unwrap_err().to_string();
        assert!(!error.contains("zip"), "{error}");
        archive(b"PK");
    }
}
