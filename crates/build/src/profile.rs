//! From ranges of symbols and shapes to TensorRT's optimization profiles: three shapes for each input.

use crate::{Error, Profile, SizeRange};
use dims::{Dim, Range};
use network::{Network, Op};
use nvinfer as trt;

/// The ranges of every axis of every input, in one profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputRanges {
    /// Name of the input.
    pub input: String,
    /// One range an axis; a static axis has its size only.
    pub axes: Vec<SizeRange>,
}

/// The ranges of every input in each profile. A network of static sizes has none, unless some are asked for, or sizes
/// in it depend on data: TensorRT 8.6 makes no execution context of such an engine without a profile.
///
/// # Errors
/// [`Error::Unbounded`] for a size without an upper bound, [`Error::BadProfile`] for a contradiction.
pub(crate) fn resolve(network: &Network, profiles: &[Profile]) -> Result<Vec<Vec<InputRanges>>, Error> {
    let declared = [Profile::default()];
    let dynamic = |port: &network::Port| network.tensor(port.tensor).dims.iter().any(|d| !d.is_static());
    let profiles = match profiles {
        [] if network.inputs().iter().any(dynamic) || depends_on_data(network) => &declared[..],
        profiles => profiles,
    };
    profiles.iter().enumerate().map(|(index, profile)| Resolver { network, profile, index }.inputs()).collect()
}

fn depends_on_data(network: &Network) -> bool {
    network.layers().iter().any(|layer| matches!(layer.op, Op::NonZero { .. } | Op::Nms { .. }))
}

struct Resolver<'a> {
    network: &'a Network,
    profile: &'a Profile,
    index: usize,
}

impl Resolver<'_> {
    fn inputs(&self) -> Result<Vec<InputRanges>, Error> {
        let symbols = self.network.symbols();
        if let Some(symbol) = self.profile.symbols.keys().find(|s| !symbols.contains_key(*s)) {
            return self.bad(format!("the network has no size symbol `{symbol}`, only {}", list(symbols.keys())));
        }
        let names = || self.network.inputs().iter().map(|port| &port.name);
        if let Some(input) = self.profile.axes.keys().find(|i| !names().any(|name| name == *i)) {
            return self.bad(format!("the network has no input `{input}`, only {}", list(names())));
        }
        self.network
            .inputs()
            .iter()
            .map(|port| Ok(InputRanges { input: port.name.clone(), axes: self.axes(port)? }))
            .collect()
    }

    fn axes(&self, port: &network::Port) -> Result<Vec<SizeRange>, Error> {
        let (name, dims) = (&port.name, &self.network.tensor(port.tensor).dims);
        let given = self.profile.axes.get(name);
        if let Some(given) = given
            && given.len() != dims.len()
        {
            return self.bad(format!("input `{name}` has {} axes, the profile has {}", dims.len(), given.len()));
        }
        dims.iter()
            .enumerate()
            .map(|(axis, dim)| match given.and_then(|given| given.get(axis)) {
                Some(range) => self.checked(name, axis, *range, dim),
                None => self.checked(name, axis, self.of_symbols(name, axis, dim)?, dim),
            })
            .collect()
    }

    fn range_of(&self, symbol: &str) -> Option<SizeRange> {
        let declared = || self.network.symbols().get(symbol).map(|s| SizeRange { min: s.min, opt: s.opt, max: s.max });
        self.profile.symbols.get(symbol).copied().or_else(declared)
    }

    fn of_symbols(&self, input: &str, axis: usize, dim: &Dim) -> Result<SizeRange, Error> {
        let range = dim.range(&|symbol| match self.range_of(symbol) {
            Some(range) => Range { min: range.min, max: range.max },
            None => Range { min: 0, max: i64::MAX },
        });
        // TensorRT 8's sizes have 31 bits, and no tensor of a larger one fits a GPU.
        if range.max > i64::from(i32::MAX) {
            return Err(Error::Unbounded { input: input.to_owned(), axis, size: dim.to_string() });
        }
        match dim.eval(&|symbol| self.range_of(symbol).map(|range| range.opt)) {
            Ok(opt) => Ok(SizeRange { min: range.min, opt, max: range.max }),
            Err(error) => self.bad(format!("axis {axis} of input `{input}`: {error}")),
        }
    }

    fn checked(&self, input: &str, axis: usize, range: SizeRange, dim: &Dim) -> Result<SizeRange, Error> {
        let SizeRange { min, opt, max } = range;
        if !(0 <= min && min <= opt && opt <= max) {
            return self.bad(format!("axis {axis} of input `{input}` has min {min}, opt {opt}, max {max}"));
        }
        match dim.as_static() {
            Some(size) if range != SizeRange::exactly(size) => {
                self.bad(format!("axis {axis} of input `{input}` is always {size}, the profile has {min} to {max}"))
            }
            _ => Ok(range),
        }
    }

    fn bad<T>(&self, problem: String) -> Result<T, Error> {
        Err(Error::BadProfile { index: self.index, problem })
    }
}

fn list<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// Adds the profiles to the configuration.
pub(crate) fn add(
    builder: &trt::Builder,
    config: &mut trt::BuilderConfig,
    profiles: &[Vec<InputRanges>],
) -> trt::Result<()> {
    for profile in profiles {
        let added = builder.create_profile()?;
        for InputRanges { input, axes } in profile {
            let shape = |pick: fn(&SizeRange) -> i64| axes.iter().map(pick).collect::<Vec<_>>();
            let (min, opt, max) = (shape(|r| r.min), shape(|r| r.opt), shape(|r| r.max));
            added.set_shape(input, trt::Range { min: &min, opt: &opt, max: &max })?;
        }
        config.add_profile(&added)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use network::{DType, Symbol};

    fn network(max: i64) -> Network {
        let mut network = Network::new();
        network.add_symbol("s0", Symbol { min: 1, opt: 4, max });
        let dims = vec![Dim::symbol("s0"), Dim::Static(3), Dim::parse("2*s0 + 1").unwrap()];
        network.add_input("x", DType::Float32, dims);
        network.add_input("y", DType::Float32, vec![Dim::Static(7)]);
        network
    }

    fn range(min: i64, opt: i64, max: i64) -> SizeRange {
        SizeRange { min, opt, max }
    }

    #[test]
    fn declared_ranges_reach_every_axis() {
        let profiles = resolve(&network(8), &[]).unwrap();
        let [x, y] = profiles[0].as_slice() else { panic!("{profiles:?}") };
        assert_eq!(x.axes, [range(1, 4, 8), range(3, 3, 3), range(3, 9, 17)]);
        assert_eq!(y.axes, [range(7, 7, 7)]);
    }

    #[test]
    fn a_profile_narrows_symbols_and_axes() {
        let symbols = [("s0".to_owned(), range(2, 2, 3))].into();
        let axes = [("x".to_owned(), vec![range(1, 1, 1), range(3, 3, 3), range(3, 3, 3)])].into();
        let given = [Profile { symbols, ..Profile::default() }, Profile { axes, ..Profile::default() }];
        let profiles = resolve(&network(8), &given).unwrap();
        assert_eq!(profiles[0][0].axes, [range(2, 2, 3), range(3, 3, 3), range(5, 5, 7)]);
        assert_eq!(profiles[1][0].axes, [range(1, 1, 1), range(3, 3, 3), range(3, 3, 3)]);
    }

    #[test]
    fn contradictions_are_named() {
        let error = |max: i64, profile: Profile| resolve(&network(max), &[profile]).unwrap_err().to_string();
        let text = error(i64::MAX, Profile::default());
        assert!(text.contains("axis 0 of input `x` has the size s0, which has no upper bound"), "{text}");
        let axes = |name: &str, ranges: &[SizeRange]| Profile {
            axes: [(name.to_owned(), ranges.to_vec())].into(),
            ..Profile::default()
        };
        let text = error(8, axes("z", &[]));
        assert!(text.contains("no input `z`, only `x`, `y`"), "{text}");
        assert!(error(8, axes("x", &[range(1, 1, 1)])).contains("has 3 axes, the profile has 1"));
        assert!(error(8, axes("y", &[range(5, 7, 7)])).contains("is always 7"));
        assert!(error(8, axes("x", &[range(3, 2, 4), range(3, 3, 3), range(9, 9, 9)])).contains("min 3, opt 2, max 4"));
        let symbols = Profile { symbols: [("s9".to_owned(), range(1, 1, 1))].into(), ..Profile::default() };
        assert!(error(8, symbols).contains("no size symbol `s9`, only `s0`"));
    }

    #[test]
    fn static_networks_need_no_profile() {
        let mut network = Network::new();
        network.add_input("x", DType::Float32, vec![Dim::Static(2)]);
        assert!(resolve(&network, &[]).unwrap().is_empty());
    }
}
