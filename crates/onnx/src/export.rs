//! A model as a file that stands alone, written without a second copy of the weights in memory.

use crate::graph::Initializer;
use crate::model::{external, header, inline, model, stays_inline};
use crate::proto::{GRAPH_INITIALIZER, MODEL_GRAPH, ModelProto, TENSOR_RAW_DATA};
use crate::{Error, LowerOptions, Result, lowering};
use network::Network;
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Protobuf's limit of a message, less some room for what readers add.
const MAX_FILE: u64 = i32::MAX as u64 - (1 << 20);
/// Elements in a data file start at multiples of this, so that readers can map them.
const ALIGNMENT: u64 = 4096;

/// What [`export`] wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The model.
    pub model: PathBuf,
    /// Its weights, where they do not fit a protobuf file.
    pub data: Option<PathBuf>,
}

/// Writes a network as an ONNX file. Above 2 GiB the weights go to a file next to it, `<name>.data`.
///
/// # Errors
/// [`Error::Unsupported`] with the layer and its origin, where ONNX has no form for it; [`Error::Io`].
pub fn export(network: &Network, path: &Path, options: &LowerOptions) -> Result<Exported> {
    export_within(network, path, options, MAX_FILE)
}

fn export_within(network: &Network, path: &Path, options: &LowerOptions, limit: u64) -> Result<Exported> {
    let mut finished = lowering::run(network, options)?;
    let initializers = std::mem::take(&mut finished.initializers);
    let proto = model(finished, Vec::new());
    let weights: u64 = initializers.iter().map(framed_len).sum();
    if proto.encoded_len() as u64 + weights <= limit {
        write_file(path, |file| write_inline(file, proto, &initializers))?;
        return Ok(Exported { model: path.to_path_buf(), data: None });
    }
    // Readers search the weights in the folder of the model: next to the file that a link leads to.
    let path = files::regular(path).map_err(|source| Error::Io { path: path.to_path_buf(), source })?;
    let data = data_path(&path);
    write_with_external_weights(&path, &data, proto, &initializers, options)?;
    Ok(Exported { model: path, data: Some(data) })
}

fn data_path(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".data");
    path.with_file_name(name)
}

fn write_file(path: &Path, write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
    files::write(path, write).map_err(|source| Error::Io { path: path.to_path_buf(), source })
}

/// The file with all elements in it. The graph is the one field that does not fit in memory twice, so its frame is
/// written by hand; protobuf lets fields come in any order.
fn write_inline(file: &mut dyn Write, mut proto: ModelProto, initializers: &[Initializer]) -> std::io::Result<()> {
    let graph = proto.graph.take().unwrap_or_default().encode_to_vec();
    file.write_all(&proto.encode_to_vec())?;
    let len = graph.len() as u64 + initializers.iter().map(framed_len).sum::<u64>();
    file.write_all(&frame(MODEL_GRAPH, len))?;
    file.write_all(&graph)?;
    for initializer in initializers {
        file.write_all(&frame(GRAPH_INITIALIZER, tensor_len(initializer)))?;
        file.write_all(&header(initializer).encode_to_vec())?;
        file.write_all(&frame(TENSOR_RAW_DATA, initializer.data.len() as u64))?;
        file.write_all(&initializer.data)?;
    }
    Ok(())
}

/// Key and length of a length-delimited field.
fn frame(tag: u32, len: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(12);
    encode_key(tag, WireType::LengthDelimited, &mut bytes);
    encode_varint(len, &mut bytes);
    bytes
}

/// Encoded length of a constant with its elements.
fn tensor_len(initializer: &Initializer) -> u64 {
    let len = initializer.data.len() as u64;
    header(initializer).encoded_len() as u64 + 1 + encoded_len_varint(len) as u64 + len
}

/// The same with its key and length.
fn framed_len(initializer: &Initializer) -> u64 {
    let len = tensor_len(initializer);
    1 + encoded_len_varint(len) as u64 + len
}

fn write_with_external_weights(
    path: &Path,
    data: &Path,
    mut proto: ModelProto,
    initializers: &[Initializer],
    options: &LowerOptions,
) -> Result<()> {
    let location = data.file_name().unwrap_or_default().to_string_lossy();
    let (mut offset, mut placed, mut declared) = (0u64, Vec::new(), Vec::with_capacity(initializers.len()));
    for initializer in initializers {
        if stays_inline(initializer, options) {
            declared.push(inline(initializer));
            continue;
        }
        let start = offset.next_multiple_of(ALIGNMENT);
        offset = start + initializer.data.len() as u64;
        placed.push(Placed { start, initializer });
        declared.push(external(initializer, &location, start));
    }
    if let Some(graph) = &mut proto.graph {
        graph.initializer = declared;
    }
    let bytes = proto.encoded_len();
    if bytes as u64 > MAX_FILE {
        return Err(Error::TooLarge { bytes });
    }
    write_file(data, |file| write_data(file, &placed))?;
    write_file(path, |file| file.write_all(&proto.encode_to_vec()))
}

/// An initializer, and where in the file its data starts.
struct Placed<'a> {
    start: u64,
    initializer: &'a Initializer,
}

fn write_data(file: &mut dyn Write, placed: &[Placed<'_>]) -> std::io::Result<()> {
    let mut at = 0u64;
    for Placed { start, initializer } in placed {
        std::io::copy(&mut std::io::Read::take(std::io::repeat(0), start - at), file)?;
        file.write_all(&initializer.data)?;
        at = start + initializer.data.len() as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use network::{DType, Dim, ElementWiseOperation, Op, Origin, Weights};
    use std::sync::Arc;

    #[test]
    fn beyond_the_limit_the_weights_are_in_a_file_of_their_own() {
        let (mut network, origin) = (Network::new(), Arc::new(Origin::default()));
        let mut y = network.add_input("x", DType::Float32, vec![Dim::Static(1), Dim::Static(500)]);
        let constants = [1.5, 2.5].map(|v| Weights::filled(DType::Float32, &[1, 500], v));
        for w in &constants {
            let w = network.add_one(Op::Constant(w.clone()), &[], &origin).unwrap();
            y = network.add_one(Op::ElementWise { op: ElementWiseOperation::Sum }, &[y, w], &origin).unwrap();
        }
        network.add_output("y", y);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.onnx");
        let exported = export_within(&network, &path, &LowerOptions::default(), 3000).unwrap();
        let data = exported.data.unwrap();
        assert_eq!(data, folder.path().join("model.onnx.data"));
        let (proto, bytes) =
            (ModelProto::decode(&*std::fs::read(&path).unwrap()).unwrap(), std::fs::read(data).unwrap());
        let initializers = proto.graph.unwrap().initializer;
        assert_eq!(initializers.len(), 2);
        for (tensor, constant) in initializers.iter().zip(&constants) {
            let entry = |key: &str| tensor.external_data.iter().find(|e| e.key() == key).unwrap().value().to_owned();
            assert_eq!(entry("location"), "model.onnx.data");
            let (offset, length): (usize, usize) = (entry("offset").parse().unwrap(), entry("length").parse().unwrap());
            assert_eq!(offset % ALIGNMENT as usize, 0);
            assert_eq!(bytes[offset..offset + length], constant.data);
        }
    }
}
