//! GPUs by their public specifications.
//!
//! Peak rates are dense (without structured sparsity), with FP32 accumulation, at boost clocks, in operations per
//! second. Where a data sheet has only a rate with sparsity, half of it is given. Rates of a board with several power
//! modes are those of the largest.

use network::DType;

/// Public specifications of a GPU.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Device {
    /// The name by which it is asked for.
    pub name: &'static str,
    /// Compute capability.
    pub capability: (u32, u32),
    /// Bytes of its memory. A Jetson shares it with the host.
    pub memory: u64,
    /// Bytes that it reads and writes per second.
    pub bandwidth: f64,
    /// Peak rate of FP32 outside of tensor cores.
    pub float32: f64,
    /// Peak rate of TF32 on tensor cores; `None` where it has none.
    pub tf32: Option<f64>,
    /// Peak rate of FP16 on tensor cores.
    pub float16: f64,
    /// Peak rate of BF16 on tensor cores.
    pub bfloat16: Option<f64>,
    /// Peak rate of INT8 on tensor cores.
    pub int8: f64,
    /// Peak rate of FP8 on tensor cores.
    pub float8: Option<f64>,
}

impl Device {
    /// The device of a name, whatever its case and separators: `RTX 4090`, `rtx-4090`, `rtx4090`.
    pub fn named(name: &str) -> Option<&'static Self> {
        let plain = |name: &str| {
            let name = name.to_lowercase();
            let name = name.strip_prefix("nvidia").unwrap_or(&name).replace([' ', '-', '_'], "");
            name.strip_prefix("geforce").or(name.strip_prefix("jetson")).unwrap_or(&name).to_owned()
        };
        DEVICES.iter().find(|device| plain(device.name) == plain(name))
    }

    /// Peak rate of convolutions and matrix multiplications with operands of a type. TensorRT computes FP32 in TF32
    /// where the device has it. A type that the tensor cores lack runs in FP32.
    pub fn contractions(&self, dtype: DType) -> f64 {
        match dtype {
            DType::Float16 => self.float16,
            DType::BFloat16 => self.bfloat16.unwrap_or(self.float32),
            DType::Int8 | DType::UInt8 => self.int8,
            DType::Float8E4M3 => self.float8.unwrap_or(self.float32),
            DType::Float32 => self.tf32.unwrap_or(self.float32),
            DType::Int32 | DType::Int64 | DType::Bool => self.float32,
        }
    }
}

/// A row of the table: GiB, GB/s and TFLOPS as data sheets give them; 0 where the device lacks the type.
const fn row(
    name: &'static str,
    capability: (u32, u32),
    [gibibytes, bandwidth]: [f64; 2],
    [float32, tf32, float16, bfloat16, int8, float8]: [f64; 6],
) -> Device {
    const fn tera(rate: f64) -> Option<f64> {
        if rate == 0.0 { None } else { Some(rate * 1e12) }
    }
    Device {
        name,
        capability,
        memory: (gibibytes * 1024.0 * 1024.0 * 1024.0) as u64,
        bandwidth: bandwidth * 1e9,
        float32: float32 * 1e12,
        tf32: tera(tf32),
        float16: float16 * 1e12,
        bfloat16: tera(bfloat16),
        int8: int8 * 1e12,
        float8: tera(float8),
    }
}

/// Every device that has a name here.
///
/// Sources are NVIDIA's: the data sheet of each data centre GPU (`A100-80` is the SXM module), the architecture white
/// papers of GA102, AD102 and Blackwell for GeForce, and the data sheets of the Jetson modules.
#[rustfmt::skip]
pub const DEVICES: &[Device] = &[
    // name, capability, [GiB, GB/s], [FP32, TF32, FP16, BF16, INT8, FP8]
    row("A100-40", (8, 0), [40.0, 1555.0], [19.5, 156.0, 312.0, 312.0, 624.0, 0.0]),
    row("A100-80", (8, 0), [80.0, 2039.0], [19.5, 156.0, 312.0, 312.0, 624.0, 0.0]),
    row("A10", (8, 6), [24.0, 600.0], [31.2, 62.5, 125.0, 125.0, 250.0, 0.0]),
    row("A30", (8, 0), [24.0, 933.0], [10.3, 82.0, 165.0, 165.0, 330.0, 0.0]),
    row("L4", (8, 9), [24.0, 300.0], [30.3, 60.0, 121.0, 121.0, 242.0, 242.0]),
    row("L40S", (8, 9), [48.0, 864.0], [91.6, 183.0, 362.0, 362.0, 733.0, 733.0]),
    row("T4", (7, 5), [16.0, 320.0], [8.1, 0.0, 65.0, 0.0, 130.0, 0.0]),
    row("RTX 3090", (8, 6), [24.0, 936.0], [35.6, 35.6, 71.0, 71.0, 284.0, 0.0]),
    row("RTX 4090", (8, 9), [24.0, 1008.0], [82.6, 82.6, 165.2, 165.2, 660.6, 330.3]),
    row("RTX 5090", (12, 0), [32.0, 1792.0], [104.8, 104.8, 209.5, 209.5, 838.0, 419.0]),
    row("H100 SXM", (9, 0), [80.0, 3350.0], [67.0, 494.5, 989.5, 989.5, 1979.0, 1979.0]),
    row("H100 PCIe", (9, 0), [80.0, 2000.0], [51.0, 378.0, 756.5, 756.5, 1513.0, 1513.0]),
    row("H200", (9, 0), [141.0, 4800.0], [67.0, 494.5, 989.5, 989.5, 1979.0, 1979.0]),
    row("B200", (10, 0), [180.0, 8000.0], [75.0, 1125.0, 2250.0, 2250.0, 4500.0, 4500.0]),
    row("Orin Nano", (8, 7), [8.0, 102.0], [2.1, 8.4, 17.0, 17.0, 33.0, 0.0]),
    row("Orin NX", (8, 7), [16.0, 102.4], [1.9, 7.5, 15.0, 15.0, 30.0, 0.0]),
    row("AGX Orin", (8, 7), [64.0, 204.8], [5.3, 21.3, 42.5, 42.5, 85.0, 0.0]),
    row("AGX Thor", (11, 0), [128.0, 273.0], [8.1, 129.0, 258.5, 258.5, 517.0, 517.0]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_however_they_are_written() {
        for name in ["RTX 4090", "rtx4090", "NVIDIA GeForce RTX 4090", "rtx-4090"] {
            assert_eq!(Device::named(name).map(|device| device.name), Some("RTX 4090"), "{name}");
        }
        assert_eq!(Device::named("jetson agx orin").map(|device| device.name), Some("AGX Orin"));
        assert_eq!(Device::named("L40"), None);
    }

    #[test]
    fn every_name_is_of_one_device_and_smaller_types_are_no_slower() {
        for device in DEVICES {
            assert_eq!(Device::named(device.name), Some(device));
            let [float32, float16, int8] =
                [DType::Float32, DType::Float16, DType::Int8].map(|d| device.contractions(d));
            assert!(device.float32 <= float32 && float32 <= float16 && float16 <= int8, "{}", device.name);
            assert_eq!(device.float8.is_some(), device.capability >= (8, 9), "{}", device.name);
            assert_eq!(device.bfloat16.is_some(), device.capability >= (8, 0), "{}", device.name);
        }
    }
}
