//! The files that adding a layer kind touches: a kind that no pass and no other layer uses is named by its declaration
//! and by one function in every stage, and nowhere else. The compiler names the functions that a new kind lacks; that
//! converters in Python can add it is checked here.
//!
//! Tests name what they test, and `crates/convert` the layers that operators become: both are left out. So is what
//! lists a TensorRT version as a whole and is compared with the facts about it: slots, enumerations, types of layers.

use std::fs;

/// Kinds that only the stages name.
const KINDS: [&str; 3] = ["ReverseSequence", "RaggedSoftMax", "ParametricRelu"];

/// The most hand-written files that name one: the declaration, inference, TensorRT, ONNX, evaluation, mixed precision,
/// the binding, the Python network API.
const MOST: usize = 8;

/// What is no part of adding a kind.
const ELSEWHERE: &[&str] = &[
    "crates/convert/",
    "crates/nvinfer/facts/",
    "crates/nvinfer/src/sys/",
    "crates/nvinfer/src/types/",
    "python/torch2trt/trt/enums.py",
];

/// Kinds that Python's network has under another name: a loop, and a plugin of either interface.
const OTHERWISE_IN_PYTHON: [&str; 2] = ["recurrent", "plugin"];

/// Kinds that more files name than [`MOST`], with the files, and those without a method in Python.
pub fn findings(files: &[String]) -> Vec<String> {
    let sources = files.iter().filter(|file| {
        let is_code = crate::is_code(file);
        let is_test = file.contains("/tests/") || file.ends_with("tests.rs");
        let is_part = ["crates/", "python/"].iter().any(|root| file.starts_with(root));
        is_part && is_code && !is_test && !ELSEWHERE.iter().any(|other| file.starts_with(other))
    });
    let texts: Vec<(&String, String)> =
        sources.filter_map(|file| Some((file, fs::read_to_string(file).ok()?))).collect();
    let naming =
        |kind: &str| texts.iter().filter(|(_, text)| names(text, kind)).map(|(file, _)| file.as_str()).collect();
    let in_python = |method: &str| {
        let defined = [format!("def {method}("), format!("    {method} = ")];
        let api = texts.iter().filter(|(file, _)| file.starts_with("python/torch2trt/trt/"));
        api.into_iter().any(|(_, text)| defined.iter().any(|definition| text.contains(definition)))
    };
    let others = network::KINDS.iter().filter(|(_, function)| !OTHERWISE_IN_PYTHON.contains(function));
    let missing = others.filter(|(_, function)| !in_python(&format!("add_{function}")));
    let missing =
        missing.map(|(kind, function)| format!("layer kind {kind}: no `add_{function}` in python/torch2trt/trt"));
    KINDS.iter().filter_map(|kind| too_many(kind, naming(kind))).chain(missing).collect()
}

fn too_many(kind: &str, files: Vec<&str>) -> Option<String> {
    let problem = match files.len() {
        0..4 => "is named by too few files to be a kind",
        4..=MOST => return None,
        _ => "is named by too many files: let them follow `network::each_kind!`",
    };
    Some(format!("layer kind {kind} {problem} ({MOST} at most): {}", files.join(", ")))
}

/// Whether a text names a kind in one of its spellings, such as `IReverseSequenceLayer` or `add_reverse_sequence`.
fn names(text: &str, kind: &str) -> bool {
    let kind = kind.to_lowercase();
    let spellings = ["", "add", "i"].map(|before| [format!("{before}{kind}"), format!("{before}{kind}layer")]).concat();
    let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.any(|word| word.len() >= kind.len() && spellings.contains(&word.replace('_', "").to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::{names, too_many};

    #[test]
    fn every_spelling_names_a_kind() {
        for text in ["Op::ReverseSequence { .. }", "fn reverse_sequence(", "add_reverse_sequence", "REVERSE_SEQUENCE"] {
            assert!(names(text, "ReverseSequence"), "{text}");
        }
        assert!(names("class IReverseSequenceLayer(ILayer)", "ReverseSequence"));
        assert!(!names("reverses a sequence, reverse_sequences", "ReverseSequence"));
    }

    #[test]
    fn rejects_a_kind_that_a_ninth_file_names() {
        assert_eq!(too_many("Kind", vec!["a.rs"; 8]), None);
        assert!(too_many("Kind", vec!["a.rs"; 9]).is_some());
    }
}
