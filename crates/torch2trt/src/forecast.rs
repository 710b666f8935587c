//! What a network will need on a named GPU, without that GPU: [`forecast`]'s numbers as a table and as JSON.
//!
//! This file must not know how the numbers come about (crate `forecast`).

use crate::{Code, Error, Options, Result};
use forecast::{DEVICES, Device, Forecast, Kernel};
use network::{Network, Symbol};
use runtime::{Profile, SizeRange};
use serde_json::{Value, json};
use std::fmt;

/// Device memory that the CUDA context and TensorRT's libraries take besides an engine.
const RESERVED: u64 = 1 << 29;

/// Kernels that the table lists by name, unless all are asked for.
const LISTED: usize = 10;

/// What a network will need on a device.
#[derive(Clone, Debug)]
pub struct DeviceForecast {
    /// The numbers that do not depend on the device.
    pub forecast: Forecast,
    /// The device.
    pub device: &'static Device,
}

/// Network → what it will need on a GPU of this name: memory at the largest sizes of the profiles, time at the sizes
/// that the first profile is optimized for.
///
/// # Errors
/// E0701 for a device that is not in the table; E0307 for a size without an upper bound.
pub fn forecast(network: &Network, options: &Options, device: &str) -> Result<DeviceForecast> {
    let device = Device::named(device).ok_or_else(|| unknown(device))?;
    let forecast = Forecast::new(&with_profiles(network, &options.profiles)).map_err(|error| {
        Error::new(Code::BadProfile, error.to_string()).with_help("give the largest shape of each input (max_shapes)")
    })?;
    Ok(DeviceForecast { forecast, device })
}

fn unknown(name: &str) -> Error {
    let known: Vec<&str> = DEVICES.iter().map(|device| device.name).collect();
    Error::new(Code::BadOption, format!("there are no specifications of a device `{name}`"))
        .with_help(format!("give one of {}", known.join(", ")))
}

/// The network with the ranges of the profiles: the largest of all, and the best of the first.
fn with_profiles(network: &Network, profiles: &[Profile]) -> Network {
    let mut network = network.clone();
    for (index, profile) in profiles.iter().enumerate() {
        for (symbol, range) in ranges(&network, profile) {
            let before = network.symbols().get(&symbol).copied().filter(|_| index > 0);
            let opt = before.map_or(range.opt, |symbol| symbol.opt);
            let max = before.map_or(range.max, |symbol| symbol.max.max(range.max));
            network.add_symbol(&symbol, Symbol { min: range.min, opt, max });
        }
    }
    network
}

/// The ranges of symbols in a profile: its own, and those of axes that a symbol stands for.
fn ranges(network: &Network, profile: &Profile) -> Vec<(String, SizeRange)> {
    let declared = profile.symbols.iter().map(|(name, range)| (name.clone(), *range));
    let axes = network.inputs().iter().filter_map(|port| {
        let ranges = profile.axes.get(&port.name)?;
        Some(network.tensor(port.tensor).dims.iter().zip(ranges))
    });
    let named = axes.flatten().filter_map(|(dim, range)| {
        let symbol = network.symbols().keys().find(|name| *dim == network::Dim::symbol(name))?;
        Some((symbol.clone(), *range))
    });
    declared.chain(named).collect()
}

impl DeviceForecast {
    /// Bytes of device memory for one execution context, with the CUDA context and the libraries.
    pub fn memory(&self) -> u64 {
        self.forecast.memory().saturating_add(RESERVED)
    }

    /// Whether the device has that memory.
    pub fn fits(&self) -> bool {
        self.memory() <= self.device.memory
    }

    /// Everything, as JSON.
    pub fn to_json(&self) -> Value {
        let (forecast, device) = (&self.forecast, self.device);
        json!({
            "device": device.name,
            "compute_capability": format!("{}.{}", device.capability.0, device.capability.1),
            "device_memory_bytes": device.memory,
            "device_bytes_per_second": device.bandwidth,
            "weight_bytes": forecast.weights,
            "activation_bytes": forecast.activations,
            "scratch_bytes": forecast.scratch,
            "interface_bytes": forecast.interface,
            "reserved_bytes": RESERVED,
            "memory_bytes": self.memory(),
            "fits": self.fits(),
            "operations": forecast.kernels.iter().map(Kernel::operations).sum::<u64>(),
            "seconds": forecast.seconds(device),
            "kernels": forecast.kernels.iter().map(|kernel| self.kernel_json(kernel)).collect::<Vec<_>>(),
        })
    }

    fn kernel_json(&self, kernel: &Kernel) -> Value {
        json!({
            "layers": kernel.layers,
            "origin": kernel.origin,
            "operations": kernel.operations(),
            "read_bytes": kernel.read,
            "written_bytes": kernel.written,
            "stored_bytes": kernel.stored,
            "seconds": kernel.seconds(self.device),
            "limit": self.limit(kernel),
        })
    }

    /// The table as text: the slowest kernels, or all in execution order, then the sums.
    pub fn table(&self, all: bool) -> String {
        let mut kernels: Vec<&Kernel> = self.forecast.kernels.iter().collect();
        if !all && kernels.len() > LISTED {
            kernels.sort_by(|a, b| b.seconds(self.device).total_cmp(&a.seconds(self.device)));
            kernels.truncate(LISTED);
        }
        let heads = ["kernel", "operations", "reads", "writes", "stored", "time", "limit"];
        let mut rows = vec![heads.map(str::to_owned)];
        rows.extend(kernels.iter().map(|kernel| self.row(kernel)));
        let rest = self.forecast.kernels.len() - kernels.len();
        if rest > 0 {
            rows.push(self.sum(format!("{rest} others"), |kernel| !kernels.iter().any(|k| std::ptr::eq(*k, kernel))));
        }
        rows.push(self.sum("all".to_owned(), |_| true));
        format!("{}\n{}", aligned(&rows), self.summary())
    }

    fn row(&self, kernel: &Kernel) -> [String; 7] {
        let name = match kernel.layers.as_slice() {
            [first, rest @ ..] if !rest.is_empty() => format!("{first} +{}", rest.len()),
            layers => layers.concat(),
        };
        let bytes = [kernel.read, kernel.written, kernel.stored].map(bytes_text);
        let [read, written, stored] = bytes;
        let time = time_text(kernel.seconds(self.device));
        [name, count_text(kernel.operations()), read, written, stored, time, self.limit(kernel).to_owned()]
    }

    /// A row of several kernels.
    fn sum(&self, name: String, included: impl Fn(&Kernel) -> bool) -> [String; 7] {
        let kernels = || self.forecast.kernels.iter().filter(|kernel| included(kernel));
        let total = |of: fn(&Kernel) -> u64| kernels().map(of).fold(0u64, u64::saturating_add);
        let stored = kernels().map(|kernel| kernel.stored).max().unwrap_or(0);
        let seconds: f64 = kernels().map(|kernel| kernel.seconds(self.device)).sum();
        let (read, written) = (total(|kernel| kernel.read), total(|kernel| kernel.written));
        let operations = count_text(total(Kernel::operations));
        let [read, written, stored] = [read, written, stored].map(bytes_text);
        [name, operations, read, written, stored, time_text(seconds), String::new()]
    }

    /// What bounds the time of a kernel.
    fn limit(&self, kernel: &Kernel) -> &'static str {
        if kernel.compute_seconds(self.device) > kernel.memory_seconds(self.device) { "compute" } else { "memory" }
    }

    fn summary(&self) -> String {
        let (forecast, device) = (&self.forecast, self.device);
        let peak = forecast.peak.and_then(|index| forecast.kernels.get(index)).and_then(|kernel| kernel.layers.first());
        let peak = peak.map_or_else(String::new, |layer| format!(" (during {layer})"));
        let (fits, size) = (if self.fits() { "fits" } else { "does not fit" }, bytes_text(device.memory));
        let all =
            [forecast.weights, forecast.activations, forecast.scratch, forecast.interface, RESERVED, self.memory()];
        let [weights, activations, scratch, interface, reserved, memory] = all.map(bytes_text);
        format!(
            "memory: {weights} of weights, {activations} of activations{peak}, {scratch} of scratch space, \
             {interface} of inputs and outputs, {reserved} for CUDA\n        \
             {memory} in all, which {fits} {} with {size}\n\
             time: at least {} on {}, by its peak rates and {:.0} GB/s",
            device.name,
            time_text(forecast.seconds(device)),
            device.name,
            device.bandwidth / 1e9,
        )
    }
}

/// The slowest kernels and the sums.
impl fmt::Display for DeviceForecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.table(false))
    }
}

/// Rows in columns, numbers to the right.
fn aligned(rows: &[[String; 7]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..7).map(width).collect();
    let line = |row: &[String; 7]| {
        let cell = |(column, cell): (usize, &String)| match (column, widths[column]) {
            (0, width) => format!("{cell:width$}"),
            (6, _) => cell.clone(),
            (_, width) => format!("{cell:>width$}"),
        };
        row.iter().enumerate().map(cell).collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A number with its unit, in thousands.
fn scaled(value: f64, units: &[&str]) -> String {
    let mut value = value;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < units.len() {
        (value, unit) = (value / 1000.0, unit + 1);
    }
    let digits = usize::from(unit != 0 && value < 99.95);
    format!("{value:.digits$}{}", units[unit])
}

fn count_text(count: u64) -> String {
    scaled(count as f64, &["", " k", " M", " G", " T"])
}

fn bytes_text(bytes: u64) -> String {
    scaled(bytes as f64, &[" B", " kB", " MB", " GB", " TB"])
}

fn time_text(seconds: f64) -> String {
    match seconds {
        0.0..1e-3 => format!("{:.1} µs", seconds * 1e6),
        _ => format!("{:.2} ms", seconds * 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use network::{ActivationType, DType, Dim, Op, Origin};
    use std::sync::Arc;

    /// `relu(x)`, then softmax, on `[s0, 1000]`.
    fn network(max: i64) -> Network {
        let mut network = Network::new();
        network.add_symbol("s0", Symbol { min: 1, opt: 1, max });
        let x = network.add_input("x", DType::Float32, vec![Dim::symbol("s0"), Dim::Static(1000)]);
        let origin = Arc::new(Origin::default());
        let relu = Op::Activation { kind: ActivationType::Relu, alpha: 0.0, beta: 0.0 };
        let stored = network.add_one(relu, &[x], &origin).unwrap();
        let output = network.add_one(Op::SoftMax { axis: 1 }, &[stored], &origin).unwrap();
        network.add_output("y", output);
        network
    }

    fn profile(opt: i64, max: i64) -> Profile {
        let axes = vec![SizeRange { min: 1, opt, max }, SizeRange::exactly(1000)];
        Profile { axes: [("x".to_owned(), axes)].into(), ..Profile::default() }
    }

    #[test]
    fn memory_is_of_the_largest_profile_and_time_of_the_first() {
        let options = Options { profiles: vec![profile(2, 4), profile(8, 16)], ..Options::default() };
        let found = forecast(&network(i64::MAX), &options, "L4").unwrap();
        assert_eq!(found.forecast.activations, (16 * 4000_u64).next_multiple_of(512));
        assert_eq!(found.forecast.interface, 2 * 16 * 4000);
        assert_eq!(found.forecast.kernels.iter().map(Kernel::operations).sum::<u64>(), 2 * 2000);
        let json = found.to_json();
        assert_eq!((json["fits"].as_bool(), json["kernels"].as_array().map(Vec::len)), (Some(true), Some(2)));
    }

    #[test]
    fn unknown_devices_and_open_sizes_are_errors() {
        let error = forecast(&network(4), &Options::default(), "L5").unwrap_err();
        assert_eq!(error.code(), Code::BadOption);
        assert!(error.help().unwrap().contains("RTX 4090"), "{error}");
        let error = forecast(&network(i64::MAX), &Options::default(), "L4").unwrap_err();
        assert_eq!(error.code(), Code::BadProfile);
        assert!(error.message().contains("`s0` has no upper bound"), "{error}");
    }

    #[test]
    fn a_network_that_is_too_large_does_not_fit() {
        let found = forecast(&network(4_000_000), &Options::default(), "L4").unwrap();
        assert!(!found.fits());
        assert!(found.to_string().contains("does not fit L4"), "{found}");
    }

    #[test]
    fn numbers_have_units() {
        assert_eq!([0, 999, 1000, 123_456, 3_600_000_000].map(count_text), ["0", "999", "1.0 k", "123 k", "3.6 G"]);
        assert_eq!([2e-6, 1.5e-3].map(time_text), ["2.0 µs", "1.50 ms"]);
    }
}
