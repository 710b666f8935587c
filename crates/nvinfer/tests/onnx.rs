//! Reading ONNX with the parsers that come with TensorRT-RTX.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod common;

use nvinfer::*;

/// A field of a protobuf message that holds bytes: a text or another message.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, u8::try_from(bytes.len()).unwrap()], bytes].concat()
}

/// A field that holds a number below 128.
fn small(number: u8, value: u8) -> Vec<u8> {
    vec![number << 3, value]
}

/// A float32 tensor by name, of shape 2×3.
fn value_info(name: &str) -> Vec<u8> {
    let dims: Vec<u8> = [2, 3].iter().flat_map(|size| field(1, &small(1, *size))).collect();
    let tensor = [small(1, 1), field(2, &dims)].concat();
    [field(1, name.as_bytes()), field(2, &field(1, &tensor))].concat()
}

/// An ONNX model of one node from `x` to `y`.
fn model(operator: &str) -> Vec<u8> {
    let node = [field(1, b"x"), field(2, b"y"), field(4, operator.as_bytes())].concat();
    let graph =
        [field(1, &node), field(2, b"graph"), field(11, &value_info("x")), field(12, &value_info("y"))].concat();
    [small(1, 8), field(7, &graph), field(8, &small(2, 17))].concat()
}

fn parser(library: Library) -> OnnxParser {
    let file = library.path().with_file_name("libtensorrt_onnxparser_rtx.so.1");
    OnnxParser::open(library, &file).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_model_becomes_layers_of_the_network() -> Result<()> {
    for library in common::each() {
        let builder = Builder::new(library)?;
        let network = builder.create_network(Typing::Strong)?;
        parser(library).parse(&network, &model("Relu"))?;
        assert_eq!(network.num_layers()?, 1);
        assert_eq!(network.inputs()?[0].dims()?, [2, 3]);
        assert_eq!(network.outputs()?[0].name(), "y");
        let mut config = builder.create_config()?;
        config.set_compute_capabilities(&[ComputeCapability::Sm89])?;
        assert!(!builder.build(&network, &config)?.is_empty());
    }
    Ok(())
}

#[test]
fn what_is_no_model_and_what_is_no_parser_are_errors() -> Result<()> {
    for library in common::each() {
        let builder = Builder::new(library)?;
        let network = builder.create_network(Typing::Strong)?;
        let refused = parser(library).parse(&network, b"no protobuf").unwrap_err();
        assert!(matches!(refused, Error::Refused { .. }), "{refused}");
        let network = builder.create_network(Typing::Strong)?;
        let refused = parser(library).parse(&network, &model("NoOperator")).unwrap_err().to_string();
        assert!(refused.contains("NoOperator"), "{refused}");
        let other = OnnxParser::open(library, library.path()).unwrap_err();
        assert!(matches!(other, Error::NotLoadable { .. }), "{other}");
        let missing = OnnxParser::open(library, &library.path().with_file_name("nothing.so")).unwrap_err();
        assert!(matches!(missing, Error::NotLoadable { .. }), "{missing}");
    }
    Ok(())
}
