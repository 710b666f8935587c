//! What the tests share: the real libraries, and a short way to write networks.
#![allow(dead_code, reason = "each test file uses a part")]

use build::{BuildOptions, Error, Plan, Silent};
use network::{DType, Dim, Network, Op, Origin, Symbol, TensorId, Weights};
use std::sync::Arc;

/// A real library, in the folder that a variable names. Without it the test is skipped.
pub fn library(variable: &str) -> Option<nvinfer::Library> {
    let discovery = nvinfer::Discovery { path: Some(needs::variable(variable)?), ..Default::default() };
    Some(nvinfer::Library::find(&discovery).unwrap_or_else(|e| panic!("{e}")))
}

/// A GPU to build for that need not be there.
pub fn options() -> BuildOptions {
    BuildOptions { target: Some("sm_89".into()), ..Default::default() }
}

pub fn build(network: &Network, library: nvinfer::Library) -> Result<Plan, Error> {
    build::build(network, library, &options(), &Silent)
}

/// A network being written, whose first size is static or a symbol.
pub struct Net {
    pub network: Network,
    pub batch: Dim,
    seed: u64,
}

impl Net {
    pub fn new(symbolic: bool) -> Self {
        let mut network = Network::new();
        let batch = if symbolic {
            network.add_symbol("n", Symbol { min: 1, opt: 2, max: 4 });
            Dim::symbol("n")
        } else {
            Dim::Static(2)
        };
        Self { network, batch, seed: std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64 }
    }

    /// An input of the batch and these sizes.
    pub fn input(&mut self, dtype: DType, sizes: &[i64]) -> TensorId {
        let dims = std::iter::once(self.batch.clone()).chain(sizes.iter().map(|d| Dim::Static(*d))).collect();
        self.input_of(dtype, dims)
    }

    /// An input of exactly these sizes.
    pub fn input_of(&mut self, dtype: DType, dims: Vec<Dim>) -> TensorId {
        let name = format!("x{}", self.network.inputs().len());
        self.network.add_input(&name, dtype, dims)
    }

    pub fn constant(&mut self, weights: Weights) -> TensorId {
        self.op(Op::Constant(weights), &[])
    }

    /// A constant of random elements in -1..1 (0..2 for integers).
    pub fn random(&mut self, dtype: DType, dims: &[i64]) -> TensorId {
        let count: i64 = dims.iter().product();
        let mut next = || {
            self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.seed >> 11) as f64 / (1u64 << 53) as f64 * 2.0
        };
        let shift = if dtype.is_float() { 1.0 } else { 0.0 };
        let values: Vec<f64> = (0..count).map(|_| next() - shift).collect();
        self.constant(Weights::from_f64(dtype, dims, values))
    }

    pub fn scalar(&mut self, dtype: DType, rank: usize, value: f64) -> TensorId {
        self.constant(Weights::filled(dtype, &vec![1; rank], value))
    }

    pub fn ints(&mut self, values: &[i64]) -> TensorId {
        self.constant(Weights::int64(&[values.len() as i64], values))
    }

    pub fn all(&mut self, op: Op, inputs: &[Option<TensorId>]) -> Vec<TensorId> {
        let origin = Arc::new(Origin {
            module: "block.part".into(),
            operator: format!("aten.{}.default", op.name().to_lowercase()),
            position: "model.py:42".into(),
            node: None,
        });
        self.network.add(op, inputs, &origin).unwrap_or_else(|e| panic!("{e}"))
    }

    pub fn op(&mut self, op: Op, inputs: &[TensorId]) -> TensorId {
        let inputs: Vec<_> = inputs.iter().copied().map(Some).collect();
        self.all(op, &inputs)[0]
    }

    pub fn output(&mut self, id: TensorId) {
        let name = format!("y{}", self.network.outputs().len());
        self.network.add_output(&name, id);
    }
}
