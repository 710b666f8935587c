//! Networks as tests write them: a line a layer, without names and origins.

use network::{DType, Network, Op, Weights};
use std::fmt::Write as _;

/// Reads lines such as `%2: float32[2] = Identity(%1)`; layers get their number as a name.
pub fn read(text: &str) -> Network {
    let mut full = "network\n".to_owned();
    for (n, line) in text.trim().lines().map(str::trim).enumerate() {
        let layer = line.starts_with('%');
        writeln!(
            full,
            "{line}{}",
            if layer { format!(" \"l{n}\" from \"op\" \"m{n}\" \"net.py:{n}\"") } else { String::new() }
        )
        .unwrap();
    }
    match Network::parse(&full, &|_| None) {
        Ok(network) => network,
        Err(e) => panic!("{e}\n{full}"),
    }
}

/// The layers and outputs, in the same form.
pub fn write(network: &Network) -> String {
    let text = network.to_string();
    let lines = text.lines().skip(1).map(str::trim);
    // A layer's line ends with its name and origin: eight quotes, or two where it has no origin.
    let bare = |line: &str| {
        if line.starts_with('%') { line.split(" \"").next().unwrap_or(line).to_owned() } else { line.to_owned() }
    };
    lines.map(bare).collect::<Vec<_>>().join("\n")
}

/// What a pass makes of a text, constants and all, compared without indentation.
#[allow(dead_code, reason = "not every test file compares texts")]
#[track_caller]
pub fn becomes(pass: impl Fn(&Network) -> Network, before: &str, after: &str) {
    let made = pass(&read(before));
    made.verify().unwrap();
    let wanted: Vec<_> = after.trim().lines().map(str::trim).collect();
    assert_eq!(write(&made), wanted.join("\n"), "\nof\n{before}");
}

#[allow(dead_code, reason = "not every test file counts")]
pub fn count(network: &Network, name: &str) -> usize {
    network.layers().iter().filter(|l| l.op.name() == name && !matches!(l.op, Op::Constant(_))).count()
}

/// Numbers from -4 to 4 that repeat for nobody; of 16 binary places, so that sums of a few are exact in float32.
#[allow(dead_code, reason = "not every test file needs numbers")]
pub fn values(dtype: DType, dims: &[i64], seed: u64) -> Weights {
    let count: i64 = dims.iter().product();
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    Weights::from_f64(
        dtype,
        dims,
        (0..count).map(|_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let v = (state >> 33) as f64 / (1u64 << 31) as f64 * 8.0 - 4.0;
            let v = (v * 65536.0).round() / 65536.0;
            if dtype.is_float() { v } else { v.round() }
        }),
    )
}
