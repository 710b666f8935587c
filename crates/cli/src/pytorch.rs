//! What only PyTorch can do: capture a model, cut one around calls that do not convert, and run the parts that stay in
//! PyTorch.
//!
//! A command becomes a request, a JSON object with the arguments under Python's names, which the Python package
//! answers. The program that is built without Python has nobody to ask, and reports what to install.

use crate::{complain, engine, tensors};
use serde_json::Value;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use torch2trt::{Code, Error};

/// Answers requests with PyTorch.
pub trait PyTorch {
    /// Runs a command, and prints what it finds. Returns the exit status.
    fn run(&self, request: &Value) -> u8;
}

/// The request to call a file with parts in PyTorch: `about`, which engine, and which inputs. `None` for other files.
pub(crate) fn request(engine: &engine::Arguments, inputs: &tensors::Arguments, about: Value) -> Option<Value> {
    is_partitioned(&engine.file).then(|| [engine.request(), inputs.request()].into_iter().fold(about, merged))
}

/// One object with the members of both.
fn merged(mut one: Value, other: Value) -> Value {
    if let (Value::Object(one), Value::Object(other)) = (&mut one, other) {
        one.extend(other);
    }
    one
}

/// Has PyTorch run a command. Returns the exit status.
pub(crate) fn run(request: &Value, pytorch: Option<&dyn PyTorch>) -> u8 {
    match pytorch {
        Some(pytorch) => pytorch.run(request),
        None => complain(&missing(request["command"].as_str().unwrap_or_default())),
    }
}

fn missing(command: &str) -> Error {
    let message = match command {
        "export" => "`export` runs a model's Python code with the Python package; this program has none".to_owned(),
        _ => format!("`{command}` needs PyTorch for a model with parts in PyTorch; this program has none"),
    };
    Error::new(Code::Requirement, message)
        .with_help("pip install torch2trt torch, and use the `torch2trt` that it installs, or python -m torch2trt")
}

/// Whether a file is of a model with parts in PyTorch: a zip archive with a description that `model_trt.save` wrote.
pub(crate) fn is_partitioned(file: &Path) -> bool {
    ends(file)
        .is_ok_and(|(start, end)| &start == b"PK" && end.windows(DESCRIPTION.len()).any(|name| name == DESCRIPTION))
}

/// The first two bytes of a file, and its last, where an archive lists its files.
fn ends(file: &Path) -> std::io::Result<([u8; 2], Vec<u8>)> {
    let mut file = File::open(file)?;
    let (mut start, mut end) = ([0; 2], Vec::new());
    file.read_exact(&mut start)?;
    let size = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(size.saturating_sub(DIRECTORY)))?;
    file.read_to_end(&mut end)?;
    Ok((start, end))
}

const DESCRIPTION: &[u8] = b"torch2trt.json";
const DIRECTORY: u64 = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_missing_pytorch() {
        let error = missing("build --fallback");
        assert_eq!(error.code(), Code::Requirement);
        assert!(error.to_string().contains("python -m torch2trt"));
        assert!(missing("export").to_string().contains("`export` runs a model's Python code"));
    }

    #[test]
    fn recognizes_models_with_parts_in_pytorch() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            std::fs::write(folder.path().join(name), bytes).unwrap();
            is_partitioned(&folder.path().join(name))
        };
        assert!(file("a", b"PK\x03\x04 torch2trt.json PK\x05\x06"));
        assert!(!file("b", b"PK\x03\x04 model.json"));
        assert!(!file("c", b"torch2trt.json"));
        assert!(!is_partitioned(&folder.path().join("missing")));
    }
}
