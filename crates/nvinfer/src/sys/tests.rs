//! The tables against values read by hand, and against the facts in `crates/nvinfer/facts`.

use serde_json::Value;

use super::layout::{Dims32, Dims64, InterfaceInfo, Permutation, RawWeights};
use super::tables::*;
use super::{Method, Number, enums};
use crate::testing::{version, versions};
use crate::version::{Family, Version};

/// The versions whose values were read by hand.
fn by_hand() -> [Version; 5] {
    ["8.6.1", "10.16", "11.4", "rtx1.4", "rtx1.7"].map(version)
}

fn slots(method: &Method) -> [Option<usize>; 5] {
    by_hand().map(|v| method.slot(v).map(|s| s.index))
}

fn numbers(number: &Number) -> [Option<i32>; 5] {
    by_hand().map(|v| number.of(v))
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

/// The facts of every version, read by other means than the generator's.
fn facts() -> Vec<(Version, Value)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("facts");
    let read = |name: &&str| {
        let text = std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
        (version(name), serde_json::from_str(&text).unwrap())
    };
    Family::ALL.iter().flat_map(|family| family.facts()).map(read).collect()
}

/// The class of the facts behind a public one, and how many of its first slots the tables leave out.
fn class_of(interface: &str, facts: &Value) -> Option<(String, usize)> {
    let implementation = match interface {
        "IIfConditionalBoundaryLayer" => "VConditionalBoundaryLayer".into(),
        other => format!("V{}", &other[1..]),
    };
    let listed = |name: &String| facts["classes"].get(name).is_some();
    let own = Some((interface.to_owned(), 0)).filter(|(name, _)| listed(name));
    own.or_else(|| Some((implementation, 2)).filter(|(name, _)| listed(name)))
}

/// Name and arguments of each slot.
fn table(facts: &Value, class: &str) -> Vec<String> {
    let entries = facts["classes"][class].as_array().unwrap().iter().map(|entry| entry.as_str().unwrap());
    entries
        .flat_map(|e| if e == "~" { vec!["completeDestructor v()", "deletingDestructor v()"] } else { vec![e] })
        .map(str::to_owned)
        .collect()
}

#[test]
fn slots_are_those_of_the_facts() {
    for (version, facts) in facts() {
        let mut checked = 0;
        for class in CLASSES {
            let Some((name, left_out)) = class_of(class[0].interface, &facts) else { continue };
            let table = table(&facts, &name);
            let known: Vec<_> = class.iter().filter_map(|m| Some((m, m.slot(version)?))).collect();
            for (method, slot) in &known {
                let (name, signature) = table[slot.index].split_once(' ').unwrap();
                assert_eq!(name, method.name, "{version} {}", method.interface);
                assert_eq!(signature.len(), method.signature.len(), "{version} {}", method.full_name());
                assert_eq!(signature.contains('V'), slot.by_value, "{version} {}", method.full_name());
                checked += 1;
            }
            // And the other way round: nothing that the version declares is missing. The order of one table changed
            // within 8.6, so that its end is left out.
            if (name.as_str(), version.family()) != ("IPluginRegistry", Family::Trt8) {
                assert_eq!(known.len(), table.len() - left_out, "{version} {name}");
            }
        }
        assert!(checked > 300, "{version}: only {checked}");
    }
}

#[test]
fn enum_numbers_are_those_of_the_facts() {
    for (version, facts) in facts() {
        for numbers in enums::ENUMS {
            let Some(listed) = facts["enums"].get(numbers[0].of) else { continue };
            for number in *numbers {
                let fact = listed.get(number.name).and_then(Value::as_i64);
                assert_eq!(number.of(version).map(i64::from), fact, "{version} {}", number.full_name());
            }
        }
    }
}
