//! The operators: one file a family, one line an overload in that file's `OPERATORS`.

pub mod accumulate;
pub mod activation;
pub mod adaptive_pool;
pub mod antialias;
pub mod attention;
pub mod bag;
pub mod bessel;
pub mod bitwise;
pub mod cast;
pub mod choice;
pub mod comparison;
pub mod complex;
pub mod complex_functions;
pub mod convolution;
pub mod count;
pub mod create;
pub mod detection;
pub mod distance;
pub mod einsum;
pub mod elementwise;
pub mod elimination;
pub mod fft;
pub mod gamma;
pub mod grouped;
pub mod image;
pub mod index;
pub mod integer;
pub mod join;
pub mod linear;
pub mod loss;
pub mod mask;
pub mod norm;
pub mod pad;
pub mod pool;
pub mod position;
pub mod prims;
pub mod quantize;
mod quantized;
pub mod random;
pub mod rearrange;
pub mod reduce;
pub mod region;
pub mod resize;
pub mod rnn;
pub mod roi_pool;
pub mod scan;
pub mod scatter;
pub mod shape;
pub mod softmax;
pub mod sort;
pub mod special;
pub mod triangular;
pub mod unary;
pub mod unique;
pub mod vector_norm;
pub mod volume;
pub mod window;

use crate::{Builder, Call, Ranked, Result};
use network::TensorId;
use std::collections::HashMap;
use std::sync::LazyLock;

/// What a converter makes: a tensor for each output of the node, in order; `None` where nothing uses it.
#[derive(Clone, Debug, Default)]
pub struct Outputs(Vec<Option<TensorId>>);

impl Outputs {
    pub(crate) fn into_vec(self) -> Vec<Option<TensorId>> {
        self.0
    }
}

impl From<TensorId> for Outputs {
    fn from(tensor: TensorId) -> Self {
        Self(vec![Some(tensor)])
    }
}

impl From<Ranked> for Outputs {
    fn from(ranked: Ranked) -> Self {
        Self(vec![Some(ranked.values), Some(ranked.positions)])
    }
}

impl From<Vec<TensorId>> for Outputs {
    fn from(tensors: Vec<TensorId>) -> Self {
        Self(tensors.into_iter().map(Some).collect())
    }
}

impl From<Vec<Option<TensorId>>> for Outputs {
    fn from(tensors: Vec<Option<TensorId>>) -> Self {
        Self(tensors)
    }
}

/// Converts one call.
pub type Converter = fn(&mut Builder, &Call<'_>) -> Result<Outputs>;

/// An operator overload and how it converts.
#[derive(Clone, Copy)]
pub struct Operator {
    /// The overload, such as `aten.conv2d.default`.
    pub target: &'static str,
    /// Its converter.
    pub convert: Converter,
    /// TensorRT layers it becomes, for the generated documentation.
    pub layers: &'static str,
    /// Largest relative difference to PyTorch in float32 that its tests allow.
    pub tolerance: f64,
}

/// One registration line: overload, converter, the layers it becomes, and the tolerance of its tests.
pub(crate) const fn operator(
    target: &'static str,
    convert: Converter,
    layers: &'static str,
    tolerance: f64,
) -> Operator {
    Operator { target, convert, layers, tolerance }
}

/// The families, in the order of the documentation: name and operators.
pub const FAMILIES: &[(&str, &[Operator])] = &[
    ("accumulate", accumulate::OPERATORS),
    ("activation", activation::OPERATORS),
    ("attention", attention::OPERATORS),
    ("cast", cast::OPERATORS),
    ("choice", choice::OPERATORS),
    ("comparison", comparison::OPERATORS),
    ("convolution", convolution::OPERATORS),
    ("create", create::OPERATORS),
    ("elementwise", elementwise::OPERATORS),
    ("image", image::OPERATORS),
    ("index", index::OPERATORS),
    ("position", position::OPERATORS),
    ("join", join::OPERATORS),
    ("linear", linear::OPERATORS),
    ("einsum", einsum::OPERATORS),
    ("elimination", elimination::OPERATORS),
    ("triangular", triangular::OPERATORS),
    ("grouped", grouped::OPERATORS),
    ("mask", mask::OPERATORS),
    ("norm", norm::OPERATORS),
    ("vector norm", vector_norm::OPERATORS),
    ("distance", distance::OPERATORS),
    ("recurrent", rnn::OPERATORS),
    ("detection", detection::OPERATORS),
    ("roi pool", roi_pool::OPERATORS),
    ("region", region::OPERATORS),
    ("pad", pad::OPERATORS),
    ("pool", pool::OPERATORS),
    ("quantize", quantize::OPERATORS),
    ("quantized", quantized::OPERATORS),
    ("reduce", reduce::OPERATORS),
    ("resize", resize::OPERATORS),
    ("antialias", antialias::OPERATORS),
    ("scatter", scatter::OPERATORS),
    ("shape", shape::OPERATORS),
    ("softmax", softmax::OPERATORS),
    ("unary", unary::OPERATORS),
    ("adaptive pool", adaptive_pool::OPERATORS),
    ("special", special::OPERATORS),
    ("loss", loss::OPERATORS),
    ("rearrange", rearrange::OPERATORS),
    ("scan", scan::OPERATORS),
    ("sort", sort::OPERATORS),
    ("random", random::OPERATORS),
    ("gamma", gamma::OPERATORS),
    ("bessel", bessel::OPERATORS),
    ("integer", integer::OPERATORS),
    ("count", count::OPERATORS),
    ("bag", bag::OPERATORS),
    ("unique", unique::OPERATORS),
    ("complex", complex::OPERATORS),
    ("fft", fft::OPERATORS),
    ("window", window::OPERATORS),
    ("prims", prims::OPERATORS),
];

/// Every operator that converts.
pub fn table() -> impl Iterator<Item = &'static Operator> {
    FAMILIES.iter().flat_map(|(_, operators)| operators.iter())
}

/// The converter of an overload. `complex`: where a tensor of the call is, only converters that know how these travel.
pub(crate) fn find(target: &str, complex: bool) -> Option<Converter> {
    static TABLES: LazyLock<[HashMap<&str, Converter>; 2]> = LazyLock::new(|| {
        let on_complex = [complex::ON_COMPLEX, complex_functions::ON_COMPLEX, complex::OPERATORS, fft::OPERATORS];
        let entry = |op: &'static Operator| (op.target, op.convert);
        [table().map(entry).collect(), on_complex.into_iter().flatten().map(entry).collect()]
    });
    TABLES[usize::from(complex)].get(target).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_overload_is_registered_twice() {
        let mut targets: Vec<_> = table().map(|op| op.target).collect();
        targets.sort_unstable();
        let all = targets.len();
        targets.dedup();
        assert_eq!(targets.len(), all);
    }
}
