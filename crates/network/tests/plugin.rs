//! Layers that a plugin implements: what they declare, and their text form.
#![allow(clippy::unwrap_used, reason = "tests")]

use network::{
    DType, Dim, Network, Op, Origin, PluginApi, PluginAttributes, PluginField, PluginFieldType, PluginOutput,
};
use network::{Hex, Symbol, Weights};
use proptest::prelude::*;
use std::sync::Arc;

const KINDS: [(PluginFieldType, usize); 14] = {
    use PluginFieldType::{
        Bf16, Char, Dims, Float16, Float32, Float64, Fp4, Fp8, Int4, Int8, Int16, Int32, Int64, Unknown,
    };
    [
        (Float16, 16),
        (Float32, 32),
        (Float64, 64),
        (Int8, 8),
        (Int16, 16),
        (Int32, 32),
        (Char, 8),
        (Dims, 576),
        (Unknown, 8),
        (Bf16, 16),
        (Int64, 64),
        (Fp8, 8),
        (Int4, 4),
        (Fp4, 4),
    ]
};

fn field() -> impl Strategy<Value = PluginField> {
    (".{0,8}", 0..KINDS.len(), 0usize..5, any::<[u8; 5]>()).prop_map(|(name, kind, length, bytes)| {
        let (kind, bits) = KINDS[kind];
        let data = bytes.iter().cycle().take((length * bits).div_ceil(8)).copied().collect();
        PluginField { name, kind, length, data: Hex(data) }
    })
}

fn attributes() -> impl Strategy<Value = PluginAttributes> {
    (".{1,8}", ".{0,4}", ".{0,4}", any::<bool>(), prop::collection::vec(field(), 0..6)).prop_map(
        |(name, version, namespace, is_v3, fields)| PluginAttributes {
            name,
            version,
            namespace,
            api: if is_v3 { PluginApi::V3 } else { PluginApi::V2 },
            serialized: (!is_v3 && fields.is_empty()).then(|| Hex(vec![1, 2, 254])),
            fields,
            shape_inputs: usize::from(is_v3),
            outputs: vec![
                PluginOutput { dtype: DType::Float16, dims: vec![Dim::symbol("n") * Dim::Static(2), Dim::Static(3)] },
                PluginOutput { dtype: DType::Int64, dims: vec![] },
            ],
        },
    )
}

/// A network with one plugin layer: x `[n, 3]`, and a shape tensor.
fn network(attributes: PluginAttributes) -> Result<Network, network::Error> {
    let mut n = Network::new();
    n.add_symbol("n", Symbol { min: 1, opt: 2, max: 8 });
    let x = n.add_input("x", DType::Float32, vec![Dim::symbol("n"), Dim::Static(3)]);
    let size = n.add_one(Op::Constant(Weights::int64(&[1], &[7])), &[], &Arc::default())?;
    let made = n.add(Op::Plugin(attributes), &[Some(x), Some(size)], &Arc::new(Origin::default()))?;
    n.add_output("y", made[0]);
    n.add_output("z", made[1]);
    Ok(n)
}

proptest! {
    #[test]
    fn text_reads_back(attributes in attributes()) {
        let n = network(attributes).unwrap();
        n.verify().unwrap();
        let again = Network::parse(&n.to_string(), &|_| None).unwrap();
        prop_assert_eq!(n, again);
    }
}

fn scale() -> PluginAttributes {
    PluginAttributes {
        name: "Scale".into(),
        version: "1".into(),
        namespace: "mine".into(),
        api: PluginApi::V3,
        fields: vec![PluginField {
            name: "factor".into(),
            kind: PluginFieldType::Float32,
            length: 1,
            data: Hex(1.5f32.to_le_bytes().into()),
        }],
        serialized: None,
        shape_inputs: 1,
        outputs: vec![PluginOutput { dtype: DType::Float32, dims: vec![Dim::symbol("n") * Dim::Static(2)] }; 2],
    }
}

#[test]
fn text_of_a_plugin() {
    let text = network(scale()).unwrap().to_string();
    let expected = "%2: float32[2*n], %3: float32[2*n] = Plugin(name: \"Scale\", version: \"1\", namespace: \"mine\", \
                    api: V3, fields: [(name: \"factor\", kind: Float32, length: 1, data: \"0000c03f\")], \
                    shape_inputs: 1, outputs: [(dtype: float32, dims: [\"2*n\"]), (dtype: float32, dims: [\"2*n\"])])\
                    (%0, %1) \"Plugin\"";
    assert!(text.lines().any(|line| line.trim() == expected), "{text}");
}

#[test]
fn rejects_declarations_that_contradict_themselves() {
    let with = |change: fn(&mut PluginAttributes)| {
        let mut attributes = scale();
        change(&mut attributes);
        network(attributes).map(|n| n.to_string()).unwrap_err().to_string()
    };
    for (error, words) in [
        (with(|a| a.fields[0].length = 2), "field `factor` of 2 Float32 has 4 bytes"),
        (with(|a| a.serialized = Some(Hex(vec![1]))), "is serialized"),
        (with(|a| a.outputs.clear()), "plugin `mine::Scale 1` is declared without outputs"),
        (with(|a| a.api = PluginApi::V2), "1 of 0 inputs are shape tensors"),
        (with(|a| a.shape_inputs = 2), "input 0 must be a shape tensor"),
        (with(|a| a.outputs[0].dims = vec![Dim::Static(1); 9]), "rank 9"),
    ] {
        assert!(error.contains(words), "{error}");
    }
}
