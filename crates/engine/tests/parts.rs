//! The description of a model with parts in PyTorch, read from files that are whole, cut, altered and hostile.
#![allow(clippy::unwrap_used, reason = "a failed set-up is a failed test")]

use engine::{Error, PartsManifest};
use proptest::prelude::*;
use std::io::Write;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

const DESCRIPTION: &str = r#"{"format": 1, "device": "cpu", "inputs": [["x", "float32", ["s0", "8"]]], 
    "outputs": [["y", "float32", []]], "ranges": [[[2, 8], [8, 8]]],
    "partitions": [{"kind": "engine", "calls": 2, "layers": 3, "bytes": null, "reasons": {}, "difference": 1e-7,
    "module": ""}], "description": {"model": {}, "options": {"half": "float16"}, "accuracy": {"y": 1e-7}}}"#;

fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in members {
        writer.start_file(*name, SimpleFileOptions::default().compression_method(CompressionMethod::Stored)).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn read(bytes: &[u8]) -> engine::Result<PartsManifest> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    PartsManifest::from_json(&PartsManifest::open_json(file.path())?)
}

#[test]
fn a_description_is_read() {
    let manifest = read(&archive(&[("part0.trt2", b"an engine"), ("torch2trt.json", DESCRIPTION.as_bytes())])).unwrap();
    assert_eq!((manifest.device.as_str(), manifest.ranges.as_slice()), ("cpu", &[vec![(2, 8), (8, 8)]][..]));
    assert_eq!((manifest.partitions[0].layers, manifest.partitions[0].bytes), (3, None));
    assert_eq!(manifest.description.accuracy["y"], 1e-7);
}

#[test]
fn what_is_no_such_file_is_an_error() {
    let missing = DESCRIPTION.replace("\"ranges\"", "\"range\"");
    for bytes in [
        Vec::new(),
        b"PK\x03\x04 torch2trt.json PK\x05\x06".to_vec(),
        archive(&[("other.json", DESCRIPTION.as_bytes())]),
        archive(&[("torch2trt.json", b"no JSON")]),
        archive(&[("torch2trt.json", missing.as_bytes())]),
    ] {
        assert!(matches!(read(&bytes), Err(Error::Parts { .. })), "{bytes:?}");
    }
    assert!(matches!(PartsManifest::open_json("/nowhere/a.trt2".as_ref()), Err(Error::Io { .. })));
}

proptest! {
    /// A cut or altered file is an error, or the description as it was: its checksum is compared.
    #[test]
    fn damaged_files_are_errors_or_read_as_they_were(cut in 0usize..2000, at in 0usize..2000, byte in any::<u8>()) {
        let whole = archive(&[("part0.trt2", b"an engine"), ("torch2trt.json", DESCRIPTION.as_bytes())]);
        let expected = read(&whole).unwrap();
        prop_assert!(read(&whole[..cut % whole.len()]).is_err());
        let mut altered = whole.clone();
        let place = at % altered.len();
        altered[place] = byte;
        if let Ok(found) = read(&altered) {
            prop_assert_eq!(found, expected);
        }
    }
}
