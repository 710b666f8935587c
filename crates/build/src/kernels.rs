//! Kernels of TensorRT 8.6 that add up products of float16 in float16, kept out where others are there.
//!
//! For a product of few rows that version has kernels of both kinds, takes the fastest, and has no option about it;
//! later versions are strongly typed and add up in float32. A build can refuse a kernel by its number only
//! (`IAlgorithmSelector`). The number's name, which contains the types, is in verbose messages, when the kernel is
//! timed and so before a choice is asked for. A refusal costs that version its timing cache, so that only networks
//! with such products are watched. Its convolutions of float16 all add up in float16; the precision pass knows.

use network::{DType, Dim, Layer, MatrixOperation, Network, Op};
use nvinfer as trt;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

/// Sums of up to this many products are left alone, as by the precision pass, which keeps small layers float32 instead
/// (`FEW` in `crates/passes/src/tuning`).
const SHORT: i64 = 256;
/// Rows up to which a product has kernels that add up in float32; the same in the precision pass.
const FEW_ROWS: i64 = 8;

/// The names of kernels by number, from TensorRT's messages.
type Names = Arc<Mutex<HashMap<i64, String>>>;

/// A build under watch; it ends when this is dropped.
pub(crate) struct Watched(trt::Library);

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.logger().listen(None);
    }
}

/// Has a build by TensorRT 8.6 take kernels that add up in float32, where the network has products that need it.
pub(crate) fn watch(
    library: trt::Library,
    network: &Network,
    config: &mut trt::BuilderConfig,
) -> trt::Result<Option<Watched>> {
    if library.version().family() != trt::Family::Trt8 {
        return Ok(None);
    }
    let products: HashSet<String> =
        network.layers().iter().filter(|layer| needs_it(network, layer)).map(|layer| layer.name.clone()).collect();
    if products.is_empty() {
        return Ok(None);
    }
    let names = Names::default();
    let listed = Arc::clone(&names);
    library.logger().listen(Some(Box::new(move |message| {
        if let Some((tactic, name)) = named(message) {
            listed.lock().unwrap_or_else(PoisonError::into_inner).insert(tactic, name.to_owned());
        }
    })));
    let watched = Watched(library);
    config.set_algorithm_selector(Box::new(Exact { products, names }))?;
    Ok(Some(watched))
}

/// Whether a layer is a product of float16 of few rows with constant weights, and adds up many products.
fn needs_it(network: &Network, layer: &Layer) -> bool {
    let Op::MatrixMultiply { op0: MatrixOperation::None, .. } = layer.op else { return false };
    let (Some(x), Some(weights)) = (layer.input(0), layer.input(1)) else { return false };
    let x = network.tensor(x);
    let Some((depth, rows)) = x.dims.split_last() else { return false };
    let rows = rows.iter().map(Dim::as_static).product::<Option<i64>>();
    x.dtype == DType::Float16
        && network.constant(weights).is_some()
        && rows.is_some_and(|rows| rows <= FEW_ROWS)
        && depth.as_static().is_none_or(|depth| depth > SHORT)
}

/// Takes any kernel for other layers.
struct Exact {
    /// Layers that are to be added up in float32.
    products: HashSet<String>,
    names: Names,
}

impl trt::AlgorithmSelector for Exact {
    fn accepts(&mut self, layer: &str, algorithm: trt::Algorithm) -> bool {
        // Layers that are computed together are listed as `one + another`.
        let watched = layer.split(" + ").any(|name| self.products.contains(name));
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        !watched || !names.get(&algorithm.tactic).is_some_and(|name| adds_in_float16(name))
    }

    fn chosen(&mut self, layer: &str, algorithm: trt::Algorithm) {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        tracing::debug!(layer, kernel = names.get(&algorithm.tactic), "chosen");
    }
}

/// The number and name in `Tactic Name: sm80_xmma_gemm_… Tactic: 0x1a2b Time: 0.01`.
fn named(message: &str) -> Option<(i64, &str)> {
    let (_, rest) = message.split_once("Tactic Name: ")?;
    let (name, rest) = rest.split_once(" Tactic: 0x")?;
    let digits = rest.split(|c: char| !c.is_ascii_hexdigit()).next()?;
    Some((u64::from_str_radix(digits, 16).ok()?.cast_signed(), name.trim()))
}

/// Names contain the types of the operands, of the sum where it is another one than the result's, and of the result:
/// `f16f16_f16f32_f32`, `f16f16_f32_f32`, `f16f16_f16_f16`.
fn adds_in_float16(name: &str) -> bool {
    name.contains("_f16f16_f16f16_f16") || name.contains("_f16f16_f16_f16")
}

#[cfg(test)]
mod tests {
    use super::*;
    use network::Weights;
    use trt::AlgorithmSelector as _;

    #[test]
    fn names_are_read_from_messages() {
        let message = "Tactic Name: sm50_xmma_cublas_gemvx_f16f16_f32_f32_nn_n_int32_unit_n numSplitK: 4 numBuffers: 1 \
                       Tactic: 0x0000000202080b70 Time: 0.058 AlgorithmIndex: 1";
        let (tactic, name) = named(message).unwrap();
        assert_eq!(tactic, 0x2_0208_0b70);
        assert_eq!(name, "sm50_xmma_cublas_gemvx_f16f16_f32_f32_nn_n_int32_unit_n numSplitK: 4 numBuffers: 1");
        let negative = named("Tactic Name: a Tactic: 0xdc0e0882e8ef55d1 Time: 1").unwrap();
        assert_eq!(negative, (0xdc0e_0882_e8ef_55d1_u64.cast_signed(), "a"));
        for other in ["Tactic: 0x1 Time: 0.5", "Tactic Name: a", "Tactic Name: a Tactic: 0xg", ""] {
            assert_eq!(named(other), None, "{other}");
        }
    }

    #[test]
    fn kernels_are_refused_for_watched_layers_only() {
        let names = Names::default();
        let names_by_tactic = [
            (1, "sm80_xmma_gemm_f16f16_f16f16_f16_tn_n_tilesize64x64x64"),
            (2, "sm70_xmma_gemm_as_conv1x1_f16f16_f16_f16_tn_n_simt_small_batch_bias_relu"),
            (3, "sm50_xmma_cublas_gemvx_f16f16_f32_f32_tn_n_int32_unit_n"),
            (4, "sm80_xmma_gemm_f16f16_f16f32_f32_tn_n_tilesize64x64x64"),
        ];
        names.lock().unwrap().extend(names_by_tactic.map(|(tactic, name)| (tactic, name.to_owned())));
        let mut exact = Exact { products: HashSet::from(["fc.MatrixMultiply".to_owned()]), names };
        let mut accepted = |layer: &str| {
            let algorithms = (1..=5).map(|tactic| trt::Algorithm { implementation: 0, tactic });
            algorithms.filter(|a| exact.accepts(layer, *a)).map(|a| a.tactic).collect::<Vec<_>>()
        };
        assert_eq!(accepted("fc.MatrixMultiply + relu.Activation"), [3, 4, 5]);
        assert_eq!(accepted("conv.Convolution + relu.Activation"), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn products_of_few_rows_and_long_sums_need_it() {
        let needs_of = |rows: i64, depth: i64, dtype: DType| {
            let mut network = Network::new();
            let x = network.add_input("x", dtype, vec![rows.into(), depth.into()]);
            let weights = Op::Constant(Weights::filled(dtype, &[depth, 2], 0.5));
            let weights = network.add_one(weights, &[], &Arc::default()).unwrap();
            let product = Op::MatrixMultiply { op0: MatrixOperation::None, op1: MatrixOperation::None };
            network.add_one(product, &[x, weights], &Arc::default()).unwrap();
            network.layers().iter().filter(|layer| needs_it(&network, layer)).count()
        };
        let needs = |rows: i64, dtype: DType| needs_of(rows, 257, dtype);
        assert_eq!((needs(1, DType::Float16), needs(8, DType::Float16)), (1, 1));
        assert_eq!((needs(9, DType::Float16), needs(1, DType::Float32)), (0, 0));
        assert_eq!(needs_of(1, 256, DType::Float16), 0);
    }
}
