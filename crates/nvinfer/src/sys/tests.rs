//! The tables against values read off by hand, and against the facts themselves when they are there.

use serde_json::Value;

use super::layout::{Dims32, Dims64, InterfaceInfo, Permutation, RawWeights};
use super::tables::*;
use super::{Method, Number, enums};
use crate::testing::versions;
use crate::version::Version;

fn slots(method: &Method) -> [Option<usize>; 5] {
    versions().map(|v| method.slot(v).map(|s| s.index))
}

fn numbers(number: &Number) -> [Option<i32>; 5] {
    versions().map(|v| number.of(v))
}

#[test]
fn slots_read_off_by_hand() {
    // 8.6, 10.16, 11.4, RTX 1.4, RTX 1.7; two destructors come first.
    assert_eq!(slots(&builder::BUILD_SERIALIZED_NETWORK), [17, 14, 11, 14, 11].map(Some));
    assert_eq!(slots(&network_definition::ADD_INPUT), [2; 5].map(Some));
    assert_eq!(slots(&network_definition::ADD_CONVOLUTION_ND), [42, 37, 37, 35, 35].map(Some));
    assert_eq!(slots(&network_definition::ADD_QUANTIZE), [Some(56), Some(50), None, None, None]);
    assert_eq!(slots(&network_definition::ADD_FILL), [Some(50), Some(44), None, Some(42), None]);
    assert_eq!(slots(&builder_config::SET_INT8_CALIBRATOR), [Some(8), Some(6), None, None, None]);
    assert_eq!(slots(&builder_config::SET_COMPUTE_CAPABILITY), [None, None, None, Some(57), Some(57)]);
    assert_eq!(slots(&builder_config::SET_PROGRESS_MONITOR), [None, Some(56), Some(45), Some(45), Some(45)]);
    assert_eq!(slots(&execution_context::ENQUEUE_V3), [44, 37, 36, 37, 36].map(Some));
    assert_eq!(slots(&logger::LOG), [0, 0, 4, 0, 4].map(Some));
    assert_eq!(slots(&output_allocator::NOTIFY_SHAPE), [2, 6, 6, 5, 5].map(Some));
}

#[test]
fn a_slot_is_there_only_since_its_version() {
    let at = |number| Version::from_reported(number).unwrap();
    let cumulative = &network_definition::ADD_CUMULATIVE;
    assert_eq!(cumulative.slot(at(100_703)), None);
    assert_eq!(cumulative.slot(at(101_000)).unwrap().index, 78);
    assert_eq!(cumulative.slot(at(101_801)).unwrap().index, 78, "a later 10 than any known");
    assert_eq!(network_definition::ADD_SQUEEZE_V2.slot(at(10_601)), None);
    assert!(network_definition::ADD_SQUEEZE_V2.slot(at(10_700)).is_some());
    for (availability, text) in [
        (network_definition::ADD_SQUEEZE_V2.availability(), "TensorRT 11.4 and later, TensorRT-RTX 1.7 and later"),
        (cumulative.availability(), "TensorRT 10.10 and later, TensorRT-RTX 1.3 and later"),
        (builder_config::SET_INT8_CALIBRATOR.availability(), "TensorRT 8.6 to 10"),
        (builder::SET_MAX_BATCH_SIZE.availability(), "TensorRT 8.6"),
        (network_definition::ADD_FILL.availability(), "TensorRT 8.6 to 10, TensorRT-RTX 1.3 to 1.4"),
    ] {
        assert_eq!(availability, text);
    }
}

#[test]
fn tensorrt_8_takes_dims_by_value_but_for_set_input_shape() {
    let old = versions()[0];
    for class in CLASSES {
        for method in *class {
            // Interfaces that we implement take a reference; TensorRT is the caller there.
            let callback = method.interface == "IOutputAllocator";
            let takes_dims = method.signature.rsplit_once('(').unwrap().1.contains('D');
            let Some(slot) = method.slot(old).filter(|_| takes_dims && !callback) else { continue };
            assert_eq!(slot.by_value, method.name != "setInputShape", "{}", method.full_name());
        }
    }
    for version in &versions()[1..] {
        let by_value = |m: &&Method| m.slot(*version).is_some_and(|s| s.by_value);
        assert_eq!(CLASSES.iter().copied().flatten().filter(by_value).count(), 0, "{version}");
    }
}

#[test]
fn enum_numbers_read_off_by_hand() {
    assert_eq!(numbers(&enums::data_type::BF16), [None, Some(7), Some(7), Some(7), Some(7)]);
    assert_eq!(numbers(&enums::builder_flag::FP16), [Some(0), Some(0), None, Some(0), None]);
    assert_eq!(numbers(&enums::builder_flag::REFIT), [5, 4, 4, 4, 4].map(Some));
    assert_eq!(numbers(&enums::builder_flag::VERSION_COMPATIBLE), [15, 13, 12, 13, 12].map(Some));
    let typed = &enums::network_definition_creation_flag::STRONGLY_TYPED;
    assert_eq!(numbers(typed), [None, Some(1), Some(0), Some(1), Some(0)]);
    assert_eq!(numbers(&enums::tactic_source::JIT_CONVOLUTIONS), [4, 4, 1, 4, 1].map(Some));
    assert_eq!(numbers(&enums::layer_type::CAST), [47, 1, 1, 1, 1].map(Some));
    assert_eq!(numbers(&enums::engine_invalidity_diagnostics::CUDA_ERROR)[4], Some(64));
}

#[test]
fn structs_have_the_layout_of_cpp() {
    assert_eq!(size_of::<Dims32>(), 36);
    assert_eq!((size_of::<Dims64>(), std::mem::offset_of!(Dims64, d)), (72, 8));
    assert_eq!((size_of::<RawWeights>(), std::mem::offset_of!(RawWeights, values)), (24, 8));
    assert_eq!(size_of::<Permutation>(), 32);
    assert_eq!(size_of::<InterfaceInfo>(), 16);
}

/// The facts and the numbers that the version of each reports.
const FACTS: [(&str, i32); 16] = [
    ("8.6.0", 8600),
    ("8.6.1", 8601),
    ("10.0.1", 100_001),
    ("10.3.0", 100_300),
    ("10.7.0", 100_700),
    ("10.10.0", 101_000),
    ("10.13.3", 101_303),
    ("10.16", 101_600),
    ("11.0", 110_000),
    ("11.1", 110_100),
    ("11.4", 110_400),
    ("rtx1.3", 10_300),
    ("rtx1.4", 10_400),
    ("rtx1.5", 10_500),
    ("rtx1.6", 10_600),
    ("rtx1.7", 10_701),
];

fn facts() -> Vec<(Version, Value)> {
    let Some(folder) = needs::variable("TORCH2TRT_ABI_FACTS") else { return Vec::new() };
    let read = |(name, number): (&str, i32)| {
        let text = std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
        (Version::from_reported(number).unwrap(), serde_json::from_str(&text).unwrap())
    };
    FACTS.into_iter().map(read).collect()
}

/// The V class behind a public one.
fn implementation(interface: &str) -> String {
    match interface {
        "IIfConditionalBoundaryLayer" => "VConditionalBoundaryLayer".into(),
        other => format!("V{}", &other[1..]),
    }
}

/// Name of a declaration such as `bool setName(char const* name)`, by other means than the generator's.
fn declared_name(declaration: &str) -> &str {
    let head = &declaration[..declaration.find('(').unwrap()];
    head.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap()
}

#[test]
fn slots_are_those_of_the_facts() {
    for (version, value) in facts() {
        let mut checked = 0;
        for class in CLASSES {
            let Some(listed) = value["implementation_vtables"].get(implementation(class[0].interface)) else {
                continue;
            };
            let names: Vec<&str> = listed.as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
            for method in *class {
                let Some(slot) = method.slot(version) else { continue };
                assert_eq!(declared_name(names[slot.index - 2]), method.name, "{version} {}", method.interface);
                checked += 1;
            }
            // And the other way round: nothing that the version declares is missing.
            let known = class.iter().filter(|m| m.slot(version).is_some()).count();
            let sure = names.iter().take_while(|n| !n.contains('#')).count();
            assert_eq!(known, sure, "{version} {}", class[0].interface);
        }
        assert!(checked > 300, "{version}: only {checked}");
    }
}

#[test]
fn enum_numbers_are_those_of_the_facts() {
    for (version, value) in facts() {
        for numbers in enums::ENUMS {
            let Some(listed) = value["enums"].get(numbers[0].of) else { continue };
            for number in *numbers {
                let fact = listed.get(number.name).and_then(Value::as_i64);
                if numbers[0].of != "EngineInvalidityDiagnostics" {
                    assert_eq!(number.of(version).map(i64::from), fact, "{version} {}", number.full_name());
                }
            }
        }
    }
}
