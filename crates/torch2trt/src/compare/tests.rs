//! Changes of layers, limits, and the precision that a file records.

use super::*;
use crate::Precision;
use runtime::CallTime;
use std::time::Duration;

fn layer(name: &str) -> EngineLayer {
    EngineLayer { name: name.to_owned(), kind: "Conv".to_owned() }
}

fn compared(name: &str, milliseconds: u64, differences: &[f64]) -> Compared {
    let whole = Duration::from_millis(milliseconds);
    let time = CallTime { whole, host: whole, device: None };
    let bench = Bench { times: vec![time; 3], elapsed: whole * 3, streams: 1, samples: None };
    let output = |difference: &f64| OutputDifference {
        output: "y".to_owned(),
        difference: difference.is_finite().then_some(*difference),
        allowed: 1e-3,
    };
    Compared {
        name: name.to_owned(),
        engine: "a test".to_owned(),
        bytes: 1_500_000,
        activation_bytes: None,
        bench,
        outputs: differences.iter().map(output).collect(),
        layers: change(&[layer("a"), layer("b")], &[layer("b"), layer("c"), layer("b")]),
    }
}

#[test]
fn layers_are_counted_with_their_repetitions() {
    let names = |layers: &[EngineLayer]| layers.iter().map(|layer| layer.name.clone()).collect::<Vec<_>>().join(" ");
    let found = change(&[layer("a"), layer("b"), layer("b")], &[layer("b"), layer("c"), layer("c")]);
    assert_eq!((found.count, names(&found.added), names(&found.removed)), (3, "c c".into(), "a b".into()));
    let same = change(&[layer("a"), layer("b")], &[layer("b"), layer("a")]);
    assert!(same.added.is_empty() && same.removed.is_empty());
}

#[test]
fn differences_and_slowdowns_beyond_the_limits_are_problems() {
    let engines = vec![compared("a", 10, &[]), compared("b", 13, &[1e-4]), compared("c", 9, &[2e-3, f64::INFINITY])];
    let found = |max_slowdown| Comparisons { engines: engines.clone(), max_slowdown }.problems();
    let accuracy = [
        "c: output `y` differs by 2.0e-3, 1e-3 is allowed",
        "c: output `y` differs by its sizes or its infinite values, 1e-3 is allowed",
    ];
    assert_eq!(found(None), accuracy);
    assert_eq!(found(Some(1.2))[0], "b: 1.30 times as slow, 1.20 is allowed");
    let all = Comparisons { engines, max_slowdown: None };
    let rows = all.rows();
    assert_eq!(rows[1][..5], ["a", "10.000 ms", "10.000 ms", "1.00 x", "1.5 MB"]);
    assert_eq!((rows[2][6].as_str(), rows[2][7].as_str()), ("3 (+2 -1)", "1.0e-4"));
    let json = all.to_json();
    assert_eq!(
        (json["engines"][1]["slowdown"].as_f64(), json["problems"].as_array().map(Vec::len)),
        (Some(1.3), Some(2))
    );
    assert!(json["engines"][2]["outputs"][1]["difference"].is_null());
}

#[test]
fn recorded_options_decide_what_counts_as_rounding() {
    let of = |set: &dyn Fn(&mut crate::ConvertOptions)| {
        let mut options = crate::Options::default();
        set(&mut options.convert);
        Tolerance::recorded(&options.recorded(), Device::Cpu)
    };
    assert_eq!(of(&|_| ()), Tolerance::default());
    assert_eq!(of(&|convert| convert.fp16_mode = true).half, Some(Half::Float16));
    assert_eq!(of(&|convert| convert.bf16_mode = true).half, Some(Half::BFloat16));
    assert!(of(&|convert| convert.int8_mode = true).quantized);
    assert!(of(&|convert| convert.precision = Some(Precision::Fp8)).quantized);
    assert!(Tolerance::recorded(&BTreeMap::new(), Device::Cuda(0)).on_gpu);
}
