//! Numbers with units, as people read them.

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

/// `3.6 G`.
pub fn count_text(count: u64) -> String {
    scaled(count as f64, &["", " k", " M", " G", " T"])
}

/// `12.3 MB`, in thousands.
pub fn bytes_text(bytes: u64) -> String {
    scaled(bytes as f64, &[" B", " kB", " MB", " GB", " TB"])
}

/// Seconds as `12.0 µs` or `1.50 ms`.
pub fn time_text(seconds: f64) -> String {
    match seconds {
        0.0..1e-3 => format!("{:.1} µs", seconds * 1e6),
        _ => format!("{:.2} ms", seconds * 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_units() {
        assert_eq!([0, 999, 1000, 123_456, 3_600_000_000].map(count_text), ["0", "999", "1.0 k", "123 k", "3.6 G"]);
        assert_eq!([2e-6, 1.5e-3].map(time_text), ["2.0 µs", "1.50 ms"]);
        assert_eq!(bytes_text(1_234_567), "1.2 MB");
    }
}
