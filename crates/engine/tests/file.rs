//! The engine file against everything that happens to files.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use bytes::Bytes;
use engine::{Built, EngineFile, Error, Kind, Manifest};
use proptest::prelude::*;
use runtime::{DataType, Dim, EngineSpec, IoSpec, Profile, SizeRange, Weight};

fn manifest(name: &str, sizes: &[i64]) -> Manifest {
    let dims = sizes.iter().map(|n| Dim::from(*n)).chain([Dim::symbol("batch")]);
    let range = SizeRange { min: 1, opt: 4, max: 8 };
    Manifest {
        made_by: "torch2trt test".into(),
        built: Some(Built { tensorrt: "TensorRT 8.6.0".into(), gpu: "a GPU".into(), ..Built::default() }),
        interface: EngineSpec {
            inputs: vec![IoSpec::new(name, DataType::Int64, dims)],
            outputs: vec![IoSpec::new("y", DataType::Float8E4M3, [])],
            profiles: vec![Profile { symbols: [("batch".into(), range)].into(), ..Profile::default() }],
        },
        model: serde_json::json!({"inputs": [name, null, 1.5]}),
        source: Some("0123456789abcdef".into()),
        options: [("optimization_level".into(), 5.into())].into(),
        accuracy: [("y".into(), 1e-7)].into(),
        ..Manifest::default()
    }
}

fn sample() -> EngineFile {
    let mut file = EngineFile::new(manifest("x", &[3, 7]));
    file.insert(Kind::Plan, vec![Bytes::from(rand::random::<[u8; 77]>().to_vec()), Bytes::from_static(b"tail")]);
    file.insert(Kind::Weights, vec![Bytes::from_static(b""), Bytes::from_static(b"net")]);
    file
}

fn content() -> impl Strategy<Value = Vec<Vec<u8>>> {
    proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..4)
}

proptest! {
    #[test]
    fn the_accuracy_is_read_as_it_was_written(accuracy in proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL) {
        let mut file = sample();
        file.manifest.accuracy = [("y".into(), accuracy)].into();
        let read = EngineFile::parse(file.to_bytes().unwrap()).unwrap();
        prop_assert_eq!(read.manifest.accuracy["y"].to_bits(), accuracy.to_bits());
    }

    #[test]
    fn what_is_written_is_read(
        name in ".*",
        sizes in proptest::collection::vec(0..i64::MAX, 0..5),
        plan in content(),
        weights in proptest::option::of(content()),
    ) {
        let mut file = EngineFile::new(manifest(&name, &sizes));
        let bytes = |parts: &[Vec<u8>]| parts.iter().cloned().map(Bytes::from).collect();
        file.insert(Kind::Plan, bytes(&plan));
        if let Some(weights) = &weights {
            file.insert(Kind::Weights, bytes(weights));
        }
        let read = EngineFile::parse(file.to_bytes().unwrap()).unwrap();
        prop_assert_eq!(&read.manifest, &file.manifest);
        prop_assert_eq!(read.section(Kind::Plan).unwrap(), plan.concat());
        prop_assert_eq!(read.section(Kind::Weights).ok(), weights.map(|parts| Bytes::from(parts.concat())));
        // Written again it is the same, byte for byte.
        prop_assert_eq!(read.to_bytes().unwrap(), file.to_bytes().unwrap());
    }

    #[test]
    fn any_bytes_are_read_or_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..400), magic: bool) {
        if magic && bytes.len() >= 12 {
            bytes[..12].copy_from_slice(b"\x89T2T\r\n\x1a\n\x01\0\0\0");
        }
        prop_assert!(EngineFile::parse(bytes.into()).is_err());
    }
}

#[test]
fn every_altered_byte_is_noticed() {
    let bytes = sample().to_bytes().unwrap();
    for at in 0..bytes.len() {
        let mut altered = bytes.to_vec();
        altered[at] ^= 1 << (rand::random::<u8>() % 8);
        assert!(EngineFile::parse(altered.into()).is_err(), "byte {at} of {}", bytes.len());
    }
}

#[test]
fn every_truncation_is_noticed() {
    let bytes = sample().to_bytes().unwrap();
    for length in 0..bytes.len() {
        let error = EngineFile::parse(bytes.slice(..length)).unwrap_err();
        assert!(matches!(error, Error::Length { .. } | Error::NotAnEngineFile { .. }), "{length}: {error}");
    }
    let longer = [&bytes[..], b"x"].concat();
    assert!(matches!(EngineFile::parse(longer.into()), Err(Error::Length { .. })));
}

#[test]
fn each_kind_of_damage_has_its_message() {
    let bytes = sample().to_bytes().unwrap();
    let refusal = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = bytes.to_vec();
        change(&mut bytes);
        let error = EngineFile::parse(bytes.into()).unwrap_err();
        format!("{error}\nhelp: {}", error.help())
    };
    assert!(refusal(&|b| b[..4].copy_from_slice(b"ftrt")).starts_with("this is not an engine file"));
    assert!(refusal(&|b| b[..4].copy_from_slice(b"PK\x03\x04")).contains("help: `torch2trt build model.pt2"));
    assert!(refusal(&|b| b[8] = 2).contains("format 2; this torch2trt reads format 1"));
    assert!(refusal(&|b| b[40] ^= 1).contains("checksum of its table of sections"));
    assert!(refusal(&|b| *b.last_mut().unwrap() ^= 1).contains("checksum of its weights"));
    assert!(refusal(&|b| _ = b.remove(4)).contains("copied as text"));
    let missing = EngineFile::parse(bytes.clone()).unwrap().section(Kind::Onnx).unwrap_err();
    assert!(missing.to_string().starts_with("the engine file has no ONNX model"));
}

/// Changes the table and makes its checksum right again, as somebody with bad intent would.
fn forged(change: impl Fn(&mut [u8])) -> Error {
    let mut bytes = sample().to_bytes().unwrap().to_vec();
    change(&mut bytes);
    let count = u32::from_le_bytes(bytes[12..16].try_into().unwrap()) as usize;
    let table = bytes.get(32..32 + count.min(16) * 32).unwrap_or_default();
    let checksum = xxhash_rust::xxh3::xxh3_64(&[&bytes[..24], table].concat());
    bytes[24..32].copy_from_slice(&checksum.to_le_bytes());
    EngineFile::parse(bytes.into()).unwrap_err()
}

#[test]
fn a_forged_table_is_refused_before_it_is_followed() {
    let number = |at: usize, n: u64| move |b: &mut [u8]| b[at..at + 8].copy_from_slice(&n.to_le_bytes());
    for (place, change) in [
        ("offset", number(32 + 8, 1 << 40)),
        ("offset", number(64 + 8, 0)),
        ("length", number(32 + 16, u64::MAX)),
        ("length", number(64 + 16, u64::MAX - 200)),
        ("length", number(96 + 16, 1)),
    ] {
        let error = forged(change);
        assert!(matches!(error, Error::Table { .. }), "{place}: {error}");
    }
    assert!(matches!(forged(|b| b[12..16].copy_from_slice(&u32::MAX.to_le_bytes())), Error::Table { .. }));
    assert!(matches!(forged(|b| b[12] = 0), Error::Table { .. }));
    assert!(matches!(forged(|b| b[32] = 2), Error::Table { .. }), "no manifest");
    assert!(matches!(forged(|b| b[96] = 2), Error::Table { .. } | Error::Damaged { .. }), "two plans");
}

#[test]
fn a_manifest_that_nests_without_end_is_refused() {
    let mut file = sample();
    let mut deep = serde_json::Value::Null;
    for _ in 0..500 {
        deep = serde_json::Value::Array(vec![deep]);
    }
    file.manifest.model = deep;
    assert!(matches!(EngineFile::parse(file.to_bytes().unwrap()), Err(Error::Manifest { .. })));
}

#[test]
fn files_are_written_whole_or_not_at_all() {
    let folder =
        std::env::temp_dir().join(format!("torch2trt-engine-{}-{}", std::process::id(), rand::random::<u32>()));
    std::fs::create_dir(&folder).unwrap();
    let path = folder.join("a.engine");
    let file = sample();
    file.save(&path).unwrap();
    assert_eq!(EngineFile::open(&path).unwrap().to_bytes().unwrap(), file.to_bytes().unwrap());
    assert_eq!(EngineFile::open_manifest(&path).unwrap(), file.manifest);
    let error = file.save(&folder.join("no-such-folder").join("b")).unwrap_err().to_string();
    assert!(error.contains("no-such-folder/b cannot be written"), "{error}");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "no partial file stays");
    // The manifest is read without the rest, and its own damage is noticed there too.
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    assert!(EngineFile::open_manifest(&path).is_ok());
    assert!(EngineFile::open(&path).is_err());
    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    assert!(matches!(EngineFile::open_manifest(&path), Err(Error::Length { .. })));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn weights_come_back_aligned_and_in_the_files_memory() {
    let weight = |name: &str, dtype: DataType, count: usize| {
        let data: Vec<u8> = (0..count * dtype.size()).map(|_| rand::random()).collect();
        Weight { name: name.into(), dtype, dims: vec![count as i64], data: data.into() }
    };
    let weights =
        [weight("a", DataType::Int8, 3), weight("b", DataType::Float64, 9), weight("none", DataType::Float32, 0)];
    let mut file = EngineFile::new(manifest("x", &[]));
    file.insert_weights(&weights);
    let bytes = file.to_bytes().unwrap();
    // From the middle of a buffer, where nothing is aligned.
    for shift in 0..9 {
        let shifted = [&vec![0u8; shift][..], &bytes].concat();
        let read = EngineFile::parse(Bytes::from(shifted).slice(shift..)).unwrap().weights().unwrap();
        for (got, expected) in read.iter().zip(&weights) {
            assert_eq!(
                (&got.name, got.dtype, &got.dims, &got.data),
                (&expected.name, expected.dtype, &expected.dims, &expected.data)
            );
            assert!(got.data.as_ptr().addr().is_multiple_of(got.dtype.size()));
        }
    }
    let read = EngineFile::parse(bytes.clone()).unwrap().weights().unwrap();
    assert!(bytes.as_ptr_range().contains(&read[1].data.as_ptr()));
}

#[test]
fn weights_that_overlap_or_lie_between_places_are_refused() {
    for (offset, refused) in [(0, true), (1, true), (65, true), (64, false)] {
        let mut file = EngineFile::new(manifest("x", &[]));
        let data = Bytes::from_static(b"sixteen bytes, 4");
        let weight =
            |name: &str| Weight { name: name.into(), dtype: DataType::Float32, dims: vec![4], data: data.clone() };
        file.insert_weights(&[weight("a"), weight("b")]);
        file.manifest.weights[1].offset = offset;
        let read = EngineFile::parse(file.to_bytes().unwrap()).unwrap().weights();
        assert_eq!(read.is_err(), refused, "{offset}");
    }
}

#[test]
fn a_weight_outside_of_the_weights_is_refused() {
    for (offset, length) in [(0, 65), (u64::MAX, 2), (64, 0), (5, u64::MAX)] {
        let mut file = EngineFile::new(manifest("x", &[]));
        let data = Bytes::from_static(b"twelve bytes");
        file.insert_weights(&[Weight { name: "w".into(), dtype: DataType::Int8, dims: vec![12], data }]);
        file.manifest.weights[0].offset = offset;
        file.manifest.weights[0].length = length;
        let read = EngineFile::parse(file.to_bytes().unwrap()).unwrap().weights();
        let inside = (offset, length) == (64, 0);
        assert_eq!(matches!(read, Err(Error::Weight { .. })), !inside, "{offset} {length}");
    }
}
